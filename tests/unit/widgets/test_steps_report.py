from tusk_jupyter.widgets.steps_report import StepsReport

STEPS = (
    ("DNS", "ok", "db.example.org is 192.0.2.7"),
    ("TCP", "failed", "refused <b>\x1b[31m"),
    ("TLS", "skipped", ""),
)


def test_text_is_in_columns_with_a_sign_for_each_state():
    assert StepsReport("shop cannot be used", STEPS, 12.3).text().splitlines() == [
        "shop cannot be used",
        "✓ DNS  db.example.org is 192.0.2.7",
        "✗ TCP  refused <b>\\x1b[31m",
        "· TLS",
        "· round trip  12 ms",
    ]


def test_html_says_the_same_and_escapes():
    html = StepsReport("<i>", STEPS).html()
    assert "&lt;i&gt;" in html
    assert "refused &lt;b&gt;" in html
    assert "\x1b" not in html
    assert "round trip" not in html


def test_no_steps_is_only_the_verdict():
    assert StepsReport("nothing was tried", ()).text() == "nothing was tried"
