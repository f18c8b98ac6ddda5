"""The files of a tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

from privaudit.data.file_part import FilePart, read_part
from privaudit.data.trees.archive_tree import archive_tree
from privaudit.data.trees.tree import Tree
from privaudit.errors import DataError

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstandard"}
"""Compression of a file by its first two bytes."""


def tar_tree(path: Path) -> Tree:
    """List the files of a tar, which is not unpacked: only the headers of its members are read.

    Returns:
        The files, sorted by name (see `archive_tree`).

    Raises:
        DataError: It is compressed, which would need all of it to be read for any image; it is damaged, or has two
            members of one name.
    """
    try:
        with path.open("rb") as file:
            compression = _COMPRESSED.get(file.read(2))
        if compression is not None:
            raise DataError(
                f"expected a tar without compression, got {compression} ({path}); decompress it, which leaves a tar of "
                "about the same size, since images are compressed"
            )
        return archive_tree(path, _members(path))
    except DataError:
        raise
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise DataError(f"cannot read the tar {path}: {' '.join(str(error).split())}; copy it again") from error


def _members(path: Path) -> Iterator[tuple[str, FilePart | None]]:
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if not member.isdir():
                stored = member.isreg() and not member.issparse()
                yield member.name, FilePart(path, member.offset_data, member.size) if stored else None
        # tarfile takes a damaged header for the end, which would silently leave out what follows.
        if read_part(path, archive.offset, tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"expected a header or the end at position {archive.offset}")
