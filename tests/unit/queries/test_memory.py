"""How much memory is left, by files as Linux writes them, and what a result may take of it."""

from __future__ import annotations

import sys

import pytest

from tusk_jupyter.queries.memory import LOOK_EVERY, MB, RESERVE, Guard, available

GB = 1024 * MB


@pytest.fixture
def machine(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    write(proc__meminfo="MemTotal:  16777216 kB\nMemAvailable:    8388608 kB\n")
    return write


def test_the_machine_alone(machine):
    assert available(machine()) == 8 * GB


def test_a_container_of_cgroup_2(machine):
    root = machine(
        proc__self__cgroup="0::/user.slice/box\n",
        sys__fs__cgroup__user_DOT_slice__box__memory_DOT_max="max\n",
        sys__fs__cgroup__user_DOT_slice__box__memory_DOT_current=f"{GB}\n",
        sys__fs__cgroup__user_DOT_slice__memory_DOT_max=f"{4 * GB}\n",
        sys__fs__cgroup__user_DOT_slice__memory_DOT_current=f"{3 * GB}\n",
        sys__fs__cgroup__user_DOT_slice__memory_DOT_stat=f"anon 5\ninactive_file {GB}\n",
    )
    assert available(root) == 2 * GB  # what is cached goes when it is wanted


def test_inside_a_container_its_own_group_is_the_root_of_what_it_sees(machine):
    root = machine(
        proc__self__cgroup="0::/docker/0123\n",
        sys__fs__cgroup__memory_DOT_max=f"{2 * GB}\n",
        sys__fs__cgroup__memory_DOT_current=f"{GB}\n",
    )
    assert available(root) == GB


def test_a_container_of_cgroup_1(machine):
    root = machine(
        proc__self__cgroup="8:pids:/\n4:memory:/box\n0::/\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="9223372036854771712\n",
        sys__fs__cgroup__memory__memory_DOT_usage_in_bytes=f"{9 * GB}\n",
        sys__fs__cgroup__memory__box__memory_DOT_limit_in_bytes=f"{3 * GB}\n",
        sys__fs__cgroup__memory__box__memory_DOT_usage_in_bytes=f"{2 * GB}\n",
        sys__fs__cgroup__memory__box__memory_DOT_stat=f"total_inactive_file {MB}\n",
    )
    assert available(root) == GB + MB


def test_where_nobody_says(tmp_path):
    assert available(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_bytes(b"MemAvailable: \xff kB\nMemAvailable:\n")
    assert available(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux writes")
def test_this_machine():
    assert 0 < available() < 2**60


def test_a_result_goes_on_while_there_is_room_for_its_frame():
    guard = Guard(0, left=lambda: RESERVE + 512 * MB)
    assert guard.overflow(1024 * MB, rows=10, objects=0) is None
    stopped = guard.overflow(1024 * MB + LOOK_EVERY, rows=11, objects=0)
    assert (stopped.rows, stopped.nbytes, stopped.limit_mb) == (11, 1024 * MB + LOOK_EVERY, 0)
    assert Guard(0, left=lambda: RESERVE + 512 * MB).overflow(128 * MB, rows=1, objects=1.0) is not None


def test_it_is_looked_at_now_and_then():
    looks = []
    guard = Guard(0, left=lambda: looks.append(1) or 100 * GB)
    for kilobytes in range(0, 64 * 1024, 100):
        guard.overflow(kilobytes * 1024, rows=1, objects=0)
    assert len(looks) == 3


def test_where_nobody_says_nothing_is_refused():
    assert Guard(0, left=lambda: None).overflow(100 * GB, rows=1, objects=1) is None


def test_the_users_own_limit():
    guard = Guard(1, left=lambda: pytest.fail("not asked"))
    assert guard.overflow(MB, rows=1, objects=0) is None
    assert guard.overflow(MB + 1, rows=1, objects=0).limit_mb == 1
