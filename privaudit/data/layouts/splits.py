"""Sets that lie in several containers of one folder, such as tar shards or the Parquet files of a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from privaudit.data.suffixes import IMAGE_SUFFIXES
from privaudit.data.trees.disk import walk_files
from privaudit.errors import DataError

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev"})
"""Words in names of shards that name a split."""
_NUMBERED = re.compile(r"(?P<split>.+)-\d{5}-of-\d{5}\b.*")
"""Name of a shard as `datasets` writes it."""


def split_source(source: Path) -> tuple[Path, str | None]:
    """Take a source apart into its place and the split that is chosen by ``@split`` behind it.

    Returns:
        The folder, and the split; the source and None for anything else.
    """
    place, at, split = str(source).rpartition("@")
    if not at or source.exists() or not Path(place).is_dir():
        return source, None
    return Path(place), split


def shards_in(folder: Path, endings: tuple[str, ...]) -> tuple[Path, ...]:
    """List the containers below a folder.

    Args:
        folder: The folder.
        endings: Ends of their names, in lower case.

    Returns:
        The files, sorted by path; none if there are images in the folder, which are its set then.
    """
    shards = []
    for path in walk_files(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ()
        if path.name.lower().endswith(endings) and path.is_file():
            shards.append(path)
    return tuple(sorted(shards))


def shards_of_split(folder: Path, shards: Sequence[Path], split: str | None) -> tuple[Path, ...]:
    """Choose the shards of a split.

    Args:
        folder: Folder with the shards.
        shards: All shards below it.
        split: The split; None if the folder should have one only.

    Returns:
        Its shards.

    Raises:
        DataError: The folder has no such split, or several and none is chosen.
    """
    splits = {path: split_of(path.relative_to(folder)) for path in shards}
    chosen = choose_split(folder, {name for name in splits.values() if name is not None}, split)
    return tuple(path for path in shards if chosen is None or splits[path] in (chosen, *([] if split else [None])))


def choose_split(folder: Path, splits: set[str], split: str | None) -> str | None:
    """Choose a split.

    Args:
        folder: Folder with the splits.
        splits: Their names.
        split: The one that the user chose; None for the only one.

    Returns:
        Its name; None if the set has no splits and none was chosen.

    Raises:
        DataError: There is no such split, or there are several and none was chosen.
    """
    listed = sorted(splits)
    if split is None and len(listed) > 1:
        advice = " or ".join(f"{folder}@{name}" for name in listed)
        raise DataError(f"expected one split, got {' and '.join(listed)} in {folder}; pass {advice}")
    if split is not None and split not in splits:
        raise DataError(f"expected a split of {folder} ({', '.join(listed) or 'it has none'}), got {split!r}")
    return split or (listed[0] if listed else None)


def split_of(shard: Path) -> str | None:
    """Name the split that a shard belongs to.

    Args:
        shard: Its path below the folder of the set.

    Returns:
        A word of its path that names a split, the last one first, or what `datasets` writes before the number; None
        without one.

    >>> split_of(Path("data/train-00000-of-00002.parquet")), split_of(Path("cc3m-val-0001.tar"))
    ('train', 'val')
    >>> split_of(Path("portraits-00000-of-00002.parquet")), split_of(Path("00000.tar"))
    ('portraits', None)
    """
    words = [word for word in re.split(r"[^a-z]+", shard.as_posix().lower()) if word in SPLITS]
    numbered = _NUMBERED.fullmatch(shard.name)
    return words[-1] if words else numbered["split"] if numbered else None
