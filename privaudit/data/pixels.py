"""Decodes an image file to the pixels that a training script would use, and hashes them to an id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from privaudit.data.buckets import bucket_size
from privaudit.data.image_file import ImageFileInfo, image_file_info
from privaudit.data.listed import ListedImage
from privaudit.data.reading import AUTOMATIC, ImageReading
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
"""Transposition that undoes each EXIF orientation."""


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image file.

    Attributes:
        pixels: ``(height, width, 3)``, uint8, after preprocessing.
        file: Properties of the file.
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
    # Images of different shapes may have the same bytes, so the shape is hashed, too.
    header = "x".join(map(str, pixels.shape)).encode()
    return hashlib.sha256(header + b"\0" + np.ascontiguousarray(pixels).tobytes()).hexdigest()[:32]


def read_pixels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image to its pixels alone (see `decode_image`).

    Returns:
        ``(height, width, 3)``, uint8.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    return decode_image(path, size).pixels


def decode_image(image: Path | ListedImage, size: tuple[int, int], reading: ImageReading = AUTOMATIC) -> DecodedImage:
    """Decode an image the way training scripts of diffusion models do.

    EXIF orientation is applied. 16-bit gray is scaled to 8 bits. Palette, CMYK and gray become RGB, and alpha is
    dropped, as ``Image.convert("RGB")`` does in the diffusers training scripts. The shorter side is resized (Lanczos)
    and the centre is cropped; an image of the right size keeps its pixels. Only the first frame of an animation, or
    the first page of a stack, is read.

    Returns:
        The pixels, and properties of the file.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    listed = image if isinstance(image, ListedImage) else ListedImage(image)
    path = listed.path
    try:
        with listed.open() as stream, Image.open(stream) as opened:
            opened.load()
            info = image_file_info(stream, opened)
            upright = _to_rgb(_upright(opened))
    except DataError:
        raise
    except Exception as error:  # Pillow's parsers have no common error: they raise struct.error, KeyError, ...
        raise DataError(f"not a readable image: {type(error).__name__}: {_reason(error, path)}") from error
    if reading.buckets is not None:
        size = bucket_size((upright.height, upright.width), size, reading.buckets)
    cropped, crop = _resize_and_crop(upright, size)
    return DecodedImage(np.asarray(cropped, dtype=np.uint8), info, (upright.height, upright.width), crop)


def _reason(error: Exception, path: Path) -> str:
    """Message of Pillow or the system without the path, so that callers decide whether the file is named."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = str(error).replace("\n", " ")
    for name in (path, path.absolute(), path.resolve()):
        for shown in (repr(str(name)), str(name)):
            message = message.replace(f" {shown}", "").replace(shown, "the file")
    return message


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it writes the tags back, which fails for photographs with a malformed tag.
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)  # alpha is dropped; Pillow would warn about it for each palette image
    if image.mode.startswith("I"):  # 16-bit gray; convert("RGB") would clip it to white
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise DataError("not a readable image: expected 8 or 16 bits per channel, got 32; convert it first")
        return Image.fromarray((values / 257.0).round().astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise DataError("not a readable image: expected 8 or 16 bits per channel, got floats; convert it first")
    return image.convert("RGB")


def _resize_and_crop(image: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    """The image, and the top and left edge of the crop after resizing."""
    height, width = size
    if (image.height, image.width) == size:
        return image, (0, 0)
    # The larger factor covers the target on both axes; max() because rounding could fall one pixel short of it.
    scale = max(height / image.height, width / image.width)
    resized = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.LANCZOS)
    x, y = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((x, y, x + width, y + height)), (y, x)
