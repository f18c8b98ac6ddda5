"""Blind baseline from traces of editing and compression in the pixels, whatever the image shows.

Changes of brightness, contrast and gamma leave gaps and peaks in the histogram of levels (Stamm and Liu 2010,
doi:10.1109/TIFS.2010.2053202). JPEG leaves 8x8 blocks whose cosine coefficients are multiples of a step, many of them
zero, edges between the blocks (Fan and de Queiroz 2003, doi:10.1109/TIP.2002.807361), and colour at half the
resolution. Statistics of the 8x8 grid are compared with those of a grid displaced by four pixels, which has the same
content but no traces of JPEG.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privaudit.errors import DataError, NonFiniteError

BLOCK = 8
SHIFT = BLOCK // 2
QUALITIES = (50, 60, 70, 75, 80, 85, 90, 95)
"""Qualities whose standard quantisation tables are tested."""
NEAR_ZERO = 0.6
"""Absolute value below which a coefficient counts as set to zero by JPEG. Such coefficients have a standard deviation
of .2 after decoding, of .3 in gray images, since colours are rounded to 8 bits."""
MAX_BLOCKS = 256
"""Maximum number of blocks per image, evenly spaced; more would hardly change the statistics."""
MIN_SIDE = BLOCK + SHIFT
"""Minimum side in pixels; smaller images are padded by repeating their edge pixels."""

BASE_TABLE = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
])
"""Luminance quantisation steps at quality 50 (ITU-T T.81, table K.1)."""

_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32)
_DIAGONAL = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
"""``(8, 8)``, diagonal of each coefficient, 0 to 14."""
_COSINES = (
    np.cos(np.pi * np.outer(np.arange(BLOCK), 2 * np.arange(BLOCK) + 1) / (2 * BLOCK))
    * np.where(np.arange(BLOCK)[:, None] == 0, np.sqrt(1 / BLOCK), np.sqrt(2 / BLOCK))
).astype(np.float32)
_BATCH_VALUES = 1 << 21
_TINY = 1e-3


def compression_traces(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute traces of editing and compression in each image.

    - Histogram h over 256 levels, per channel: gaps, the sum over empty levels v of min(h_v-1, h_v+1); peaks, the sum
      of max(0, h_v - h_v-1 - h_v+1); both as fractions of the pixels; and the fraction of levels in use between the
      lowest and the highest.
    - Cosine coefficients, in luminance and in both chroma channels together: for each diagonal but the first, the
      fraction of coefficients below `NEAR_ZERO`, and its excess over the displaced grid.
    - Quantisation, per quality of `QUALITIES` with its luminance steps q >= 2: the mean of cos(2 pi c / q) over
      coefficients |c| > q / 2, minus that of the displaced grid.
    - Block edges, per axis and phase of the eight: the mean absolute difference between neighbouring pixels at this
      phase, relative to that at all phases.
    - Chroma subsampling, per axis: log energy of chroma differences within pairs of pixels relative to that between
      pairs, and of chroma differences relative to luminance differences.

    Args:
        images: ``(n, 3, height, width)``, in [-1, 1]; incomplete blocks at the edges are left out.

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
        invalid = np.flatnonzero(~finite)
        raise NonFiniteError(
            f"expected finite pixels, got NaN or infinity in {invalid.size} images, the first at position "
            f"{invalid[0]}; leave these images out"
        )
    step = max(1, _BATCH_VALUES // int(np.prod(images.shape[1:])))
    return np.concatenate([_describe(images[i : i + step]) for i in range(0, max(1, len(images)), step)])


def quantisation_table(quality: int) -> NDArray[np.int64]:
    """Luminance quantisation table of the Independent JPEG Group's library, for qualities from 50 to 100.

    Returns:
        ``(8, 8)``, steps of at least 1.
    """
    return np.asarray(np.maximum(1, (BASE_TABLE * (200 - 2 * quality) + 50) // 100))


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    levels = np.clip(np.rint((images + np.float32(1)) * np.float32(127.5)), 0, 255)
    missing = [max(0, MIN_SIDE - side) for side in levels.shape[2:]]
    padded = np.pad(levels, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge") if any(missing) else levels
    ycc = np.einsum("oc,nchw->nohw", _YCC, padded, optimize=True)
    aligned, displaced = _coefficients(ycc), _coefficients(ycc[:, :, SHIFT:, SHIFT:])
    parts = [
        _histogram(levels.astype(np.uint8)),
        *(_near_zero(aligned[part], displaced[part]) for part in (np.s_[:, :1], np.s_[:, 1:])),
        _periodicity(aligned[:, 0]) - _periodicity(displaced[:, 0]),
        *(_phases(ycc[:, 0], axis) for axis in (1, 2)),
        *(_colour(ycc, axis) for axis in (2, 3)),
    ]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _histogram(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    n, channels = levels.shape[:2]
    offset = 256 * np.arange(n * channels)  # one bincount for all images and channels
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
    """Orthonormal cosine coefficients of at most `MAX_BLOCKS` whole blocks, ``(n, 3, blocks, 8, 8)``."""
    n, channels, height, width = ycc.shape
    rows, columns = height // BLOCK, width // BLOCK
    grid = ycc[:, :, : rows * BLOCK, : columns * BLOCK].reshape(n, channels, rows, BLOCK, columns, BLOCK)
    keep = np.unique(np.linspace(0, rows * columns - 1, min(MAX_BLOCKS, rows * columns)).astype(np.int64))
    blocks = grid[:, :, keep // columns, :, keep % columns]  # NumPy moves the separated advanced index to the front
    return np.asarray((_COSINES @ blocks @ _COSINES.T).transpose(1, 2, 0, 3, 4))


def _near_zero(aligned: NDArray[np.float32], displaced: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(n, 28)``: fraction of near-zero coefficients on each diagonal, and its excess over the displaced grid."""
    inside = (_DIAGONAL.ravel()[:, None] == np.arange(1, 2 * BLOCK - 1)).astype(np.float64)
    fraction, displaced_fraction = (
        (np.abs(coefficients) < NEAR_ZERO).mean(axis=(1, 2)).reshape(len(coefficients), BLOCK * BLOCK)
        @ (inside / inside.sum(axis=0))
        for coefficients in (aligned, displaced)
    )
    return np.concatenate([fraction, fraction - displaced_fraction], axis=1)


def _periodicity(luminance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Agreement of the coefficients with multiples of the steps, ``(n, qualities)``; 0 if no coefficient is large."""
    by_quality = []
    for quality in QUALITIES:
        steps = quantisation_table(quality)
        coarse = (steps >= 2) & (_DIAGONAL > 0)
        coefficients, q = luminance[:, :, coarse], steps[coarse].astype(np.float32)
        large = np.abs(coefficients) > q / 2
        waves = np.where(large, np.cos(np.float32(2 * np.pi) / q * coefficients), 0)
        by_quality.append(waves.sum(axis=(1, 2)) / np.maximum(large.sum(axis=(1, 2)), 1))
    return np.stack(by_quality, axis=1)


def _phases(luminance: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Mean difference between pixels i and i + 1 by i modulo 8, relative to the mean over all i, ``(n, 8)``."""
    steps = np.abs(np.diff(luminance, axis=axis)).mean(axis=3 - axis)
    means = np.stack([steps[:, phase::BLOCK].mean(axis=1) for phase in range(BLOCK)], axis=1)
    return np.asarray((means + _TINY) / (means.mean(axis=1, keepdims=True) + _TINY))


def _colour(ycc: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Log energy ratios of chroma differences: within over between pairs, and over luminance, ``(n, 2)``."""
    # Chroma at half resolution is repeated or interpolated, so that the two pixels of a pair differ less than pairs.
    steps = np.diff(ycc, axis=axis) ** 2
    steps = steps if axis == 2 else steps.transpose(0, 1, 3, 2)
    within, between = (steps[:, :, start::2].mean(axis=(2, 3)) + _TINY for start in (0, 1))
    pairs = np.log(within[:, 1:].sum(axis=1) / between[:, 1:].sum(axis=1))
    colour = np.log(between[:, 1:].sum(axis=1) / between[:, 0])
    return np.stack([pairs, colour], axis=1)
