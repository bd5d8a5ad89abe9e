"""What a statement looks like, in one line: for who has its first word and not the order of the rest.

Ours, and short on purpose: PostgreSQL's own synopsis of CREATE TABLE has 90 lines, and nobody reads them in a tooltip.
What is left out is what is seldom written. Square brackets: may be left out; ``…``: and more of the kind.
"""

from __future__ import annotations

_DROP = "[IF EXISTS] name [, …] [CASCADE | RESTRICT]"

SYNOPSES = {
    "ABORT": "ABORT [AND CHAIN]",
    "ALTER DATABASE": "ALTER DATABASE name RENAME TO new | OWNER TO role | SET setting TO value",
    "ALTER DEFAULT PRIVILEGES": "ALTER DEFAULT PRIVILEGES [FOR ROLE role] [IN SCHEMA schema] GRANT … | REVOKE …",
    "ALTER FUNCTION": "ALTER FUNCTION name(argtype, …) RENAME TO new | OWNER TO role | SET SCHEMA schema | STABLE …",
    "ALTER INDEX": "ALTER INDEX name RENAME TO new | SET (option = value) | SET TABLESPACE tablespace",
    "ALTER ROLE": "ALTER ROLE name WITH LOGIN | PASSWORD '…' | VALID UNTIL '…' | SET setting TO value",
    "ALTER SCHEMA": "ALTER SCHEMA name RENAME TO new | OWNER TO role",
    "ALTER SEQUENCE": "ALTER SEQUENCE name [RESTART [WITH n]] [INCREMENT BY n] [OWNED BY table.column]",
    "ALTER SYSTEM": "ALTER SYSTEM SET setting = value | RESET setting",
    "ALTER TABLE": "ALTER TABLE name ADD COLUMN column type | DROP COLUMN column | ALTER COLUMN column TYPE type "
    "| ADD CONSTRAINT … | RENAME …",
    "ALTER TYPE": "ALTER TYPE name ADD VALUE 'label' [BEFORE | AFTER 'other'] | RENAME VALUE 'a' TO 'b'",
    "ALTER VIEW": "ALTER VIEW name RENAME TO new | OWNER TO role | SET (option = value)",
    "ANALYZE": "ANALYZE [VERBOSE] [table [(column, …)], …]",
    "BEGIN": "BEGIN [ISOLATION LEVEL level] [READ WRITE | READ ONLY] [DEFERRABLE]",
    "CALL": "CALL procedure(argument, …)",
    "CHECKPOINT": "CHECKPOINT",
    "CLOSE": "CLOSE cursor | ALL",
    "CLUSTER": "CLUSTER [VERBOSE] table [USING index]",
    "COMMENT": "COMMENT ON TABLE | COLUMN | FUNCTION | … name IS 'text' | NULL",
    "COMMIT": "COMMIT [AND CHAIN]",
    "COPY": "COPY table [(column, …)] | (query) FROM | TO 'file' [WITH (FORMAT csv, HEADER …)]",
    "CREATE DATABASE": "CREATE DATABASE name [OWNER role] [TEMPLATE template] [ENCODING encoding]",
    "CREATE DOMAIN": "CREATE DOMAIN name AS type [DEFAULT value] [NOT NULL] [CHECK (VALUE …)]",
    "CREATE EXTENSION": "CREATE EXTENSION [IF NOT EXISTS] name [SCHEMA schema] [VERSION version]",
    "CREATE FUNCTION": "CREATE [OR REPLACE] FUNCTION name(arg type, …) RETURNS type LANGUAGE sql | plpgsql AS $$ … $$",
    "CREATE INDEX": "CREATE [UNIQUE] INDEX [CONCURRENTLY] [name] ON table [USING method] (column | (expression), …) "
    "[INCLUDE (…)] [WHERE …]",
    "CREATE MATERIALIZED VIEW": "CREATE MATERIALIZED VIEW [IF NOT EXISTS] name AS query [WITH NO DATA]",
    "CREATE POLICY": "CREATE POLICY name ON table [FOR command] [TO role] [USING (…)] [WITH CHECK (…)]",
    "CREATE PROCEDURE": "CREATE [OR REPLACE] PROCEDURE name(arg type, …) LANGUAGE sql | plpgsql AS $$ … $$",
    "CREATE PUBLICATION": "CREATE PUBLICATION name FOR TABLE table, … | FOR ALL TABLES",
    "CREATE ROLE": "CREATE ROLE name [WITH] [LOGIN] [CREATEDB] [CREATEROLE] [IN ROLE role, …]",
    "CREATE SCHEMA": "CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION role]",
    "CREATE SEQUENCE": "CREATE SEQUENCE [IF NOT EXISTS] name [AS type] [START n] [INCREMENT BY n] [OWNED BY …]",
    "CREATE TABLE": "CREATE [TEMP | UNLOGGED] TABLE [IF NOT EXISTS] name (column type [constraint …], …) | AS query",
    "CREATE TRIGGER": "CREATE TRIGGER name BEFORE | AFTER | INSTEAD OF event ON table [FOR EACH ROW] "
    "[WHEN (…)] EXECUTE FUNCTION function()",
    "CREATE TYPE": "CREATE TYPE name AS ENUM ('label', …) | AS (attribute type, …) | AS RANGE (SUBTYPE = type)",
    "CREATE VIEW": "CREATE [OR REPLACE] [TEMP] VIEW name [(column, …)] AS query",
    "DEALLOCATE": "DEALLOCATE name | ALL",
    "DECLARE": "DECLARE name [SCROLL] CURSOR [WITH HOLD] FOR query",
    "DELETE": "DELETE FROM table [alias] [USING source, …] [WHERE condition] [RETURNING …]",
    "DISCARD": "DISCARD ALL | PLANS | SEQUENCES | TEMP",
    "DO": "DO [LANGUAGE plpgsql] $$ begin … end $$",
    "DROP": f"DROP TABLE | VIEW | INDEX | FUNCTION | … {_DROP}",
    "DROP FUNCTION": "DROP FUNCTION [IF EXISTS] name(argtype, …) [, …] [CASCADE | RESTRICT]",
    "DROP INDEX": f"DROP INDEX [CONCURRENTLY] {_DROP}",
    "DROP SCHEMA": f"DROP SCHEMA {_DROP}",
    "DROP TABLE": f"DROP TABLE {_DROP}",
    "DROP VIEW": f"DROP VIEW {_DROP}",
    "END": "END [AND CHAIN]",
    "EXECUTE": "EXECUTE name [(value, …)]",
    "EXPLAIN": "EXPLAIN [(ANALYZE, BUFFERS, VERBOSE, SETTINGS, FORMAT json …)] statement",
    "FETCH": "FETCH [NEXT | FORWARD n | ALL | BACKWARD n] FROM cursor",
    "GRANT": "GRANT privilege, … | ALL ON object, … TO role, … [WITH GRANT OPTION] | GRANT role TO role",
    "IMPORT": "IMPORT FOREIGN SCHEMA schema [LIMIT TO (table, …)] FROM SERVER server INTO schema",
    "INSERT": "INSERT INTO table [(column, …)] VALUES (value, …), … | query [ON CONFLICT (column) DO NOTHING "
    "| DO UPDATE SET …] [RETURNING …]",
    "LISTEN": "LISTEN channel",
    "LOAD": "LOAD 'library'",
    "LOCK": "LOCK [TABLE] table, … [IN mode MODE] [NOWAIT]",
    "MERGE": "MERGE INTO table USING source ON condition WHEN [NOT] MATCHED [AND …] THEN UPDATE … | INSERT …",
    "MOVE": "MOVE [NEXT | FORWARD n | ALL] FROM cursor",
    "NOTIFY": "NOTIFY channel [, 'payload']",
    "PREPARE": "PREPARE name [(type, …)] AS statement",
    "REASSIGN": "REASSIGN OWNED BY role, … TO role",
    "REFRESH": "REFRESH MATERIALIZED VIEW [CONCURRENTLY] name [WITH NO DATA]",
    "REINDEX": "REINDEX [(CONCURRENTLY)] INDEX | TABLE | SCHEMA | DATABASE name",
    "RELEASE": "RELEASE [SAVEPOINT] name",
    "RESET": "RESET setting | ALL",
    "REVOKE": "REVOKE privilege, … | ALL ON object, … FROM role, … [CASCADE]",
    "ROLLBACK": "ROLLBACK [AND CHAIN] | TO [SAVEPOINT] name",
    "SAVEPOINT": "SAVEPOINT name",
    "SECURITY": "SECURITY LABEL ON object name IS 'label'",
    "SELECT": "[WITH …] SELECT [DISTINCT [ON (…)]] expression [AS name], … FROM source, … [WHERE …] [GROUP BY …] "
    "[HAVING …] [WINDOW …] [ORDER BY …] [LIMIT n] [OFFSET n]",
    "SET": "SET [SESSION | LOCAL] setting TO value | ROLE role | TIME ZONE zone",
    "SHOW": "SHOW setting | ALL",
    "START": "START TRANSACTION [ISOLATION LEVEL level] [READ WRITE | READ ONLY]",
    "TABLE": "TABLE name",
    "TRUNCATE": "TRUNCATE [TABLE] table, … [RESTART IDENTITY] [CASCADE]",
    "UNLISTEN": "UNLISTEN channel | *",
    "UPDATE": "UPDATE table [alias] SET column = value, … [FROM source, …] [WHERE condition] [RETURNING …]",
    "VACUUM": "VACUUM [(FULL, VERBOSE, ANALYZE …)] [table, …]",
    "VALUES": "VALUES (value, …), … [ORDER BY …] [LIMIT n]",
    "WITH": "WITH [RECURSIVE] name [(column, …)] AS [NOT] [MATERIALIZED] (query), … SELECT | INSERT | UPDATE | …",
}
SYNOPSES["ALTER"] = "ALTER TABLE | VIEW | INDEX | ROLE | … name action"
SYNOPSES["ANALYSE"] = SYNOPSES["ANALYZE"]
SYNOPSES["CREATE"] = "CREATE TABLE | VIEW | INDEX | FUNCTION | SCHEMA | ROLE | … name …"
# what may stand between CREATE and what is created
_PASSED = frozenset(
    {"OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "RECURSIVE", "CONSTRAINT", "GLOBAL", "LOCAL"}
)


def synopsis(words: list[str]) -> tuple[str, str] | None:
    """Return name and synopsis of the statement that begins with these words, in upper case; the longest that fits."""
    if not words:
        return None
    named = [words[0], *(word for word in words[1:8] if word not in _PASSED)]
    return next(((name, SYNOPSES[name]) for n in (3, 2, 1) if (name := " ".join(named[:n])) in SYNOPSES), None)
