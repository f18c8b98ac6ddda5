"""The files of a zip."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from privaudit.data.file_part import read_part, require_size
from privaudit.data.trees.archive_tree import archive_tree
from privaudit.data.trees.tree import Tree
from privaudit.errors import DataError

MAX_RATIO = 100
"""Maximum ratio of unpacked to packed bytes: photographs reach 1 to 3, whereas an archive bomb has a thousand."""
MAX_UNCHECKED_BYTES = 2**24
"""Size up to which the ratio does not matter: plain drawings in an uncompressed format have a high one."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that follow the header."""


@dataclass(frozen=True, slots=True)
class ZipPart:
    """A member of a zip, which is opened per read, so that any number of threads and processes can read it.

    Attributes:
        path: The zip.
        offset: Position of the member's header.
        packed: Number of stored bytes.
        size: Number of bytes after decompression, as the archive declares it.
        method: Compression in the numbers of the format.
        checksum: CRC-32 of the decompressed bytes.
    """

    path: Path
    offset: int
    packed: int
    size: int
    method: int
    checksum: int

    def open(self) -> BinaryIO:
        """Decompress the member, up to the declared size.

        Returns:
            The bytes, seekable.

        Raises:
            OSError: It cannot be read, is damaged, is much larger than an image or than its packed bytes, or is
                compressed in another way than by deflate.
        """
        require_size(max(self.size, self.packed))
        if self.size > max(MAX_UNCHECKED_BYTES, MAX_RATIO * self.packed):
            raise OSError(f"expected at most {MAX_RATIO} times its {self.packed} packed bytes, got {self.size}")
        signature, name, extra = _LOCAL_HEADER.unpack(read_part(self.path, self.offset, _LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise OSError(f"expected a member at position {self.offset} of its zip, got other data")
        start = self.offset + _LOCAL_HEADER.size + name + extra
        data = self._unpack(read_part(self.path, start, self.packed))
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            raise OSError("expected the size and checksum that its zip declares, got others: it is damaged")
        return io.BytesIO(data)

    def _unpack(self, packed: bytes) -> bytes:
        if self.method == zipfile.ZIP_STORED:
            return packed
        if self.method != zipfile.ZIP_DEFLATED:
            raise OSError(f"expected a zip made with deflate or without compression, got method {self.method}")
        try:
            # One byte more than declared shows a member that expands further, without expanding it.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size + 1)
        except zlib.error as error:
            raise OSError(f"cannot decompress it: {error}") from error


def zip_tree(path: Path) -> Tree:
    """List the files of a zip, which is not unpacked: only its directory is read.

    Returns:
        The files, sorted by name (see `archive_tree`).

    Raises:
        DataError: It is encrypted or damaged, or has two members of one name.
    """
    try:
        return archive_tree(path, _members(path))
    except DataError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, struct.error) as error:
        raise DataError(f"cannot read the zip {path}: {' '.join(str(error).split())}; copy it again") from error


def _members(path: Path) -> Iterator[tuple[str, ZipPart | None]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise DataError(f"expected a zip without a password, got {path}; unpack it and pass the folder")
            if not member.is_dir():
                plain = stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
                yield member.filename, _part(path, member) if plain else None


def _part(path: Path, member: zipfile.ZipInfo) -> ZipPart:
    return ZipPart(path, member.header_offset, member.compress_size, member.file_size, member.compress_type, member.CRC)
