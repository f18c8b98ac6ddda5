"""An image file becomes the pixels that a training script would have seen, and an id that is their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from privaudit.data.image_file import ImageFileInfo, image_file_info
from privaudit.errors import DataError

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""


@dataclass(frozen=True)
class Picture:
    """A decoded image file.

    Attributes:
        pixels: ``(height, width, 3)``, uint8, after preprocessing.
        file: How it was stored.
        original_size: Height and width before preprocessing, upright.
        crop: Top and left edge of the crop, in pixels of the resized image.
    """

    pixels: NDArray[np.uint8]
    file: ImageFileInfo
    original_size: tuple[int, int]
    crop: tuple[int, int]


def sample_id(pixels: NDArray[np.uint8]) -> str:
    """Hash the preprocessed pixels of an image.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        The first 32 hexadecimal digits of a SHA-256 over shape and pixels.
    """
    header = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(header + b"\0" + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:32]


def read_pixels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image; what `read_picture` does, without the rest.

    Returns:
        ``(height, width, 3)``, uint8.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    return read_picture(path, size).pixels


def read_picture(path: Path, size: tuple[int, int]) -> Picture:
    """Decode an image the way training scripts of diffusion models do.

    EXIF orientation is applied; 16-bit gray is scaled to 8; palette, CMYK and gray become RGB; alpha is
    dropped, as ``Image.convert("RGB")`` does in the diffusers training scripts. The shorter side is
    resized (Lanczos) and the centre is cropped; an image of the right size keeps its pixels. Of an
    animation or a stack of pages, the first is read.

    Returns:
        Its pixels, and how they were stored.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            info = image_file_info(path, opened)
            image = _to_rgb(_upright(opened))
    except DataError:
        raise
    except Exception as error:  # Pillow's parsers raise what they stumble on: struct.error, KeyError, ...
        raise DataError(f"not a readable image: {type(error).__name__}: {_reason(error, path)}") from error
    cut, crop = _resize_and_crop(image, size)
    return Picture(np.asarray(cut, dtype=np.uint8), info, (image.height, image.width), crop)


def _reason(error: Exception, path: Path) -> str:
    """What Pillow or the system says, without the path of the file, which callers name if it should be named."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error).replace("\n", " ")
    for name in (path, path.absolute(), path.resolve()):
        for shown in (repr(str(name)), str(name)):
            said = said.replace(f" {shown}", "").replace(shown, "the file")
    return said


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it writes the tags back, which fails for photographs with one odd tag.
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)  # dropped anyway; Pillow warns about it for each palette image
    if image.mode.startswith("I"):  # 16-bit gray; convert("RGB") would clip it to white
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataError("not a readable image: expected 8 or 16 bits a channel, got 32; convert it first")
        return Image.fromarray((values / 257.0).round().astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise DataError("not a readable image: expected 8 or 16 bits a channel, got floats; convert it first")
    return image.convert("RGB")


def _resize_and_crop(image: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """The image, and the top and left edge of the crop after resizing."""
    height, width = size
    if (image.height, image.width) == size:
        return image, (0, 0)
    scale = max(height / image.height, width / image.width)
    resized = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height)), (top, left)
