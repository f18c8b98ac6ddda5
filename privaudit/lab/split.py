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
        members: Train the denoiser.
        heldout: Train nothing.
        auxiliary: Train the autoencoder, so that its geometry cannot carry membership.
    """

    members: tuple[Sample, ...]
    heldout: tuple[Sample, ...]
    auxiliary: tuple[Sample, ...]


def split_samples(samples: Sequence[Sample], members: int, heldout: int, seed: int) -> Split:
    """Deal images into three sets, each with the same share of every folder.

    Images are shuffled within their folder by a hash of (seed, id) and then dealt in the order of their
    relative rank, so any prefix holds every folder in proportion. The order of ``samples`` is irrelevant.

    Returns:
        The three sets.

    Raises:
        DataError: There are not enough images for all three.
    """
    if len(samples) <= members + heldout:
        raise DataError(
            f"expected more than {members} members + {heldout} held-out images, so that some are left to train "
            f"the autoencoder, got {len(samples)}; add images or lower --members and --heldout"
        )
    shuffled = sorted(samples, key=lambda sample: _hash(seed, sample.id))
    sizes = Counter(sample.path.parent for sample in shuffled)
    seen: Counter[object] = Counter()
    ranked = []
    for sample in shuffled:
        source = sample.path.parent
        ranked.append(((seen[source] + 0.5) / sizes[source], _hash(seed, sample.id), sample))
        seen[source] += 1
    dealt = [sample for _, _, sample in sorted(ranked, key=lambda item: item[:2])]
    return Split(tuple(dealt[:members]), tuple(dealt[members : members + heldout]), tuple(dealt[members + heldout :]))


def _hash(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
