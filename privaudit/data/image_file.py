"""Properties of an image file other than its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, Image

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that undoes each EXIF orientation."""


@dataclass(frozen=True, slots=True)
class ImageFileInfo:
    """How an image was stored, before any preprocessing. The defaults mean "unknown".

    Attributes:
        format: File format in Pillow's terms: ``PNG``, ``JPEG``, ``WEBP``, ...
        width: Width in pixels, before EXIF orientation is applied.
        height: Height in pixels, before EXIF orientation is applied.
        bytes: Size of the file.
        mode: Pixel format in Pillow's terms: ``RGB``, ``L``, ``P``, ``CMYK``, ...
        exif: Whether the file has EXIF tags.
        icc: Whether the file has a colour profile.
        quantisation: Sum of the luminance table of a JPEG (larger = stronger compression); 0 for other formats.
        orientation: EXIF orientation, 1 to 8; 1 for a file without one, and for HEIC and TIFF, which decoders turn.
        transparent: Whether a pixel is not opaque.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    mode: str = ""
    exif: bool = False
    icc: bool = False
    quantisation: int = 0
    orientation: int = 1
    transparent: bool = False


def image_file_info(stream: BinaryIO, opened: Image.Image, *, transparent: bool) -> ImageFileInfo:
    """Read the properties of an opened image file.

    Args:
        stream: The bytes of the file, seekable.
        opened: Image from ``Image.open``, with its pixels loaded, because the EXIF tags of a PNG may be at its end.
        transparent: Whether a pixel is not opaque.

    Returns:
        The info.
    """
    orientation = opened.getexif().get(ExifTags.Base.Orientation)
    tables: dict[int, list[int]] = getattr(opened, "quantization", None) or {}
    return ImageFileInfo(
        format=opened.format or "",
        width=opened.width,
        height=opened.height,
        bytes=stream.seek(0, os.SEEK_END),
        mode=opened.mode,
        exif=bool(opened.info.get("exif")),  # not getexif(), which would return the tags that every TIFF file has
        icc=bool(opened.info.get("icc_profile")),
        quantisation=int(sum(tables.get(0, ()))),
        orientation=orientation if orientation in UPRIGHT else 1,
        transparent=transparent,
    )
