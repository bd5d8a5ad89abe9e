"""The connection manager as a user has it, in JupyterLab and in Notebook 7: the whole way, by mouse and by keyboard."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.fix_postgres import PASSWORD
from tests.waiting import running, wait_until
from tusk_jupyter.widgets.one_way import STATIC

LOAD = "%load_ext tusk_jupyter\nimport tusk_jupyter as tusk"
MARK = PASSWORD[:10]
LIST = '[style*="--tusk-list"]'


class Manager:
    """The widget below a cell, by the names that a screen reader reads."""

    def __init__(self, notebook, cell=1) -> None:
        self.notebook = notebook
        self.root = notebook.output(cell).get_by_role("region", name="Connection manager")
        self.form = self.root.get_by_role("form", name="Connection")
        self.note = self.root.locator(".t-note")
        expect(self.root.get_by_role("button", name="New connection")).to_be_visible()

    def item(self, name):
        return self.root.get_by_role("treeitem", name=name)

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def field(self, label):
        return self.form.get_by_label(label, exact=True).first

    def fill(self, **values):
        for label, value in values.items():
            field = self.field(label.capitalize())
            field.select_option(value) if label in {"group", "colour"} else field.fill(value)

    @property
    def focused(self):
        return self.root.locator(":focus")


@pytest.fixture
def manager(open_notebook):
    def open_(*cells, env=None):
        notebook = open_notebook(LOAD, "%tusk_connect", *cells, env=env)
        notebook.run(0)
        notebook.run(1)
        return Manager(notebook)

    return open_


def test_the_whole_way(manager, server, database):  # noqa: PLR0915 - it is one journey
    dbname = database.rpartition("=")[2]
    manager = manager("%sql select current_user as who", "%sql select pg_sleep(60)")
    notebook, root = manager.notebook, manager.root
    root.get_by_role("button", name="New group").click()
    root.get_by_role("form", name="Group").get_by_label("Name").fill("Production")
    manager.button("Save").click()
    expect(manager.item("Production")).to_have_attribute("aria-selected", "true")

    root.get_by_role("button", name="New connection").click()
    expect(manager.field("Name")).to_be_focused()
    manager.fill(name="shop", host="127.0.0.1", port="nonsense", database=dbname, user="secretive", colour="red")
    manager.button("Save").click()
    expect(manager.field("Port")).to_have_attribute("aria-invalid", "true")
    expect(manager.field("Port")).to_be_focused()
    expect(manager.form.get_by_text("the port is not a whole number")).to_be_visible()
    notebook.screenshot("manager-refused", root)
    manager.fill(port=str(server.port), password="not the password")
    expect(manager.form.get_by_text("the port is not a whole number")).to_be_hidden()

    manager.button("Test").click()
    expect(manager.field("Password")).to_have_value("")
    expect(root.get_by_label("Steps of the test")).to_contain_text("✓ TCP")
    expect(root.get_by_label("Steps of the test")).to_contain_text("✓ TLS none agreed on")
    expect(root.get_by_label("Steps of the test")).to_contain_text("✗ authentication")
    expect(root.locator(".t-failure")).to_contain_text("secretive")
    expect(manager.field("Password")).to_be_focused()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        notebook.screenshot("manager-failed", root)

    manager.button("Save and connect").click()
    expect(manager.form.get_by_text("the server asks for a password")).to_be_visible()
    expect(manager.item("shop")).to_be_visible()
    expect(manager.field("Password")).to_be_focused()
    manager.field("Password").fill(PASSWORD)
    manager.button("Connect").click()
    expect(manager.note).to_have_text("connected; cells run on shop now")
    expect(manager.field("Password")).to_have_value("")
    expect(manager.field("Password")).to_have_attribute("placeholder", "stored in this kernel's memory")
    expect(manager.item("shop")).to_contain_text("connected, current")
    # with the connection that the schema is read on, as long as it is there
    expect(root.get_by_text(re.compile(r"pool [12] of 5"))).to_be_visible()
    expect(manager.button("Disconnect")).to_be_focused()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        notebook.screenshot("manager-connected", root)

    assert "secretive" in json.dumps(notebook.run(2))
    notebook.start(3)
    wait_until(lambda: running(database, "pg_sleep(60"))
    manager.button("Disconnect").click()
    expect(root.get_by_role("alertdialog")).to_contain_text("A statement is running on shop")
    expect(manager.button("Cancel")).to_be_focused()
    notebook.screenshot("manager-confirm", root)
    manager.button("Disconnect anyway").click()
    expect(manager.note).to_have_text("shop is disconnected")
    notebook.finish(3, ok=False)
    expect(manager.button("Connect")).to_be_focused()

    file = json.dumps(notebook.save())
    assert "shop" in file
    assert MARK not in file
    assert MARK not in "".join(notebook.received)
    assert MARK not in notebook.page.content()

    manager.button("Delete").click()
    expect(root.get_by_role("alertdialog")).to_contain_text("Delete shop and the password")
    root.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(manager.item("shop")).to_have_count(0)
    assert MARK not in json.dumps(notebook.save())


SEED = """
from tusk_jupyter.connections.saved import Group, SavedConnection
saved = tusk.state().saved
group = saved.save_group(Group("", "Local"))
for name in ("alpha", "beta"):
    saved.save(SavedConnection("", name, {host!r}, {dbname!r}, "tester", port={port}, group_id=group.id))
"""


@pytest.fixture
def seeded(manager, server, database):
    """A manager with two saved connections in a group."""
    seed = SEED.format(host=server.host, port=server.port, dbname=database.rpartition("=")[2])
    manager = manager(seed, "%tusk_connect")
    manager.notebook.run(2)
    expect(manager.item("beta")).to_be_visible()
    return manager


def test_what_is_typed_survives_what_happens_elsewhere(seeded):
    root = seeded.root
    seeded.item("alpha").click()
    seeded.field("User").fill("some")
    seeded.notebook.run(3)
    other = Manager(seeded.notebook, cell=3)
    other.item("alpha").click()
    other.field("Database").fill("elsewhere")
    other.button("Save").click()
    expect(other.note).to_have_text("alpha is saved")
    seeded.field("User").focus()
    expect(seeded.field("Database")).to_have_value("elsewhere")
    expect(seeded.field("User")).to_have_value("some")
    expect(seeded.field("User")).to_be_focused()
    # and from one connection to the other and back
    seeded.item("beta").click()
    expect(seeded.field("User")).to_have_value("tester")
    seeded.item("alpha").click()
    expect(seeded.field("User")).to_have_value("some")
    root.get_by_role("button", name="Revert").click()
    expect(seeded.field("User")).to_have_value("tester")


LEAKS = """() => {
    window.leaked = [];
    for (const kind of ["keydown", "keypress", "keyup"]) {
        document.addEventListener(kind, (event) => window.leaked.push(`${kind} ${event.key}`));
    }
}"""


def test_by_keyboard_alone_and_no_shortcut_of_the_front_end_fires(seeded):
    root, keyboard = seeded.root, seeded.notebook.page.keyboard
    cells = seeded.notebook.page.locator(".jp-Notebook .jp-Cell")
    # nor of those front ends that listen on the way up
    seeded.notebook.page.evaluate(LEAKS)
    root.get_by_label("Search connections").focus()
    keyboard.type("bdd")
    expect(root.get_by_text("nothing of that name")).to_be_visible()
    keyboard.press("Escape")
    keyboard.press("ArrowDown")
    expect(seeded.item("alpha")).to_be_focused()
    # letters go to the list: in the notebook's command mode b adds a cell, and d twice deletes one
    keyboard.type("b")
    expect(seeded.item("beta")).to_be_focused()
    keyboard.type("ddxa")
    expect(seeded.item("alpha")).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(seeded.item("Local")).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(seeded.item("alpha")).to_have_count(0)
    expect(seeded.item("Local")).to_have_attribute("aria-expanded", "false")
    keyboard.press("ArrowRight")
    keyboard.press("End")
    expect(seeded.item("beta")).to_be_focused()
    keyboard.press("Enter")
    expect(seeded.item("beta")).to_contain_text("connected, current")
    expect(seeded.item("beta")).to_be_focused()
    keyboard.press("ArrowUp")
    keyboard.press("F2")
    expect(seeded.field("Name")).to_be_focused()
    keyboard.type("-dd")
    expect(seeded.item("alpha")).to_contain_text("edited")
    keyboard.press("Escape")
    expect(seeded.field("Name")).to_have_value("alpha")
    keyboard.press("Escape")
    expect(seeded.item("alpha")).to_be_focused()
    keyboard.press("Delete")
    expect(root.get_by_role("alertdialog")).to_be_visible()
    keyboard.press("Escape")
    expect(root.get_by_role("alertdialog")).to_be_hidden()
    expect(seeded.item("alpha")).to_be_focused()
    keyboard.press("Delete")
    expect(seeded.button("Cancel")).to_be_focused()
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    expect(seeded.item("alpha")).to_have_count(0)
    expect(seeded.item("beta")).to_be_focused()
    assert cells.count() == 4
    assert seeded.notebook.page.evaluate("window.leaked") == []


def test_what_has_a_button_only_is_reached_by_the_tab_key(seeded):
    root, keyboard = seeded.root, seeded.notebook.page.keyboard
    cells = seeded.notebook.page.locator(".jp-Notebook .jp-Cell")
    root.get_by_label("Search connections").focus()
    keyboard.type("beta")
    keyboard.press("Enter")
    expect(seeded.item("beta")).to_be_focused()
    keyboard.press("Enter")
    expect(seeded.item("beta")).to_contain_text("connected, current")
    keyboard.press("Tab")
    expect(seeded.button("New connection")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(root.get_by_role("form", name="Group").get_by_label("Name")).to_be_focused()
    keyboard.type("Added")
    keyboard.press("Control+s")
    expect(seeded.note).to_have_text("group Added is saved")
    root.get_by_label("Search connections").focus()
    keyboard.press("Enter")
    expect(seeded.item("beta")).to_be_focused()
    for act in ("disconnect", "test", "duplicate"):
        for _ in range(40):
            keyboard.press("Tab")
            if root.locator(f"[data-act={act}]:focus").count():
                break
        expect(root.locator(f"[data-act={act}]")).to_be_focused()
    keyboard.press("x")
    keyboard.press("Shift+Tab")
    keyboard.press("Space")
    expect(seeded.note).to_contain_text("database")
    keyboard.press("Shift+Tab")
    keyboard.press("Enter")
    expect(seeded.note).to_have_text("beta is disconnected")
    expect(seeded.button("Connect")).to_be_focused()
    assert cells.count() == 4


def test_a_url_is_taken_apart(seeded):
    seeded.root.get_by_role("button", name="New connection").click()
    seeded.field("Host").fill("postgresql+psycopg://me:s%40cret-canary@db.example.org:6432/shop?sslmode=require&options=-c%20x")
    expect(seeded.field("Host")).to_have_value("db.example.org")
    expect(seeded.field("Port")).to_have_value("6432")
    expect(seeded.field("User")).to_have_value("me")
    expect(seeded.field("Database")).to_have_value("shop")
    expect(seeded.field("TLS")).to_have_value("require")
    expect(seeded.field("Password")).to_have_attribute("placeholder", "typed, not saved yet")
    assert "cret-canary" not in seeded.notebook.page.content()


def test_an_unknown_ssh_host_is_shown_and_trusted(manager, server, sshd, ssh_keys, home):
    manager = manager(env={"HOME": str(home.path)})
    root = manager.root
    root.get_by_role("button", name="New connection").click()
    manager.fill(name="inner", host="127.0.0.1", port=str(server.port), database="postgres", user="secretive")
    manager.form.get_by_text("SSH tunnel").click()
    manager.form.get_by_label("Method").select_option("key")
    for label, value in {"SSH host": "127.0.0.1", "SSH user": sshd.user, "Key file": str(ssh_keys / "plain")}.items():
        manager.field(label).fill(value)
    manager.form.get_by_label("Port").nth(1).fill(str(sshd.port))
    manager.field("Password").fill(PASSWORD)
    manager.button("Save and connect").click()
    question = root.get_by_role("alertdialog")
    expect(question).to_contain_text(sshd.fingerprint)
    expect(manager.button("Cancel")).to_be_focused()
    for theme in ("dark", "light"):
        manager.notebook.theme(theme)
        manager.notebook.screenshot("manager-unknown-host", root)
    manager.button("Cancel").click()
    expect(question).to_be_hidden()
    assert not home.known_hosts.exists()

    manager.button("Test").click()
    expect(root.get_by_label("Steps of the test")).to_contain_text("✗ SSH")
    manager.button("Trust this host").click()
    expect(root.get_by_label("Steps of the test")).to_contain_text("✓ database")
    assert home.known_hosts.read_text() == sshd.known_hosts_line
    home.known_hosts.unlink()

    # the password that was typed in the beginning is there still
    manager.root.locator("[data-act=connect]").click()
    manager.button("Trust this host").click()
    expect(manager.note).to_have_text("connected; cells run on inner now")
    assert home.known_hosts.read_text() == sshd.known_hosts_line


def test_a_new_connection_that_is_refused_can_be_mended(manager, server):
    manager = manager()
    manager.root.get_by_role("button", name="New connection").click()
    manager.fill(name="shop", host="127.0.0.1", port="1", database="postgres", user="secretive")
    manager.field("Password").fill(PASSWORD)
    manager.button("Save and connect").click()
    expect(manager.root.locator(".t-failure")).to_contain_text("refused")
    manager.fill(port=str(server.port))
    manager.root.locator("[data-act=connect]").click()
    expect(manager.note).to_have_text("connected; cells run on shop now")


EXPOSED = """async ([source, place]) => {
    const text = `const location = ${JSON.stringify(place)};\n${source}`;
    const { default: widget } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
    const el = document.createElement("div");
    const model = { get: () => ({}), on() {}, off() {}, send() {} };
    const end = widget.render({ model, el });
    const said = el.textContent;
    end();
    return said;
}"""


def test_a_page_without_encryption_says_so_where_a_password_is_typed(manager):
    page = manager().notebook.page
    source = (STATIC / "connection_manager.js").read_text()
    for protocol, hostname, exposed in (
        ("http:", "db.example.org", True), ("http:", "localhost.example.org", True), ("http:", "192.168.0.7", True),
        ("https:", "db.example.org", False), ("http:", "localhost", False), ("http:", "127.0.0.1", False),
        ("http:", "[::1]", False), ("vscode-webview:", "x", False),
    ):  # fmt: skip
        said = page.evaluate(EXPOSED, [source, {"protocol": protocol, "hostname": hostname}])
        assert "Password" in said
        assert (f"sent unencrypted: this page came over http from {hostname}" in said) == exposed, hostname


def test_a_page_that_is_loaded_again_goes_on_and_a_kernel_that_is_gone_leaves_the_list(seeded):
    notebook = seeded.notebook
    notebook.run(3)
    notebook.save()
    notebook.reload()
    again = Manager(notebook, cell=3)
    expect(notebook.output(3).locator(LIST)).to_be_hidden()
    again.item("alpha").click()
    expect(again.field("User")).to_have_value("tester")
    notebook.restart()
    expect(again.root.get_by_text("run this cell again")).to_be_visible()
    expect(again.root.get_by_role("button")).to_have_count(0)
    expect(notebook.output(3).locator(LIST)).to_be_visible()


@pytest.mark.parametrize("trusted", [True, False])
def test_without_a_kernel_it_is_a_list_with_nothing_to_press(seeded, trusted):
    notebook = seeded.notebook
    notebook.run(3)
    Manager(notebook, cell=3)
    # alive it is the manager alone
    expect(notebook.output(3).locator(LIST)).to_be_hidden()
    file = notebook.save()
    assert MARK not in json.dumps(file)
    if not trusted:  # by somebody else, that is: the signature is of another content
        notebook.path.write_text(json.dumps(file | {"metadata": file["metadata"] | {"authors": []}}))
    notebook.open_without_kernel()
    assert notebook.is_trusted(3) == trusted
    seen = notebook.output(3)
    for name in ("Local", "alpha", "beta"):
        expect(seen.get_by_text(name, exact=True)).to_have_count(1)
        expect(seen.get_by_text(name, exact=True)).to_be_visible()
    expect(seen.get_by_text("run the cell to connect")).to_be_visible()
    for what in ("button", "input", "select", "a", "[role=treeitem]"):
        expect(seen.locator(what)).to_have_count(0)
    for theme in ("dark", "light"):
        notebook.theme(theme)
        notebook.screenshot(f"manager-without-kernel-{'trusted' if trusted else 'untrusted'}", seen)
