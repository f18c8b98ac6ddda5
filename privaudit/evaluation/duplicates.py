"""Near-duplicates: images that differ by re-saving, resizing, brightness or a small crop.

Pairs are proposed by perceptual hashes and confirmed by thumbnails: plain images (a sky, a wall) have few informative
bits, and hashes of unrelated ones can agree in most. ``benchmarks/near_duplicates.py`` measures how many unrelated
pairs are called near-duplicates and how many edited copies are detected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError

MAX_DISTANCE = 12
"""Default maximum number of the 64 bits in which the hashes of near-duplicates may differ."""
MIN_CORRELATION = 0.9
"""Minimum correlation of the thumbnails of near-duplicates, over fields and colours, each colour centred."""
MAX_CONTRAST_RATIO = 1.3
"""Maximum ratio of the standard deviations of two thumbnails."""
MAX_MEAN_SHIFT = 16.0
"""Maximum difference between the means of a colour, in levels of 256."""

_MAX_HASH_PAIRS = 1 << 22
"""Maximum number of pairs of hashes compared at once (32 MiB)."""
_MAX_THUMBNAIL_PAIRS = 1 << 14
"""Maximum number of pairs of thumbnails compared at once (48 MiB)."""


def near_duplicates(
    fingerprints: ArrayLike, thumbnails: ArrayLike | None = None, distance: int = MAX_DISTANCE
) -> NDArray[np.int64]:
    """Find all pairs of images that look the same.

    The hashes of a pair differ in at most ``distance`` bits. If there are thumbnails, they must also agree up to
    brightness and contrast: a correlation above `MIN_CORRELATION`, standard deviations within a factor of
    `MAX_CONTRAST_RATIO`, means of every colour within `MAX_MEAN_SHIFT`.

    Args:
        fingerprints: ``(n,)``, 64-bit hashes, from `privaudit.data.perceptual_hash`.
        thumbnails: ``(n, 192)``, from `privaudit.data.thumbnail`; None to compare hashes only.
        distance: Maximum number of differing bits, 0 to 64.

    Returns:
        ``(pairs, 2)``, positions of the images with the smaller first, in ascending order.

    Raises:
        DataError: The shapes differ.
    """
    hashes = np.asarray(fingerprints, dtype=np.uint64)
    thumbs = None if thumbnails is None else np.asarray(thumbnails, dtype=np.float64)
    if hashes.ndim != 1 or (
        thumbs is not None and (thumbs.ndim != 2 or len(thumbs) != hashes.size or thumbs.shape[1] % 3)
    ):
        shape = "no" if thumbs is None else thumbs.shape
        raise DataError(
            f"expected one hash per image and one thumbnail of red, green and blue fields, got {hashes.shape} hashes "
            f"and {shape} thumbnails; pass those of the same images"
        )
    confirm = None if thumbs is None else _centre(thumbs)
    rows = max(1, _MAX_HASH_PAIRS // max(1, hashes.size))
    # Blocks of rows against the columns from the block's first row on: the upper triangle.
    parts = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, hashes.size, rows):
        near = np.bitwise_count(hashes[start : start + rows, None] ^ hashes[None, start:]) <= distance
        pairs = np.stack(np.nonzero(np.triu(near, 1)), axis=1) + start
        parts.append(pairs if confirm is None else pairs[confirm.alike(pairs)])
    return np.concatenate(parts)


def clusters(pairs: ArrayLike, count: int) -> NDArray[np.int64]:
    """Label images so that near-duplicates, and their near-duplicates, share a label.

    Args:
        pairs: ``(pairs, 2)``, from `near_duplicates`.
        count: Number of images.

    Returns:
        ``(count,)``, 0, 1, ... in the order in which the labels first appear.
    """
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    edges = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), dtype=np.bool_), (edges[:, 0], edges[:, 1])), shape=(count, count))
    component = connected_components(graph, directed=False)[1] if count else np.empty(0, dtype=np.int64)
    _, first, label = np.unique(component, return_index=True, return_inverse=True)
    # SciPy does not specify the order of its labels: number components by their first image.
    return np.asarray(np.argsort(np.argsort(first))[label], dtype=np.int64)


def units(ids: Sequence[str], groups: Sequence[str | None], labels: ArrayLike) -> tuple[str | None, ...]:
    """Merge the groups of a manifest with clusters of near-duplicates, transitively.

    Two groups with a near-duplicate in common are merged, and an image without a group joins that of its
    near-duplicate.

    Args:
        ids: Ids of the images.
        groups: Group of each image in the manifest; None for an image without one.
        labels: ``(n,)``, from `clusters`.

    Returns:
        One unit name per image, independent of the order of the images: None for an image without group and
        near-duplicates, else the first group of the unit in sorted order, else a name made from the smallest id. Pass
        the names to `privaudit.evaluation.assign_folds` as groups, so that a unit stays in one fold.

    Raises:
        DataError: The lengths differ.
    """
    cluster = np.asarray(labels, dtype=np.int64)
    if not len(ids) == len(groups) == cluster.size:
        raise DataError(
            f"expected one id, group and cluster per image, got {len(ids)} ids, {len(groups)} groups and "
            f"{cluster.size} clusters; pass those of the same images"
        )
    # Connect each image with the first image of its group and with that of its cluster.
    first: dict[str | int, int] = {}
    keys = [(i, key) for i, pair in enumerate(zip(groups, cluster.tolist(), strict=True)) for key in pair]
    joined = clusters([(first.setdefault(key, i), i) for i, key in keys if key is not None], len(ids))
    members: dict[int, list[int]] = {}
    for i, unit in enumerate(joined.tolist()):
        members.setdefault(unit, []).append(i)
    names: dict[int, str | None] = {}
    for unit, positions in members.items():
        named = sorted(group for group in (groups[i] for i in positions) if group is not None)
        alone = None if len(positions) == 1 else f"pictures that look like {min(ids[i] for i in positions)}"
        names[unit] = named[0] if named else alone
    return tuple(names[unit] for unit in joined.tolist())


@dataclass(frozen=True)
class _Thumbnails:
    means: NDArray[np.float64]  # (n, 3), mean of each colour
    centred: NDArray[np.float64]  # (n, fields * 3), minus the mean of the colour
    contrast: NDArray[np.float64]  # (n,), root mean square of centred

    def alike(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        parts = [
            self._alike(*pairs[start : start + _MAX_THUMBNAIL_PAIRS].T)
            for start in range(0, len(pairs), _MAX_THUMBNAIL_PAIRS)
        ]
        return np.concatenate([np.empty(0, dtype=np.bool_), *parts])

    def _alike(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        low = np.minimum(self.contrast[a], self.contrast[b])
        high = np.maximum(self.contrast[a], self.contrast[b])
        covariance = np.einsum("pf,pf->p", self.centred[a], self.centred[b]) / self.centred.shape[1]
        # Two images of a single colour each have no contrast to compare: then the means alone decide.
        correlated = (covariance > MIN_CORRELATION * low * high) | (high == 0)
        shift = np.abs(self.means[a] - self.means[b]).max(axis=1)
        return np.asarray(correlated & (high <= MAX_CONTRAST_RATIO * low) & (shift <= MAX_MEAN_SHIFT))


def _centre(thumbnails: NDArray[np.float64]) -> _Thumbnails:
    fields = thumbnails.reshape(len(thumbnails), -1, 3)
    means = fields.mean(axis=1)
    centred = (fields - means[:, None]).reshape(len(fields), -1)
    return _Thumbnails(means, centred, np.sqrt((centred**2).mean(axis=1)))
