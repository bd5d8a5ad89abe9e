r"""psql's backslash commands that a cell does not have, each with what to do instead; and the list that ``\?`` shows.

A command that psql has is never unknown here: whoever knows psql is told where in a notebook the thing is. Those that
are about files and programs of the client, or about how text is laid out, belong to Python and to pandas.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema.asking import Listing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_LAYOUT = (
    "lays out text, and a cell shows DataFrames",
    r"\x shows rows as records; pandas has the rest: pd.options.display, df.to_csv(sep='|'), df.style.",
)
_BUFFER = ("is about psql's query buffer, and here that is the cell", "Edit the cell.")
_PIPELINE = (
    "sends statements without waiting for their answers, which a cell does not do",
    "Write them one after the other, with ; between them; one INSERT with several rows saves round trips.",
)
_PREPARED = (
    "is for prepared statements of the protocol",
    r"PREPARE name AS … and EXECUTE name (…) are SQL and run here; `:name` binds a variable, \bind values.",
)
_CONDITION = ("is a condition, and those are Python's here", "Write if … in Python, with %sql lines in it.")
_CONNECT = (
    "changes the connection, and only two commands do that here",
    "%tusk use NAME takes one that there is, %tusk_connect … makes a new one.",
)
_DUMP = ("guards the scripts of pg_dump, whose COPY data only psql can send", "Restore a dump with psql or pg_restore.")
_LARGE_OBJECT = (
    "moves a large object between the server and a file here",
    "SELECT lo_get(oid) returns its bytes, and SELECT lo_from_bytea(0, :data) makes one.",
)
_FILE = ("runs a file", "%sql -f FILE does, in a cell of its own.")
_OUT = ("sends results to a file", "--to FILE on the cell's first line writes .parquet, .csv or .arrow.")
_HISTORY = ("is psql's history", "%tusk history shows what ran; %tusk rerun ID puts it into a new cell.")

# why not, and what instead
INSTEAD: Final[dict[str, tuple[str, str]]] = {
    "!": ("runs a program", "!command does, in a cell of its own."),
    "C": _LAYOUT,
    "H": _LAYOUT,
    "T": _LAYOUT,
    "a": _LAYOUT,
    "c": _CONNECT,
    "cd": ("changes the directory", "%cd DIR does, in a cell of its own."),
    "close": _PREPARED,
    "close_prepared": _PREPARED,
    "connect": _CONNECT,
    "copy": (
        "moves rows between a table and a file here",
        "In: %tusk load FILE --to TABLE. Out: %%sql --to FILE, and SELECT … below it.",
    ),
    "copyright": ("shows PostgreSQL's licence", "It is at https://www.postgresql.org/about/licence/."),
    "e": _BUFFER,
    "edit": _BUFFER,
    "ef": ("opens an editor", r"\sf FUNCTION shows its source: put it into a cell and change it there."),
    "elif": _CONDITION,
    "else": _CONDITION,
    "endif": _CONDITION,
    "endpipeline": _PIPELINE,
    "ev": ("opens an editor", r"\sv VIEW shows its source: put it into a cell and change it there."),
    "f": _LAYOUT,
    "flush": _PIPELINE,
    "flushrequest": _PIPELINE,
    "getenv": ("reads a variable of the environment", "In Python: name = os.environ['NAME']."),
    "getresults": _PIPELINE,
    "html": _LAYOUT,
    "i": _FILE,
    "if": _CONDITION,
    "include": _FILE,
    "include_relative": _FILE,
    "ir": _FILE,
    "lo_export": _LARGE_OBJECT,
    "lo_import": _LARGE_OBJECT,
    "lo_unlink": ("deletes a large object", "SELECT lo_unlink(oid) does."),
    "o": _OUT,
    "out": _OUT,
    "p": _BUFFER,
    "parse": _PREPARED,
    "bind_named": _PREPARED,
    "print": _BUFFER,
    "prompt": ("asks for a variable", "In Python: name = input(); then :name binds it."),
    "pset": _LAYOUT,
    "q": ("quits psql", "%tusk disconnect closes the connection."),
    "quit": ("quits psql", "%tusk disconnect closes the connection."),
    "r": _BUFFER,
    "reset": _BUFFER,
    "restrict": _DUMP,
    "s": _HISTORY,
    "sendpipeline": _PIPELINE,
    "setenv": ("sets a variable of the environment", "%env NAME=VALUE does, in a cell of its own."),
    "startpipeline": _PIPELINE,
    "syncpipeline": _PIPELINE,
    "t": _LAYOUT,
    "unrestrict": _DUMP,
    "unset": ("deletes a variable, and those are the notebook's here", "In Python: del name."),
    "w": _BUFFER,
    "write": _BUFFER,
}

# what the others do, as psql's \? has them
HELP: Final[tuple[tuple[str, str], ...]] = (
    (r"\?", "this list"),
    (r"\bind [VALUE] … \g", "values for the $1 … of the statement before it"),
    (r"\conninfo", "the connection"),
    (r"\crosstabview [COLUMNS]", "run the statement before it, and show its rows as a grid"),
    (r"\d[S+] NAME", "describe a table, view, sequence or index"),
    (r"\echo [-n] [TEXT]", r"print text; also \qecho, and \warn to stderr"),
    (r"\encoding", "the client encoding"),
    (r"\errverbose", "everything that is known of the last error"),
    (r"\g", "run the statement before it: the same as ;"),
    (r"\gdesc", "the columns of the statement before it, which is not run"),
    (r"\gexec", "run the statement before it, then each value of its result as SQL"),
    (r"\gset [PREFIX]", "run the statement before it, and put its one row into variables of the notebook"),
    (r"\gx", "run the statement before it, and show its rows as records"),
    (r"\h [STATEMENT]", "how a statement is written"),
    (r"\password [ROLE]", "set a role's password"),
    (r"\set NAME [VALUE] …", "set a variable of the notebook to text"),
    (r"\sf[+] FUNCTION", "the source of a function; +: with line numbers"),
    (r"\sv[+] VIEW", "the source of a view; +: with line numbers"),
    (r"\timing", "the time of each statement, which is always shown"),
    (r"\watch [SECONDS] [c=N] [m=ROWS]", "run the statement before it again and again"),
    (r"\x [on|off|auto]", "show rows as records, a line for each column"),
)


def listed(lists: Iterable[tuple[str, str]]) -> Listing:
    r"""Return what ``\?`` shows.

    :param lists: the commands that list objects, with what each lists.
    """
    rows = sorted((*HELP, *lists), key=lambda row: (row[0].lower(), row[0]))
    elsewhere = ", ".join(f"\\{name}" for name in INSTEAD if len(name) < 6)  # noqa: PLR2004 - the short ones
    footers = (
        "S: with system objects, +: with more detail, x: as records.",
        f"Not here, but answered: {elsewhere}, ….",
    )
    return Listing("psql's commands in a cell", ("Command", "What it does"), tuple(rows), footers)


def refusal(name: str, known: Collection[str]) -> InvalidInput:
    """Return why a command is not done; ``known`` are those that are."""
    if name in INSTEAD:
        reason, advice = INSTEAD[name]
        return InvalidInput(f"\\{name} {reason}", advice=advice)
    names = {one.rstrip("+"): one for one in (*known, *INSTEAD)}
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    spelt = " or ".join(f"`\\{one}`" for one in near)
    offer = f"Did you mean {spelt}? " if near else ""
    return InvalidInput(f"there is no command \\{name}", advice=f"{offer}`%sql \\?` lists what there is.")
