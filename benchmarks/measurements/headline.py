"""The rows of the table at the end of a run, which is the one of the aims: a measurement's aim names its row."""

from __future__ import annotations

WALL = "wall ÷ raw no-decode read"
JUPYSQL = "JupySQL ÷ ours"
PEERS = "fastest of ADBC, ConnectorX, polars ÷ ours"
CPU = "client CPU ÷ that peer's"
PEAK = "peak memory ÷ the frame's deep size"
PYTHON = "Python decoder: wall ÷ raw read"
SMALL = "`%sql select 1` ÷ JupySQL's"
LOAD = "`%tusk load` ÷ pre-encoded COPY BINARY"
TO_FILE = "`--to` Parquet, 5 GB of rows: wall ÷ raw read"
FLAT = "… its peak memory ÷ that of a tenth of the rows"
PARALLEL = "`--parallel 2` ÷ raw read on one connection"
SOAK = "soak: wrong results, rows, sessions, numbers, or anything left"
SOAK_BACKGROUND = "soak of the background: wrong results, rows, states, numbers, or anything left"

ROWS = (WALL, JUPYSQL, PEERS, CPU, PEAK, PYTHON, SMALL, LOAD, TO_FILE, FLAT, PARALLEL, SOAK, SOAK_BACKGROUND)
