"""What fails a browser test: exceptions and console errors of ours, in the words of the front end's own as well."""

from __future__ import annotations

from tests.fix_browser import NOISE
from tests.waiting import wait_until

THROW = "text => { setTimeout(() => { throw new Error(text) }) }"
# nothing catches it, and its message and stack are as a module of ours would have them
MODULE = "import(URL.createObjectURL(new Blob(['setTimeout(() => { null.of_ours })'], {type: 'text/javascript'})))"


def test_exceptions_of_ours_count(open_notebook):
    page = (notebook := open_notebook("1")).page
    assert notebook.take_problems() == []
    texts = sorted({text for _, text, _ in NOISE})
    for text in texts:
        page.evaluate(THROW, text)
    page.evaluate(f"() => {{ {MODULE} }}")
    page.evaluate("() => console.error('said by us')")
    wait_until(lambda: page.evaluate("1") and len(notebook.problems) >= len(texts) + 2)
    found = notebook.take_problems()
    assert sorted(problem.partition(": ")[0] for problem in found) == ["error"] + ["exception"] * (len(texts) + 1)
    for part in (*texts, "of_ours", "said by us"):
        assert any(part in problem for problem in found), part
