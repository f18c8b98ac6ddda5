"""Blind baseline from image content: statistics of pixels, colours and frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privaudit.errors import DataError, NonFiniteError

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
RINGS = 8
"""Number of rings of equal width between frequency 0 and the corner of the spectrum, sqrt(1/2) cycles per pixel."""

_BATCH_VALUES = 1 << 22
_TINY = 1e-8  # far below the power of 8-bit rounding, (2 / 255)^2 / 12 = 5e-6


def image_features(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute statistics of images.

    For each channel: mean, standard deviation, seven percentiles, fractions of pixels at either end of the range, and
    log energy of the differences along each axis. In addition: correlations between channels, mean and standard
    deviation of the saturation (largest minus smallest channel), and log power of gray in eight rings of the spectrum.

    Args:
        images: ``(n, 3, height, width)``, in [-1, 1], at least 2 pixels along each side.

    Returns:
        ``(n, 52)``, finite.

    Raises:
        DataError: The shape is not ``(n, 3, height, width)``.
        NonFiniteError: A pixel is NaN or infinite.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 2:
        raise DataError(f"expected images of shape (n, 3, height, width), got {images.shape}; load them as RGB")
    step = max(1, _BATCH_VALUES // int(np.prod(images.shape[1:])))
    batches = [_describe(images[start : start + step]) for start in range(0, max(1, len(images)), step)]
    features = np.concatenate(batches)
    if not np.isfinite(features).all():
        invalid = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise NonFiniteError(
            f"expected finite pixels, got NaN or infinity in {invalid.size} images, the first at position "
            f"{invalid[0]}; leave these images out"
        )
    return features


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    n = len(images)
    x = images.astype(np.float64)
    flat = x.reshape(n, 3, x.shape[2] * x.shape[3])
    centred = flat - flat.mean(axis=2, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=2))
    unit = centred / np.maximum(std, 1e-6)[..., None]
    saturation = x.max(axis=1) - x.min(axis=1)
    clipping_level = 1.0 - 1.0 / 255.0  # the outermost of 256 steps of 2 / 255
    return np.concatenate(
        [
            flat.mean(axis=2),
            std,
            np.percentile(flat, PERCENTILES, axis=2).transpose(1, 2, 0).reshape(n, 3 * len(PERCENTILES)),
            (flat > clipping_level).mean(axis=2),
            (flat < -clipping_level).mean(axis=2),
            np.log(_TINY + (np.diff(x, axis=2) ** 2).mean(axis=(2, 3))),
            np.log(_TINY + (np.diff(x, axis=3) ** 2).mean(axis=(2, 3))),
            np.stack([(unit[:, a] * unit[:, b]).mean(axis=1) for a, b in ((0, 1), (0, 2), (1, 2))], axis=1),
            saturation.mean(axis=(1, 2))[:, None],
            saturation.std(axis=(1, 2))[:, None],
            _ring_powers(x.mean(axis=1)),
        ],
        axis=1,
    )


def _ring_powers(gray: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the mean power in each ring of the spectrum, ``(n, RINGS)``."""
    height, width = gray.shape[1:]
    gray = gray - gray.mean(axis=(1, 2), keepdims=True)  # otherwise the mean would dominate the first ring
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]).ravel()
    power = (np.abs(np.fft.rfft2(gray)) ** 2).reshape(len(gray), radius.size) / (height * width)
    ring = np.minimum((radius / (np.sqrt(0.5) / RINGS)).astype(np.int64), RINGS - 1)
    inside = (ring[:, None] == np.arange(RINGS)).astype(np.float64)
    return np.asarray(np.log(_TINY + power @ (inside / np.maximum(inside.sum(axis=0), 1))))
