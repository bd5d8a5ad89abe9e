"""What to do next, per class of SQLSTATEs: for a code that has no advice of its own.

Every class of PostgreSQL's appendix A has an entry (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

BY_CLASS = {
    "00": "Nothing failed: the statement completed.",
    "01": "It is a warning; the statement was run. Look whether the result is what you meant.",
    "02": "Nothing matched. Check the condition, or whether the rows are visible to this transaction yet.",
    "03": "Wait for the statement that runs, or stop it.",
    "08": "The connection broke. The next cell gets a new session; look whether the last statement took effect.",
    "09": "A trigger failed while it ran: CONTEXT says which, and its function is where to look.",
    "0A": "PostgreSQL, or this version of it, does not do that. `select version()` says which one this is.",
    "0B": "A transaction cannot begin here: end the open one with `COMMIT` or `ROLLBACK` first.",
    "0F": "The locator is not valid any more; read the large object again in the same transaction.",
    "0L": "Who grants must hold the right WITH GRANT OPTION; the owner of the object always does.",
    "0P": "The role cannot be used like this. `select rolname from pg_roles` lists the roles there are.",
    "0Z": "`GET STACKED DIAGNOSTICS` works only inside an EXCEPTION block.",
    "10": "The XQuery expression got an argument it cannot use: check the XPath and the document.",
    "20": "No branch of the CASE matched: give it an `ELSE`.",
    "21": (
        "More rows than one came where one is wanted: narrow it down, or take one with `limit 1` and an `order by`."
    ),
    "22": (
        "A value does not fit what is done with it. Look at the values with a `select` first, or cast them explicitly."
    ),
    "23": "The table refuses the row. Correct the value, or look at the constraint that is named.",
    "24": "The cursor is not open, or not on a row: `OPEN` or `FETCH` first. Cursors end with their transaction.",
    "25": "The transaction is not in a state for this: end it with `COMMIT` or `ROLLBACK`, then run it again.",
    "26": "There is no prepared statement of that name in this session: `select name from pg_prepared_statements`.",
    "27": (
        "A row was changed by the command's own trigger: do that change in an AFTER trigger, or return the new row."
    ),
    "28": "The server refuses this user. Check the user name, and with the administrator the server's `pg_hba.conf`.",
    "2B": "Others hold this right from you: add `CASCADE` to take it from them too.",
    "2D": "`COMMIT` and `ROLLBACK` work in a procedure only if it was called outside a transaction.",
    "2F": "The function did what it was not declared for; CONTEXT says where.",
    "34": "There is no cursor of that name: `select name from pg_cursors`. Cursors end with their transaction.",
    "38": "Code in the server failed; CONTEXT says in which function.",
    "39": "A function broke the rules for the way it was called; CONTEXT says which one.",
    "3B": (
        "There is no such savepoint in this transaction: `SAVEPOINT name` sets one, and it ends with the transaction."
    ),
    "3D": "There is no such database on this server: `select datname from pg_database` lists them.",
    "3F": "There is no such schema here: `select nspname from pg_namespace` lists them. Look at spelling and case.",
    "40": "The transaction was undone by the server: run it again from its `BEGIN`.",
    "42": "The statement does not fit the database: check spelling, types and rights of what is named.",
    "44": (
        "The view accepts only rows that it would show (WITH CHECK OPTION): change the values, or write to the table."
    ),
    "53": "The server has run out of something: do less at once, or ask its administrator.",
    "54": "The statement is beyond a fixed limit of PostgreSQL: split it into smaller ones.",
    "55": "The object is not in a state for this now: look who uses it in `pg_stat_activity`.",
    "57": "Somebody, or the server itself, stopped this. Look whether it was meant before you run it again.",
    "58": "The server's operating system refused something: its administrator finds the cause in the server's log.",
    "72": "The snapshot was too old: run the query again in a new transaction.",
    "F0": "The server's configuration is wrong: its administrator finds the line in the server's log.",
    "HV": "The foreign server failed, or its options do not fit: `select * from pg_foreign_server` shows them.",
    "P0": "Code in the server raised this itself; CONTEXT says in which function and line.",
    "XX": (
        "This is a fault of the server or an extension, not of the statement. Keep everything it said (`%tusk "
        "errverbose`) for its administrator."
    ),
}
