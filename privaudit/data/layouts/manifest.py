"""Manifests: tables that name an image per row."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.listed import ListedImage, Listing
from privaudit.errors import DataError

MANIFEST_SUFFIXES = frozenset({".csv", ".jsonl", ".ndjson", ".parquet"})


@LAYOUTS.register
class Manifest(Layout):
    """A CSV, JSON lines or Parquet file with a row per image."""

    name: ClassVar[str] = "manifest"
    summary: ClassVar[str] = "a CSV, JSON lines or Parquet file with a column path"
    rank: ClassVar[int] = 50

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is a file with a suffix of a table."""
        return source.is_file() and source.suffix.lower() in MANIFEST_SUFFIXES

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the rows."""
        return Listing(cls.name, tuple(_read_manifest(source)))


def _read_manifest(source: Path) -> list[ListedImage]:
    read = {".csv": _read_csv, ".parquet": _read_parquet}.get(source.suffix.lower(), _read_json_lines)
    try:
        columns, rows = read(source)
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(f"cannot read the manifest {source}: {' '.join(str(error).split())}") from error
    if "path" not in columns:
        listed = ", ".join(columns) or "none"
        raise DataError(f"expected a column 'path' in the manifest {source}, found: {listed}")
    entries = []
    for number, row in enumerate(rows, start=1):
        texts = {}
        for column in ("path", "caption", "group", "id", "class_label"):
            value = row.get(column)
            if isinstance(value, (list, dict, bytes)):
                raise DataError(
                    f"expected text in {column} of row {number} of the manifest {source}, got {type(value).__name__}"
                )
            texts[column] = _text(value)
        if texts["path"] is None:
            raise DataError(f"expected a path in every row of the manifest {source}, but row {number} has none")
        label = _class_label(texts["class_label"], f"row {number} of the manifest {source}")
        entries.append(ListedImage(source.parent / texts["path"], texts["caption"], texts["group"], texts["id"], label))
    return entries


_Table = tuple[Sequence[str], Iterable[Mapping[str, Any]]]
"""Column names and rows. Not a pandas table, in which one missing value turns all whole numbers into floats."""


def _read_csv(source: Path) -> _Table:
    with source.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a byte order mark
        reader = csv.DictReader(file, skipinitialspace=True, strict=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        rows = []
        for row in reader:
            if any(row.pop(None, ())):  # DictReader collects fields beyond the header under the key None
                raise ValueError(
                    f"line {reader.line_num} has more fields than the header; put text that holds commas in quotes"
                )
            rows.append(row)
        return list(reader.fieldnames), rows


def _read_json_lines(source: Path) -> _Table:
    rows = []
    # Not splitlines(): it also splits at U+2028 and other characters that JSON allows within a string.
    for number, line in enumerate(source.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"expected an object in line {number}, got {type(row).__name__}")
            rows.append(row)
    return list(dict.fromkeys(key for row in rows for key in row)), rows


def _read_parquet(source: Path) -> _Table:
    from pyarrow import parquet

    table = parquet.ParquetFile(source).read()
    return list(table.column_names), table.to_pylist()


def _class_label(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    try:
        number = float(text)  # not int(text): pandas writes 7.0 if another label of the column is missing
    except ValueError:
        number = math.nan
    if not (number >= 0 and number.is_integer()):
        raise DataError(
            f"expected a whole number from 0 in class_label of {where}, got {text!r}; "
            "rename the column if it holds no classes of a model"
        )
    return int(number)


def _text(value: object) -> str | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():  # pandas stores 7 as 7.0 if another value is missing
        return str(int(value))
    return str(value)
