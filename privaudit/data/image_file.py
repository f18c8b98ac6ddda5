"""Properties of an image file other than its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image


@dataclass(frozen=True)
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
    """

    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    mode: str = ""
    exif: bool = False
    icc: bool = False
    quantisation: int = 0


def image_file_info(stream: BinaryIO, opened: Image.Image) -> ImageFileInfo:
    """Read the properties of an opened image file.

    Args:
        stream: The bytes of the file, seekable.
        opened: Image from ``Image.open``, with its pixels loaded, because the EXIF tags of a PNG may be at its end.

    Returns:
        The info.
    """
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
    )
