from __future__ import annotations

import re

import pytest
from psycopg import errors

from tusk_jupyter.advice.sqlstates import CLASSES, condition_name

PSYCOPG = {code: cls for code, cls in errors._sqlcodes.items() if re.fullmatch(r"[0-9A-Z]{5}", code)}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("00000", "successful_completion"),
        ("01000", "warning"),
        ("42703", "undefined_column"),
        ("42P01", "undefined_table"),
        ("23505", "unique_violation"),
        ("57014", "query_canceled"),
        ("25P04", "transaction_timeout"),
        ("72000", "snapshot_too_old"),
        ("XX002", "index_corrupted"),
        ("99999", None),
        ("42ZZZ", None),
        ("42", None),
        ("", None),
        (None, None),
    ],
)
def test_names(code, name):
    assert condition_name(code) == name


def test_psycopg_s_names_are_the_same():
    ours = {code: (condition_name(code) or "").replace("_", "") for code in PSYCOPG}
    # psycopg tells the conditions of class 38 and 39 from their namesakes by a suffix.
    theirs = {code: cls.__name__.rstrip("_").removesuffix("Ext").lower() for code, cls in PSYCOPG.items()}
    assert {code: (ours[code], theirs[code]) for code in PSYCOPG if ours[code] != theirs[code]} == {}


def test_every_class_of_the_appendix_is_there():
    assert len(CLASSES) == 44
    assert {code[:2] for code in PSYCOPG} <= CLASSES
    assert all(condition_name(f"{cls}000") for cls in CLASSES - {"10"})
