"""The sizes to which the images of an audit will be resized, before any of them is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from privaudit.data.header import expected_size
from privaudit.data.listed import ListedImage
from privaudit.data.reading import ImageReading
from privaudit.errors import DataError


def images_by_size(
    images: Iterable[ListedImage], base: tuple[int, int], reading: ImageReading
) -> dict[tuple[int, int], list[ListedImage]]:
    """Group images by the size to which they will be resized, from the headers of their files.

    Args:
        images: Images that have been listed.
        base: Image size of the target.
        reading: How pixels are read; without buckets, no file is opened.

    Returns:
        Images by height and width, without those whose header cannot be read, unless that is all of them.
    """
    images = tuple(images)
    groups: dict[tuple[int, int], list[ListedImage]] = {}
    for image in images:
        with suppress(DataError):
            groups.setdefault(expected_size(image, base, reading), []).append(image)
    return groups or {base: list(images)}


def relative_images(sizes: Mapping[str, int], timed: str, images: int) -> float:
    """Count images in units of those that were timed, in proportion to their pixels.

    Args:
        sizes: Number of images by size.
        timed: Size of the images that were timed.
        images: Number of all images.

    Returns:
        ``images`` itself unless there are several sizes.
    """
    if len(sizes) < 2:
        return images
    return sum(count * pixels_of(size) for size, count in sizes.items()) / pixels_of(timed)


def size_text(size: tuple[int, int]) -> str:
    """Write a size, height first: ``512x768``."""
    return f"{size[0]}x{size[1]}"


def pixels_of(size: str) -> int:
    """Count the pixels of a size that `size_text` wrote."""
    height, width = map(int, size.split("x"))
    return height * width
