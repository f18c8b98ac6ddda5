"""The files below a folder on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from privaudit.data.trees.tree import Tree, TreeFile


def disk_tree(folder: Path) -> Tree:
    """List the files below a folder, without hidden ones, following links to other folders.

    Returns:
        The files, sorted by path. A link that leads nowhere is one of them, so that its image counts as unreadable.
    """
    listed = sorted(path for path in walk_files(folder) if path.is_file() or not path.exists())
    return Tree(folder, tuple(TreeFile(path.relative_to(folder).as_posix(), folder) for path in listed))


def walk_files(folder: Path) -> Iterator[Path]:
    """Go through the names below a folder, without hidden ones, following links to other folders.

    Yields:
        Paths of files, and of links that may lead nowhere, in no particular order.
    """
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        visited.add(os.path.realpath(parent))
        # Assigned in place, which is how os.walk is told what to leave out: hidden folders, and links to a folder that
        # has been visited, which could form an endless loop.
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) not in visited
        ]
        yield from (Path(parent, name) for name in files if not name.startswith("."))
