"""A perceptual hash, which survives editing of an image, and a thumbnail that confirms a match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Pixels along each side of the gray image that is transformed."""
FREQUENCIES = 8
"""Lowest frequencies along each axis that enter the hash; it has the square of this number of bits."""
THUMBNAIL = 8
"""Pixels along each side of the thumbnail."""

# Row u of the discrete cosine transform (type II): cos(pi u (2 k + 1) / (2 * SIDE)).
_COSINES = np.cos(np.pi * np.outer(np.arange(FREQUENCIES), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def phash(pixels: NDArray[np.uint8]) -> int:
    """Perceptual hash of an image; edits that preserve its appearance change few bits.

    The image is converted to gray (ITU-R 601) and resized to 32x32 (Lanczos), g. With C the discrete cosine transform
    of type II, bit (u, v) says whether (C g C^T)_uv, u, v < 8, is above the median of the 64 coefficients. This is the
    "pHash" of Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", in the form of the
    Python package ImageHash, without the wavelet library that the package depends on.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        A 64-bit number; the bit of the lowest frequency is the most significant one.
    """
    gray = Image.fromarray(pixels).convert("L")
    if gray.size != (SIDE, SIDE):
        gray = gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # Rounded, because the coefficients of a uniform image are rounding errors, and those differ between machines.
    low = np.round(_COSINES @ np.asarray(gray, dtype=np.float64) @ _COSINES.T, 6)
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """Mean colours of an image over a grid of 8x8 fields.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        192 bytes: red, green and blue of each field, row by row.
    """
    return Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX).tobytes()
