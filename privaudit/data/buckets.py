"""Stand-in for the buckets of h-pixels (theirs is taken at merge)."""

from __future__ import annotations


def bucket_size(
    original: tuple[int, int], base: tuple[int, int], step: int, max_side: int | None = None
) -> tuple[int, int]:
    """Choose a bucket."""
    longest, area = max_side or max(base), base[0] * base[1]
    wide = {(min(longest, area // w // step * step), w) for w in range(step, longest + 1, step)}
    sizes = sorted(
        (size for h, w in wide if h >= max(step, min(base) // 2) for size in ((h, w), (w, h))), key=lambda s: s[::-1]
    )
    return min(sizes, key=lambda s: abs(s[1] / s[0] - original[1] / original[0]))
