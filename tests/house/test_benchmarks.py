"""The benchmarks start, and what they print of samples is what the samples say."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import wait_until

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SAMPLES = {
    ("wall", "raw, text"): [1.0, 1.2],
    ("wall", "raw, binary"): [0.5, 0.9],
    ("wall", "tusk-jupyter"): [0.7, 0.7],
    ("CPU", "tusk-jupyter"): [0.2, 0.2],
    ("wall", "fast"): [1.4, 1.4],
    ("CPU", "fast"): [0.8, 0.8],
    ("wall", "slow"): [7.0],
    ("CPU", "slow"): [0.1],
}
PEERS = ("fast", "slow", "absent")


@pytest.fixture(scope="module")
def bench():
    """The folder, importable for as long as it is needed."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from side_by_side import cases, relay, report, rounds, shell

        modules = {"cases": cases, "relay": relay, "report": report, "rounds": rounds, "shell": shell}
        yield type("Bench", (), modules)
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "side_by_side":
                del sys.modules[name]


@pytest.fixture
def measured(bench):
    return bench.rounds.Measured(SAMPLES, {"absent": "not here"})


def test_every_measurement_can_be_named():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "run.py", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "results" in done.stdout


@pytest.mark.parametrize(
    ("aim", "value", "spread", "met"),
    [
        ({"figure": "wall", "case": "tusk-jupyter"}, 0.7, [0.7, 0.7], None),
        # the faster of the two formats
        (
            {"figure": "wall", "case": "tusk-jupyter", "over": ("raw, text", "raw, binary"), "at_most": 1.1},
            1.0,
            [1.4, 0.7 / 0.9],
            True,
        ),
        (
            {"figure": "wall", "case": "tusk-jupyter", "over": ("raw, text", "raw, binary"), "at_most": 0.9},
            1.0,
            [1.4, 0.7 / 0.9],
            False,
        ),
        # the fastest peer, by its wall time: what another used less of does not count
        ({"figure": "wall", "case": PEERS, "over": "tusk-jupyter", "at_least": 1.9}, 2.0, [2.0, 2.0], True),
        ({"figure": "wall", "case": PEERS, "over": "tusk-jupyter", "at_least": 2.1}, 2.0, [2.0, 2.0], False),
        (
            {"figure": "CPU", "case": "tusk-jupyter", "over": PEERS, "chosen_by": "wall", "at_most": 0.5},
            0.25,
            [0.25, 0.25],
            True,
        ),
        # only the rounds that both took part in
        ({"figure": "wall", "case": "slow", "over": "tusk-jupyter", "at_least": 10}, 10.0, [10.0], True),
        ({"figure": "CPU", "case": "tusk-jupyter", "over_figure": "wall"}, 0.2 / 0.7, [0.2 / 0.7] * 2, None),
        # the one that took longest, not the middle of all
        ({"figure": "wall", "case": "raw, binary", "at_most": 0.8, "is_worst": True}, 0.9, [0.5, 0.9], False),
    ],
)
def test_what_an_aim_comes_to(bench, measured, aim, value, spread, met):
    aim = bench.cases.Aim(**aim)
    figure = bench.report.comes_to(measured, aim)
    assert figure.value == pytest.approx(value)
    assert list(figure.spread) == pytest.approx(spread)
    assert bench.report.met(measured, aim) is met


def test_a_peer_that_cannot_is_shown_with_its_reason(bench):
    ran = []

    def fails():
        raise bench.shell.ChildFailed("peer", "Traceback …\nValueError: no such type\n\n")

    def works():
        ran.append(1)
        return {"wall": [1.0]}

    cases = [
        bench.cases.Case("tusk-jupyter", works),
        bench.cases.Case("peer", fails, may_fail=True),
        bench.cases.Case("slow", works, rounds=1),
    ]
    aims = [bench.cases.Aim("wall", "peer", over="tusk-jupyter", at_least=1, row="a row", label="data")]
    measurement = bench.cases.Measurement("m", "M", "s", cases, aims, rounds=3, warm_up=False, limit=("tusk-jupyter",))
    done = bench.rounds.measured(measurement)
    assert len(ran) == 3 + 1
    shown = bench.report.tables(measurement, done)
    assert "peer failed: ValueError: no such type" in shown
    assert "failed, see below" in shown
    summary = bench.report.summary(["a row", "another row"], [(measurement, done)])
    assert "| a row  | ≥ 1 | data                      | not measured |" in summary
    assert "another row" not in summary


def test_the_relay_sees_a_cancel_and_its_answer(bench, tmp_path):
    """Also behind a question for encryption, and with an answer that comes in two pieces."""
    began = time.monotonic()
    ssl, cancel = struct.pack("!II", 8, 80877103), struct.pack("!IIII", 16, 80877102, 4711, 815)
    with socket.socket(socket.AF_UNIX) as server, bench.relay.relay(str(tmp_path / "s")) as between:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(10)
        with socket.create_connection(("127.0.0.1", between.port), timeout=10) as client:
            client.sendall(ssl)
            behind, _ = server.accept()
            with behind:
                behind.settimeout(10)
                assert behind.recv(8) == ssl
                behind.sendall(b"N")
                assert client.recv(1) == b"N"
                assert between.first("asked", began) is None
                client.sendall(cancel)
                assert behind.recv(16) == cancel
                asked = wait_until(lambda: between.first("asked", began))
                behind.sendall(b"E...C57")
                assert client.recv(7) == b"E...C57"
                assert between.first("answered", began) is None
                behind.sendall(b"014\0Mcanceling")
                assert client.recv(14) == b"014\0Mcanceling"
                answered = wait_until(lambda: between.first("answered", began))
    assert began < asked < answered < time.monotonic()
    assert between.first("asked", time.monotonic()) is None


def test_ours_must_work(bench):
    def fails():
        raise bench.shell.ChildFailed("tusk-jupyter", "ValueError: broken")

    measurement = bench.cases.Measurement("m", "M", "s", [bench.cases.Case("tusk-jupyter", fails)], [], rounds=1)
    with pytest.raises(bench.shell.ChildFailed, match="broken"):
        bench.rounds.measured(measurement)
