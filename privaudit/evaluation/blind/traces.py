"""Traces that editing and compression leave in pixels, whatever the picture shows.

Brightness, contrast and gamma leave levels that no pixel has, or that too many have (Stamm and Liu 2010,
doi:10.1109/TIFS.2010.2053202). JPEG leaves 8x8 blocks whose cosine coefficients are multiples of a step, many of them
zero, edges between the blocks (Fan and de Queiroz 2003, doi:10.1109/TIP.2002.807361), and colour at half the
resolution. Each statistic of the 8x8 grid is compared with that of a grid displaced by four pixels, where JPEG left
nothing but the picture is the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privaudit.errors import DataError, NonFiniteError

BLOCK = 8
SHIFT = BLOCK // 2
QUALITIES = (50, 60, 70, 75, 80, 85, 90, 95)
"""Qualities of the standard tables whose steps are looked for."""
NEAR_ZERO = 0.6
"""What JPEG set to zero comes back with a standard deviation of .2, in gray of .3: colours are rounded to 8 bits."""
MOST_BLOCKS = 256
"""Blocks looked at in an image, evenly spread; of a larger image there would be no more to learn."""
LEAST_SIDE = BLOCK + SHIFT
"""Smaller images are continued by their edge pixels."""

STANDARD = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])
"""Luminance steps at quality 50 (ITU-T T.81, table K.1)."""

_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)
_ORDER = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
"""Diagonal of each coefficient, 0 to 14."""
_COSINES = (
    np.cos(np.pi * np.outer(np.arange(BLOCK), 2 * np.arange(BLOCK) + 1) / (2 * BLOCK))
    * np.where(np.arange(BLOCK)[:, None] == 0, np.sqrt(1 / BLOCK), np.sqrt(2 / BLOCK))
).astype(np.float32)
_BATCH_VALUES = 1 << 21
_TINY = 1e-3


def compression_traces(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Describe what editing and compression left in each image.

    For each channel, of its histogram h over 256 levels: gaps, sum over empty levels v of min(h_v-1, h_v+1); peaks,
    sum of max(0, h_v - h_v-1 - h_v+1); both as shares of the pixels; share of levels in use between the lowest and the
    highest. In luminance, and in the two colours together: for each diagonal of the 8x8 cosine coefficients but the
    first, the share nearer to zero than `NEAR_ZERO`, and how much that exceeds the displaced grid's. For each of
    `QUALITIES`, with its steps q >= 2 in luminance, the mean of cos(2 pi c / q) over coefficients |c| > q / 2, minus
    the displaced grid's. For each of the eight phases and both axes, the mean step between neighbouring pixels at it
    over that at all phases. Along each axis, log energy of the colour's steps within pairs of pixels over that between
    pairs, and of colour over luminance.

    Args:
        images: ``(n, 3, height, width)``, in [-1, 1]; blocks that the edge cuts are left out.

    Returns:
        ``(n, 93)``, finite.

    Raises:
        DataError: The shape is not ``(n, 3, height, width)``.
        NonFiniteError: A pixel is NaN or infinite.
    """
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < 2:
        raise DataError(f"expected images of shape (n, 3, height, width), got {images.shape}; load them as RGB")
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise NonFiniteError(
            f"expected finite pixels, got NaN or infinity in {bad.size} images, the first at position "
            f"{bad[0]}; leave these images out"
        )
    step = max(1, _BATCH_VALUES // int(np.prod(images.shape[1:])))
    return np.concatenate([_describe(images[i : i + step]) for i in range(0, max(1, len(images)), step)])


def quantisation_table(quality: int) -> NDArray[np.int64]:
    """Luminance steps of the Independent JPEG Group's library at a quality from 50 to 100.

    Returns:
        ``(8, 8)``, at least 1.
    """
    return np.asarray(np.maximum(1, (STANDARD * (200 - 2 * quality) + 50) // 100))


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    levels = np.clip(np.rint((images + np.float32(1)) * np.float32(127.5)), 0, 255)
    short = [max(0, LEAST_SIDE - side) for side in levels.shape[2:]]
    padded = np.pad(levels, ((0, 0), (0, 0), (0, short[0]), (0, short[1])), mode="edge") if any(short) else levels
    ycc = np.einsum("oc,nchw->nohw", _YCC, padded, optimize=True)
    on, off = _coefficients(ycc), _coefficients(ycc[:, :, SHIFT:, SHIFT:])
    parts = [
        _histogram(levels.astype(np.uint8)),
        *(_near_zero(on[part], off[part]) for part in (np.s_[:, :1], np.s_[:, 1:])),
        _periodicity(on[:, 0]) - _periodicity(off[:, 0]),
        *(_phases(ycc[:, 0], axis) for axis in (1, 2)),
        *(_colour(ycc, axis) for axis in (2, 3)),
    ]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _histogram(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    n, channels = levels.shape[:2]
    offset = 256 * np.arange(n * channels)
    flat = (levels.reshape(n * channels, -1) + offset[:, None]).ravel()
    h = np.bincount(flat, minlength=256 * n * channels).reshape(n, channels, 256)
    pixels = h[0, 0].sum() if n else 1
    low, mid, high = h[..., :-2], h[..., 1:-1], h[..., 2:]
    gaps = np.where(mid == 0, np.minimum(low, high), 0).sum(axis=2) / pixels
    peaks = np.maximum(0, mid - low - high).sum(axis=2) / pixels
    used = h > 0
    first, last = used.argmax(axis=2), 255 - used[..., ::-1].argmax(axis=2)
    return np.concatenate([gaps, peaks, used.sum(axis=2) / (last - first + 1)], axis=1)


def _coefficients(ycc: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(n, 3, blocks, 8, 8)``, orthonormal, of at most `MOST_BLOCKS` whole blocks."""
    n, channels, height, width = ycc.shape
    rows, columns = height // BLOCK, width // BLOCK
    grid = ycc[:, :, : rows * BLOCK, : columns * BLOCK].reshape(n, channels, rows, BLOCK, columns, BLOCK)
    keep = np.unique(np.linspace(0, rows * columns - 1, min(MOST_BLOCKS, rows * columns)).astype(np.int64))
    blocks = grid[:, :, keep // columns, :, keep % columns]  # the advanced axis comes first
    return np.asarray((_COSINES @ blocks @ _COSINES.T).transpose(1, 2, 0, 3, 4))


def _near_zero(on: NDArray[np.float32], off: NDArray[np.float32]) -> NDArray[np.float64]:
    inside = (_ORDER.ravel()[:, None] == np.arange(1, 2 * BLOCK - 1)).astype(np.float64)
    here, there = (
        (np.abs(c) < NEAR_ZERO).mean(axis=(1, 2)).reshape(len(c), BLOCK * BLOCK) @ (inside / inside.sum(axis=0))
        for c in (on, off)
    )
    return np.concatenate([here, here - there], axis=1)


def _periodicity(luminance: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(n, qualities)``; 0 where no coefficient is large enough to tell."""
    found = []
    for quality in QUALITIES:
        steps = quantisation_table(quality)
        coarse = (steps >= 2) & (_ORDER > 0)
        c, q = luminance[:, :, coarse], steps[coarse].astype(np.float32)
        large = np.abs(c) > q / 2
        waves = np.where(large, np.cos(np.float32(2 * np.pi) / q * c), 0)
        found.append(waves.sum(axis=(1, 2)) / np.maximum(large.sum(axis=(1, 2)), 1))
    return np.stack(found, axis=1)


def _phases(luminance: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Step between pixels i and i + 1 by i modulo 8, over the mean of all."""
    steps = np.abs(np.diff(luminance, axis=axis)).mean(axis=3 - axis)
    means = np.stack([steps[:, phase::BLOCK].mean(axis=1) for phase in range(BLOCK)], axis=1)
    return np.asarray((means + _TINY) / (means.mean(axis=1, keepdims=True) + _TINY))


def _colour(ycc: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    steps = np.diff(ycc, axis=axis) ** 2
    steps = steps if axis == 2 else steps.transpose(0, 1, 3, 2)
    within, between = (steps[:, :, start::2].mean(axis=(2, 3)) + _TINY for start in (0, 1))
    pairs = np.log(within[:, 1:].sum(axis=1) / between[:, 1:].sum(axis=1))
    colour = np.log(between[:, 1:].sum(axis=1) / between[:, 0])
    return np.stack([pairs, colour], axis=1)
