"""The console that summaries are printed to, and how their tables look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from privaudit.escape import escape_control, terminal

T = TypeVar("T")

TABLE: dict[str, Any] = {"title_justify": "left", "box": None, "pad_edge": False, "padding": (0, 2, 0, 0)}


class PipedConsole(Console):
    """A console that lets a closed pipe through, and no control character of a name.

    Rich would exit with the code of a failed gate when a reader closes the pipe.
    """

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled."""
        raise

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does; what a name may hold of terminal codes is shown and not obeyed."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(terminal(segment.text, keep="\n"), segment.style)


def is_watched(console: Console) -> bool:
    """Whether a person looks at a console: it is a terminal, and not the log of a CI job, which others may read."""
    return console.is_terminal and os.environ.get("CI", "").lower() in ("", "0", "false")


def standard_output() -> Console:
    """Return a console on standard output, without guesses at what is a number or a path."""
    return PipedConsole(highlight=False)


@dataclass(frozen=True)
class Unpadded:
    """A renderable without the blanks that rich fills its lines with, which show in logs and diffs.

    Attributes:
        body: A table or a text.
    """

    body: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines, each up to the last character that is seen."""
        for line in console.render_lines(self.body, options, pad=False):
            kept = list(line)
            while kept and not kept[-1].text.rstrip(" "):
                kept.pop()
            yield from kept[:-1]
            if kept:
                yield Segment(kept[-1].text.rstrip(" "), kept[-1].style)
            yield Segment.line()


def section(title: str, body: RenderableType) -> Group:
    """Put a title above a part of a summary; unlike a table's own, it is as wide as the terminal."""
    return Group(Unpadded(Text(title, style="italic")), Unpadded(body))


def rows(pairs: Sequence[tuple[Text, Text]], indent: int) -> Table:
    """Lay out names with a text next to each, whose further lines are indented."""
    table = Table.grid(Column(no_wrap=True, width=indent), Column(overflow="fold"), padding=(0, 1, 0, 0))
    for name, text in pairs:
        table.add_row(name, text)
    return table


def fitted(table: Table, width: int) -> Table:
    """Move the columns of a table together if it would not fit otherwise."""
    endless = Console(width=10_000)
    if Measurement.get(endless, endless.options, table).maximum > width:
        table.padding = (0, 1, 0, 0)
    return table


def cleaned(value: T) -> T:
    """Make every text in a value harmless to a terminal."""
    return cast("T", _cleaned(value))


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return escape_control(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part.name: _cleaned(getattr(value, part.name)) for part in fields(value)})
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_cleaned(item) for item in value)
    return value
