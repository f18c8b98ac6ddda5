"""The console that summaries are printed to, and the layout of their tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from privaudit.escape import terminal

TABLE: dict[str, Any] = {"title_justify": "left", "box": None, "pad_edge": False, "padding": (0, 2, 0, 0)}


class PipedConsole(Console):
    """A console that reports a closed pipe as an error and prints no control characters of names."""

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled; rich would exit with 1, the code of a failed gate."""
        raise

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, but with terminal codes inside texts escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(terminal(segment.text, keep="\n"), segment.style)


def is_watched(console: Console) -> bool:
    """Whether a console is an interactive terminal and not the log of a CI job, which other people may read."""
    return console.is_terminal and os.environ.get("CI", "").lower() in ("", "0", "false")


def standard_output() -> Console:
    """Return a console on standard output that does not highlight what looks like a number or a path."""
    return PipedConsole(highlight=False)


@dataclass(frozen=True)
class Unpadded:
    """A table or a text without the blanks that rich pads lines with, which show in logs and diffs.

    Attributes:
        body: Table or text.
    """

    body: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, each up to its last visible character."""
        for line in console.render_lines(self.body, options, pad=False):
            while line and not line[-1].text.rstrip(" "):
                line.pop()
            yield from line[:-1]
            if line:
                yield Segment(line[-1].text.rstrip(" "), line[-1].style)
            yield Segment.line()


def section(title: str, body: RenderableType) -> Group:
    """Put a title above a part of a summary; unlike the title of a rich table, it may be wider than the table."""
    return Group(Unpadded(Text(title, style="italic")), Unpadded(body))


def rows(pairs: Sequence[tuple[Text, Text]], indent: int) -> Table:
    """Lay out names with a text next to each; further lines of a text are indented."""
    table = Table.grid(Column(no_wrap=True, width=indent), Column(overflow="fold"), padding=(0, 1, 0, 0))
    for name, text in pairs:
        table.add_row(name, text)
    return table


def fitted(table: Table, width: int) -> Table:
    """Reduce the space between the columns of a table if it would not fit otherwise."""
    endless = Console(width=10_000)  # so that the measured width is not limited by the terminal
    if Measurement.get(endless, endless.options, table).maximum > width:
        table.padding = (0, 1, 0, 0)
    return table
