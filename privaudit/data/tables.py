"""Tables of text, row by row: CSV, TSV, JSON lines, JSON, Parquet and lists of paths.

Not pandas tables, in which one missing value turns all whole numbers into floats.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from privaudit.errors import DataError

SEPARATOR = ", "
"""Text between caption and tags, which kohya's trainers join if an image has both."""
ROWS_AT_ONCE = 4096
"""Rows of a Parquet file that are in memory at once."""


@dataclass(frozen=True)
class Table:
    """A table that is read row by row.

    Attributes:
        columns: Names of the columns whose cells are text, numbers or lists of these.
        rows: Rows with the number of each, from 1; a row may lack columns.
    """

    columns: tuple[str, ...]
    rows: Iterable[tuple[int, Mapping[str, Any]]]


def read_table(stream: BinaryIO, suffix: str, name: str) -> Table:
    """Open a table.

    Args:
        stream: Its bytes, seekable, which stay open while the rows are read.
        suffix: Suffix of the file, one of `READERS`.
        name: Path of the file, for messages.

    Returns:
        Columns and rows.

    Raises:
        DataError: The file is malformed; also while the rows are read.
    """
    try:
        columns, rows = READERS[suffix](stream)
    except _ERRORS as error:
        raise DataError(_unreadable(name, error)) from error
    return Table(tuple(columns), _checked(rows, name))


_Rows = Iterable[tuple[int, Mapping[str, Any]]]
_ERRORS = (ValueError, OSError, csv.Error)


def _checked(rows: _Rows, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        yield from rows
    except DataError:
        raise
    except _ERRORS as error:
        raise DataError(_unreadable(name, error)) from error


def _unreadable(name: str, error: Exception) -> str:
    advice = "; save it as UTF-8" if isinstance(error, UnicodeDecodeError) else ""
    return f"cannot read the manifest {name}: {' '.join(str(error).split())}{advice}"


def _text(stream: BinaryIO, newline: str) -> io.TextIOWrapper:
    stream.seek(0)
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline=newline)  # spreadsheets write a byte order mark


def _read_csv(stream: BinaryIO, delimiter: str = ",") -> tuple[Sequence[str], _Rows]:
    reader = csv.DictReader(_text(stream, ""), skipinitialspace=True, strict=True, delimiter=delimiter)
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    return list(reader.fieldnames), _csv_rows(reader)


def _csv_rows(reader: csv.DictReader[str]) -> _Rows:
    for number, row in enumerate(reader, start=1):
        if any(row.pop(None, ())):  # DictReader collects fields beyond the header under the key None
            raise ValueError(
                f"line {reader.line_num} has more fields than the header; put text that holds commas in quotes"
            )
        yield number, {name: value or None for name, value in row.items()}  # CSV has no other way to write no value


def _read_tsv(stream: BinaryIO) -> tuple[Sequence[str], _Rows]:
    return _read_csv(stream, "\t")


def _read_json_lines(stream: BinaryIO) -> tuple[Sequence[str], _Rows]:
    # Twice, so that the columns are known and yet no more than a line is in memory.
    text = _text(stream, "\n")
    columns = list(dict.fromkeys(key for _, row in _json_rows(text) for key in row))
    text.seek(0)
    return columns, _json_rows(text)


def _json_rows(text: io.TextIOWrapper) -> _Rows:
    # Lines end at \n alone: splitlines() also splits at U+2028 and other characters that JSON allows within a string.
    rows = 0
    for number, line in enumerate(text, start=1):
        if line.strip("\r\n\t \ufeff"):
            rows += 1
            yield rows, _object(line.lstrip("\ufeff"), number)


def _object(line: str, number: int) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"expected an object in line {number}, got {type(row).__name__}")
    return row


def _read_json(stream: BinaryIO) -> tuple[Sequence[str], _Rows]:
    """Read an array of objects, or kohya's object of objects by the path of the image."""
    values = json.loads(_text(stream, "\n").read())
    if isinstance(values, dict) and values and all(isinstance(value, dict) for value in values.values()):
        rows = [_of_kohya(path, value) for path, value in values.items()]
    elif isinstance(values, list) and all(isinstance(value, dict) for value in values):
        rows = values
    else:
        raise ValueError("expected an array of objects, or an object of objects by the path of the image")
    return list(dict.fromkeys(key for row in rows for key in row)), enumerate(rows, start=1)


def _of_kohya(path: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = [str(values[key]) for key in ("caption", "tags") if values.get(key)]
    joined = {"caption": SEPARATOR.join(texts)} if texts else {}
    return {"path": path} | {key: value for key, value in values.items() if key not in ("caption", "tags")} | joined


def _read_parquet(stream: BinaryIO) -> tuple[Sequence[str], _Rows]:
    from pyarrow import parquet, types

    file = parquet.ParquetFile(stream)
    columns = [
        part.name
        for part in file.schema_arrow
        if not (types.is_struct(part.type) or types.is_binary(part.type) or types.is_large_binary(part.type))
    ]
    batches = file.iter_batches(ROWS_AT_ONCE, columns=columns)
    return columns, enumerate((row for batch in batches for row in batch.to_pylist()), start=1)


def _read_paths(stream: BinaryIO) -> tuple[Sequence[str], _Rows]:
    """Read a text file with a path per line."""
    lines = ((number, line.strip()) for number, line in enumerate(_text(stream, "\n"), start=1))
    return ["path"], ((number, {"path": line}) for number, line in lines if line)


READERS: Mapping[str, Callable[[BinaryIO], tuple[Sequence[str], _Rows]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".txt": _read_paths,
}
"""Readers of tables by suffix."""
