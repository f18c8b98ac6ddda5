"""Captions of the images of a set: which column or file holds them, and what becomes of them.

An image may have several captions: a list in a column, or the lines of a file. The first is used, as kohya's trainers
do; others draw one at random. Lines are not joined (ai-toolkit takes them as one caption: put it into one line). An
empty caption is a caption; no caption is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from privaudit.data.layouts.layout import CaptionChoices
from privaudit.data.listed import CaptionUse, ListedImage
from privaudit.errors import DataError

CAPTION_COLUMNS = ("caption", "text", "prompt")
"""Usual names of the column or JSON key of the captions, the preferred one first."""
CAPTION_SUFFIXES = (".txt", ".caption")
"""Suffixes of caption files next to images, the preferred one first."""
OWN = "{caption}"
"""Stands for the image's own caption in ``--caption``."""


def caption_columns(columns: Iterable[str], choices: CaptionChoices, source: str) -> tuple[str | None, str | None]:
    """Choose the column of the captions.

    Args:
        columns: Names of all columns.
        choices: Which captions are used.
        source: The table, for the message.

    Returns:
        The column that is used, and another one that could be; None without one.

    Raises:
        DataError: The chosen column does not exist.
    """
    names = list(columns)
    usual = [name for name in CAPTION_COLUMNS if name in names]
    if choices.column is not None:
        if choices.column not in names:
            listed = ", ".join(names) or "none"
            raise DataError(f"expected a column {choices.column!r} of captions in {source}, got: {listed}")
        return choices.column, None
    return (usual[0] if usual else None), (usual[1] if len(usual) > 1 else None)


def captions_in(value: object, where: str, private: Sequence[str] = ()) -> tuple[str, ...]:
    """Read the captions of an image from a cell or a JSON value.

    Args:
        value: Text, a list of texts, or nothing.
        where: The place, for the message.
        private: Parts of ``where`` that name an image.

    Returns:
        The captions; none without one.

    Raises:
        DataError: The value is neither.
    """
    if value is None or value != value:  # NaN
        return ()
    values = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(item, (str, int, float)) for item in values):
        kinds = ", ".join(sorted({type(item).__name__ for item in values}))
        problem = (
            f"expected a caption or a list of captions in {where}, got {kinds}; name another one in --caption-column"
        )
        raise DataError(problem, private=private)
    return tuple(str(item) for item in values)


def captions_of_file(data: bytes, name: str, suffix: str, keys: Sequence[str] = CAPTION_COLUMNS) -> tuple[str, ...]:
    """Read the captions in a file next to an image.

    Args:
        data: Content of the file, UTF-8 with or without a byte order mark.
        name: Path of the file, for the message.
        suffix: Suffix of the file; ``.json`` is read as JSON.
        keys: JSON keys that may hold the caption.

    Returns:
        One caption per line that is not blank; one empty caption for a blank file; none for JSON without a caption.

    Raises:
        DataError: The bytes are not UTF-8, or not JSON.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected UTF-8 in the caption file {name}, got the byte 0x{data[error.start]:02x} at position "
            f"{error.start}; save it as UTF-8",
            private=[name],
        ) from error
    if suffix == ".json":
        return _captions_of_json(text, name, keys)
    lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return tuple(line for line in lines if line) or ("",)


def _captions_of_json(text: str, name: str, keys: Sequence[str]) -> tuple[str, ...]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError(f"expected JSON in {name}: {error}", private=[name]) from error
    if not isinstance(values, Mapping):
        return ()
    for key in keys:
        if key in values:
            return captions_in(values[key], f"{key} of {name}", [name])
    return ()


def with_captions(
    entries: Iterable[ListedImage], source: str, unused: str, choices: CaptionChoices
) -> tuple[tuple[ListedImage, ...], CaptionUse]:
    """Apply ``--caption`` to images that have their own captions.

    Args:
        entries: Images.
        source: Where their captions come from, in the words of `CaptionUse`.
        unused: Further captions that were not read; empty if there are none.
        choices: Which captions are used.

    Returns:
        The images with the captions that are used, and where these come from.
    """
    listed = tuple(entries)
    origin = source if any(entry.captions for entry in listed) else ""
    if choices.caption is None:
        return listed, CaptionUse(origin, unused)
    if OWN not in choices.caption:
        return tuple(replace(entry, caption=choices.caption) for entry in listed), CaptionUse("--caption", origin)
    finished = tuple(
        entry if entry.caption is None else replace(entry, caption=choices.caption.replace(OWN, entry.caption))
        for entry in listed
    )
    return finished, CaptionUse(f"--caption with {origin}" if origin else "", unused)


def first(captions: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a `ListedImage` that hold its own captions."""
    return {"caption": captions[0] if captions else None, "captions": len(captions)}
