"""Several processes at once (``pytest -n 2``): a file of tests is one process's business, and each long test by itself.

Every process has servers of its own, so what is dear to set up is set up once in each; tests of a file share kernels and
servers of a module, which files torn apart would start twice. The order stays the random one, with the long tests first,
so that none is left when the other process has nothing more to do. The processes must know each test by the same name,
so a name with an address in it is refused. Without ``-n`` nothing else of this is used.
"""

from __future__ import annotations

import pytest

# takes minutes, twice
LONG = "tests/postgres/test_regression_suite.py"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if moving := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"the name of a test is another in each process: {moving[0]!r}")
    yield
    # after the shuffle, which comes after everybody else
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    return _sendable((yield))


def _sendable(data):
    """A report can quote any text, and what goes from process to process is UTF-8, or the run ends."""
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(data, dict):
        return {key: _sendable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(map(_sendable, data))
    return data


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return nodeid if file == LONG else file

    config.option.loadscopereorder = False
    return ByFile(config, log)
