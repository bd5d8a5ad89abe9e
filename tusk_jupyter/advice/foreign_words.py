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
