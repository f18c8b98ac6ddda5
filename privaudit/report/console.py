"""The console that summaries are printed to, and how their tables look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from privaudit.escape import harmless

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
            yield segment if segment.control else Segment(harmless(segment.text, keep="\n"), segment.style)


def standard_output() -> Console:
    """Return a console on standard output, without guesses at what is a number or a path."""
    return PipedConsole(highlight=False)


def section(title: str, body: RenderableType) -> Group:
    """Put a title above a part of a summary; unlike a table's own, it is as wide as the terminal.

    Args:
        title: One line.
        body: What stands below.

    Returns:
        Both.
    """
    return Group(Text(title, style="italic"), body)


def rows(pairs: Sequence[tuple[Text, Text]], indent: int) -> Table:
    """Lay out names with a text beside each, whose further lines are indented.

    Args:
        pairs: Name and text.
        indent: Columns for the names.

    Returns:
        A table without lines.
    """
    table = Table.grid(Column(no_wrap=True, width=indent), Column(overflow="fold"), padding=(0, 1, 0, 0))
    for name, text in pairs:
        table.add_row(name, text)
    return table


def fitted(table: Table, width: int) -> Table:
    """Move the columns of a table together if it would not fit otherwise.

    Args:
        table: With the padding of `TABLE`.
        width: Columns of the terminal.

    Returns:
        The same table.
    """
    endless = Console(width=10_000)
    if Measurement.get(endless, endless.options, table).maximum > width:
        table.padding = (0, 1, 0, 0)
    return table


def cleaned(value: T) -> T:
    """Make every text in a value harmless to a terminal.

    Args:
        value: Any nesting of dataclasses, mappings, tuples and lists, such as a result.

    Returns:
        The same with control characters shown instead of obeyed.
    """
    return cast("T", _cleaned(value))


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return harmless(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{part.name: _cleaned(getattr(value, part.name)) for part in fields(value)})
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_cleaned(item) for item in value)
    return value
