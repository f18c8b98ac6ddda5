"""Rows of a Parquet file, listed without reading their images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from privaudit.data.embedded.image_column import PATH, ImageColumn
from privaudit.data.embedded.parquet_cell import ParquetCell, bytes_of, chunk_rows, open_parquet
from privaudit.data.embedded.table_row import TableRow, readable_table

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet

ROWS_AT_ONCE = 4096
"""Rows without their images that are in memory at once."""


def parquet_schema(path: Path) -> pyarrow.Schema:
    """Read the names and types of the columns.

    Args:
        path: The file.

    Returns:
        The schema, with the notes of the program that wrote it.

    Raises:
        DataError: The file is malformed.
    """
    with readable_table(path):
        return open_parquet(path).schema_arrow


def read_parquet_rows(path: Path, column: ImageColumn, others: Sequence[str]) -> Iterator[TableRow]:
    """Go through the rows of a Parquet file.

    Args:
        path: The file.
        column: Column of the images. It is only read where the file does not say that each row has one.
        others: Columns whose cells are read.

    Yields:
        The rows, in order.

    Raises:
        DataError: The file is malformed, or compressed in an unknown way.
    """
    with readable_table(path):
        file = open_parquet(path)
        for group in range(file.num_row_groups):
            present = _present(file, group, column)
            rows = _values(file, group, column, others)
            for row, ((name, values), has_image) in enumerate(zip(rows, present, strict=True)):
                content = ParquetCell(path, column.bytes_column, group, row) if has_image else None
                yield TableRow(content, name, values)


def _values(
    file: parquet.ParquetFile, group: int, column: ImageColumn, others: Sequence[str]
) -> Iterator[tuple[str | None, dict[str, object]]]:
    """Path and other cells of each row."""
    columns = [*others, *([f"{column.name}.{PATH}"] if column.has_path else [])]
    if not columns:
        yield from ((None, {}) for _ in range(file.metadata.row_group(group).num_rows))
        return
    for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns, use_threads=False):
        for row in batch.to_pylist():
            cell = row.pop(column.name, None) or {}
            yield cell.get(PATH), row


def _present(file: parquet.ParquetFile, group: int, column: ImageColumn) -> Iterable[bool]:
    """Whether each row has an image: from the statistics if they say so, from the cells otherwise."""
    part = file.metadata.row_group(group)
    chunks = (part.column(place) for place in range(part.num_columns))
    statistics = next(chunk.statistics for chunk in chunks if chunk.path_in_schema == column.bytes_column)
    if statistics is not None and statistics.has_null_count and statistics.null_count == 0:
        return [True] * part.num_rows
    rows = chunk_rows(file, group, column.bytes_column)
    batches = file.iter_batches(rows, row_groups=[group], columns=[column.bytes_column], use_threads=False)
    return (present for batch in batches for present in bytes_of(batch).is_valid().to_pylist())
