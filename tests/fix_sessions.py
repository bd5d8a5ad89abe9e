"""What the tests of a module opened on the server that all share is closed when the last has ended, or the module fails.

Who leaves a session there is not found by the test that counts some, in another folder and an hour later. Asked after
each module, as it costs a connection. What is in a database of a test's own ends with that.
"""

from __future__ import annotations

import pytest

from tests.waiting import backends, terminate, wait_until


@pytest.fixture(scope="session")
def shared_servers():
    """The servers that all tests share: one, once a test has asked for it."""
    return []


@pytest.fixture(scope="module", autouse=True)
def _no_session_is_left(shared_servers):
    yield
    for server in shared_servers:
        where = server.conninfo()
        try:
            wait_until(lambda where=where: not backends(where), otherwise="a test of this module left a session open")
        finally:
            # once is enough
            for pid in backends(where):
                terminate(where, pid)
