"""A cell of a Parquet file, read with few of its neighbours."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from privaudit.data.embedded.recent import Recent

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import parquet

CHUNK_BYTES = 2**24
"""Rows of a row group are decoded in chunks of about 16 MiB, since some programs write one row group per file."""
CACHE_BYTES = 2**26
"""Decoded chunks that stay in memory, 64 MiB per process."""
BUFFER_BYTES = 2**20
"""Bytes of a column that are read at once; without a limit, pyarrow reads all of it."""
MAX_OPEN_FILES = 32
"""Files whose directory stays in memory."""
MAX_POSITIONS = 4
"""Row groups that can be read in turn without starting again."""


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """The bytes of an image in a Parquet file.

    Attributes:
        path: The file.
        column: Dotted name of the column of bytes.
        row_group: Row group.
        row: Row within it.
    """

    path: Path
    column: str
    row_group: int
    row: int

    @property
    def size(self) -> int:
        """Number of bytes; the cell is read for it."""
        return len(self._read())

    def open(self) -> BinaryIO:
        """Read the bytes.

        Returns:
            The bytes, seekable.

        Raises:
            OSError: The file cannot be read or decoded.
        """
        return io.BytesIO(self._read())

    def _read(self) -> bytes:
        import pyarrow

        try:
            return _chunks(os.getpid()).read(self)
        except pyarrow.ArrowException as error:
            raise OSError(f"cannot read {self.path.name}: {error}") from error


def open_parquet(path: Path) -> parquet.ParquetFile:
    """Open a Parquet file such that columns are read piece by piece."""
    from pyarrow import parquet

    return parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, page_checksum_verification=True)


def chunk_rows(file: parquet.ParquetFile, group: int, column: str) -> int:
    """Return the number of rows of a row group that are decoded at once."""
    part = file.metadata.row_group(group)
    chunks = map(part.column, range(part.num_columns))
    size: int = next(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == column)
    return max(1, int(part.num_rows) * CHUNK_BYTES // max(size, CHUNK_BYTES))


def bytes_of(batch: pyarrow.RecordBatch) -> pyarrow.Array:
    """Return the cells of the only column, without the struct around them."""
    from pyarrow import types

    cells = batch.column(0)
    return cells.flatten()[0] if types.is_struct(cells.type) else cells


@dataclass(frozen=True)
class _RowGroup:
    """A column of a row group in a file of a certain state: a file that is written anew is another one."""

    path: Path
    state: tuple[int, int]
    column: str
    number: int


_Batches = Iterator[tuple[int, "pyarrow.RecordBatch"]]


class _Chunks:
    """The chunks that were read last, and where the last row groups have been read to.

    Neighbours are mostly read one after the other, so that reading on is the rule; a jump back to a chunk that is no
    longer in memory starts its row group again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: Recent[tuple[Path, tuple[int, int]], parquet.ParquetFile] = Recent(MAX_OPEN_FILES)
        self._decoded: Recent[tuple[_RowGroup, int], pyarrow.Array] = Recent(CACHE_BYTES, lambda cells: cells.nbytes)
        self._positions: Recent[_RowGroup, tuple[int, _Batches]] = Recent(MAX_POSITIONS)

    def read(self, cell: ParquetCell) -> bytes:
        """Return the bytes of a cell.

        Raises:
            OSError: The file has changed since it was listed.
        """
        status = cell.path.stat()
        group = _RowGroup(cell.path, (status.st_mtime_ns, status.st_size), cell.column, cell.row_group)
        with self._lock:
            file = self._file(group)
            chunk, place = divmod(cell.row, chunk_rows(file, group.number, group.column))
            cells = self._decoded.get((group, chunk))
            cells = self._decode(file, group, chunk) if cells is None else cells
            return bytes(cells[place].as_py())

    def _file(self, group: _RowGroup) -> parquet.ParquetFile:
        file = self._files.get((group.path, group.state))
        if file is None:
            file = open_parquet(group.path)
            self._files.put((group.path, group.state), file)
        return file

    def _decode(self, file: parquet.ParquetFile, group: _RowGroup, chunk: int) -> pyarrow.Array:
        rows = chunk_rows(file, group.number, group.column)
        following, batches = self._positions.pop(group) or (0, None)
        if batches is None or following > chunk:
            batches = enumerate(
                file.iter_batches(rows, row_groups=[group.number], columns=[group.column], use_threads=False)
            )
        for number, batch in batches:
            cells = bytes_of(batch)
            self._decoded.put((group, number), cells)
            if number == chunk:
                if (number + 1) * rows < file.metadata.row_group(group.number).num_rows:
                    self._positions.put(group, (number + 1, batches))
                return cells
        raise OSError(f"expected a row in chunk {chunk} of row group {group.number}, but it ends before it")


@lru_cache(maxsize=1)
def _chunks(process: int) -> _Chunks:
    """The chunks of a process; a forked one starts anew, since another thread of its parent may hold the lock."""
    return _Chunks()
