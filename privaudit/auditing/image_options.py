"""Options of every command that reads images: how pixels and captions are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import TypedDict, get_args

from privaudit.auditing.option_table import READING, option
from privaudit.auditing.parsed_options import Options
from privaudit.data.layouts import CaptionChoices
from privaudit.data.reading import Crop, ImageReading, Orientation, Resampling, Transparency
from privaudit.errors import ConfigError

_read = partial(option, panel=READING)


def read_buckets(value: int | str | Sequence[int | None] | None) -> tuple[int, int | None] | None:
    """Read step and longest side of aspect-ratio buckets.

    Args:
        value: ``64``, ``64:2048``, or numbers; None for no buckets.

    Returns:
        Step and longest side, which is None for the default; None without buckets.

    Raises:
        ConfigError: It is something else.
    """
    if value is None:
        return None
    parts = [part for part in value if part is not None] if isinstance(value, (tuple, list)) else str(value).split(":")
    sides = [int(part) if str(part).isascii() and str(part).isdigit() else 0 for part in parts]
    if not 1 <= len(sides) <= 2 or not sides[0] or sides[-1] < sides[0]:
        raise ConfigError([
            f"expected --buckets as STEP or STEP:MAX in pixels, as in 64 or 64:2048, got {value}; leave it out for one "
            "size"
        ])
    return sides[0], (sides[1] if len(sides) > 1 else None)


def write_buckets(value: tuple[int, int | None] | None) -> str | None:
    """Write buckets as `read_buckets` reads them."""
    return None if value is None else ":".join(str(part) for part in value if part is not None)


@dataclass(frozen=True)
class PixelOptions(Options):
    """How the pixels of images are read, as their trainer read them.

    Attributes:
        orientation: Whether EXIF orientation is applied (see `ImageReading`).
        transparency: What is below transparent pixels.
        resampling: Filter with which images are resized.
        crop: How images of another shape are cropped.
    """

    _: KW_ONLY
    orientation: Orientation = _read(
        "auto",
        metavar="auto|upright|stored",
        choices=get_args(Orientation),
        quantity="images",
        help="Turn images as their EXIF tag says, or take the pixels as stored. auto: upright, not confirmed.",
    )
    transparency: Transparency = _read(
        "auto",
        metavar="auto|drop|white|black",
        choices=get_args(Transparency),
        quantity="images",
        help="Below transparent pixels: drop takes the hidden colours, white or black a ground. auto: drop, not "
        "confirmed.",
    )
    resampling: Resampling = _read(
        "lanczos",
        metavar="FILTER",
        choices=get_args(Resampling),
        quantity="images",
        help="Filter that resizes images: lanczos, bicubic, bilinear, box, hamming or nearest.",
    )
    crop: Crop = _read(
        "auto",
        metavar="auto|center|none|listed",
        choices=get_args(Crop),
        quantity="images",
        help="Crop the centre, resize both sides without a crop, or crop where the manifest says (columns crop_top, "
        "crop_left). auto: center, not confirmed.",
    )

    @property
    def reading(self) -> ImageReading:
        """How pixels are read."""
        return ImageReading(self.orientation, self.transparency, self.resampling, self.crop)


@dataclass(frozen=True)
class ImageOptions(PixelOptions):
    """How the images of every set and their captions are read, as their trainer read them.

    Attributes:
        buckets: Step and longest side of aspect-ratio buckets in pixels; None for one size.
        caption: Caption of every image, with ``{caption}`` for its own.
        caption_column: Column, key or suffix of the captions.
    """

    _: KW_ONLY
    buckets: tuple[int, int | None] | None = _read(
        metavar="STEP[:MAX]",
        parse=read_buckets,
        write=write_buckets,
        quantity="images",
        help="Aspect-ratio buckets as kohya makes them: steps of the sides in pixels and, if wanted, the longest side: "
        "64 or 64:2048.",
    )
    caption: str | None = _read(
        metavar="TEXT",
        quantity="images",
        help="Caption of every image; {caption} in it stands for the image's own: 'sks, {caption}'.",
    )
    caption_column: str | None = _read(
        metavar="NAME",
        quantity="images",
        help="Column, JSON key or file suffix of the captions, if it is not caption, text, prompt, .txt or .caption.",
    )

    @property
    def reading(self) -> ImageReading:
        """How pixels are read."""
        step, longest = self.buckets or (None, None)
        return replace(super().reading, buckets=step, bucket_max=longest)

    @property
    def caption_choices(self) -> CaptionChoices:
        """Which captions are used."""
        return CaptionChoices(self.caption, self.caption_column)


class PixelChoices(TypedDict, total=False):
    """How pixels are read; see `PixelOptions`."""

    orientation: Orientation
    transparency: Transparency
    resampling: Resampling
    crop: Crop


class ImageChoices(PixelChoices, total=False):
    """How images and captions are read, as text or parsed; see `ImageOptions`."""

    buckets: int | str | Sequence[int] | None
    caption: str | None
    caption_column: str | None
