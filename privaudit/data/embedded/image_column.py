"""Which column of a table holds the images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from privaudit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

PREFERRED = ("image", "img", "jpg", "jpeg", "png", "webp")
"""Usual names of the column, the preferred one first."""
BYTES, PATH = "bytes", "path"
"""Fields of a cell as `datasets` writes it."""


@dataclass(frozen=True)
class ImageColumn:
    """The column that holds the images.

    Attributes:
        name: Its name.
        nested: Whether a cell has the fields ``bytes`` and, perhaps, ``path``, instead of being the bytes.
        has_path: Whether a cell has the field ``path``.
        missing_class: Names of the columns in which -1 stands for no class.
    """

    name: str
    nested: bool
    has_path: bool
    missing_class: frozenset[str]

    @property
    def bytes_column(self) -> str:
        """Dotted name of the column of bytes."""
        return f"{self.name}.{BYTES}" if self.nested else self.name


def find_image_column(schema: pyarrow.Schema, source: str) -> ImageColumn | None:
    """Choose the column of the images from the types of the columns and from what `datasets` notes about them.

    A column of paths is none: such a table is a manifest.

    Args:
        schema: Names and types of the columns.
        source: The table, for the message.

    Returns:
        The column; None if no column holds images.

    Raises:
        DataError: Several columns hold images, and no name says which ones the model was trained on.
    """
    features = _features(schema)
    images = _candidates(schema, features)
    chosen = [name for name in PREFERRED if name in images] or images
    if not chosen:
        return None
    if len(chosen) > 1 and chosen[0] not in PREFERRED:
        raise DataError(
            f"expected one column of images in {source}, got {', '.join(images)}; rename that of the trained images to "
            f"{PREFERRED[0]}"
        )
    cells = schema.field(chosen[0]).type
    nested = _is_nested(cells)
    classes = {name for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    has_path = nested and cells.get_field_index(PATH) >= 0
    return ImageColumn(chosen[0], nested, has_path, frozenset(classes))


def _candidates(schema: pyarrow.Schema, features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    nested = [part.name for part in schema if _is_nested(part.type)]
    flat = [part.name for part in schema if _is_bytes(part.type)]
    if features:  # audio has the same type, so that the type alone decides only about tables without notes
        return [name for name in nested + flat if features.get(name, {}).get("_type") == "Image"]
    # A column of bytes next to a column of paths may be anything, such as a hash.
    named = [name for name in flat if name in PREFERRED]
    has_paths = any(part.name in ("path", "file_name", "image_path") and _is_text(part.type) for part in schema)
    return nested or named or ([] if has_paths else flat)


def _features(schema: pyarrow.Schema) -> Mapping[str, Mapping[str, Any]]:
    """What `datasets` notes about the columns; empty for tables of other programs."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: part for name, part in features if isinstance(part, dict)}


def _is_nested(cells: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_struct(cells) and cells.get_field_index(BYTES) >= 0 and _is_bytes(cells.field(BYTES).type))


def _is_bytes(cells: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_binary(cells) or types.is_large_binary(cells))


def _is_text(cells: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(cells) or types.is_large_string(cells))
