"""How the pixels of an image are read: what trainers do differently, as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Orientation = Literal["auto", "upright", "stored"]
Transparency = Literal["auto", "drop", "white", "black"]
Resampling = Literal["lanczos", "bicubic", "bilinear", "box", "hamming", "nearest"]
Crop = Literal["auto", "center", "none", "listed"]


@dataclass(frozen=True)
class ImageReading:
    """How an image file becomes the pixels that the model sees.

    Where ``auto`` decides, the image is read in the most common way, and an audit that finds nothing says so only if
    few images would look otherwise when read in another way.

    Attributes:
        orientation: ``upright`` turns an image as its EXIF tag says, ``stored`` does not; ``auto`` is ``upright``. HEIC
            and TIFF are upright in either case, because their decoders turn them.
        transparency: ``drop`` takes the colours below a transparent pixel, ``white`` and ``black`` paint the image on
            such a ground; ``auto`` is ``drop``.
        resampling: Filter with which images are resized.
        crop: ``center`` resizes the shorter side and crops the centre, ``none`` resizes both sides without cropping,
            ``listed`` crops at the place that the manifest names (columns ``crop_top`` and ``crop_left``, in pixels of
            the resized image); ``auto`` is ``center``.
        buckets: Step in pixels of aspect-ratio buckets, to the nearest of which an image is resized and cropped; None
            for one size for all images.
        bucket_max: Longest side of a bucket; None for the default (see `privaudit.data.buckets`).
    """

    orientation: Orientation = "auto"
    transparency: Transparency = "auto"
    resampling: Resampling = "lanczos"
    crop: Crop = "auto"
    buckets: int | None = None
    bucket_max: int | None = None


AUTOMATIC = ImageReading()
"""The defaults of a scan."""
