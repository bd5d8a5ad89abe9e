"""Everyone who reads a result into columns: ours as its users run it, the raw read, and the peers as their docs say.

ADBC: ``fetch_arrow_table`` and a frame of ArrowDtype, which costs next to nothing; ConnectorX: an Arrow table (binary
protocol, its default; one connection, since a partition column is not something every query has); polars: a frame of
its own, by both engines it has for URIs; pandas: ``read_sql`` over a psycopg2 connection and over SQLAlchemy with
psycopg 3; JupySQL: ``autopandas``. ConnectorX and polars connect anew with each call, as their interface has it, and
that is within their time. All reach the server by the Unix socket, whose path ConnectorX takes percent-encoded as the
host.
"""

from __future__ import annotations

from side_by_side.subjects import JUPYSQL_PSYCOPG2, TUSK, Reader

URL = """
import os
from urllib.parse import quote
user, password, host = (quote(os.environ[name], safe="") for name in ("PGUSER", "PGPASSWORD", "PGHOST"))
url = f"postgresql://{user}:{password}@{host}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"
"""
ADBC = """
import adbc_driver_postgresql.dbapi, pandas as pd
conn = adbc_driver_postgresql.dbapi.connect("postgresql://")
def read(sql):
    with conn.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table().to_pandas(types_mapper=pd.ArrowDtype)
"""
PSYCOPG2 = """
import warnings, pandas as pd, psycopg2
warnings.simplefilter("ignore")  # pandas would rather have SQLAlchemy, which takes longer
conn = psycopg2.connect("")
"""
SQLALCHEMY = """
import pandas as pd, sqlalchemy
conn = sqlalchemy.create_engine("postgresql+psycopg://").connect()
"""
FRAME, ARROW_FRAME, TABLE = "pandas", "pandas, ArrowDtype", "Arrow table"
CELL = "get_ipython().run_cell_magic('sql', {line!r}, {{sql!r}})"


def _cell(line: str) -> str:
    """Return the cell that users write; what it assigns is in their namespace, ``df``'s size is asked for there."""
    return CELL.format(line=line)


OURS = Reader(TUSK.name, "own", TUSK.load_code() + TUSK.connect_code(), _cell("df <<"), FRAME)
ARROW = Reader(f"{TUSK.name} --format arrow", "own", OURS.setup, _cell("--format arrow df <<"), TABLE)
PYTHON = Reader(f"{TUSK.name}, Python decoder", "own", OURS.setup, OURS.read, FRAME)
PARALLEL = Reader(f"{TUSK.name} --parallel 2", "own", OURS.setup, _cell("--parallel 2 df <<"), FRAME)
JUPYSQL = Reader(
    JUPYSQL_PSYCOPG2.name,
    "peers",
    JUPYSQL_PSYCOPG2.load_code() + JUPYSQL_PSYCOPG2.connect_code(),
    f"df = {_cell('')}",
    FRAME,
    rounds=3,
)
FAST_PEERS = (
    Reader("ADBC", "peers", ADBC, "df = read({sql!r})", ARROW_FRAME),
    Reader(
        "ConnectorX",
        "peers",
        URL + "import connectorx",
        "df = connectorx.read_sql(url, {sql!r}, return_type='arrow')",
        TABLE,
    ),
    Reader(
        "polars, ADBC",
        "peers",
        "import polars",
        "df = polars.read_database_uri({sql!r}, 'postgresql://', engine='adbc')",
        "polars",
    ),
    Reader(
        "polars, ConnectorX",
        "peers",
        URL + "import polars",
        "df = polars.read_database_uri({sql!r}, url, engine='connectorx')",
        "polars",
    ),
)
PANDAS = (
    Reader("pandas, psycopg2", "peers", PSYCOPG2, "df = pd.read_sql({sql!r}, conn)", FRAME, rounds=2),
    Reader(
        "pandas, SQLAlchemy + psycopg 3",
        "peers",
        SQLALCHEMY,
        "df = pd.read_sql(sqlalchemy.text({sql!r}), conn)",
        FRAME,
        rounds=2,
    ),
)
