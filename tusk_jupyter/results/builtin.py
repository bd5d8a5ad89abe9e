"""The types PostgreSQL has before anyone creates one: OID, array OID, category, name; pure.

Their OIDs are fixed in ``pg_type.dat`` for ever, so a result made of them needs no question to the server: asking
costs one round trip, and it would have to be asked on the user's own session. What a newer server adds is simply not
in this table and is asked for like a user's type. Row types of the system catalogs are left out: they change with
every version.
"""

from __future__ import annotations

from typing import Final

BOOL: Final = 16
BYTEA: Final = 17
INT8: Final = 20
INT2: Final = 21
INT4: Final = 23
TEXT: Final = 25
OID: Final = 26
JSON: Final = 114
FLOAT4: Final = 700
FLOAT8: Final = 701
BPCHAR: Final = 1042
VARCHAR: Final = 1043
DATE: Final = 1082
TIME: Final = 1083
TIMESTAMP: Final = 1114
TIMESTAMPTZ: Final = 1184
INTERVAL: Final = 1186
TIMETZ: Final = 1266
BIT: Final = 1560
VARBIT: Final = 1562
NUMERIC: Final = 1700
UUID: Final = 2950
JSONB: Final = 3802
BOX: Final = 603

# oid, oid of its array (0: none), category, name as format_type writes it
BASE_TYPES: Final = """\
16 1000 B boolean
17 1001 U bytea
18 1002 Z "char"
19 1003 S name
20 1016 N bigint
21 1005 N smallint
22 1006 A int2vector
23 1007 N integer
24 1008 N regproc
25 1009 S text
26 1028 N oid
27 1010 U tid
28 1011 U xid
29 1012 U cid
30 1013 A oidvector
114 199 U json
142 143 U xml
194 0 Z pg_node_tree
600 1017 G point
601 1018 G lseg
602 1019 G path
603 1020 G box
604 1027 G polygon
628 629 G line
650 651 I cidr
700 1021 N real
701 1022 N double precision
705 0 X unknown
718 719 G circle
774 775 U macaddr8
790 791 N money
829 1040 U macaddr
869 1041 I inet
1033 1034 U aclitem
1042 1014 S character
1043 1015 S character varying
1082 1182 D date
1083 1183 D time without time zone
1114 1115 D timestamp without time zone
1184 1185 D timestamp with time zone
1186 1187 T interval
1266 1270 D time with time zone
1560 1561 V bit
1562 1563 V bit varying
1700 1231 N numeric
1790 2201 U refcursor
2202 2207 N regprocedure
2203 2208 N regoper
2204 2209 N regoperator
2205 2210 N regclass
2206 2211 N regtype
2249 2287 P record
2275 1263 P cstring
2277 0 P anyarray
2278 0 P void
2950 2951 U uuid
2970 2949 U txid_snapshot
3220 3221 U pg_lsn
3361 0 Z pg_ndistinct
3402 0 Z pg_dependencies
3614 3643 U tsvector
3615 3645 U tsquery
3642 3644 U gtsvector
3734 3735 N regconfig
3769 3770 N regdictionary
3802 3807 U jsonb
4072 4073 U jsonpath
4089 4090 N regnamespace
4096 4097 N regrole
4191 4192 N regcollation
4600 0 Z pg_brin_bloom_summary
4601 0 Z pg_brin_minmax_multi_summary
5017 0 Z pg_mcv_list
5038 5039 U pg_snapshot
5069 271 U xid8
"""

# range, its array, multirange, its array, subtype, names
RANGE_TYPES: Final = (
    (3904, 3905, 4451, 6150, INT4, "int4range", "int4multirange"),
    (3906, 3907, 4532, 6151, NUMERIC, "numrange", "nummultirange"),
    (3908, 3909, 4533, 6152, TIMESTAMP, "tsrange", "tsmultirange"),
    (3910, 3911, 4534, 6153, TIMESTAMPTZ, "tstzrange", "tstzmultirange"),
    (3912, 3913, 4535, 6155, DATE, "daterange", "datemultirange"),
    (3926, 3927, 4536, 6157, INT8, "int8range", "int8multirange"),
)
