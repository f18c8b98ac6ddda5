"""Decodes an image file to the pixels that a training script would use, and hashes them to an id."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from privaudit.data.buckets import bucket_size
from privaudit.data.colours import opacity, to_rgb
from privaudit.data.framing import frame, framing
from privaudit.data.image_file import UPRIGHT, ImageFileInfo, image_file_info
from privaudit.data.listed import ListedImage
from privaudit.data.optional_formats import prepare_reader
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.errors import DataError


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image file.

    Attributes:
        pixels: ``(height, width, 3)``, uint8, after preprocessing.
        file: Properties of the file.
        original_size: Height and width before preprocessing, turned as the pixels are.
        crop: Top and left edge of the crop, in pixels of the resized image.
        size: Height and width of the pixels.
        crop_loss: Fraction of the area that the crop leaves out.
        enlarged: Whether the image was enlarged to its size.
    """

    pixels: NDArray[np.uint8]
    file: ImageFileInfo
    original_size: tuple[int, int]
    crop: tuple[int, int]
    size: tuple[int, int]
    crop_loss: float
    enlarged: bool


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

    By default EXIF orientation is applied, alpha is dropped, the shorter side is resized (Lanczos) and the centre is
    cropped; an image of the right size keeps its pixels. 16-bit gray is scaled to 8 bits; palette, CMYK and gray become
    RGB, as ``Image.convert("RGB")`` does in the diffusers training scripts. Only the first frame of an animation, or
    the first page of a stack, is read.

    Args:
        image: The image.
        size: Height and width of the pixels; with buckets, the base size to whose buckets the image is assigned.
        reading: How pixels are read.

    Returns:
        The pixels, and properties of the file.

    Raises:
        DataError: The file cannot be decoded; the message says why.
    """
    listed = image if isinstance(image, ListedImage) else ListedImage(image)
    try:
        with listed.open() as stream:
            info, opened = _open(stream, reading)
    except DataError:
        raise
    except Exception as error:  # Pillow's parsers have no common error: they raise struct.error, KeyError, ...
        raise DataError(f"not a readable image: {type(error).__name__}: {_reason(error, listed.path)}") from error
    original = (opened.height, opened.width)
    if reading.buckets is not None:
        size = bucket_size(original, size, reading.buckets, reading.bucket_max)
    place = framing(original, size, reading.crop, listed.crop)
    pixels = np.asarray(frame(opened, place, reading.resampling), dtype=np.uint8)
    return DecodedImage(pixels, info, original, place.crop, place.size, place.loss, place.enlarged)


def _open(stream: BinaryIO, reading: ImageReading) -> tuple[ImageFileInfo, Image.Image]:
    """Properties of a file, and its image in RGB, turned as the reading says."""
    prepare_reader(stream)
    with Image.open(stream) as opened:
        opened.load()
        alpha = opacity(opened)
        info = image_file_info(stream, opened, transparent=alpha is not None)
        rgb = to_rgb(opened, alpha, reading.transparency)
    turn = None if reading.orientation == "stored" else UPRIGHT.get(info.orientation)
    # Not ImageOps.exif_transpose: it writes the tags back, which fails for photographs with a malformed tag.
    return info, rgb if turn is None else rgb.transpose(turn)


def _reason(error: Exception, path: Path) -> str:
    """Message of Pillow or the system without the path, so that callers decide whether the file is named."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = re.sub(r" <_io\..*>", "", str(error).replace("\n", " "))  # Pillow names the stream by its address
    for name in (path, path.absolute(), path.resolve()):
        for shown in (repr(str(name)), str(name)):
            message = message.replace(f" {shown}", "").replace(shown, "the file")
    return message
