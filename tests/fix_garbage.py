"""Garbage collection that looks at what a test made, not at what all tests and libraries hold.

IPython's shell collects garbage in full whenever it is reset, which is twice in the life of a test's shell, and so does
the interpreter by itself now and then. With every test collected and every library imported there are 600,000 objects to
look at, which takes longer than most tests. So what is there when a module's tests begin is set aside, after a
collection: what nobody holds by then is still found, and what ought to have been closed still complains. What a test
makes is collected as ever.
"""

from __future__ import annotations

import gc

import pytest

_last_module = None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    global _last_module  # noqa: PLW0603 - pytest gives no hook at the first test of a module
    if item.path != _last_module:
        _last_module = item.path
        gc.collect()
        gc.freeze()
