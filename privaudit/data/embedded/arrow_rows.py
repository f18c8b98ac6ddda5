"""Rows of an Arrow file, in which images lie as they are: each is a part of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from privaudit.data.embedded.image_column import BYTES, PATH, ImageColumn
from privaudit.data.embedded.table_row import TableRow, readable_table
from privaudit.data.file_part import FilePart
from privaudit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

_FILE_FORMAT = b"ARROW1"
"""First bytes of the format with a directory; `datasets` writes the other one, a stream."""

_END = b"\xff\xff\xff\xff\0\0\0\0"
"""Last bytes of a stream."""


def arrow_schema(path: Path) -> pyarrow.Schema:
    """Read the names and types of the columns.

    Args:
        path: The file.

    Returns:
        The schema, with the notes of the program that wrote it.

    Raises:
        DataError: The file is malformed.
    """
    import pyarrow

    with readable_table(path), pyarrow.memory_map(str(path)) as file:
        return _open(file).schema


def read_arrow_rows(path: Path, column: ImageColumn, others: Sequence[str]) -> Iterator[TableRow]:
    """Go through the rows of an Arrow file, which is mapped into memory, so that no image is read.

    Args:
        path: The file.
        column: Column of the images.
        others: Columns whose cells are read.

    Yields:
        The rows, in order.

    Raises:
        DataError: The file is malformed or compressed.
    """
    import pyarrow

    with readable_table(path), pyarrow.memory_map(str(path)) as file:
        start, size = file.read_buffer(1).address, file.size()
        for batch in _batches(_open(file)):
            contents = _parts(path, _cells(batch, column, BYTES), start, size)
            paths = _cells(batch, column, PATH).to_pylist() if column.has_path else [None] * batch.num_rows
            values = batch.select(list(others)).to_pylist()
            yield from map(TableRow, contents, paths, values)


def _open(file: pyarrow.NativeFile) -> Any:  # noqa: ANN401 - the two kinds of reader have no common type
    import pyarrow

    file.seek(0)
    head = file.read(len(_FILE_FORMAT))
    file.seek(0)
    if head == _FILE_FORMAT:
        return pyarrow.ipc.open_file(file)
    tail = file.read_at(len(_END), max(0, file.size() - len(_END)))
    if tail != _END:  # pyarrow takes a stream that was cut between two batches for a whole one
        raise OSError("it has no mark of its end")
    return pyarrow.ipc.open_stream(file)


def _batches(reader: Any) -> Iterator[pyarrow.RecordBatch]:  # noqa: ANN401
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(number) for number in range(reader.num_record_batches))
    return iter(reader)


def _cells(batch: pyarrow.RecordBatch, column: ImageColumn, part: str) -> pyarrow.Array:
    """Cells of the bytes or paths; those of an empty outer cell are empty, too."""
    cells = batch.column(column.name)
    if not column.nested:
        return cells
    return cells.flatten()[cells.type.get_field_index(part)]


def _parts(path: Path, cells: pyarrow.Array, start: int, size: int) -> Iterator[FilePart | None]:
    """Where the bytes of each cell lie in the file, which is mapped to the addresses from ``start``."""
    from pyarrow import types

    _, offsets, data = cells.buffers()
    has_bytes = data is not None and data.size > 0  # otherwise it has no place in the file
    first = data.address - start if has_bytes else 0
    if has_bytes and not 0 <= first <= first + data.size <= size:
        raise DataError(f"expected an Arrow file without compression, got {path}; write it as Parquet")
    kind = np.int64 if types.is_large_binary(cells.type) else np.int32
    bounds = np.frombuffer(offsets, kind)[cells.offset : cells.offset + len(cells) + 1].tolist()
    valid = cells.is_valid().to_pylist()
    return (
        FilePart(path, first + low, high - low) if present else None
        for low, high, present in zip(bounds, bounds[1:], valid, strict=False)
    )
