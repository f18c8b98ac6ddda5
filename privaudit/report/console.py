"""The console that summaries are printed to, and how their tables look."""

from __future__ import annotations

from typing import Any

from rich.console import Console

TABLE: dict[str, Any] = {"title_justify": "left", "box": None, "pad_edge": False, "padding": (0, 2, 0, 0)}


class PipedConsole(Console):
    """A console that lets a closed pipe through; rich would exit with the code of a failed gate."""

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled."""
        raise


def standard_output() -> Console:
    """Return a console on standard output, without guesses at what is a number or a path."""
    return PipedConsole(highlight=False)
