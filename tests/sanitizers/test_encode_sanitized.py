"""The compiled encoder under AddressSanitizer and UBSan, fed by what no honest file holds: no finding.

Seeds and rounds as in test_decode_sanitized.py.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.fix_decoder import SOURCES, preloaded_sanitizer, run_sanitized

HERE = Path(__file__).parent
SEED = os.environ.get("FUZZ_SEED")
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "0"))
OPTIONS = "detect_leaks=0:abort_on_error=0:allocator_may_return_null=1"


@pytest.fixture(scope="module")
def rows_fuzz(sanitizing_compiler):
    return sanitizing_compiler(HERE / "rows_fuzz.c", "rows_fuzz")


@pytest.mark.parametrize("seed", [SEED] if SEED else ["1", "2", "3"])
def test_rows_of_anything(rows_fuzz, seed):
    said = run_sanitized([rows_fuzz, seed, ROUNDS or 5000], ASAN_OPTIONS=OPTIONS)
    assert said == "written 1 refused 1 broken 1 no_memory 1\n"


def test_pythons_side_of_it(sanitizing_compiler):
    extension = sanitizing_compiler(
        SOURCES / "_encode.c", "_encode.so", "-shared", "-fPIC", "-DPy_LIMITED_API=0x030B0000"
    )
    said = run_sanitized(
        [sys.executable, "-P", HERE / "glue_rows_fuzz.py", extension, SEED or "1", ROUNDS or 3000],
        ASAN_OPTIONS=OPTIONS, LD_PRELOAD=preloaded_sanitizer(), PYTHONPATH=str(HERE.parents[1]), PYTHONMALLOC="malloc",
    )  # fmt: skip
    assert said == "written 1 refused 1 broken 1\n"
