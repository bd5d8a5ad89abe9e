"""Runs one statement as execution does (extended protocol, chunks, text or binary) and decodes it."""

from __future__ import annotations

from psycopg import generators, pq, waiting
from psycopg.pq import ExecStatus

from tusk_jupyter.results.decode import Settings, columns_of
from tusk_jupyter.results.frame import FrameOptions, to_arrow, to_pandas, to_polars, to_rows
from tusk_jupyter.results.native import decoder_for
from tusk_jupyter.results.types import TYPE_INFO_SQL, oid_array, parse_type_info

CHUNK_ROWS = 7


def chunks(conn, sql, params=None, *, binary=False):
    pgconn = conn.pgconn
    pgconn.send_query_params(sql.encode(), params, result_format=pq.Format(binary))
    pgconn.set_chunked_rows_mode(CHUNK_ROWS)
    waiting.wait(generators.send(pgconn), pgconn.socket)
    failed = None
    while (result := waiting.wait(generators.fetch(pgconn), pgconn.socket)) is not None:
        if result.status == ExecStatus.FATAL_ERROR:
            failed = result.error_message.decode()
        else:
            yield result
    assert failed is None, failed


def parameter(conn, name):
    return (conn.pgconn.parameter_status(name) or b"").decode()


def settings_of(conn, *, binary=False):
    return Settings(
        binary=binary,
        date_style=parameter(conn, b"DateStyle"),
        interval_style=parameter(conn, b"IntervalStyle"),
        time_zone=parameter(conn, b"TimeZone"),
        encoding=parameter(conn, b"client_encoding"),
    )


def type_info(conn, oids):
    rows = []
    for chunk in chunks(conn, TYPE_INFO_SQL, [oid_array(oids).encode()]):
        for i in range(chunk.ntuples):
            values = (chunk.get_value(i, j) for j in range(chunk.nfields))
            rows.append([None if v is None else v.decode() for v in values])
    return parse_type_info(rows)


def decode(conn, sql, *, binary=False):
    decoder = None
    for chunk in chunks(conn, sql, binary=binary):
        if decoder is None:
            settings = settings_of(conn, binary=binary)
            decoder = decoder_for(columns_of(chunk, settings.encoding), settings)
        decoder.append(chunk)
    types = type_info(conn, decoder.unknown_oids) if decoder.unknown_oids else {}
    return decoder.finish(types)


def frame(conn, sql, **options):
    return to_pandas(decode(conn, sql), FrameOptions(**options), release=True)  # as the product does


def table(conn, sql, **options):
    return to_arrow(decode(conn, sql), FrameOptions(**options))


def polars_frame(conn, sql, **options):
    return to_polars(decode(conn, sql), FrameOptions(**options))


def rows(conn, sql, **options):
    return to_rows(decode(conn, sql), FrameOptions(**options))
