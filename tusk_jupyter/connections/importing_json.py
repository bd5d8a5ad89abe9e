"""pgAdmin's export of servers, and our own of connections: JSON → entries, or records as they are.

pgAdmin's is read in both of its forms (TLS in ``ConnectionParameters`` since version 7, in fields of their own
before). Its paths below ``<STORAGE_DIR>`` lie on pgAdmin's server, and a number may stand in quotes.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from tusk_jupyter.connections.exporting import FORMAT, VERSION
from tusk_jupyter.connections.importing_entries import Entry, Skipped, nearest_color, sort_out
from tusk_jupyter.connections.keywords import KEYWORDS
from tusk_jupyter.connections.saved import COLORS, Group, SavedConnection, SshTunnel, from_dict
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.credentials import Kind

# https://www.pgadmin.org/docs/pgadmin4/latest/import_export_servers.html
_PGADMIN = {
    "Host": "host",
    "HostAddr": "hostaddr",
    "Port": "port",
    "MaintenanceDB": "dbname",
    "Username": "user",
    "SharedUsername": "user",
    "SSLMode": "sslmode",
    "SSLCert": "sslcert",
    "SSLKey": "sslkey",
    "SSLRootCert": "sslrootcert",
    "SSLCrl": "sslcrl",
    "PassFile": "passfile",
    "Timeout": "connect_timeout",
    "Password": "password",
}
_ON_ITS_SERVER = "<STORAGE_DIR>"
_TRUE = (1, "1", True, "true", "True")


def loaded(text: str) -> Any:
    """Return the document; :raises InvalidInput: that says where it is broken, never what stands there."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
    except RecursionError:
        where = "it is nested too deeply"
    raise InvalidInput(f"the file is no JSON: {where}", advice="Export it again, or correct it.")


def looks_like(document: Any) -> str | None:
    """Return which of the two the document is."""
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("Servers"), dict):
        return "pgadmin"
    return "tusk" if document.get("format") == FORMAT or isinstance(document.get("connections"), list) else None


# -- pgAdmin ----------------------------------------------------------------------------------------------------------


def servers(document: Mapping[str, Any]) -> tuple[tuple[Group, ...], list[Entry | Skipped]]:
    """Read pgAdmin's servers; a group's id is its name."""
    found = document.get("Servers")
    if not isinstance(found, dict):
        raise InvalidInput("the file has no 'Servers', as pgAdmin's exports do")
    entries = [_server(key, value) for key, value in found.items()]
    names = dict.fromkeys(entry.group_id for entry in entries if isinstance(entry, Entry) and entry.group_id)
    return tuple(Group(name, name, None, n) for n, name in enumerate(names)), entries


def _server(key: str, given: Any) -> Entry | Skipped:
    name = given.get("Name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name.strip():
        return Skipped(f"server {key}", "it has no name")
    if given.get("Service") and not given.get("Host"):
        return Skipped(name, "it is reached by a service: import pg_service.conf")
    notes = []
    pairs = [(keyword, _text(given.get(key)), key) for key, keyword in _PGADMIN.items()]
    parameters = given.get("ConnectionParameters")
    if isinstance(parameters, dict):
        pairs += [(key, _text(value), "in ConnectionParameters") for key, value in parameters.items()]
    there = [keyword for keyword, value, _ in pairs if value.startswith(_ON_ITS_SERVER)]
    notes += [f"{keyword} is a file of pgAdmin's server: left out" for keyword in there]
    found = sort_out(pair for pair in pairs if pair[0] not in there and pair[:2] != ("sslcompression", "0"))
    if role := _text(given.get("Role")):
        escaped = role.replace("\\", "\\\\").replace(" ", "\\ ")
        found.params["options"] = " ".join(filter(None, [found.params.get("options"), f"-c role={escaped}"]))
        notes.append("its role is set by options=-c role=…, which a pooler may refuse")
    for field_name, what in (("PasswordExecCommand", "its password command"), ("PostConnectionSQL", "its SQL")):
        if given.get(field_name):
            notes.append(f"{what} is not imported")
    ssh, secrets, more = _tunnel(given)
    return Entry(
        name,
        found.params,
        found.secrets | secrets,
        (*notes, *found.notes, *more),
        ssh=ssh,
        color=nearest_color(_text(given.get("BGColor"))),
        group_id=_text(given.get("Group")).strip() or None,
    )


def _tunnel(given: Mapping[str, Any]) -> tuple[SshTunnel | None, dict[Kind, Secret], list[str]]:
    if given.get("UseSSHTunnel") not in _TRUE:
        return None, {}, []
    secrets: dict[Kind, Secret] = {}
    notes = []
    by_key = given.get("TunnelAuthentication") in _TRUE
    key_path = _text(given.get("TunnelIdentityFile")) or None
    if by_key and (key_path is None or key_path.startswith(_ON_ITS_SERVER)):
        by_key, key_path, auth = False, None, "agent"
        notes.append("the path of its SSH key is not in the export: the SSH agent is asked")
    else:
        auth = "key" if by_key else "password"
    if (password := _text(given.get("TunnelPassword"))) != "":
        secrets["sshkey" if by_key else "ssh"] = Secret(password)
    port = _text(given.get("TunnelPort")) or "22"
    tunnel = SshTunnel(
        host=_text(given.get("TunnelHost")),
        port=int(port) if port.isascii() and port.isdigit() else 0,
        username=_text(given.get("TunnelUsername")) or None,
        auth=auth,  # type: ignore[arg-type]
        key_path=key_path if by_key else None,
    )
    return tunnel, secrets, notes


def _text(value: Any) -> str:
    """Return what stands in a field, whatever JSON made of it."""
    if value is None or isinstance(value, dict | list):
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


# -- our own ----------------------------------------------------------------------------------------------------------


def connections(
    document: Mapping[str, Any],
) -> tuple[tuple[Group, ...], list[tuple[SavedConnection, dict[Kind, Secret], tuple[str, ...]] | Skipped]]:
    """Read our own export: records as they were, and what somebody wrote into it by hand."""
    version = document.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise InvalidInput(
            f"the file was written by a newer version of tusk-jupyter (its version is {version!r:.20})",
            advice="Update tusk-jupyter here, or export from this version.",
        )
    groups, lost = _groups(document.get("groups"))
    given = document.get("connections")
    if not isinstance(given, list):
        raise InvalidInput("the file has no list of connections")
    known = {group.id for group in groups}
    read = [_record(number, item, known) for number, item in enumerate(given, 1)]
    return groups, [*(Skipped(name, why) for name, why in lost), *read]


def _record(
    number: int, given: Any, groups: set[str]
) -> tuple[SavedConnection, dict[Kind, Secret], tuple[str, ...]] | Skipped:
    named = given.get("name") if isinstance(given, dict) else None
    label = named if isinstance(named, str) and named.strip() else f"connection {number}"
    if not isinstance(given, dict):
        return Skipped(label, "it is no record of a connection")
    try:
        saved = from_dict(given | {"id": "", "created_at": "", "updated_at": ""})
    except InvalidInput as error:
        return Skipped(label, error.message)
    if wrong := _mistyped(saved) or (_mistyped(saved.ssh_tunnel, "ssh_tunnel.") if saved.ssh_tunnel else None):
        return Skipped(label, f"{wrong} holds a value of another kind")
    stray = [key for key in saved.parameters if key not in KEYWORDS]
    secrets, notes = {}, []
    if stray:
        found = sort_out((key, saved.parameters[key], "in parameters") for key in stray)
        secrets, notes = found.secrets, list(found.notes)
        saved = replace(saved, parameters={k: v for k, v in saved.parameters.items() if k not in stray})
    if saved.group_id is not None and saved.group_id not in groups:
        notes.append("its group is not in the file")
        saved = replace(saved, group_id=None)
    return saved, secrets, tuple(notes)


def _mistyped(record: SavedConnection | SshTunnel | Group, prefix: str = "") -> str | None:
    """Return the first field whose value is not of its declared type."""
    hints = get_type_hints(type(record), localns={"Mapping": dict, "Any": Any})
    for one in fields(record):
        value, hint = getattr(record, one.name), hints[one.name]
        if one.name == "parameters":
            right = isinstance(value, dict) and all(isinstance(part, str) for item in value.items() for part in item)
        else:
            right = _fits(value, hint)
        if not right:
            return prefix + one.name
    return None


def _fits(value: Any, hint: Any) -> bool:
    if options := [option for option in get_args(hint) if isinstance(option, type)]:
        return any(_fits(value, option) for option in options)
    if get_args(hint):  # a Literal, which check() tells more about
        return isinstance(value, str)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _groups(given: Any) -> tuple[tuple[Group, ...], list[tuple[str, str]]]:
    """Return the groups, parents first; what hangs on nothing or on itself goes to the top."""
    rest: list[Group] = []
    lost: list[tuple[str, str]] = []
    for number, item in enumerate(given if isinstance(given, list) else [], 1):
        known = {one.name for one in fields(Group)}
        try:
            group = Group(**item) if isinstance(item, dict) and set(item) <= known else None
        except TypeError:
            group = None
        if group is None or _mistyped(group) or not group.name.strip():
            lost.append((f"group {number}", "it is no record of a group"))
        else:
            rest.append(group if group.color in COLORS else replace(group, color=None))
    ordered: list[Group] = []
    while rest:
        placed = {group.id for group in ordered}
        ready = [group for group in rest if group.parent_id is None or group.parent_id in placed]
        if not ready:
            ready = [replace(rest[0], parent_id=None)]
        ordered += ready
        rest = [group for group in rest if group.id not in {one.id for one in ordered}]
    return tuple(ordered), lost
