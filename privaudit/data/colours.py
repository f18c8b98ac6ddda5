"""The colours of an image: every pixel format becomes RGB, and transparency is dropped or painted on a ground."""

from __future__ import annotations

import numpy as np
from PIL import Image

from privaudit.data.reading import Transparency
from privaudit.errors import DataError

# round(value / 257) for every 16-bit value: a table takes one byte per pixel, arithmetic would take sixteen
_EIGHT_BITS = (np.arange(65536) / 257.0).round().astype(np.uint8)


def opacity(image: Image.Image) -> Image.Image | None:
    """Opacity of an image.

    Args:
        image: Image with its pixels loaded, in the mode of its file.

    Returns:
        Mode ``L``, 0 for transparent and 255 for opaque pixels; None if all pixels are opaque, whether or not the file
        has an alpha channel.
    """
    if not image.has_transparency_data:
        return None
    if image.mode.startswith("I;16"):  # Pillow compares the pixels only after it has clipped them to eight bits
        alpha = Image.fromarray((np.asarray(image) != image.info["transparency"]).astype(np.uint8) * np.uint8(255))
    else:
        alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema()[0] == 255 else alpha


def to_rgb(image: Image.Image, alpha: Image.Image | None, transparency: Transparency) -> Image.Image:
    """Convert an image to RGB.

    16-bit gray is scaled to 8 bits. Palette, CMYK and gray become RGB as by ``Image.convert("RGB")``, with the colours
    below transparent pixels, which ``white`` and ``black`` then replace by a ground.

    Args:
        image: Image with its pixels loaded, in the mode of its file.
        alpha: Opacity of its pixels; None if all are opaque.
        transparency: What is below transparent pixels.

    Returns:
        Mode ``RGB``.

    Raises:
        DataError: A channel has 32 bits or floats.
    """
    rgb = _without_alpha(image)
    if alpha is None or transparency in {"auto", "drop"}:
        return rgb
    ground = Image.new("RGB", rgb.size, transparency)
    ground.paste(rgb, mask=alpha)
    return ground


def _without_alpha(image: Image.Image) -> Image.Image:
    image.info.pop("transparency", None)  # alpha is dropped; Pillow would warn about it for each palette image
    if image.mode.startswith("I"):  # 16-bit gray; convert("RGB") would clip it to white
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DataError("not a readable image: expected 8 or 16 bits per channel, got 32; convert it first")
        return Image.fromarray(_EIGHT_BITS[values]).convert("RGB")
    if image.mode == "F":
        raise DataError("not a readable image: expected 8 or 16 bits per channel, got floats; convert it first")
    return image if image.mode == "RGB" else image.convert("RGB")
