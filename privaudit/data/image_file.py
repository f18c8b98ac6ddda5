"""What an image file says about itself, besides its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image


@dataclass(frozen=True)
class ImageFileInfo:
    """How an image was stored, before any preprocessing. The defaults mean that it is unknown.

    Attributes:
        format: As Pillow names it: ``PNG``, ``JPEG``, ``WEBP``, ...
        width: Pixels, before EXIF orientation is applied.
        height: Pixels.
        bytes: Size of the file.
        mode: As Pillow names it: ``RGB``, ``L``, ``P``, ``CMYK``, ...
        exif: Whether there are EXIF tags.
        icc: Whether there is a colour profile.
        quantisation: Sum of a JPEG's luminance table (larger = stronger compression); 0 for other formats.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    mode: str = ""
    exif: bool = False
    icc: bool = False
    quantisation: int = 0


def image_file_info(path: Path, opened: Image.Image) -> ImageFileInfo:
    """Read off an opened image how it is stored.

    Args:
        path: Path of the file.
        opened: As ``Image.open`` gives it, with its pixels loaded: PNG files may have their EXIF tags at the end.

    Returns:
        The info.
    """
    tables: dict[int, list[int]] = getattr(opened, "quantization", None) or {}
    return ImageFileInfo(
        format=opened.format or "",
        width=opened.width,
        height=opened.height,
        bytes=path.stat().st_size,
        mode=opened.mode,
        exif=bool(opened.info.get("exif")),  # not getexif(), which gives a TIFF file's own tags
        icc=bool(opened.info.get("icc_profile")),
        quantisation=int(sum(tables.get(0, ()))),
    )
