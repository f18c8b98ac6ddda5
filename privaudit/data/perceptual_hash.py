"""What is left of a picture after editing: a perceptual hash, and a thumbnail that confirms it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
"""Pixels along each side of the gray image that is transformed."""
KEPT = 8
"""Frequencies kept along each axis; their squares are the bits."""
THUMBNAIL = 8
"""Pixels along each side of the thumbnail."""

# Row u of the discrete cosine transform (type II): cos(pi u (2 k + 1) / (2 * SIDE)).
_COSINES = np.cos(np.pi * np.outer(np.arange(KEPT), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def fingerprint(pixels: NDArray[np.uint8]) -> int:
    """Perceptual hash of a picture, which edits that keep its look change in few bits.

    The picture in gray (ITU-R 601) is brought to 32x32 (Lanczos), g; with C the discrete cosine transform of type II,
    bit (u, v) says whether (C g C^T)_uv, u, v < 8, is above the median of the 64 coefficients. This is the "pHash" of
    Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", in the form of the Python
    package ImageHash, whose dependencies (a wavelet library) it does not need.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        A 64-bit number; the first bit, of the lowest frequency, is the highest.
    """
    gray = Image.fromarray(pixels).convert("L")
    if gray.size != (SIDE, SIDE):
        gray = gray.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # Rounded, because a plain picture's coefficients are rounding errors, and those differ between machines.
    low = np.round(_COSINES @ np.asarray(gray, dtype=np.float64) @ _COSINES.T, 6)
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """Means of a picture over 8x8 fields.

    Args:
        pixels: ``(height, width, 3)``, uint8.

    Returns:
        192 bytes: row by row, red, green and blue of each field.
    """
    return Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX).tobytes()
