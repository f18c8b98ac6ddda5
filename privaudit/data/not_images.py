"""What lies in an image set and is no image of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from privaudit.data.listed import LeftOut, LeftOutKind

MASK = re.compile(r"(?P<image>.+?)-(?:mask|cond)label(?:[-_]?\d+)?")
"""Stem of a mask or condition image of OneTrainer: that of its image, and ``-masklabel`` or ``-condlabel``."""
REGULARISATION = re.compile(
    r"(?:reg|regulari[sz]ation)(?:[-_ ]?(?:images?|imgs?|dir|data))?|class[-_ ](?:images?|imgs?|dir|data)",
    re.IGNORECASE,
)
"""Name of a folder of regularisation images: ``reg`` in kohya's guides, ``class_images`` in those of DreamBooth."""
KINDS: tuple[tuple[LeftOutKind, frozenset[str]], ...] = (
    ("cached latents", frozenset({".npz", ".npy", ".safetensors", ".pt", ".pth"})),
    ("video", frozenset({".mp4", ".mov", ".webm", ".avi", ".mkv", ".m4v"})),
    ("container", frozenset({".parquet", ".arrow", ".tar", ".tgz", ".gz", ".zip", ".7z", ".rar"})),
)
"""Kinds of files that trainers and people leave next to images, by suffix."""
SUFFIX = re.compile(r"\.[a-z0-9]{1,11}", re.ASCII)
"""Suffixes that may be named: ``.safetensors`` is the longest one that is known."""
IGNORED = frozenset({"thumbs.db", "desktop.ini", "icon\r"})
"""Files that operating systems leave in every folder."""


def masked_image(name: str) -> str | None:
    """Name the image that a mask belongs to.

    Args:
        name: Path of a file, with slashes.

    Returns:
        Path of its image without the suffix; None if the file does not have the name of a mask.
    """
    path = PurePosixPath(name)
    match = MASK.fullmatch(path.stem)
    return None if match is None else str(path.with_name(match["image"]))


def kind_of(suffix: str) -> LeftOutKind:
    """Tell what a file that is no image is, by its suffix in lower case."""
    return next((kind for kind, suffixes in KINDS if suffix in suffixes), "other format")


def in_regularisation(name: str) -> bool:
    """Whether a file lies in a folder of regularisation images."""
    return any(REGULARISATION.fullmatch(part) for part in PurePosixPath(name).parts[:-1])


def counted(files: Iterable[tuple[LeftOutKind, str]], earlier: Collection[LeftOut] = ()) -> tuple[LeftOut, ...]:
    """Count what was left out, by kind and suffix.

    Args:
        files: Kind and name of each file or row.
        earlier: What was counted before.

    Returns:
        One entry per kind and suffix, in the order in which they first occur. What follows the last dot of a name such
        as ``Dr. Example 12`` is no suffix: reports are shared, and do not repeat it.
    """
    counts: dict[tuple[LeftOutKind, str], list[str]] = {}
    for kind, name in files:
        suffix = "" if kind in ("empty row", "mask", "regularisation") else _kind_of_file(name)
        counts.setdefault((kind, suffix), []).append(name)
    return (*earlier, *(LeftOut(kind, suffix, len(names), names[0]) for (kind, suffix), names in counts.items()))


def _kind_of_file(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if SUFFIX.fullmatch(suffix) else ""
