"""Preferences: one declaration for ``%tusk set``, ``%config``, the traits; where a value comes from; what is kept."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from tests.waiting import wait_until
from tusk_jupyter import Tusk
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.preferences import PREFERENCES, named
from tusk_jupyter.storage.history import HistoryRow, record

OTHER = {
    "format": "polars",
    "numeric": "decimal",
    "arrow_numeric": "double",
    "uuid": "object",
    "dates": "object",
    "limit": 500,
    "memory_limit_mb": 2000,
    "quiet": True,
    "expanded": "on",
    "history": False,
    "history_days": 30,
    "idle_transaction_s": 300,
}


@pytest.fixture
def reloaded(tusk):
    """Return a function that gives the state of the next kernel with the same data directory."""

    def load(**config):
        Tusk.instance().close()
        Tusk.clear_instance()
        return Tusk.instance(config=Config(config))

    return load


def sources(state):
    return {setting.name: setting.source for setting in state.preferences.listing() if setting.source != "default"}


def messages(reply):
    return "\n".join(reply.displayed)


# -- the registry -----------------------------------------------------------------------------------------------------


def test_the_traits_are_the_registry(tusk):
    traits = Tusk.class_own_traits(config=True)
    assert traits.keys() == PREFERENCES.keys() == OTHER.keys()
    for name, preference in PREFERENCES.items():
        assert getattr(tusk, name) == preference.default
        assert traits[name].help == preference.meaning
        assert preference.check(preference.default) == preference.default


@pytest.mark.parametrize("name", PREFERENCES)
def test_the_trait_takes_what_the_registry_takes(tusk, name):
    preference = PREFERENCES[name]
    tries = [*preference.choices, 0, 1, 500, -1, preference.most, preference.most + 1, True, False, None, "x", 1.5, []]
    for value in tries:
        try:
            preference.check(value)
        except InvalidInput:
            if type(value) is type(preference.default) and not isinstance(value, bool):
                with pytest.raises(TraitError):
                    setattr(tusk, name, value)
        else:
            setattr(tusk, name, value)
            assert getattr(tusk, name) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "500", 500),
        ("limit", "1_000", 1000),
        ("limit", " 0 ", 0),
        ("quiet", "on", True),
        ("quiet", "TRUE", True),
        ("quiet", "yes", True),
        ("quiet", "1", True),
        ("history", "off", False),
        ("history", "False", False),
        ("history", "no", False),
        ("history", "0", False),
        ("format", "arrow", "arrow"),
    ],
)
def test_words_become_values(name, text, value):
    read = PREFERENCES[name].read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("limit", "many", "a whole number from 0"),
        ("limit", "-1", "a whole number from 0"),
        ("limit", "1.5", "a whole number"),
        ("limit", "9" * 5000, "a whole number"),
        ("limit", "٣", "a whole number"),
        ("limit", "2147483648", "to 2147483647"),
        ("history_days", "40000", "to 36500"),
        ("quiet", "maybe", "on or off"),
        ("format", "panda", "Did you mean 'pandas'?"),
        ("format", "PANDAS", "Did you mean 'pandas'?"),
        ("format", "csv", "one of pandas, arrow, polars, rows"),
    ],
)
def test_what_may_not_be_is_refused_with_what_may(name, text, words):
    with pytest.raises(InvalidInput) as caught:
        PREFERENCES[name].read(text)
    assert words in caught.value.advice
    assert repr(name) in caught.value.message


@pytest.mark.parametrize("value", ["5", True, None, 5.0])
def test_a_value_of_another_type_is_not_bent(value):
    with pytest.raises(InvalidInput):
        PREFERENCES["limit"].check(value)


def test_unknown_names_get_near_ones_or_all():
    assert named("History-Days") is PREFERENCES["history_days"]
    with pytest.raises(InvalidInput) as caught:
        named("formt")
    assert "Did you mean format" in caught.value.advice
    with pytest.raises(InvalidInput) as caught:
        named("zzz")
    assert all(name in caught.value.advice for name in PREFERENCES)


# -- what is kept -----------------------------------------------------------------------------------------------------


def test_everything_that_is_set_is_there_at_the_next_load(tusk, reloaded):
    for name, value in OTHER.items():
        assert tusk.set_preference(name, value) is None
        assert tusk.get_preference(name) == getattr(tusk, name) == value
    assert set(sources(tusk).values()) == {"saved"}
    later = reloaded()
    assert {name: later.get_preference(name) for name in OTHER} == OTHER
    assert sources(later) == dict.fromkeys(OTHER, "saved")


def test_reset_is_kept_too(tusk, reloaded):
    tusk.set_preference("limit", 7)
    assert tusk.preferences.reset("limit") is None
    assert tusk.limit == 0
    assert sources(tusk) == {}
    assert reloaded().limit == 0


def test_config_is_for_this_kernel_only(shell, tusk, reloaded):
    shell.run("%config Tusk.limit = 3")
    assert tusk.limit == 3
    assert sources(tusk) == {"limit": "kernel"}
    assert reloaded().limit == 0


def test_an_explicit_configuration_wins_over_what_is_saved(tusk, reloaded):
    tusk.set_preference("limit", 7)
    tusk.set_preference("quiet", value=True)
    later = reloaded(Tusk={"limit": 99})
    assert (later.limit, later.quiet) == (99, True)
    assert sources(later) == {"limit": "config", "quiet": "saved"}
    later.set_preference("limit", 8)
    assert (later.limit, sources(later)["limit"]) == (8, "saved")
    later.preferences.reset("limit")
    assert (later.limit, sources(later)["limit"]) == (99, "config")


@pytest.mark.parametrize(("name", "value"), [("idle_transaction_s", -5), ("format", "xml"), ("limit", "many"), ("quiet", 3)])
def test_what_the_configuration_may_not_say_is_told_and_not_used(shell, name, value):
    other = next(one for one in OTHER if one != name)
    shell.run(f"%config Tusk.{name} = {value!r}")
    shell.run(f"%config Tusk.{other} = {OTHER[other]!r}")
    shell.run("%unload_ext tusk_jupyter")
    reply = shell.run("%load_ext tusk_jupyter")
    default = PREFERENCES[name].default
    allowed = PREFERENCES[name].allowed
    assert reply.displayed == [f"Tusk.{name} = {value!r} in the configuration is not used: it is {allowed}; {default!r} holds"]
    assert getattr(Tusk.instance(), name) == default
    assert sources(Tusk.instance()) == {other: "config"}
    assert getattr(Tusk.instance(), other) == OTHER[other]


def test_a_long_one_from_a_parent_s_section_or_the_command_line(reloaded):
    later = reloaded(
        Shell={"Tusk": {"limit": "x" * 10_000}},
        Tusk={"history_days": DeferredConfigString("-1"), "idle_transaction_s": DeferredConfigString("7")},
    )
    long, days = sorted((one.line(0) for one in later.unusable), reverse=True)
    assert long.startswith("Tusk.limit = 'xxx")
    assert len(long) < 250
    assert days.startswith("Tusk.history_days = '-1' in the configuration is not used")
    assert (later.idle_transaction_s, later.history_days) == (7, 365)


def test_a_configured_default_wins_too(tusk, reloaded):
    tusk.set_preference("format", "rows")
    later = reloaded(Tusk={"format": "pandas"})
    assert (later.format, sources(later)["format"]) == ("pandas", "config")


@pytest.mark.parametrize("text", ['"csv"', "-1", "true", "null", "[1]", "{", "", "1e999", "x" * 100_000])
def test_a_saved_value_that_is_no_longer_valid_is_ignored_and_logged(tusk, reloaded, tmp_path, text):
    tusk.set_preference("limit", 7)
    tusk.set_preference("quiet", value=True)
    tusk.close()
    with closing(sqlite3.connect(tmp_path / "tusk" / "tusk.db")) as conn:
        conn.execute("update preferences set value = ? where key = 'limit'", (text,))
        conn.execute("insert into preferences values ('from_the_future', '1', '2030-01-01')")
        conn.commit()
    later = reloaded()
    assert later.limit == 0
    assert sources(later) == {"quiet": "saved"}
    later.close()
    (log,) = (tmp_path / "tusk" / "logs").glob("*.log")
    assert "'limit'" in log.read_text()
    assert "'from_the_future'" in log.read_text()


def test_loading_reads_the_file_once(tusk, monkeypatch):
    database, reads = tusk.storage, []
    read = database.read
    monkeypatch.setattr(database, "read", lambda job: reads.append(job) or read(job), raising=False)
    tusk.preferences.load()
    assert len(reads) == 1


def test_without_a_file_it_holds_here_and_says_so(tusk, tmp_path):
    (tmp_path / "taken").write_text("")
    tusk.open_files(tmp_path / "taken")
    assert "in memory only" in tusk.set_preference("limit", 7)
    assert tusk.limit == 7
    tusk.open_files(tmp_path / "way out")
    assert (tusk.limit, sources(tusk)) == (7, {"limit": "saved"})  # what was kept in memory goes along
    tusk.open_files(tmp_path / "tusk")
    assert tusk.limit == 0


def test_a_disk_that_refuses_costs_only_the_saving(tusk, shell):
    tusk.storage.close()
    assert "tusk.db is closed" in messages(shell.run("%tusk set limit 7"))
    assert tusk.limit == 7


def test_another_directory_has_preferences_of_its_own(tusk, tmp_path):
    tusk.set_preference("limit", 7)
    tusk.quiet = True
    tusk.open_files(tmp_path / "other")
    assert (tusk.limit, tusk.quiet) == (0, True)
    tusk.set_preference("limit", 8)
    tusk.open_files(tmp_path / "tusk")
    assert tusk.limit == 7


# -- the magic --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["limit 500", "limit=500", "limit = 500", "LIMIT 500", "limit '500'"])
def test_set_applies_at_once_and_saves(shell, tusk, spelling):
    assert "limit = 500" in messages(shell.run(f"%tusk set {spelling}"))
    assert tusk.limit == 500
    assert shell.run("%tusk get limit").value == "500"
    assert sources(tusk) == {"limit": "saved"}


def test_set_default_resets(shell, tusk):
    shell.run("%tusk set format rows")
    assert "format = pandas again" in messages(shell.run("%tusk set format default"))
    assert sources(tusk) == {}


def test_switches_are_spelled_on_and_off(shell, tusk):
    assert "quiet = on" in messages(shell.run("%tusk set quiet yes"))
    assert "quiet = off" in messages(shell.run("%tusk set quiet off"))
    assert tusk.quiet is False


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("set", "%tusk get lists them"),
        ("set limit", "a whole number"),
        ("set limit many", "a whole number"),
        ("set lmit 5", "Did you mean limit"),
        ("set format panda", "Did you mean 'pandas'"),
        ("set limit 5 6", "a whole number"),
        ("get lmit", "Did you mean limit"),
    ],
)
def test_refusals_say_what_may_be(shell, tusk, line, words):
    reply = shell.run(f"%tusk {line}", ok=False)
    assert type(reply.exception).__name__ == "InvalidInput"
    assert words in reply.displayed[-1]
    assert tusk.limit == 0


def test_get_is_a_table_that_shows_each_sentence_whole(shell, tusk):
    tusk.set_preference("limit", 5)
    shell.run("table = %tusk get")
    table = shell.ns["table"]
    assert list(table.index) == list(PREFERENCES)
    assert list(table.columns) == ["value", "default", "source", "meaning"]
    assert tuple(table.loc["limit"])[:3] == (5, 0, "saved")
    for text in (shell.run("table").value, shell.run("%tusk get").html):
        assert all(preference.meaning in text for preference in PREFERENCES.values())
    import pandas as pd

    assert type(table.head(1)) is pd.DataFrame
    assert pd.get_option("display.max_colwidth") == 50


def test_a_configured_one_says_that_it_wins_next_time(bare_shell, reloaded):
    reloaded(Tusk={"limit": 99})
    bare_shell.run("%load_ext tusk_jupyter")
    assert "wins at the next start" in messages(bare_shell.run("%tusk set limit 5"))


def test_the_aliases_still_work(shell, tusk):
    shell.run("%config SqlMagic.autolimit = 12")
    shell.run("%config SqlMagic.autopolars = True")
    shell.run("%config SqlMagic.feedback = 0")
    assert (tusk.limit, tusk.format, tusk.quiet) == (12, "polars", True)
    assert sources(tusk) == {"limit": "kernel", "format": "kernel", "quiet": "kernel"}


def test_an_alias_in_the_configuration_wins_over_what_is_saved(bare_shell, reloaded, tusk):
    tusk.set_preference("limit", 7)
    reloaded()
    bare_shell.ip.config.SqlMagic.autolimit = 12
    bare_shell.run("%load_ext tusk_jupyter")
    state = Tusk.instance()
    assert state.limit == 12
    assert sources(state) == {"limit": "config"}
    state.preferences.load()
    assert state.limit == 12


# -- what is kept of the history ---------------------------------------------------------------------------------------


def history(tusk):
    return tusk.storage.write(lambda conn: [row[0] for row in conn.execute("select sql from history")]).result(10)


@pytest.mark.parametrize(("days", "left"), [(0, ["old", "new"]), (365, ["new"]), (36_500, ["old", "new"])])
def test_old_history_goes_at_the_next_load(tusk, reloaded, days, left):
    for sql, age in (("old", 400), ("new", 10)):
        base = dict.fromkeys(HistoryRow.__dataclass_fields__)
        started = (datetime.now(UTC) - timedelta(days=age)).isoformat()
        record(tusk.storage, HistoryRow(**base | {"query_id": sql, "connection_id": "c", "connection": "db", "sql": sql,
                                                  "parameters": (), "started_at": started}))
    tusk.set_preference("history_days", days)
    assert history(tusk) == ["old", "new"]
    later = reloaded()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "tusk-retention"])
    assert history(later) == left
    later.close()
