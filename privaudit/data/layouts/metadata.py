"""The table ``metadata.csv``, ``.jsonl`` or ``.parquet`` of an image folder, as `datasets` of Hugging Face reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from privaudit.data.caption_rules import caption_columns
from privaudit.data.layouts.layout import CaptionChoices
from privaudit.data.rows import cell, columns_among, row_fields
from privaudit.data.tables import read_table
from privaudit.data.trees import TreeFile
from privaudit.errors import DataError

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Names of the table."""
FILE_NAME = "file_name"
"""Column that names the images; a folder with several images per row has columns such as ``image_file_name``."""
PREFERRED = (FILE_NAME, "image_file_name", "target_file_name")
"""Columns that name the trained image if several columns name images, the preferred one first."""


@dataclass(frozen=True)
class Metadata:
    """What the table of a folder says.

    Attributes:
        folder: Folder of the table below the root; empty for the root.
        rows: Fields of a `ListedImage` by the path of the image below the root.
        column: Column of the captions; empty without one.
        other: Another column that could hold captions; empty without one.
        conditions: Paths of further images of a row, such as the condition of a ControlNet.
        empty: Rows without an image.
    """

    folder: str
    rows: Mapping[str, Mapping[str, Any]]
    column: str
    other: str
    conditions: frozenset[str]
    empty: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Whether a file lies below the folder of the table."""
        return not self.folder or name.startswith(f"{self.folder}/")


def read_metadata(file: TreeFile, choices: CaptionChoices) -> Metadata:
    """Read the table of a folder.

    Args:
        file: The table.
        choices: Which captions are used.

    Returns:
        What it says about the images of the folder.

    Raises:
        DataError: It is malformed, names no images, or names one outside the root.
    """
    name = str(file.path)
    named = CaptionChoices() if (choices.column or "").startswith(".") else choices
    rows: dict[str, dict[str, Any]] = {}
    conditions, empty = set(), []
    with file.open() as stream:
        table = read_table(stream, file.suffix, name)
        column, others = _image_columns(table.columns, name)
        caption, other = caption_columns(table.columns, named, name)
        for number, row in table.rows:
            where = f"row {number} of {name}"
            path = cell(row, column, where)
            conditions |= {_inside(file, text) for key in others if (text := cell(row, key, where))}
            if path is None:
                empty.append(where)
                continue
            place = _inside(file, path)
            fields = row_fields(row, caption, where)
            rows[place] = _joined(rows[place], fields) if place in rows else fields
    folder = str(PurePosixPath(file.name).parent)
    return Metadata(
        "" if folder == "." else folder, rows, caption or "", other or "", frozenset(conditions), tuple(empty)
    )


def _joined(row: dict[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Two rows of an image, which may have as many rows as captions; the first caption is used."""
    before, more = row.get("captions", 0), further.get("captions", 0)
    captions = {"caption": (row if before else further)["caption"], "captions": before + more} if before + more else {}
    return row | captions


def _image_columns(columns: Sequence[str], name: str) -> tuple[str, list[str]]:
    """The column of the trained images, and the other columns that name images."""
    naming = [column for column in columns if column == FILE_NAME or column.endswith(f"_{FILE_NAME}")]
    chosen = columns_among(naming, PREFERRED) or (naming if len(naming) == 1 else [])
    if not chosen:
        listed = ", ".join(naming or columns) or "none"
        raise DataError(f"expected one column {FILE_NAME} in {name}, got: {listed}; rename that of the trained images")
    return chosen[0], [column for column in naming if column != chosen[0]]


def _inside(file: TreeFile, path: str) -> str:
    """Path below the root of a file that the table names relative to its own folder."""
    parts = list(PurePosixPath(file.name).parent.parts)
    for part in PurePosixPath(path.replace("\\", "/")).parts:
        if part == ".." and parts:
            parts.pop()
        elif part in ("..", "/"):
            raise DataError(
                f"expected images below {file.root} in {file.path}, got {path}; name them relative to the table",
                private=[path],
            )
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
