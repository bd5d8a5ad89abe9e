"""What other databases call it, and what PostgreSQL does: for advice on 42883 and 42703.

Only words that PostgreSQL does not have at all, so that the advice is right whenever the server says it does not know
them. ``x`` and ``y`` stand for the arguments.
"""

from __future__ import annotations

FUNCTIONS = {
    "charindex": "strpos(text, part)",
    "curdate": "current_date",
    "date_add": "x + interval '1 day'",
    "date_format": "to_char(x, 'YYYY-MM-DD')",
    "date_sub": "x - interval '1 day'",
    "dateadd": "x + interval '1 day'",
    "datediff": "x::date - y::date",
    "datename": "to_char(x, 'Month')",
    "datepart": "extract(year from x)",
    "day": "extract(day from x)",
    "from_unixtime": "to_timestamp(x)",
    "getdate": "now()",
    "group_concat": "string_agg(x::text, ',')",
    "hour": "extract(hour from x)",
    "if": "case when x then y else z end",
    "ifnull": "coalesce(x, y)",
    "iif": "case when x then y else z end",
    "instr": "strpos(text, part)",
    "isnull": "coalesce(x, y)",
    "json_extract": "x -> 'key'",
    "lcase": "lower(x)",
    "len": "length(x)",
    "listagg": "string_agg(x::text, ',')",
    "median": "percentile_cont(0.5) within group (order by x)",
    "minute": "extract(minute from x)",
    "month": "extract(month from x)",
    "nvl": "coalesce(x, y)",
    "rand": "random()",
    "str_to_date": "to_date(x, 'YYYY-MM-DD')",
    "strftime": "to_char(x, 'YYYY-MM-DD')",
    "substring_index": "split_part(x, ',', 1)",
    "timestampdiff": "y - x",
    "ucase": "upper(x)",
    "unix_timestamp": "extract(epoch from x)",
    "year": "extract(year from x)",
}

VALUES = {
    "getdate": "now()",
    "rownum": "row_number() over ()",
    "sysdate": "now()",
    "systimestamp": "now()",
}

# those whose arguments are the same: the name alone is replaced
RENAMED = {
    "ifnull": "coalesce",
    "isnull": "coalesce",
    "lcase": "lower",
    "len": "length",
    "nvl": "coalesce",
    "rand": "random",
    "ucase": "upper",
}

UNITS = frozenset(
    [
        "year",
        "yy",
        "yyyy",
        "quarter",
        "month",
        "mm",
        "week",
        "day",
        "dd",
        "hour",
        "hh",
        "minute",
        "mi",
        "second",
        "ss",
        "millisecond",
        "dayofyear",
        "weekday",
    ]
)

TYPES = {
    "blob": "bytea",
    "clob": "text",
    "datetime": "timestamp",
    "datetime2": "timestamp",
    "datetimeoffset": "timestamptz",
    "double": "double precision",
    "image": "bytea",
    "longblob": "bytea",
    "longtext": "text",
    "mediumint": "integer",
    "mediumtext": "text",
    "ntext": "text",
    "number": "numeric",
    "nvarchar": "varchar",
    "nvarchar2": "varchar",
    "smalldatetime": "timestamp",
    "string": "text",
    "tinyint": "smallint",
    "tinytext": "text",
    "uniqueidentifier": "uuid",
    "varbinary": "bytea",
    "varchar2": "varchar",
}

SHOWN = {
    "columns": "\\d NAME",
    "databases": "\\l",
    "indexes": "\\di",
    "processlist": "select * from pg_stat_activity",
    "schemas": "\\dn",
    "tables": "\\dt",
    "users": "\\du",
}
