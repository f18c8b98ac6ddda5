"""Members, held-out and auxiliary images with the same mix of sources in each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from privaudit.data import Sample
from privaudit.errors import DataError


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of images.

    Attributes:
        members: Images that train the denoiser.
        heldout: Images that train nothing.
        auxiliary: Images that train the autoencoder, so that its geometry cannot carry membership.
    """

    members: tuple[Sample, ...]
    heldout: tuple[Sample, ...]
    auxiliary: tuple[Sample, ...]


def split_samples(samples: Sequence[Sample], members: int, heldout: int, seed: int) -> Split:
    """Split images into three sets that hold every folder in the same proportion.

    Images are shuffled within their folder by a hash of (seed, id) and then ordered by their relative rank in it, so
    that any prefix holds every folder in proportion. The order of ``samples`` is irrelevant.

    Returns:
        The three sets.

    Raises:
        DataError: There are not enough images for all three.
    """
    if len(samples) <= members + heldout:
        raise DataError(
            f"expected more than {members} members + {heldout} held-out images, so that some remain to train "
            f"the autoencoder, got {len(samples)}; add images or lower --members and --heldout"
        )
    shuffled = sorted(samples, key=lambda sample: _hash(seed, sample.id))
    sizes = Counter(sample.path.parent for sample in shuffled)
    counts: Counter[object] = Counter()
    ranked = []
    for sample in shuffled:
        source = sample.path.parent
        # Relative rank within the folder, in (0, 1); equal ranks of two folders are ordered by the hash.
        ranked.append(((counts[source] + 0.5) / sizes[source], _hash(seed, sample.id), sample))
        counts[source] += 1
    mixed = [sample for _, _, sample in sorted(ranked, key=lambda item: item[:2])]
    return Split(tuple(mixed[:members]), tuple(mixed[members : members + heldout]), tuple(mixed[members + heldout :]))


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
