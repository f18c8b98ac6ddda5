"""Part of a file: an image within a container that stores it as it is."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_PART_BYTES = 2**30
"""No image is larger than 1 GiB; a container that says so is damaged or hostile."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """Consecutive bytes of a file. It is opened per read, so that any number of threads and processes can read it.

    Attributes:
        path: The file.
        offset: Position of the first byte.
        size: Number of bytes.
    """

    path: Path
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """Read the bytes.

        Returns:
            The bytes, seekable.

        Raises:
            OSError: The file cannot be read, ends before the part, or the part exceeds `MAX_PART_BYTES`.
        """
        require_size(self.size)
        return io.BytesIO(read_part(self.path, self.offset, self.size))


def require_size(size: int) -> None:
    """Refuse a part that no image needs.

    Raises:
        OSError: It exceeds `MAX_PART_BYTES`.
    """
    if size > MAX_PART_BYTES:
        raise OSError(f"expected at most {MAX_PART_BYTES} bytes, got {size}")


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Read bytes of a file.

    Args:
        path: The file.
        offset: Position of the first byte.
        size: Number of bytes.

    Returns:
        As many bytes.

    Raises:
        OSError: The file cannot be read, or ends before them.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise OSError(f"expected {size} bytes at position {offset} of its container, got {len(data)}")
    return data
