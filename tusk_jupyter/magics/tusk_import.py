"""What was read from another program's file, into the store: a dry run, or the connections with their passwords.

Passwords go from the file to the keychain and are said to be in both: deleting them from a file that another program
reads is its owner's business. One that cannot be saved is a refused row and stops no other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.credentials import KINDS
from tusk_jupyter.connections.importing import Draft
from tusk_jupyter.connections.importing_entries import Skipped
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.import_table import becomes, import_table, refused, row
from tusk_jupyter.saving import place_of
from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.result_footer import StatusLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.connections.importing import Imported
    from tusk_jupyter.connections.saved import Group, SavedConnection
    from tusk_jupyter.magics.wide_tables import WideTable
    from tusk_jupyter.saving import Kept
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk

    Outcome = tuple[StatusLine, WideTable]

_PLACES = {"keychain": "keychain", "memory": "this kernel's memory"}


def preview(tusk: Tusk, imported: Imported, path: Path) -> Outcome:
    """Return what :func:`save` would make of it; nothing is saved."""
    existing = {saved.name: saved for saved in tusk.saved.list()}
    secret = any(draft.secrets for draft in imported.drafts)
    place = _PLACES["keychain" if secret and tusk.credentials.available().ok else "memory"]
    rows = []
    for entry in imported.entries:
        if isinstance(entry, Skipped):
            rows.append(refused(entry))
            continue
        known = existing.get(entry.saved.name)
        rows.append(row(_noted(entry, known), becomes(entry, known), dict.fromkeys(entry.secrets, place)))
    head = f"{counted(len(imported.drafts), 'connection')} would be imported from {path} ({imported.format})"
    return StatusLine(f"{head}; nothing was saved", _left_out(rows)), import_table(rows)


def save(tusk: Tusk, imported: Imported, path: Path) -> Outcome:
    """Save the connections and their passwords."""
    existing = {saved.name: saved for saved in tusk.saved.list()}
    groups = _groups(tusk, imported)
    warnings: list[str] = []
    places: list[str] = []
    rows = []
    for entry in imported.entries:
        done = _written(tusk, entry, existing, groups) if isinstance(entry, Draft) else entry
        if isinstance(done, Skipped):
            rows.append(refused(done))
            continue
        made, kept = done
        where = {kind: _PLACES[place] for kind, place in kept.where.items()}
        rows.append(row(*made, where))
        places += where.values()
        warnings += [warning for warning in kept.warnings if warning not in warnings]
    head = f"{counted(sum(bool(one['name']) for one in rows), 'connection')} imported from {path}"
    return StatusLine(head, (*_left_out(rows), *_passwords(places, path), *warnings)), import_table(rows)


def _written(
    tusk: Tusk, draft: Draft, existing: Mapping[str, SavedConnection], groups: Mapping[str, str]
) -> tuple[tuple[Draft, str], Kept] | Skipped:
    """Save one; return it with what became of it, or why it cannot be saved."""
    known = existing.get(draft.saved.name)
    saved = replace(
        draft.saved,
        id=known.id if known is not None else "",
        created_at=known.created_at if known is not None else "",
        group_id=groups.get(draft.saved.group_id or ""),
    )
    gone: dict[Kind, Secret | None] = dict.fromkeys(KINDS) if _leads_elsewhere(draft, known) else {}
    try:
        kept = tusk.saved.save(saved, secrets=gone | dict(draft.secrets))
    except InvalidInput as error:
        return Skipped(draft.given, error.message)
    return (_noted(draft, known), becomes(draft, known)), kept


def _leads_elsewhere(draft: Draft, known: SavedConnection | None) -> bool:
    """Return whether what opened the connection before must not be sent to the server that is meant now."""
    return known is not None and place_of(known) != place_of(draft.saved)


def _noted(draft: Draft, known: SavedConnection | None) -> Draft:
    if not _leads_elsewhere(draft, known):
        return draft
    return replace(
        draft, notes=(*draft.notes, "it led elsewhere before: passwords that were kept for that are deleted")
    )


def _groups(tusk: Tusk, imported: Imported) -> dict[str, str]:
    """Return the file's group id → ours; groups of the same name at the same place are the same."""
    used = {draft.saved.group_id for draft in imported.drafts}
    for group in reversed(imported.groups):
        if group.id in used:
            used.add(group.parent_id)
    there = {(group.parent_id, group.name): group.id for group in tusk.saved.groups()}
    ours: dict[str, str] = {}
    for group in imported.groups:
        if group.id not in used and imported.format != "tusk":
            continue
        parent = ours.get(group.parent_id or "")
        if (parent, group.name) not in there:
            made: Group = tusk.saved.save_group(replace(group, id="", parent_id=parent))
            there[parent, group.name] = made.id
        ours[group.id] = there[parent, group.name]
    return ours


def _passwords(places: Sequence[str], path: Path) -> list[str]:
    notes = []
    if count := places.count(_PLACES["keychain"]):
        notes.append(f"{counted(count, 'password')} went to the keychain")
    if count := places.count(_PLACES["memory"]):
        notes.append(f"{counted(count, 'password')} went to this kernel's memory only, not to a keychain")
    if notes:
        notes.append(f"{path} still holds the passwords: delete them there if no other program needs them")
    return notes


def _left_out(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    count = sum(not one["name"] for one in rows)
    return (f"{counted(count, 'connection')} of the file cannot be used: the table says why",) if count else ()
