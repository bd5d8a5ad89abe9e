"""What to do next, per SQLSTATE: one or two sentences each.

A table, because most advice needs nothing but the code. What can be said better with the statement or the server's
fields at hand is in :mod:`tusk_jupyter.advice`, which comes here for the rest. Backticks mark what can be typed; the
panel shows it as code, and drops the marks in the text twin. None repeats what the server's own message says already.
"""

from __future__ import annotations

from tusk_jupyter.advice.class_texts import BY_CLASS

__all__ = ["BY_CLASS", "BY_CODE", "OTHER"]

BY_CODE = {
    "08P01": (
        "The statement and its values do not fit together: as many values as it has `$1`, `$2` …; `:name` counts "
        "for you."
    ),
    "0A000": BY_CLASS["0A"],
    "0LP01": (
        "That cannot be granted like this: a role is no member of its own members, and GRANT OPTION is not for PUBLIC."
    ),
    "20000": "No branch of the CASE matched: give it an `ELSE`.",
    "21000": (
        "A row of the target was hit twice, or a subquery gave several rows: make its rows unique (`distinct "
        "on`), or compare with `in` instead of `=`."
    ),
    "22001": "The text is longer than the column: shorten it (`left(value, n)`), or widen the column to `text`.",
    "22003": "The number is beyond its type: calculate in a wider one, e.g. `value::bigint` or `value::numeric`.",
    "22004": "NULL is not allowed here: replace it with `coalesce(value, …)`.",
    "22007": (
        "The text is no date or time that PostgreSQL knows: write `2026-11-21`, or say the format with "
        "`to_date(value, 'DD.MM.YYYY')`."
    ),
    "22008": (
        "No such day or time exists, or day and month are swapped (`show datestyle`): write `2026-11-21`, or say "
        "the format with `to_date(value, 'DD.MM.YYYY')`."
    ),
    "22009": "A time zone's distance is at most 15:59, as in `+02:00`; a name says it better: `Europe/Vienna`.",
    "2200H": (
        "The sequence has no numbers left: `ALTER SEQUENCE … MAXVALUE` (or `AS bigint`) gives it more, `CYCLE` "
        "begins anew."
    ),
    "2200M": (
        "The text is no XML document: it needs exactly one outer element, all elements closed. DETAIL shows where"
        " it breaks."
    ),
    "2200N": "The text is no XML: every element is closed and `&` is `&amp;`. DETAIL shows where it breaks.",
    "22011": "The length of a part must not be negative: `greatest(n, 0)` keeps it at 0.",
    "22012": "Divide by `nullif(divisor, 0)`: the result is then NULL where the divisor is 0.",
    "22013": "A window's frame begins and ends at a distance of 0 or more.",
    "2201F": "A root of a negative number, or 0 to a negative power, has no value: filter those out first.",
    "2201G": "`width_bucket` wants two different bounds and at least one bucket.",
    "2201W": "LIMIT takes a number from 0 on; NULL is no limit.",
    "2201X": "OFFSET takes a number from 0 on.",
    "22021": "The bytes are no text in the database's encoding: convert them first, or store them as `bytea`.",
    "22023": "A parameter is outside of what the function takes: check its arguments.",
    "22026": "The bits must be as many as the column has: `value::bit(n)` pads or cuts.",
    "2202E": "The array's dimensions do not match: every sub-array needs the same length.",
    "22025": "An escape sequence is incomplete: double the backslash, or say `ESCAPE ''` for LIKE.",
    "2201B": "The regular expression is not valid: escape what is meant as text, e.g. `\\(`, or use `position()`.",
    "2201E": "A logarithm needs an argument above 0: filter the others out first.",
    "2202H": "A sample is between 0 and 100 per cent.",
    "22033": "The array has no such element: without `strict` the path finds nothing instead of failing.",
    "22036": 'The jsonpath wants a number there: filter with `? (@.type() == \\"number\\")` first.',
    "2203A": "The object has no such key: without `strict` the path finds nothing instead of failing.",
    "22P02": (
        "The text does not read as the type it is wanted in. Look for the value that is different, e.g. an empty "
        "text: `nullif(value, '')::int` makes it NULL."
    ),
    "22P04": "The file is not in the format COPY was told: check delimiter, header, quotes and number of columns.",
    "22P05": "The character does not exist in the other encoding: use UTF8 on both sides.",
    "22030": "A JSON object has a key twice: aggregate only one value per key.",
    "23502": "Give the column a value: it takes no NULL.",
    "23503": (
        "Both tables must agree: add the referenced row first, or remove those that refer to it before it is deleted."
    ),
    "23505": "A row with this key is there already: change the key, update that row, or skip it with `ON CONFLICT`.",
    "23514": "The row breaks a check of the table: correct its values.",
    "23P01": "The row overlaps one that is there already: change its range, or the other row's.",
    "24000": (
        "The cursor is not on a row that can be changed: FETCH one first; its query must be of one table, without"
        " grouping."
    ),
    "25001": (
        "This cannot run inside a transaction: end it with `COMMIT` or `ROLLBACK`, and run this as a cell's only "
        "statement."
    ),
    "25006": (
        "Nothing can be written here: the connection or the transaction is read-only, or the server is a standby "
        "(`select pg_is_in_recovery()`)."
    ),
    "25P01": "There is no transaction open: start one with `BEGIN`.",
    "25P02": (
        "An earlier statement of this transaction failed, so that nothing runs in it any more. `ROLLBACK` ends "
        "it; `ROLLBACK TO` a savepoint set before the failure continues it."
    ),
    "25P03": (
        "The transaction was idle for too long, and the server ended the session: run it again from its `BEGIN`."
    ),
    "25P04": "The transaction took longer than `transaction_timeout`: run it again in smaller parts.",
    "26000": (
        "There is no such prepared statement in this session: `select name, statement from "
        "pg_prepared_statements` lists them."
    ),
    "27000": (
        "A BEFORE trigger changed the row that it was called for: set fields of NEW there, and do the rest in an "
        "AFTER trigger."
    ),
    "28000": (
        "The server does not let this user in from here: check user, database and TLS, and with the administrator "
        "the server's `pg_hba.conf`."
    ),
    "28P01": "User name or password is wrong: connect again with `-W` to be asked for the password.",
    "2BP01": "Other objects need it: DETAIL names them. Drop those first, or all together with `CASCADE`.",
    "2D000": "`COMMIT` in a procedure works only if `CALL` stands outside of a transaction: end the open one first.",
    "2F005": "The function came to its end without RETURN: every branch needs one.",
    "34000": (
        "There is no such cursor: `select name from pg_cursors`. It ends with its transaction, unless it is `WITH"
        " HOLD`."
    ),
    "3B001": (
        "There is no such savepoint in this transaction: `SAVEPOINT name` sets one; ROLLBACK TO an earlier one "
        "removes it."
    ),
    "3D000": BY_CLASS["3D"],
    "3F000": (
        "There is no such schema here: `select nspname from pg_namespace` lists them. Unquoted names are lower "
        "case; another database's schemas cannot be reached from this one."
    ),
    "40001": (
        "Another transaction changed the same data at the same time, which this isolation level does not hide. Run the "
        "whole transaction again from its `BEGIN`; in Python, `with tusk.transaction():` in a loop until it succeeds."
    ),
    "40P01": (
        "Two transactions waited for each other and this one was given up: run it again from its `BEGIN`. Lock "
        "rows and tables in the same order everywhere to avoid it."
    ),
    "42501": "This user lacks the right to do that: ask the owner of the object or an administrator for a `GRANT`.",
    "42601": "The caret is where PostgreSQL stopped understanding; the slip is there or just before it.",
    "42602": "The name is not valid here: quote it with double quotes, or choose another.",
    "42611": "The column's definition contradicts itself: check its default, its identity and its type.",
    "42622": "Names have at most 63 bytes: choose a shorter one.",
    "42701": "The same column name comes twice: rename one of them, or leave it out.",
    "42702": "Several tables have a column of this name: say which, as in `table.column`.",
    "42703": (
        "There is no such column in what FROM names: `select * from the_table limit 0` shows its columns. "
        "Unquoted names are lower case."
    ),
    "42704": (
        "There is nothing of that name and kind here: check spelling and schema, and that its extension is installed."
    ),
    "42710": (
        "Something of this name is there already: `DROP` it first, or use `IF NOT EXISTS` or `OR REPLACE` if offered."
    ),
    "42712": "The same table name or alias comes twice in FROM: give one of them another alias.",
    "42723": "A function with these arguments is there already: `CREATE OR REPLACE FUNCTION` replaces it.",
    "42725": "Several functions or operators fit: cast the arguments, as in `value::text`.",
    "42803": (
        "With GROUP BY or an aggregate, every other column must be grouped or aggregated: add it to `group by`, "
        "or use `max(column)`. Conditions on aggregates belong into `having`."
    ),
    "42804": "The types do not go together: cast one of them, as in `value::integer`.",
    "42809": "It is of another kind, e.g. a view instead of a table: use the statement for that kind.",
    "42830": "A foreign key must refer to a primary key or a unique constraint of the other table: add that first.",
    "42846": "There is no direct cast between the two: go through text, as in `value::text::integer`.",
    "42883": (
        "No function or operator of this name takes these types: check the spelling, or cast the arguments, as in "
        "`value::text`. One that an extension provides must be in a schema on `search_path`."
    ),
    "428C9": "The column is generated: leave it out of the list, or (identity only) add `OVERRIDING SYSTEM VALUE`.",
    "42939": "The name is reserved for the system: names that begin with `pg_` cannot be used.",
    "42P01": (
        "There is no such table or view where the server looks (`show search_path`): write `schema.table`, or "
        "find it with `select schemaname, tablename from pg_tables`."
    ),
    "42P02": "The statement has a `$n` that got no value: write parameters as `:name`.",
    "42P03": "There is a cursor of this name: `CLOSE` it first.",
    "42P04": "The database is there already: connect to it, or choose another name.",
    "42P05": "A prepared statement of this name is there already: `DEALLOCATE` it first.",
    "42P06": "The schema is there already: `CREATE SCHEMA IF NOT EXISTS` skips it.",
    "42P07": "It is there already: `CREATE … IF NOT EXISTS` skips it, `DROP` removes the old one first.",
    "42P08": "The parameter's type is not clear from the statement: say it, as in `:name::text`.",
    "42P09": "The alias stands for several tables: give each one its own.",
    "42P10": (
        "A column or expression does not fit where it is used: `ON CONFLICT` needs a unique index on exactly its "
        "columns, and `select distinct` can be ordered only by what it selects."
    ),
    "42P13": "The function's definition contradicts itself: check its arguments, result and language.",
    "42P15": (
        "CREATE SCHEMA makes only what is in it: leave out the other schema's name, or run a statement of its own."
    ),
    "42P16": "The table's definition contradicts itself: check its keys, its inheritance and its columns.",
    "42P17": "The object's definition cannot work: functions in an index or a generated column must be IMMUTABLE.",
    "42P18": "The parameter's type is not clear from the statement: say it, as in `:name::text`.",
    "42P19": "The recursive query must be `base UNION [ALL] recursive`, with the table once in its second part.",
    "42P20": "A window function belongs into SELECT or ORDER BY: filter on it in an outer query.",
    "42P21": "The collations differ: say which one holds with `COLLATE`.",
    "42P22": 'No collation is determined: say one with `COLLATE`, e.g. `column collate "C"`.',
    "44000": (
        "The view accepts only rows that it would show (WITH CHECK OPTION): change the values, or write to the table."
    ),
    "53100": "The server's disk is full: its administrator must free space. What was committed is safe.",
    "53200": (
        "The server is out of memory: let the statement do less, or lower `work_mem` for this session; "
        "`max_locks_per_transaction` if it was locks."
    ),
    "53300": (
        "All connections of the server are taken: disconnect what is idle, connect with a smaller `--pool-size`, "
        "or try again later."
    ),
    "53400": "A limit of the server's configuration is reached: its administrator can raise it.",
    "54000": "The value or statement is beyond a fixed limit of PostgreSQL (1 GB a value): split it.",
    "54001": "The statement is nested too deeply: split it into CTEs or several statements.",
    "54011": "A table has at most 1,600 columns: put the rest into a second table, an array or `jsonb`.",
    "54023": "A function has at most 100 arguments: pass an array or `jsonb`.",
    "55000": "It is not ready for this: HINT and DETAIL say what comes first.",
    "55006": (
        "Others use it now: `select pid, usename, query from pg_stat_activity` shows who. Try again when they are done."
    ),
    "55P02": "The setting can be changed only when the server starts, or by its administrator.",
    "55P03": (
        "Another transaction holds the lock: `select pid, usename, query from pg_stat_activity` shows who is "
        "active. Try again, or wait longer with `SET lock_timeout`."
    ),
    "55P04": "A new enum label can be used only after its `ALTER TYPE` is committed.",
    "57014": (
        "The statement was stopped: on request, or by `statement_timeout` (`show statement_timeout`). The session "
        "and its settings are still there."
    ),
    "57P01": (
        "An administrator ended this session or is shutting the server down. The next cell gets a new session; "
        "what was not committed is gone."
    ),
    "57P02": (
        "The server ended all sessions because one process crashed. The next cell gets a new session; what was "
        "not committed is gone."
    ),
    "57P03": "The server is starting, stopping or in recovery: try again in a moment.",
    "57P04": "The database was dropped while it was in use: connect to another.",
    "57P05": "The session was idle longer than `idle_session_timeout`: the next cell gets a new one.",
    "58030": "The server could not read or write one of its files: tell its administrator now.",
    "58P01": "The path is one on the server's machine, and is not there or not readable for the server.",
    "P0001": (
        "Code in the server raised this itself: the message is its author's, CONTEXT says in which function and line."
    ),
    "P0002": "A `SELECT INTO STRICT` in a function found no row: check the arguments it was called with.",
    "P0003": "A `SELECT INTO STRICT` in a function found several rows: it must ask for exactly one.",
    "P0004": "An `ASSERT` in a function does not hold; CONTEXT says which.",
    "XX000": (
        "This is a fault of the server or an extension, or a value it cannot take. Keep everything it said "
        "(`%tusk errverbose`) for its administrator."
    ),
    "XX001": "Data on the server is damaged: tell its administrator before anything else is written.",
    "XX002": "An index on the server is damaged: its administrator can rebuild it with `REINDEX`.",
}

OTHER = "The code is not one of PostgreSQL's own: a function or an extension raised it; CONTEXT says where."
