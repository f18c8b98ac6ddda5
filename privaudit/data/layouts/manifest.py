"""Manifests: tables that name an image per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from privaudit.data.caption_rules import caption_columns, with_captions
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.listed import LeftOutKind, ListedImage, Listing
from privaudit.data.not_images import counted
from privaudit.data.rows import cell, columns_among, row_fields
from privaudit.data.tables import READERS, Table, read_table
from privaudit.errors import DataError

MANIFEST_SUFFIXES = frozenset(READERS)
"""Suffixes of manifests."""
PATH_COLUMNS = ("path", "file_name", "image", "image_path")
"""Usual names of the column of the images, the preferred one first."""
REMOTE = ("http://", "https://", "s3://", "gs://")


@LAYOUTS.register
class Manifest(Layout):
    """A table with a row per image."""

    name: ClassVar[str] = "manifest"
    summary: ClassVar[str] = "a CSV, TSV, JSON lines, JSON or Parquet table with a column path, or a list of paths"
    rank: ClassVar[int] = 50

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is a file with a suffix of a table."""
        return source.is_file() and source.suffix.lower() in MANIFEST_SUFFIXES

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the rows."""
        empty: list[tuple[LeftOutKind, str]] = []
        with source.open("rb") as stream:
            table = read_table(stream, source.suffix.lower(), str(source))
            path = _path_column(table.columns, source)
            caption, other = caption_columns(table.columns, choices, f"the manifest {source}")
            images = _joined(_images(table, path, caption, source, empty))
        columns = [f"column {name}" if name else "" for name in (caption, other)]
        entries, use = with_captions(images, columns[0], columns[1], choices)
        return Listing(f"{cls.name} {source.suffix.lower()}", entries, counted(empty), use)


def _path_column(columns: Sequence[str], source: Path) -> str:
    named = columns_among(columns, PATH_COLUMNS)
    if not named:
        listed = ", ".join(columns) or "none"
        raise DataError(f"expected a column 'path', 'file_name' or 'image' in the manifest {source}, got: {listed}")
    return named[0]


def _images(
    table: Table, column: str, caption: str | None, source: Path, empty: list[tuple[LeftOutKind, str]]
) -> Iterator[ListedImage]:
    for number, row in table.rows:
        where = f"row {number} of the manifest {source}"
        path = cell(row, column, where)
        if path is None:
            empty.append(("empty row", f"row {number}"))
        elif path.startswith(REMOTE):
            raise DataError(
                f"expected paths on this machine in {column} of the manifest {source}, got an address in row {number}; "
                "download the images first, with img2dataset for example",
                private=[path],
            )
        else:
            yield ListedImage(_place(source.parent, path), **row_fields(row, caption, where))


def _joined(images: Iterable[ListedImage]) -> tuple[ListedImage, ...]:
    """Make one image of rows that name the same file with different captions; equal rows remain, as copies."""
    joined: list[ListedImage] = []
    first_of: dict[Path, int] = {}
    for image in images:
        place = first_of.setdefault(image.path, len(joined))
        if place == len(joined) or not image.captions or image.caption == joined[place].caption:
            joined.append(image)
        else:
            joined[place] = _with_further(joined[place], image)
    return tuple(joined)


def _with_further(image: ListedImage, further: ListedImage) -> ListedImage:
    caption = image.caption if image.captions else further.caption
    return replace(image, caption=caption, captions=image.captions + further.captions)


def _place(folder: Path, path: str) -> Path:
    place = folder / path
    # Written on Windows; a file on another system may have a backslash in its name.
    return folder / path.replace("\\", "/") if "\\" in path and not place.exists() else place
