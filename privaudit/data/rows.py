"""A row of a table as the properties of an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from privaudit.data.caption_rules import captions_in, first
from privaudit.errors import DataError


def row_fields(row: Mapping[str, Any], caption: str | None, where: str) -> dict[str, Any]:
    """Read what a row says about its image.

    Args:
        row: Cells by column: ``group``, ``id``, ``class_label`` or ``label``, ``crop_top`` and ``crop_left``.
        caption: Column of the captions; None without one.
        where: The row, for messages.

    Returns:
        Fields of a `ListedImage` other than its place.

    Raises:
        DataError: A cell has the wrong type.
    """
    fields: dict[str, Any] = {"group": cell(row, "group", where), "label": cell(row, "id", where), **_class(row, where)}
    corner = tuple(_whole(row, name, where) for name in ("crop_top", "crop_left"))
    if None not in corner:
        fields["crop"] = corner
    return fields | (first(captions_in(row.get(caption), f"{caption} of {where}")) if caption else {})


def cell(row: Mapping[str, Any], column: str, where: str) -> str | None:
    """Read a cell as text.

    Returns:
        The text; None for an empty cell.

    Raises:
        DataError: It holds a list, an object or bytes.
    """
    value = row.get(column)
    if isinstance(value, (list, dict, bytes)):
        raise DataError(f"expected text in {column} of {where}, got {type(value).__name__}")
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():  # pandas stores 7 as 7.0 if another value is missing
        return str(int(value))
    return str(value)


def columns_among(columns: Iterable[str], names: Iterable[str]) -> list[str]:
    """List those of some names that are columns, in the order of the names."""
    present = set(columns)
    return [name for name in names if name in present]


def _class(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The class: a number in ``class_label`` or ``label``, or a name in ``label``."""
    if "class_label" in row:
        return {"class_label": _whole(row, "class_label", where)}
    text = cell(row, "label", where)
    number = None if text is None else _number(text)
    return {"class_name": text} if number is None else {"class_label": number}


def _whole(row: Mapping[str, Any], column: str, where: str) -> int | None:
    text = cell(row, column, where)
    number = None if text is None else _number(text)
    if text is not None and number is None:
        advice = "; rename the column if it holds no classes of a model" if column == "class_label" else ""
        raise DataError(f"expected a whole number from 0 in {column} of {where}, got {text!r}{advice}")
    return number


def _number(text: str) -> int | None:
    try:
        number = float(text)  # not int(text): pandas writes 7.0 if another value of the column is missing
    except ValueError:
        return None
    return int(number) if number >= 0 and number.is_integer() else None
