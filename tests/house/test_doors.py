"""The house's rules, run as tests: who may import whom, what is pure, what stays unloaded."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tusk_jupyter"
PURE = [
    "lexer",
    "literals",
    "magics/arguments",
    "magics/manager_form",
    "magics/line_words",
    "magics/options",
    "magics/places",
    "queries/split",
    "queries/classify",
    "queries/partition",
    "masking",
    "queries/placeholders",
    "queries/binding",
    "results/types",
    "results/text",
    "connections/conninfo",
    "connections/durations",
    "connections/exporting",
    "connections/importing",
    "connections/importing_entries",
    "connections/importing_ini",
    "connections/importing_json",
    "connections/saved",
    "connections/ssh_address",
    "connections/ssh_known_hosts",
    "preferences",
    "redaction",
    "schema/catalog",
    "schema/changes",
    "schema/packed",
    "schema/search_path",
    "secret_literals",
    "spellings",
    "connections/keywords",
    "errors",
    "advice/__init__",
    "advice/slips",
    "advice/sqlstates",
    "schema/inspection",
    "schema/sheets",
    "schema/synopses",
    "widgets/sheet",
    *(f"schema/{name}" for name in (
        "clause_rules", "clauses", "completion", "cursor", "finding", "followers", "from_clause", "ground", "nesting",
        "offered_columns", "offered_joins", "offered_statements", "offers", "outputs", "places", "quoting", "scope",
        "statements", "wants",
    )),
    "schema/abbreviations",
    "schema/suggest",
    "schema/suggest_aliases",
    "schema/suggest_columns",
    "schema/suggest_functions",
    "schema/suggest_names",
    "schema/suggest_objects",
    "schema/suggest_operators",
    "schema/suggest_relations",
    "schema/suggest_words",
]
IMPURE = {"psycopg", "psycopg_pool", "sqlite3", "IPython", "ipywidgets", "anywidget", "keyring", "threading", "asyncssh"}
HEAVY = {"pandas", "pyarrow", "numpy", "ipywidgets", "anywidget", "keyring", "asyncssh", "psycopg", "psycopg_pool"}

# what a load is made of; a name more is half a millisecond or ten, at every start of every notebook
AT_LOAD = {
    "version", "errors", "events", "interrupts", "log", "logsinks", "paths", "preferences", "redaction", "secret",
    "kernel_preferences", "reaching", "tusk", "connections", "connections.credentials", "connections.registry",
    "queries", "queries.registry", "results", "results.recent", "storage", "storage.database", "storage.departed",
    "storage.failures", "storage.files", "storage.filesystem", "storage.handle", "storage.integrity",
    "storage.migrations", "storage.opening", "storage.preferences", "storage.reading", "storage.schema",
    "storage.transaction", "storage.writer", "magics", "magics.aliases", "magics.completer", "magics.idle_transactions",
    "magics.keychain_wait", "magics.load", "magics.output",
}
# 1 to 2 ms each, where IPython has not imported them
NOT_AT_LOAD = {"base64", "difflib", "html", "platform", "subprocess", "uuid"}


def imports(path):
    """Every module that a file imports, at its top or within."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_import_linter_contracts():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_import_nothing_that_acts(module):
    found = {name.partition(".")[0] for name in imports(PACKAGE / f"{module}.py")}
    assert found & IMPURE == set()


def test_nothing_below_widgets_knows_jupyter():
    for room in ("queries", "connections", "results", "schema", "storage", "advice"):
        for path in (PACKAGE / room).rglob("*.py"):
            found = {name.partition(".")[0] for name in imports(path)}
            assert found & {"IPython", "ipykernel", "ipywidgets", "anywidget"} == set(), path


def test_only_magics_and_the_public_functions_ask_for_the_singleton():
    users = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if "Tusk.instance(" in p.read_text()}
    assert users == {"api.py", "magics/load.py"}


def fresh(code, tmp_path):
    """What ``code`` prints as JSON in a new interpreter."""
    environment = {**os.environ, "TUSK_DATA_DIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


LOADED = """
import sys, json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
# the clean-up of the history begins a second later and brings modules of its own
shell.config.Tusk.history_days = 0
before = set(sys.modules)
shell.run_line_magic("load_ext", "tusk_jupyter")
after = set(sys.modules)
assert shell.find_cell_magic("sql") is not None
print(json.dumps(sorted(after - before)))
"""


def test_loading_leaves_heavy_modules_unloaded(tmp_path):
    assert {name.partition(".")[0] for name in fresh(LOADED, tmp_path)} & HEAVY == set()


def test_loading_imports_no_more_than_a_load_needs(tmp_path):
    fresh(LOADED, tmp_path)  # makes the data directory, with modules of its own
    found = set(fresh(LOADED, tmp_path))
    ours = {name.removeprefix("tusk_jupyter.") for name in found if name.startswith("tusk_jupyter.")}
    assert ours == AT_LOAD
    assert found & NOT_AT_LOAD == set()


def test_importing_the_package_imports_nothing_of_it(tmp_path):
    code = "import sys, json, tusk_jupyter\nprint(json.dumps([m for m in sys.modules if m.startswith('tusk_jupyter')]))"
    assert sorted(fresh(code, tmp_path)) == ["tusk_jupyter", "tusk_jupyter.version"]


def test_public_names_are_what_is_said():
    import tusk_jupyter

    for name in tusk_jupyter.__all__:
        assert getattr(tusk_jupyter, name).__doc__ or name == "__version__"
    assert set(tusk_jupyter.__all__) == set(tusk_jupyter._HOMES) | {"__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tusk_jupyter.nothing
