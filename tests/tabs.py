"""Tab in IPython without a kernel, as its terminal presses it."""

from __future__ import annotations

from IPython.core.completer import provisionalcompleter


def tab(cells, marked: str) -> list[str]:
    """The texts that are offered at ``|``, in their order."""
    return [text for text, _ in typed_tab(cells, marked)]


def typed_tab(cells, marked: str) -> list[tuple[str, str]]:
    """The same with what the menu says beside each; what is empty is not in the menu."""
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    with provisionalcompleter():
        found = list(cells.ip.Completer.completions(text, cursor))
    return [(one.text, one.type) for one in found if one.text]
