"""Parquet and Arrow files that hold their images, as `datasets` of Hugging Face writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from privaudit.data.caption_rules import caption_columns, with_captions
from privaudit.data.embedded import ImageColumn, TableRow, find_image_column, read_arrow_rows, read_parquet_rows
from privaudit.data.embedded.arrow_rows import arrow_schema
from privaudit.data.embedded.parquet_rows import parquet_schema
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.layouts.splits import choose_split, shards_in, shards_of_split, split_source
from privaudit.data.listed import LeftOutKind, ListedImage, Listing
from privaudit.data.not_images import counted
from privaudit.data.rows import columns_among, row_fields
from privaudit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
TABLES = (".parquet", ".arrow")
"""Ends of the names of tables that can hold images."""
ROW_COLUMNS = ("group", "id", "class_label", "label", "crop_top", "crop_left")
"""Columns that say something about an image (see `row_fields`)."""
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
"""Files next to what ``save_to_disk`` writes: one split, and a folder of splits."""


@LAYOUTS.register
class EmbeddedImages(Layout):
    """Images in the rows of Parquet or Arrow files."""

    name: ClassVar[str] = "embedded"
    summary: ClassVar[str] = "a Parquet or Arrow file with the images inside, or a folder of such files"
    rank: ClassVar[int] = 30

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it is a table with a column of images, or a folder with such tables and no images."""
        place, _ = split_source(source)
        if place.is_dir():
            tables = shards_in(place, TABLES)
            return _is_saved(place, tables) or any(_may_hold_images(table) for table in tables)
        return place.is_file() and place.name.lower().endswith(TABLES) and _may_hold_images(place)

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the rows of all tables in order."""
        place, split = split_source(source)
        listing = list_tables(_tables(place, split), choices)
        archives = shards_in(place, ARCHIVES) if place.is_dir() else ()
        return replace(listing, left_out=counted((("container", path.name) for path in archives), listing.left_out))


def list_tables(paths: Sequence[Path], choices: CaptionChoices) -> Listing:
    """List the images in tables with equal columns, such as the shards of a split.

    Args:
        paths: Parquet or Arrow files, at least one.
        choices: Which captions are used.

    Returns:
        Their images, none of which has been read.

    Raises:
        DataError: A table is malformed, or has no column of images.
    """
    empty: list[tuple[LeftOutKind, str]] = []
    tables = [_Table.open(path, choices) for path in paths]
    images = tuple(image for table in tables for image in table.images(empty))
    used, other = (
        " and ".join(dict.fromkeys(f"column {name}" for name in names if name))
        for names in zip(*((table.caption, table.other) for table in tables), strict=True)
    )
    entries, use = with_captions(images, used, other, choices)
    kinds = " and ".join(sorted({path.suffix.lower().lstrip(".") for path in paths}))
    return Listing(f"images in {kinds}", entries, counted(empty), use)


@dataclass(frozen=True)
class _Table:
    """A table, and which of its columns are read."""

    path: Path
    image: ImageColumn
    caption: str | None
    other: str | None
    columns: Sequence[str]

    @classmethod
    def open(cls, path: Path, choices: CaptionChoices) -> _Table:
        schema = _schema(path)
        image = find_image_column(schema, str(path))
        if image is None:
            listed = ", ".join(schema.names) or "none"
            raise DataError(f"expected a column with the bytes of images in {path}, got: {listed}")
        columns = [name for name in schema.names if name != image.name]
        caption, other = caption_columns(columns, choices, f"the table {path}")
        read = dict.fromkeys([*columns_among(columns, ROW_COLUMNS), *([caption] if caption else [])])
        return cls(path, image, caption, other, tuple(read))

    def images(self, empty: list[tuple[LeftOutKind, str]]) -> Iterator[ListedImage]:
        rows = (read_arrow_rows if _is_arrow(self.path) else read_parquet_rows)(self.path, self.image, self.columns)
        for number, row in enumerate(rows, start=1):
            where = f"row {number} of {self.path.name}"
            fields = row_fields(self._values(row), self.caption, where)
            if row.content is not None:
                yield ListedImage(self.path / f"row {number}", content=row.content, **fields)
            elif row.path:
                yield ListedImage(self.path.parent / row.path, **fields)
            else:
                empty.append(("empty row", where))

    def _values(self, row: TableRow) -> Mapping[str, Any]:
        """Cells without the -1 that stands for no class in tables of `datasets`."""
        missing = [name for name in self.image.missing_class if row.values.get(name) == -1]
        return row.values if not missing else {**row.values, **dict.fromkeys(missing)}


def _tables(place: Path, split: str | None) -> Sequence[Path]:
    """Tables of a file, of what ``save_to_disk`` wrote, or below a folder."""
    if place.is_file():
        return [place]
    if (place / SAVED_SPLITS).is_file():
        splits = {path.parent.name for path in place.glob(f"*/{SAVED}")}
        return _saved_files(place / (choose_split(place, splits, split) or ""))
    if split is None and (place / SAVED).is_file():
        return _saved_files(place)
    return shards_of_split(place, shards_in(place, TABLES), split)


def _is_saved(place: Path, tables: Sequence[Path]) -> bool:
    return bool(tables) and any((place / name).is_file() for name in (SAVED, SAVED_SPLITS))


def _saved_files(folder: Path) -> list[Path]:
    """The tables that a split consists of: a folder may have others of an earlier call."""
    try:
        state = json.loads((folder / SAVED).read_text("utf-8"))
        names = [str(part["filename"]) for part in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"expected the list of tables of save_to_disk in {folder / SAVED}; save it again") from error
    outside = [name for name in names if Path(name).name != name]
    if outside or not names:
        raise DataError(f"expected tables next to {folder / SAVED}, got {', '.join(outside) or 'none'}; save again")
    return [folder / name for name in names]


def _is_arrow(path: Path) -> bool:
    return path.suffix.lower() == ".arrow"


def _schema(path: Path) -> pyarrow.Schema:
    return (arrow_schema if _is_arrow(path) else parquet_schema)(path)


def _may_hold_images(path: Path) -> bool:
    """Whether a table has images, or cannot be read, which listing it then says."""
    try:
        return _is_arrow(path) or find_image_column(_schema(path), str(path)) is not None
    except DataError:
        return True
