"""What an audit would read from an image set, found out without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from privaudit.data import OnImage, Sample, SampleSet, read_set
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import LeftOut
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.evaluation.image_reading import MAX_CROP_LOSS

MAX_EXAMPLES = 3
"""Maximum number of images whose captions are shown."""


@dataclass(frozen=True)
class Captioned:
    """An image and its caption.

    Attributes:
        path: Path of the image.
        caption: Caption as the model would be told; None without one.
    """

    path: str
    caption: str | None


@dataclass(frozen=True)
class DataOverview:
    """What an audit would read from an image set.

    Attributes:
        source: The set, as it was named.
        layout: Layout that was recognised.
        images: Number of distinct images that can be read.
        duplicates: Number of further files or rows with the pixels of one of these images.
        formats: Number of images by file format.
        smallest: Height and width of the image with the fewest pixels, upright.
        largest: Height and width of the image with the most pixels, upright.
        captioned: Number of images with a caption that is not empty.
        empty_captions: Number of images whose caption is empty.
        several_captions: Number of images with several captions, of which the first is used.
        caption_source: Where the captions come from; empty without any.
        unused_captions: Captions that the set has and that are not used; empty without any.
        examples: The first images with their captions.
        classes: Number of images by class, as numbers or names; empty without classes.
        groups: Number of groups.
        left_out: Files or rows that are no images of the set.
        unreadable: Number of unreadable images by reason.
        turned: Number of images with an orientation tag.
        transparent: Number of images with a pixel that is not opaque.
        cropped: Number of images that lose more than a tenth of their area to the crop.
        enlarged: Number of images that are enlarged.
        size: Height and width to which the images were read.
        reading: How their pixels were read.
    """

    source: str
    layout: str
    images: int
    duplicates: int
    formats: Mapping[str, int]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    captioned: int
    empty_captions: int
    several_captions: int
    caption_source: str
    unused_captions: str
    examples: tuple[Captioned, ...]
    classes: Mapping[str, int]
    groups: int
    left_out: tuple[LeftOut, ...]
    unreadable: Mapping[str, int]
    turned: int
    transparent: int
    cropped: int
    enlarged: int
    size: tuple[int, int]
    reading: ImageReading


def describe_set(
    source: str | Path,
    size: tuple[int, int] = (512, 512),
    *,
    reading: ImageReading = AUTOMATIC,
    choices: CaptionChoices | None = None,
    strict: bool = False,
    on_image: OnImage | None = None,
) -> DataOverview:
    """Read an image set as an audit would, without a model.

    Args:
        source: A folder, a file or a name in any layout (see `privaudit.data.layouts`).
        size: Height and width of the images in pixels.
        reading: How pixels are read.
        choices: Which captions are used.
        strict: Whether anything that is left out or unreadable is an error.
        on_image: Called after each image.

    Returns:
        What was read, and what was not.

    Raises:
        DataError: The set is missing, malformed or empty, or (``strict``) not everything was read.
    """
    images = read_set(Path(source), size, strict=strict, on_image=on_image, reading=reading, choices=choices)
    return _overview(str(source), images, size, reading)


def _overview(source: str, images: SampleSet, size: tuple[int, int], reading: ImageReading) -> DataOverview:
    samples = images.samples
    sides = sorted((sample.original_size or size for sample in samples), key=lambda side: side[0] * side[1])
    return DataOverview(
        source=source,
        layout=images.layout,
        images=len(samples),
        duplicates=images.duplicates,
        formats=_counts(sample.file.format for sample in samples),
        smallest=sides[0],
        largest=sides[-1],
        captioned=sum(bool(sample.caption) for sample in samples),
        empty_captions=sum(sample.caption == "" for sample in samples),
        several_captions=sum(sample.captions > 1 for sample in samples),
        caption_source=images.captions.source,
        unused_captions=images.captions.unused,
        examples=tuple(Captioned(str(sample.path), sample.caption) for sample in samples[:MAX_EXAMPLES]),
        classes=_counts(filter(None, map(_class, samples))),
        groups=len({sample.group for sample in samples if sample.group is not None}),
        left_out=images.left_out,
        unreadable=_counts(item.reason for item in images.skipped),
        turned=sum(sample.file.orientation != 1 for sample in samples),
        transparent=sum(sample.file.transparent for sample in samples),
        cropped=sum(sample.crop_loss > MAX_CROP_LOSS for sample in samples),
        enlarged=sum(sample.enlarged for sample in samples),
        size=size,
        reading=reading,
    )


def _class(sample: Sample) -> str | None:
    return str(sample.class_label) if sample.class_label is not None else sample.class_name


def _counts(values: Iterable[str]) -> dict[str, int]:
    """Count values, the most frequent first."""
    return dict(Counter(values).most_common())
