"""The members of an archive as a tree, without those that could lead out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from privaudit.data.listed import Content, LeftOut
from privaudit.data.trees.tree import Tree, TreeFile
from privaudit.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:")


def archive_tree(path: Path, members: Iterable[tuple[str, Content | None]]) -> Tree:
    """Make a tree of the members of an archive.

    Args:
        path: The archive.
        members: Name as the archive has it, and content; None for links, devices and whatever is no plain file.

    Returns:
        The files, sorted by name, without hidden ones and those that macOS adds. Members without content, and names
        that lead out of the archive, are counted as left out.

    Raises:
        DataError: Two members have the same name.
    """
    contents: dict[str, Content] = {}
    unsafe = []
    for member, content in members:
        name = inner_name(member)
        if content is None or name is None:
            unsafe.append(member)
        elif not _is_hidden(name):
            if name in contents:
                raise DataError(
                    f"expected distinct names in the archive {path}, got {name} twice; unpack it and pass the folder",
                    private=[name],
                )
            contents[name] = content
    left_out = (LeftOut("unsafe name", "", len(unsafe), unsafe[0]),) if unsafe else ()
    return Tree(path, tuple(TreeFile(name, path, contents[name]) for name in sorted(contents, key=_parts)), left_out)


def inner_name(member: str) -> str | None:
    r"""Name of a member below the root of its archive.

    Args:
        member: Name as the archive has it, in which a backslash separates folders, too: some programs for Windows
            write it.

    Returns:
        The name with slashes; None if it leads out of the archive or names no file.

    >>> inner_name("./cats\\0.png"), inner_name("../0.png"), inner_name("/etc/0.png"), inner_name("C:0.png")
    ('cats/0.png', None, None, None)
    """
    path = PurePosixPath(member.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or _DRIVE.match(member) or "\0" in member:
        return None
    return path.as_posix()


def _parts(name: str) -> tuple[str, ...]:
    """Sort key with which a folder and an archive of it have the same order."""
    return PurePosixPath(name).parts


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
