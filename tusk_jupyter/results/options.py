"""What the user wants values to become; alone, so that saying so before the first rows does not import pandas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """What a user may choose about the columns of a frame.

    ``arrow_numeric`` is for Arrow, Polars and files, where ``numeric`` without a declared scale has no type of its own.
    """

    numeric: Literal["float", "decimal"] = "float"
    uuid: Literal["text", "object"] = "text"
    dates: Literal["datetime64", "object"] = "datetime64"
    arrow_numeric: Literal["text", "double"] = "text"
