"""One plug-in per world; marks follow fixtures; what is missing is skipped with a header line, or fails with --require."""

from __future__ import annotations

import os

import hypothesis
import pytest

from tests.worlds import WORLDS, missing

pytest_plugins = [
    "tests.fix_browser",
    "tests.fix_decoder",
    "tests.fix_garbage",
    "tests.fix_kernel",
    "tests.fix_keychain",
    "tests.fix_leaks",
    "tests.fix_network",
    "tests.fix_notebooks",
    "tests.fix_postgres",
    "tests.fix_pgbouncer",
    "tests.fix_regress",
    "tests.fix_sessions",
    "tests.fix_sshd",
    "tests.fix_tls",
    "tests.fix_tusk",
    "tests.fix_workers",
]

# elsewhere every run tries other cases; a submission is judged by the same ones as the one before
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption("--require", default="", help="comma-separated worlds whose absence is a failure, not a skip")


def pytest_configure(config):
    required = {world for world in config.getoption("--require").split(",") if world}
    if unknown := required - set(WORLDS):
        raise pytest.UsageError(f"--require knows {', '.join(WORLDS)}, not {', '.join(sorted(unknown))}")
    if absent := required and required & set(missing()):
        raise pytest.UsageError("; ".join(f"{world} is required but missing: {missing()[world]}" for world in sorted(absent)))


def pytest_report_header(config):
    lines = [f"missing {world}: {why}" for world, why in missing().items()]
    return lines or ["every world is here: " + ", ".join(WORLDS)]


def pytest_collection_modifyitems(items):
    gone = missing()
    for item in items:
        for world, fixture in WORLDS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(world)
                if world in gone:
                    item.add_marker(pytest.mark.skip(reason=f"{world}: {gone[world]}"))
