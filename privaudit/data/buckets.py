"""Aspect-ratio buckets: the sizes to which images of different shapes are resized, and the one for each image.

As in sd-scripts of kohya-ss (``library/model_util.py``, ``make_bucket_resolutions``, and ``library/train_util.py``,
``BucketManager.select_bucket``, commit 48d368f, Apache-2.0), where images may be enlarged, with its default sides of
256 to 1024 pixels. Other trainers choose other sizes for the same image.
Differs from it: sides of a base below 256 or above 1024 pixels, which it refuses, have limits of their own.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

from privaudit.errors import DataError

MIN_SIDE = 256
MAX_SIDE = 1024


@lru_cache(maxsize=64)
def bucket_sizes(base: tuple[int, int], step: int, max_side: int | None = None) -> tuple[tuple[int, int], ...]:
    """List the buckets of a base size.

    With an area A of the base: the largest square of at most A, and for every width w from the minimum to the maximum
    side the largest height h with w h <= A, each also turned by 90 degrees. All sides are multiples of the step.

    Args:
        base: Height and width of the size for which the model is trained.
        step: Step of the sides in pixels, >= 1.
        max_side: Longest side; by default 1024, at least the longer side of the base, and that one for a base below 256
            pixels.

    Returns:
        (height, width) of each bucket, in ascending order of width, then height.

    Raises:
        DataError: The step is larger than the base.
    """
    area = base[0] * base[1]
    square = isqrt(area) // step * step
    if not square:
        raise DataError(f"expected a bucket step of at most {isqrt(area)} pixels, got {step}; use a smaller one")
    smallest, largest = _sides(base, step, max_side)
    sizes = {(square, square)}
    for width in range(smallest, largest + 1, step):
        height = min(largest, area // width // step * step)
        if height >= smallest:
            sizes |= {(height, width), (width, height)}
    return tuple(sorted(sizes, key=lambda size: size[::-1]))


def _sides(base: tuple[int, int], step: int, max_side: int | None) -> tuple[int, int]:
    """Shortest side, rounded down to a multiple of the step, and longest side, rounded up."""
    small = min(base) < MIN_SIDE
    shortest = min(base) // 2 if small else MIN_SIDE
    longest = max_side or max(base if small else (*base, MAX_SIDE))
    return max(step, shortest // step * step), -(-longest // step) * step


def bucket_size(
    original: tuple[int, int], base: tuple[int, int], step: int, max_side: int | None = None
) -> tuple[int, int]:
    """Choose the bucket of an image: its own size if that is one, else the one with the nearest ratio of the sides.

    The distance is ``|w / h - W / H|``; the first of the nearest in the order of `bucket_sizes` is taken.

    Args:
        original: Height H and width W of the image.
        base: Height and width of the size for which the model is trained.
        step: Step of the sides in pixels.
        max_side: Longest side (see `bucket_sizes`).

    Returns:
        Height h and width w.

    Raises:
        DataError: The step is larger than the base.
    """
    sizes = bucket_sizes(base, step, max_side)
    if original in sizes:
        return original
    ratio = original[1] / original[0]
    return min(sizes, key=lambda size: abs(size[1] / size[0] - ratio))
