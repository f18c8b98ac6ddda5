"""Options of every command that reads images: how pixels and captions are read."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TypedDict, get_args

from privaudit.auditing.option_table import SETS, option, rule
from privaudit.auditing.parsed_options import Options
from privaudit.data.layouts import CaptionChoices
from privaudit.data.reading import Crop, ImageReading, Orientation, Resampling, Transparency

_set = partial(option, panel=SETS)


@dataclass(frozen=True)
class ImageOptions(Options):
    """How the images of every set are read, as their trainer read them.

    Attributes:
        orientation: Whether EXIF orientation is applied (see `ImageReading`).
        transparency: What is below transparent pixels.
        resampling: Filter with which images are resized.
        crop: How images of another shape are cropped.
        buckets: Step of aspect-ratio buckets in pixels; None for one size.
        caption: Caption of every image, with ``{caption}`` for its own.
        caption_column: Column, key or suffix of the captions.
    """

    _: KW_ONLY
    orientation: Orientation = _set(
        "auto",
        metavar="auto|upright|stored",
        choices=get_args(Orientation),
        quantity="images",
        help="Turn images as their EXIF tag says, or take the pixels as stored. auto: upright, not confirmed.",
    )
    transparency: Transparency = _set(
        "auto",
        metavar="auto|drop|white|black",
        choices=get_args(Transparency),
        quantity="images",
        help="Below transparent pixels: drop takes the hidden colours, white or black a ground. auto: drop, not "
        "confirmed.",
    )
    resampling: Resampling = _set(
        "lanczos",
        metavar="FILTER",
        choices=get_args(Resampling),
        quantity="images",
        help="Filter that resizes images: lanczos, bicubic, bilinear, box, hamming or nearest.",
    )
    crop: Crop = _set(
        "auto",
        metavar="auto|center|none|listed",
        choices=get_args(Crop),
        quantity="images",
        help="Crop the centre, resize both sides without a crop, or crop where the manifest says (columns crop_top, "
        "crop_left). auto: center, not confirmed.",
    )
    buckets: int | None = _set(
        kind="integer",
        metavar="STEP",
        check=rule(lambda step: step is None or step >= 1, "a step of the buckets >= 1 pixel"),
        quantity="images",
        help="Aspect-ratio buckets in steps of so many pixels, as kohya makes them: 64.",
    )
    caption: str | None = _set(
        metavar="TEXT",
        quantity="images",
        help="Caption of every image; {caption} in it stands for the image's own: 'sks, {caption}'.",
    )
    caption_column: str | None = _set(
        metavar="NAME",
        quantity="images",
        help="Column, JSON key or file suffix of the captions, if it is not caption, text, prompt, .txt or .caption.",
    )

    @property
    def reading(self) -> ImageReading:
        """How pixels are read."""
        return ImageReading(self.orientation, self.transparency, self.resampling, self.crop, self.buckets)

    @property
    def caption_choices(self) -> CaptionChoices:
        """Which captions are used."""
        return CaptionChoices(self.caption, self.caption_column)


class ImageChoices(TypedDict, total=False):
    """How images are read, as text or parsed; see `ImageOptions`."""

    orientation: Orientation
    transparency: Transparency
    resampling: Resampling
    crop: Crop
    buckets: int | None
    caption: str | None
    caption_column: str | None
