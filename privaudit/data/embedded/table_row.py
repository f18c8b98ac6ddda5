"""A row of a table that holds its image."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.data.listed import Content
from privaudit.errors import DataError


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row, whose image has not been read.

    Attributes:
        content: Where the bytes of the image are; None for an empty cell.
        path: Path that the cell names next to the bytes, or instead of them; None without one.
        values: Other cells of the row by column.
    """

    content: Content | None
    path: str | None
    values: Mapping[str, Any]


@contextmanager
def readable_table(path: Path) -> Generator[None]:
    """Turn the errors of pyarrow into one that names the table.

    Args:
        path: The table that is read within the context.

    Yields:
        Nothing.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"cannot read the table {path}: {' '.join(str(error).split())}; copy it again") from error
