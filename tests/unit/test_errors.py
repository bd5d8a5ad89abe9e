from __future__ import annotations

import copy
import json
import pickle

import pytest

from tusk_jupyter import errors
from tusk_jupyter.errors import Correction, Diagnostic, Place, QueryInterrupted, TuskError

KINDS = {
    "connection": {
        "ConnectionFailed", "ConnectionTimeout", "ConnectionLost", "ConnectionNotFound", "NoActiveConnection",
        "PoolTimeout",
    },
    "authentication": {"AuthenticationFailed"},
    "ssl": {"SslError"},
    "ssh": {"SshError"},
    "query": {"QueryFailed", "QueryCancelled", "QueryTimeout"},
    "storage": {"StorageError", "MigrationError"},
    "keyring": {"KeyringError", "CredentialNotFound"},
    "initialization": {"InitializationError"},
    "input": {"InvalidInput", "BindingError"},
    "internal": {"TuskError", "ConversionError", "IoError", "InternalError"},
}  # fmt: skip


def tree(root=TuskError):
    yield root
    for child in root.__subclasses__():
        if child.__module__ == "tusk_jupyter.errors":
            yield from tree(child)


@pytest.mark.parametrize("cls", list(tree()), ids=lambda cls: cls.__name__)
def test_every_class_has_advice_of_its_own_or_its_family(cls):
    error = cls("something broke")
    assert error.advice
    assert cls is TuskError or cls.default_advice != TuskError.default_advice
    assert cls.__name__ in KINDS[error.kind]


def test_the_tree_is_the_contracts():
    assert {cls.__name__ for cls in tree()} == set().union(*KINDS.values())


def test_the_docstring_draws_every_class():
    for cls in [*tree(), QueryInterrupted]:
        assert f" {cls.__name__}" in errors.__doc__


FULL = TuskError(
    "no", detail="d", hint="h", advice="a", sqlstate="42703", condition="undefined_column", position=3,
    place=Place("select x", 2), correction=Correction(7, 8, "y"), diag=Diagnostic(severity="ERROR", statement_position=3), transaction="t",
    facts=(("tried", "x"),), name="n", duration_s=1.5,
)  # fmt: skip


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_travel_whole(again):
    same = again(FULL)
    assert type(same) is TuskError
    assert same.info() == FULL.info()
    assert same.place == FULL.place
    assert same.correction == FULL.correction


def test_info_has_the_corrected_line():
    assert FULL.info().corrected == "select y"
    assert TuskError("no", place=Place("select x", 7)).info().corrected is None
    inside = Place("select x", 7, internal=True)
    assert TuskError("no", place=inside, correction=Correction(7, 8, "y")).corrected is None


def test_a_correction_is_of_one_line():
    text = "%%sql\r\nselect a,\r\n\tb\r\nfrom t"
    at = text.index("b")
    assert Correction(0, 1, "total").moved(at).line(text) == (3, "\t", "total")
    assert Correction(at, at, "c, ").line(text) == (3, "\t", "c, b")
    assert Correction(len(text), len(text), " x").line(text) == (4, "from t", " x")
    for start, end, new in [(at, at + 3, "x"), (at, at + 1, "x\ny"), (-1, 0, ""), (5, 4, ""), (0, len(text) + 1, "")]:
        assert Correction(start, end, new).line(text) is None


def test_info_is_frozen_and_json():
    info = FULL.info()
    assert json.loads(json.dumps(info.to_dict()))["diag"]["statement_position"] == 3
    with pytest.raises(AttributeError):
        info.message = "other"


def test_str_holds_the_message_and_the_traceback_is_one_line():
    error = TuskError("first\nsecond \x1b[31m", sqlstate="42703")
    assert str(error) == "first\nsecond \x1b[31m (42703)"
    assert error._render_traceback_() == ["TuskError: first second \\x1b[31m (42703)"]


def test_an_interrupt_is_no_exception():
    interrupt = QueryInterrupted(FULL)
    assert not isinstance(interrupt, Exception)
    assert isinstance(interrupt, KeyboardInterrupt)
    assert pickle.loads(pickle.dumps(interrupt)).error.info() == FULL.info()
