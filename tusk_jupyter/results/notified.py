"""Notifications → a DataFrame: channel, payload, pid of the sender, and when each was read, in the session's zone."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pandas as pd

from tusk_jupyter.results.zones import session_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.notifications import Notification


def to_frame(notifications: Sequence[Notification], zone: str) -> pd.DataFrame:
    """Return one row for each; the dtypes are the same without any.

    :param zone: what PostgreSQL calls the session's time zone; UTC where Python has none of that name.
    """
    moments = pd.DatetimeTZDtype("us", session_zone(zone) or UTC)
    return pd.DataFrame(
        {
            "channel": pd.Series([one.channel for one in notifications], dtype="str"),
            "payload": pd.Series([one.payload for one in notifications], dtype="str"),
            "pid": pd.Series([one.pid for one in notifications], dtype="int64"),
            "received_at": pd.Series([one.received_at for one in notifications], dtype=moments),
        }
    )
