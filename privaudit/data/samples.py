"""Samples, and how a folder or a manifest becomes a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privaudit.data.entries import IMAGE_SUFFIXES, list_entries
from privaudit.data.pixels import read_pixels, sample_id
from privaudit.errors import DataError

OnImage = Callable[[int, int], None]
"""Called with (images read, images in all) after each image."""


@dataclass(frozen=True)
class Sample:
    """One image of an audited set.

    Attributes:
        id: Hash of the preprocessed pixels, 32 hexadecimal digits.
        path: Where the image was read from.
        caption: Text that the model may be conditioned on, if the manifest has one.
        group: Images of one group (a photographer, a video) never stand on both sides of a fold.
        label: The manifest's own ``id``, kept so that its author recognises the image.
    """

    id: str
    path: Path
    caption: str | None = None
    group: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SampleSet:
    """The readable, distinct images of one folder or manifest.

    Attributes:
        samples: In the order of the folder (sorted by path) or of the manifest.
        skipped: Files that could not be read.
        duplicates: How many further copies of a picture in this set were dropped.
    """

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    duplicates: int = 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)


def read_set(
    source: Path, size: tuple[int, int], *, strict: bool = False, on_image: OnImage | None = None
) -> SampleSet:
    """Read a folder (recursively) or a manifest into distinct samples.

    A manifest is CSV, JSON lines or Parquet with a column ``path`` (relative to the manifest) and,
    if wanted, ``caption``, ``id`` and ``group``.

    Args:
        source: A folder of images or a manifest file.
        size: Height and width that the target expects.
        strict: Raise on the first unreadable image instead of skipping it.
        on_image: Progress callback.

    Returns:
        The set; unreadable files and dropped copies are counted in it.

    Raises:
        DataError: The path is missing, the manifest is malformed, nothing readable is left, or
            (``strict``) an image cannot be read.
    """
    entries = list_entries(source)
    if not entries and source.is_file():
        raise DataError(f"expected images in the manifest {source}, but it has no rows below its header")
    if not entries:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"expected images in {source}, found none; it should hold files ending in {kinds}")
    samples: dict[str, Sample] = {}
    skipped: list[Skipped] = []
    duplicates = 0
    for position, entry in enumerate(entries, start=1):
        try:
            key = sample_id(read_pixels(entry.path, size))
        except DataError as error:
            if strict:
                raise DataError(f"{entry.path}: {error}; leave out --strict to skip such files") from error
            skipped.append(Skipped(entry.path, str(error)))
        else:
            duplicates += key in samples
            samples.setdefault(key, Sample(key, entry.path, entry.caption, entry.group, entry.label))
        if on_image is not None:
            on_image(position, len(entries))
    if not samples:
        raise DataError(
            f"expected images in {source}, but none of its {len(entries)} files can be read; "
            f"the first: {skipped[0].path}: {skipped[0].reason}"
        )
    return SampleSet(tuple(samples.values()), tuple(skipped), duplicates)


def load_images(samples: Sequence[Sample], size: tuple[int, int]) -> NDArray[np.float32]:
    """Decode a batch into the range that autoencoders are trained on.

    Args:
        samples: Images to decode.
        size: Height and width.

    Returns:
        ``(n, 3, height, width)``, float32, in [-1, 1].

    Raises:
        DataError: A file changed since it was listed.
    """
    pixels = np.empty((len(samples), *size, 3), np.uint8)
    for sample, values in zip(samples, pixels, strict=True):
        try:
            values[:] = read_pixels(sample.path, size)
        except DataError as error:
            raise DataError(f"{sample.path} changed while it was being audited: {error}") from error
        if sample_id(values) != sample.id:
            raise DataError(f"{sample.path} changed while it was being audited; run the same command again")
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)
