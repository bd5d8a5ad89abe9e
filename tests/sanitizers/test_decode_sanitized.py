"""The compiled decoder under AddressSanitizer and UBSan, fed by what no honest server sends: no finding.

A seed is tried again with ``FUZZ_SEED``; ``FUZZ_ROUNDS`` makes it longer than the few seconds it has here.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.fix_decoder import SOURCES, preloaded_sanitizer, run_sanitized

HERE = Path(__file__).parent
SEED = os.environ.get("FUZZ_SEED")
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "0"))
# both count what they allocate themselves, and the sanitizer's own search for leaks needs ptrace
OPTIONS = "detect_leaks=0:abort_on_error=0"


# memory from malloc, in which every byte is watched; and mappings, as large columns have them, from the first page on
MEMORY = {"heap": (), "mapped": ("-DMAPPED_FROM=256", "-DPAGE=4096", "-DHUGE_PAGE=8192")}


@pytest.fixture(scope="module", params=MEMORY)
def columns_fuzz(request, sanitizing_compiler):
    return sanitizing_compiler(HERE / "columns_fuzz.c", f"columns_fuzz_{request.param}", *MEMORY[request.param])


@pytest.mark.parametrize("seed", [SEED] if SEED else ["1", "2", "3"])
def test_columns_of_anything(columns_fuzz, seed):
    said = run_sanitized([columns_fuzz, seed, ROUNDS or 3000], ASAN_OPTIONS=OPTIONS)
    assert said == "stored 1 refused 1 broken 1 no_memory 1\n"


def test_pythons_side_of_it(sanitizing_compiler):
    extension = sanitizing_compiler(
        SOURCES / "_decode.c", "_decode.so", "-shared", "-fPIC", "-DPy_LIMITED_API=0x030B0000"
    )
    said = run_sanitized(
        [sys.executable, "-P", HERE / "glue_fuzz.py", extension, SEED or "1", ROUNDS or 1500],
        ASAN_OPTIONS=OPTIONS, LD_PRELOAD=preloaded_sanitizer(), PYTHONPATH=str(HERE.parents[1]), PYTHONMALLOC="malloc",
    )  # fmt: skip
    assert said == "stored 1 refused 1 broken 1 unread 1\n"
