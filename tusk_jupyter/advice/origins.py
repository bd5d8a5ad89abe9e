"""What to do next where one SQLSTATE means several things: told apart by where in the server it was raised.

A 0A000 is what the server says to a hundred things. Its message says to which, in the server's language; the name of
the C function (``diag.source_function``) or of its file says it in none. Such a name may change with a version of
PostgreSQL (those here are of 12 to 18): the code's own advice in :mod:`tusk_jupyter.advice.texts` is there then.
"""

from __future__ import annotations

_LOCKING = "Rows can be locked only where a result row is one row of a table: lock in a subquery, and group outside it."
_SET_RETURNING = (
    "What returns several rows belongs into FROM: `from t cross join lateral generate_series(1, t.n) as s`, and the "
    "condition on `s` into WHERE."
)
_ARRAY = "An array is written `'{1,2}'` as text, or `array[1, 2]`."
_NUMBER = (
    "The text is no number of this type. `nullif(value, '')::int` makes an empty one NULL, `replace(value, ',', '.')` "
    "turns a decimal comma, and a fraction needs `::numeric`."
)
_UNIT = "The units are `year`, `quarter`, `month`, `week`, `day`, `hour`, `minute`, `second`, `dow`, `epoch` and kin."
_SEQUENCE = "It knows only what `nextval` gave in this session: `insert … returning id` is surer."
_CONVERSION = "Say how the values that are there convert: `ALTER COLUMN … TYPE … USING column::type`."

BY_ORIGIN = {
    ("0A000", "ATExecAlterColumnType"): (
        "A view or rule uses the column (DETAIL): drop the view, change the type and create it again, in one "
        "transaction. `select pg_get_viewdef('the_view')` keeps its text."
    ),
    ("0A000", "ATPrepAlterColumnType"): "The type of this column cannot change while others are built on it (DETAIL).",
    ("0A000", "CheckSelectLocking"): _LOCKING,
    ("0A000", "transformSetOperationStmt"): _LOCKING,
    ("0A000", "DefineIndex"): (
        "On a partitioned table a unique key holds the partition key's columns too, and nothing is built CONCURRENTLY: "
        "do that on each partition."
    ),
    ("0A000", "ParseFuncOrColumn"): (
        "A window function takes no DISTINCT and no ORDER BY among its arguments: make the rows distinct in a "
        "subquery first."
    ),
    ("0A000", "RangeVarGetRelidExtended"): (
        "A name has at most a schema before it: another database's tables need a connection of their own "
        "(`%tusk_connect`), or the extension `postgres_fdw`."
    ),
    ("0A000", "RevalidateCachedQuery"): (
        "The table has changed since the statement was prepared: `DEALLOCATE` it and prepare it again."
    ),
    ("0A000", "check_srf_call_placement"): _SET_RETURNING,
    ("0A000", "do_compile"): "A trigger function runs only by a trigger: `CREATE TRIGGER … EXECUTE FUNCTION name()`.",
    ("0A000", "parse_extension_control_file"): (
        "The extension is not installed on the server's machine, which its administrator can do; `select name from "
        "pg_available_extensions` lists those that are."
    ),
    ("0A000", "transformCaseExpr"): _SET_RETURNING,
    ("0A000", "transformColumnRef"): (
        "A DEFAULT knows no other column: `GENERATED ALWAYS AS (…) STORED` does, or a BEFORE trigger."
    ),
    ("0A000", "transformSubLink"): (
        "A CHECK, a DEFAULT and an index look at their own row only: a foreign key, a trigger or a function can look "
        "elsewhere."
    ),
    ("21000", "ExecOnConflictUpdate"): (
        "Two of the rows that you insert have the same key: keep one of each first, with `select distinct on (key) …`."
    ),
    ("21000", "ExecSetParamPlan"): (
        "The subquery gives several rows where one value is wanted: use `in` instead of `=`, aggregate, or add "
        "`order by … limit 1`."
    ),
    ("22003", "apply_typmod"): (
        "The number has more digits before the point than the column's `numeric(precision, scale)` leaves (DETAIL): "
        "widen the column, or look at the value."
    ),
    ("22003", "float.c"): "The number is beyond `double precision`: calculate in `numeric`.",
    ("22007", "formatting.c"): (
        "The text and the format do not match: go through both from the left; `FM` skips padding, and what is no "
        "pattern stands in double quotes."
    ),
    ("22008", "make_date"): "There is no such day: months go from 1 to 12, days to the month's last.",
    ("22021", "mbutils.c"): (
        "The bytes are no text in this encoding: say the one they are in, `COPY … ENCODING 'LATIN1'` or "
        "`convert_from(bytes, 'LATIN1')`, or store them as `bytea`."
    ),
    ("22023", "call_string_check_hook"): (
        "The setting does not take this value: `select name from pg_timezone_names` and `pg_roles` list names, `show` "
        "the present value."
    ),
    ("22023", "parse_and_validate_value"): (
        "The setting does not take this value: `select unit, min_val, max_val, enumvals from pg_settings where name = "
        "'…'` shows what it takes."
    ),
    ("22023", "timestamptz_zone"): (
        "There is no such time zone: `select name from pg_timezone_names` lists them, as in `Europe/Vienna`."
    ),
    ("22023", "timestamp_zone"): (
        "There is no such time zone: `select name from pg_timezone_names` lists them, as in `Europe/Vienna`."
    ),
    ("22023", "timestamp.c"): _UNIT,
    ("22023", "get_hex"): "Bytes are written as pairs of hexadecimal digits behind one `\\x`, as in `'\\x00ff'`.",
    ("22P02", "arrayfuncs.c"): _ARRAY,
    ("22P02", "boolin"): "A boolean is written `true`/`false`, `t`/`f`, `yes`/`no`, `on`/`off` or `1`/`0`.",
    ("22P02", "float.c"): _NUMBER,
    ("22P02", "json_ereport_error"): (
        'JSON has double quotes, around keys too: `\'{"key": "value"}\'`. CONTEXT shows where it breaks; '
        "`to_jsonb()` and `:name` make valid JSON of values."
    ),
    ("22P02", "json_errsave_error"): (
        'JSON has double quotes, around keys too: `\'{"key": "value"}\'`. CONTEXT shows where it breaks; '
        "`to_jsonb()` and `:name` make valid JSON of values."
    ),
    ("22P02", "network.c"): "An address is written `192.0.2.1`, a network `192.0.2.0/24`.",
    ("22P02", "numeric.c"): _NUMBER,
    ("22P02", "numutils.c"): _NUMBER,
    ("22P02", "rangetypes.c"): "A range is written `'[1,10)'`: `[` and `]` include the bound, `(` and `)` do not.",
    ("22P02", "uuid.c"): (
        "A UUID has 32 hexadecimal digits, as in `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`; `gen_random_uuid()` makes "
        "one. An empty text becomes NULL with `nullif(value, '')`."
    ),
    ("23514", "ExecFindPartition"): (
        "No partition takes this row (DETAIL has its key): create one, `CREATE TABLE … PARTITION OF … FOR VALUES …`, "
        "or a `DEFAULT` partition."
    ),
    ("25001", "call_enum_check_hook"): (
        "That must be the transaction's first statement: `BEGIN ISOLATION LEVEL SERIALIZABLE` says it at once."
    ),
    ("42601", "transformColumnDefinition"): (
        "A column has either a DEFAULT, or an identity, or an expression that generates it: leave out all but one."
    ),
    ("42601", "transformInsertRow"): (
        "The values are more, or fewer, than the columns: name the columns, `insert into t (a, b) values (1, 2)`."
    ),
    ("42601", "transformValuesClause"): "The rows of VALUES have different lengths: each needs the same columns.",
    ("42601", "transformInsertStmt"): "The rows of VALUES have different lengths: each needs the same columns.",
    ("42601", "jsonpath_yyerror"): (
        "That is the jsonpath, not the SQL: paths look like `$.items[*] ? (@.price > 10)`, with texts in double quotes."
    ),
    ("42701", "MergeAttributes"): "The list has the column twice: leave one out.",
    ("42701", "checkInsertTargets"): "The list has the column twice: leave one out, and its value.",
    ("42701", "check_for_column_name_collision"): (
        "The table has this column already: `ADD COLUMN IF NOT EXISTS` skips it, `ALTER COLUMN … TYPE` changes it."
    ),
    ("42702", "plpgsql_post_column_ref"): (
        "A variable of the function has the column's name: write `table.column` for the one, `function.variable` for "
        "the other."
    ),
    ("42702", "findTargetlistEntrySQL92"): (
        "Two columns of the result have this name: give one another with AS, or say its number."
    ),
    ("42704", "transformFkeyGetPrimaryKey"): (
        "The other table has no primary key: name a column with a unique constraint, as in `references t (column)`, or "
        "add the key first."
    ),
    ("42704", "transformWindowFuncCall"): (
        "`over name` needs `window name as (partition by … order by …)` before ORDER BY; or write `over (…)`."
    ),
    ("42710", "AddEnumLabel"): "The type has this label already: `ADD VALUE IF NOT EXISTS` skips it.",
    ("42710", "CreateRole"): "There is such a role: `ALTER ROLE` changes it. Roles are the whole server's.",
    ("42725", "oper_select_candidate"): "Say the type of one side: `'1'::integer + 2`.",
    ("42725", "op_error"): "Several operators fit: say the type of one side, as in `'1'::integer`.",
    ("42725", "LookupFuncWithArgs"): "Say which one by its argument types, as in `name(integer, text)`.",
    ("42725", "ParseFuncOrColumn"): "Several functions fit: cast the arguments, as in `'2026-11-21'::date`.",
    ("42804", "ATPrepAlterColumnType"): _CONVERSION,
    ("42804", "MergeAttributes"): "A child table has the parent's columns with the same types.",
    ("42804", "coerce_to_boolean"): "A condition is true or false: compare, as in `column <> 0` or `column = 'yes'`.",
    ("42804", "select_common_type"): (
        "The branches (or UNION's queries, column by column) need one type: cast one of them, as in `value::text`."
    ),
    ("42804", "transformAssignedExpr"): (
        "Cast the value to the column's type, as in `value::date`; if the values are shifted, name the columns: "
        "`insert into t (a, b) …`."
    ),
    ("42P10", "findTargetlistEntrySQL92"): (
        "A number in ORDER BY or GROUP BY counts the columns of the result, from 1: name the column instead."
    ),
    ("42P10", "infer_arbiter_indexes"): (
        "`ON CONFLICT (…)` needs a unique index or constraint on exactly these columns: `create unique index on t (…)`"
        " makes one."
    ),
    ("42P10", "transformDistinctClause"): (
        "`select distinct` can be ordered only by what it selects: select that column too, or use `group by`."
    ),
    ("42P10", "transformDistinctOnClause"): (
        "The expressions of DISTINCT ON come first in ORDER BY: `distinct on (a) … order by a, b`."
    ),
    ("42P13", "CreateFunction"): "Say the language: `language sql` or `language plpgsql`.",
    ("42P13", "ProcedureCreate"): (
        "`CREATE OR REPLACE` keeps the result's type, and the arguments' names: `DROP FUNCTION` the old one first."
    ),
    ("42P13", "interpret_function_parameter_list"): "Arguments with a default come last: give the later ones one too.",
    ("42P13", "functions.c"): "The last statement of the function must give what RETURNS says (DETAIL): cast it there.",
    ("42P16", "checkViewTupleDesc"): (
        "`CREATE OR REPLACE VIEW` can add columns at the end, no more: `DROP VIEW` and create it again, or rename with "
        "`ALTER VIEW`."
    ),
    ("42P16", "transformIndexConstraint"): (
        "A table has one primary key, which may have several columns: `primary key (a, b)` at the end of the list."
    ),
    ("42P17", "check_new_partition_bound"): (
        "The partitions' values overlap: a bound's FROM is part of it, its TO is not, so that one's TO is the next "
        "one's FROM."
    ),
    ("42P17", "ComputeIndexAttrs"): (
        "An index takes only what is the same in every session: for a `timestamptz` say the zone, `(ts at time zone "
        "'UTC')::date`."
    ),
    ("42P17", "cookDefault"): (
        "A generated column takes only what is the same in every session: for a `timestamptz` say the zone, `ts at "
        "time zone 'UTC'`."
    ),
    ("54000", "chr"): "PostgreSQL's text holds no character 0: use `bytea`, or take them out before.",
    ("54001", "check_stack_depth"): (
        "Something calls itself without end, a function, a trigger or a view (CONTEXT shows it), or the expression is "
        "nested thousands deep."
    ),
    ("55000", "ExecOpenScanRelation"): "`REFRESH MATERIALIZED VIEW` fills it.",
    ("55000", "ExecRefreshMatView"): (
        "CONCURRENTLY needs a unique index on plain columns of the view: create one, or refresh without it."
    ),
    (
        "55000",
        "currval_oid",
    ): "`currval` knows only what `nextval` gave in this session: `insert … returning id` is surer.",
    ("55000", "lastval"): "`lastval` knows only what `nextval` gave in this session: `insert … returning id` is surer.",
    ("55000", "rewriteTargetView"): (
        "Only a view of one table, without grouping, can be written to: write to the table, or give the view an "
        "INSTEAD OF trigger."
    ),
    ("58P01", "internal_load_library"): "The library is not on the server's machine: its administrator installs it.",
}
