"""A tree of files: what a folder, a zip and a series of tar shards have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from privaudit.data.listed import Content, LeftOut


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a tree.

    Attributes:
        name: Path below the root, with slashes.
        root: Root of the tree: a folder, or an archive.
        content: Where its bytes are; None for a file on disk.
    """

    name: str
    root: Path
    content: Content | None = None

    @property
    def path(self) -> Path:
        """Path on disk, or that of the archive followed by the name."""
        return self.root / self.name

    @property
    def suffix(self) -> str:
        """Suffix in lower case."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """Name without the suffix, with its folder."""
        return self.name.removesuffix(PurePosixPath(self.name).suffix)

    def open(self) -> BinaryIO:
        """Open the file.

        Returns:
            Its bytes, seekable.

        Raises:
            OSError: It cannot be read.
        """
        return self.path.open("rb") if self.content is None else self.content.open()


@dataclass(frozen=True)
class Tree:
    """Files below a root, sorted by path as a folder would be.

    Attributes:
        root: Folder or archive.
        files: Its files, without hidden ones.
        left_out: Members of an archive that cannot be used, such as names that lead out of it.
    """

    root: Path
    files: tuple[TreeFile, ...]
    left_out: tuple[LeftOut, ...] = field(default=())
