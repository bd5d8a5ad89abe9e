"""Asking the person at the notebook or the terminal, in the main thread: passwords unseen, and yes or no.

Where nobody can be asked (nbclient, papermill, a kernel without stdin) the answer is none, and the failure that follows
says what was missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable


class Prompt:
    """Asks the person at the notebook or the terminal."""

    def __call__(self, text: str) -> Secret | None:
        """Ask for a password: never echoed, never in the notebook; ``None`` where nobody can be asked."""
        import getpass

        answer = _answer(getpass.getpass, text)
        return None if answer is None else Secret(answer)

    def confirm(self, text: str) -> bool:
        """Ask a question that only a full «yes» answers; ``False`` where nobody can be asked."""
        return (_answer(input, text) or "").strip().lower() == "yes"


def _answer(question: Callable[[str], str], text: str) -> str | None:
    try:
        return question(text)
    except (EOFError, OSError):
        return None
    except Exception as error:  # a kernel without stdin raises its own class; anything else is not ours to hide
        if type(error).__name__ != "StdinNotImplementedError":
            raise
        return None
