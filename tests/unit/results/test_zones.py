from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest

from tusk_jupyter.results.zones import session_zone


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("<+03>-3", timedelta(hours=3)),
        ("<-08>+08", -timedelta(hours=8)),
        ("<+05:30>-05:30", timedelta(hours=5, minutes=30)),
        ("<+00:53:28>-00:53:28", timedelta(minutes=53, seconds=28)),
        ("UTC+3", -timedelta(hours=3)),
        ("FOO0", timedelta(0)),
    ],
)
def test_posix_zones_count_west_as_positive(name, offset):
    assert session_zone(name).utcoffset(None) == offset


def test_names_are_those_of_the_time_zone_database():
    assert session_zone("UTC") is UTC
    assert session_zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Phobos", "localtime", "posixrules", "right/UTC", "../../etc/passwd", "America", "FOO+24", "AAA-1BBB"],
)
def test_a_zone_python_cannot_show_is_none(name):
    assert session_zone(name) is None
