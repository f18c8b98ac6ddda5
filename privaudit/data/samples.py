"""Samples, and how a folder or a manifest is read into a set of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privaudit.data.image_file import ImageFileInfo
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import CaptionUse, Content, LeftOut, ListedImage, Listing
from privaudit.data.listing import list_set
from privaudit.data.parallel import chunk_length, default_workers, in_order
from privaudit.data.perceptual_hash import phash, thumbnail
from privaudit.data.pixel_budget import PixelBudget
from privaudit.data.pixels import DecodedImage, decode_image, sample_id
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.data.suffixes import IMAGE_SUFFIXES
from privaudit.errors import DataError
from privaudit.model.prompt import Prompt

OnImage = Callable[[int, int], None]
"""Called after each image with (images read, all images)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of an audited set.

    Attributes:
        id: Hash of the preprocessed pixels, 32 hexadecimal digits.
        path: Path of the image file.
        caption: Caption that the model may be conditioned on, if the manifest has one.
        group: Group of related images (a photographer, a video), which is never split between folds.
        label: Column ``id`` of the manifest, by which its author recognises the image.
        file: Properties of the file.
        class_label: Class that the model may be conditioned on, if the manifest has one.
        original_size: Height and width of the file, upright, before preprocessing; None if unknown.
        crop: Top and left edge of the crop, in pixels of the resized image; None if unknown.
        size: Height and width of the preprocessed pixels; None if unknown.
        crop_loss: Fraction of its area that the crop leaves out.
        enlarged: Whether it was enlarged to its size.
        perceptual_hash: Perceptual hash of the preprocessed pixels, 64 bits; 0 if it was not computed.
        thumbnail: Means of the preprocessed pixels over 8x8 fields, 192 bytes; empty if it was not computed.
        class_name: Name of the class, from the manifest or the folder.
        captions: Number of captions that the set has for it, of which the first is used.
        reading: How its pixels were read.
        content: Where its bytes are; None for a file at ``path``.
        listed_crop: Crop that the manifest names, in pixels of the resized image.
        pixels: ``(height, width, 3)``, uint8, after preprocessing, if memory allows (see `PixelBudget`).
    """

    id: str
    path: Path
    caption: str | None = None
    group: str | None = None
    label: str | None = None
    file: ImageFileInfo = ImageFileInfo()
    class_label: int | None = None
    original_size: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    # not compared: the id already compares whatever follows from the pixels
    size: tuple[int, int] | None = field(default=None, compare=False)
    crop_loss: float = field(default=0.0, compare=False)
    enlarged: bool = field(default=False, compare=False)
    perceptual_hash: int = field(default=0, compare=False)
    thumbnail: bytes = field(default=b"", compare=False, repr=False)
    class_name: str | None = field(default=None, compare=False)
    captions: int = field(default=0, compare=False)
    reading: ImageReading = field(default=AUTOMATIC, compare=False)
    content: Content | None = field(default=None, compare=False, repr=False)
    listed_crop: tuple[int, int] | None = field(default=None, compare=False)
    pixels: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)

    @property
    def prompt(self) -> Prompt:
        """Everything about the image that may condition the model."""
        return Prompt(self.caption, self.class_label, self.original_size, self.crop)


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class SampleSet:
    """The readable, distinct images of one folder or manifest.

    Attributes:
        samples: Samples, in the order of the folder (sorted by path) or of the manifest.
        skipped: Files that could not be read.
        duplicates: Number of dropped files whose pixels are those of a sample in this set.
        copied: Ids of the samples that they duplicate.
        layout: Name of the layout; empty if unknown.
        left_out: Files or rows that are no images of the set.
        captions: Where the captions come from.
    """

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    duplicates: int = 0
    copied: frozenset[str] = frozenset()
    layout: str = ""
    left_out: tuple[LeftOut, ...] = ()
    captions: CaptionUse = CaptionUse()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)


def list_images(source: Path, choices: CaptionChoices | None = None) -> Listing:
    """List the images of a set.

    Args:
        source: The set (see `list_set`).
        choices: Which captions are used; by default the images' own.

    Returns:
        At least one entry. No image has been opened.

    Raises:
        DataError: The path is missing, the set is malformed, or there are no images.
    """
    listing = list_set(source, choices)
    if listing.entries:
        return listing
    rest = ", ".join(f"{item.count} {item.suffix or item.kind}" for item in listing.left_out)
    held = f" (but {rest})" if rest else ""
    if listing.layout.startswith(("manifest", "images in")):
        raise DataError(f"expected images in the manifest {source}, but it has no rows below its header{held}")
    if any(item.kind == "regularisation" for item in listing.left_out):
        raise DataError(f"expected images in {source}, found none{held}; to audit those, pass their folder by itself")
    kinds = " ".join(sorted(IMAGE_SUFFIXES))
    raise DataError(f"expected images in {source}, found none{held}; it should hold files ending in {kinds}")


def read_set(
    source: Path,
    size: tuple[int, int],
    *,
    strict: bool = False,
    on_image: OnImage | None = None,
    budget: PixelBudget | None = None,
    reading: ImageReading = AUTOMATIC,
    choices: CaptionChoices | None = None,
) -> SampleSet:
    """Read an image set in any layout (see `privaudit.data.layouts`) into distinct samples.

    Args:
        source: The set.
        size: Height and width of the pixels.
        strict: Whether an unreadable image is an error.
        on_image: Called after each image.
        budget: Memory for decoded pixels; none are stored without one.
        reading: How pixels are read.
        choices: Which captions are used.

    Returns:
        The set, with the unreadable files and the number of dropped copies.

    Raises:
        DataError: The path is missing, the manifest is malformed, no image can be read, or (``strict``) one image
            cannot be read.
    """
    listing = list_images(source, choices)
    return read_listing(listing, size, str(source), strict=strict, on_image=on_image, budget=budget, reading=reading)


def read_listing(
    listing: Listing,
    size: tuple[int, int],
    source: str,
    *,
    strict: bool = False,
    on_image: OnImage | None = None,
    budget: PixelBudget | None = None,
    reading: ImageReading = AUTOMATIC,
) -> SampleSet:
    """Read images that have been listed into distinct samples (arguments as in `read_set`).

    Returns:
        The set, with the unreadable files and the number of dropped copies.

    Raises:
        DataError: No image can be read, or (``strict``) one image cannot be read.
    """
    if strict and listing.left_out:
        raise DataError(*(_refused(item, source) for item in listing.left_out))
    samples: dict[str, Sample] = {}
    skipped: list[Skipped] = []
    duplicates, copied = 0, set()
    entries = listing.entries
    read = partial(_read, size=size, reading=reading)
    with closing(in_order(read, entries, chunk=chunk_length(size))) as images:
        for position, result in enumerate(images, start=1):
            if isinstance(result, Skipped):
                if strict:
                    message = f"{result.path}: {result.reason}; leave out --strict to skip such files"
                    raise DataError(message, private=[str(result.path)])
                skipped.append(result)
            elif result.id in samples:
                duplicates += 1
                copied.add(result.id)
            else:
                # Only samples of the set take memory from the budget, not copies that are dropped.
                samples[result.id] = replace(result, pixels=_budgeted(result.pixels, budget))
            if on_image is not None:
                on_image(position, len(entries))
    if not samples:
        raise DataError(
            f"expected images in {source}, but none of its {len(entries)} files can be read; "
            f"the first: {skipped[0].path}: {skipped[0].reason}",
            private=[str(skipped[0].path)],
        )
    return SampleSet(
        tuple(samples.values()),
        tuple(skipped),
        duplicates,
        frozenset(copied),
        listing.layout,
        listing.left_out,
        listing.captions,
    )


def _refused(item: LeftOut, source: str) -> str:
    return (
        f"expected nothing but images and their captions in {source}, got {item.count} of the kind {item.kind!r}"
        f"{f' with the suffix {item.suffix}' if item.suffix else ''}; leave out --strict to leave them out"
    )


def _read(entry: ListedImage, size: tuple[int, int], reading: ImageReading) -> Sample | Skipped:
    try:
        return _describe(entry, decode_image(entry, size, reading), reading)
    except DataError as error:
        return Skipped(entry.path, str(error))


def _describe(entry: ListedImage, image: DecodedImage, reading: ImageReading) -> Sample:
    pixels = image.pixels
    return Sample(
        id=sample_id(pixels),
        path=entry.path,
        caption=entry.caption,
        group=entry.group,
        label=entry.label,
        class_label=entry.class_label,
        file=image.file,
        original_size=image.original_size,
        crop=image.crop,
        size=image.size,
        crop_loss=image.crop_loss,
        enlarged=image.enlarged,
        perceptual_hash=phash(pixels),
        thumbnail=thumbnail(pixels),
        class_name=entry.class_name,
        captions=entry.captions,
        reading=reading,
        content=entry.content,
        listed_crop=entry.crop,
        pixels=pixels,
    )


def _budgeted(pixels: NDArray[np.uint8] | None, budget: PixelBudget | None) -> NDArray[np.uint8] | None:
    return None if pixels is None or budget is None else budget.take(pixels)


def load_images(samples: Sequence[Sample], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a batch in the range that autoencoders are trained on; images that are not in memory are decoded.

    Args:
        samples: Images.
        size: Height and width of their pixels; of samples read into buckets, those of the bucket that they share.

    Returns:
        ``(n, 3, height, width)``, float32, in [-1, 1].

    Raises:
        DataError: A file has changed since it was listed.
    """
    pixels = np.empty((len(samples), *size, 3), np.uint8)
    decode = partial(_pixels_of, size=size)
    stored = [sample.pixels is not None and sample.pixels.shape[:2] == tuple(size) for sample in samples]
    workers = min(default_workers(), max(1, len(samples) - sum(stored)))
    with closing(in_order(decode, samples, chunk=chunk_length(size), workers=workers)) as images:
        for values, image in zip(pixels, images, strict=True):
            values[:] = image
    return pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - np.float32(1)


def _pixels_of(sample: Sample, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pixels of a sample at a size, from memory or from its file."""
    if sample.pixels is not None and sample.pixels.shape[:2] == tuple(size):
        return sample.pixels
    try:
        image = ListedImage(sample.path, content=sample.content, crop=sample.listed_crop)
        pixels = decode_image(image, size, replace(sample.reading, buckets=None)).pixels
    except DataError as error:
        changed = f"{sample.path} changed while it was being audited: {error}"
        raise DataError(changed, private=[str(sample.path)]) from error
    if sample_id(pixels) != sample.id:  # scores would be stored under the id of other pixels
        changed = f"{sample.path} changed while it was being audited; run the same command again"
        raise DataError(changed, private=[str(sample.path)])
    return pixels
