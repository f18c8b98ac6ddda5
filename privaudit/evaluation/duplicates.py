"""Near-duplicates: pictures that differ by re-saving, resizing, brightness or a small crop.

Perceptual hashes propose pairs, thumbnails confirm them: plain pictures (a sky, a wall) have few bits that mean
anything, and unrelated ones can agree in most. ``benchmarks/near_duplicates.py`` measures how many unrelated pairs are
called near-duplicates and how many edited copies are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError

DISTANCE = 12
"""Bits of 64 in which the hashes of near-duplicates may differ."""
LEAST_CORRELATION = 0.9
"""Of two thumbnails, over fields and colours, each colour taken from its mean."""
MOST_CONTRAST = 1.3
"""Ratio of the standard deviations of two thumbnails."""
MOST_SHIFT = 16.0
"""Difference of the mean of a colour, in steps of 256."""

_CHUNK = 1 << 22
"""Pairs of hashes compared at once (32 MiB)."""
_PAIRS = 1 << 14
"""Pairs of thumbnails compared at once (48 MiB)."""


def near_duplicates(
    fingerprints: ArrayLike, thumbnails: ArrayLike | None = None, distance: int = DISTANCE
) -> NDArray[np.int64]:
    """Find all pairs of pictures that look the same.

    A pair is one of hashes that differ in at most ``distance`` bits and, if there are thumbnails, of thumbnails that
    agree up to brightness and contrast: a correlation above `LEAST_CORRELATION`, standard deviations within a factor
    of `MOST_CONTRAST`, means of every colour within `MOST_SHIFT`.

    Args:
        fingerprints: ``(n,)``, 64-bit hashes, from `privaudit.data.perceptual_hash`.
        thumbnails: ``(n, 192)``, from `privaudit.data.thumbnail`; None to go by the hashes alone.
        distance: Bits, 0 to 64.

    Returns:
        ``(pairs, 2)``, positions with the smaller first, in ascending order.

    Raises:
        DataError: The shapes differ.
    """
    hashes = np.asarray(fingerprints, dtype=np.uint64)
    small = None if thumbnails is None else np.asarray(thumbnails, dtype=np.float64)
    if hashes.ndim != 1 or (small is not None and (small.ndim != 2 or len(small) != hashes.size or small.shape[1] % 3)):
        found = "none" if small is None else small.shape
        raise DataError(
            f"expected one hash and one thumbnail of red, green and blue fields an image, got {hashes.shape} hashes "
            f"and {found} thumbnails; pass those of the same images"
        )
    confirm = None if small is None else _centre(small)
    rows = max(1, _CHUNK // max(1, hashes.size))
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
    found = connected_components(graph, directed=False)[1] if count else np.empty(0, dtype=np.int64)
    _, first, label = np.unique(found, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[label], dtype=np.int64)


def units(ids: Sequence[str], groups: Sequence[str | None], labels: ArrayLike) -> tuple[str | None, ...]:
    """Merge the groups of a manifest with clusters of near-duplicates, transitively.

    An image that looks like one of a group belongs to that group, and joins its own group to it.

    Args:
        ids: Ids of the images.
        groups: From the manifest; None for an image without one.
        labels: ``(n,)``, from `clusters`.

    Returns:
        One name an image, which depends on ids and groups and not on the order of the images: None for an image of
        its own, the first group of the unit if it has one, else one made of the smallest id. Images of one name must
        not be parted: pass the names to `privaudit.evaluation.assign_folds` as groups.

    Raises:
        DataError: The lengths differ.
    """
    cluster = np.asarray(labels, dtype=np.int64)
    if not len(ids) == len(groups) == cluster.size:
        raise DataError(
            f"expected one id, group and cluster an image, got {len(ids)} ids, {len(groups)} groups and "
            f"{cluster.size} clusters; pass those of the same images"
        )
    first: dict[str | int, int] = {}  # of each group and cluster, its first image
    keys = [(i, key) for i, pair in enumerate(zip(groups, cluster.tolist(), strict=True)) for key in pair]
    joined = clusters([(first.setdefault(key, i), i) for i, key in keys if key is not None], len(ids))
    members: dict[int, list[int]] = {}
    for i, unit in enumerate(joined.tolist()):
        members.setdefault(unit, []).append(i)
    names: dict[int, str | None] = {}
    for unit, own in members.items():
        named = sorted(group for group in (groups[i] for i in own) if group is not None)
        alone = None if len(own) == 1 else f"pictures that look like {min(ids[i] for i in own)}"
        names[unit] = named[0] if named else alone
    return tuple(names[unit] for unit in joined.tolist())


@dataclass(frozen=True)
class _Thumbnails:
    means: NDArray[np.float64]  # (n, 3), of each colour
    centred: NDArray[np.float64]  # (n, fields * 3), each colour taken from its mean
    spread: NDArray[np.float64]  # (n,), root mean square of that

    def alike(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        parts = [self._alike(*pairs[start : start + _PAIRS].T) for start in range(0, len(pairs), _PAIRS)]
        return np.concatenate([np.empty(0, dtype=np.bool_), *parts])

    def _alike(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        low, high = np.minimum(self.spread[a], self.spread[b]), np.maximum(self.spread[a], self.spread[b])
        product = np.einsum("pf,pf->p", self.centred[a], self.centred[b]) / self.centred.shape[1]
        # Two pictures of one colour each have no contrast to compare: then the means alone decide.
        shape = (product > LEAST_CORRELATION * low * high) | (high == 0)
        shift = np.abs(self.means[a] - self.means[b]).max(axis=1)
        return np.asarray(shape & (high <= MOST_CONTRAST * low) & (shift <= MOST_SHIFT))


def _centre(thumbnails: NDArray[np.float64]) -> _Thumbnails:
    fields = thumbnails.reshape(len(thumbnails), -1, 3)
    means = fields.mean(axis=1)
    centred = (fields - means[:, None]).reshape(len(fields), -1)
    return _Thumbnails(means, centred, np.sqrt((centred**2).mean(axis=1)))
