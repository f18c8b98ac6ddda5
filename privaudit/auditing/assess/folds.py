"""Which images belong together, and which fold each is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privaudit.auditing.assess.attack_scores import needs_folds
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions
from privaudit.errors import DataError
from privaudit.evaluation import assign_folds
from privaudit.evaluation.duplicates import clusters, near_duplicates, units
from privaudit.scorers import Methods


@dataclass(frozen=True)
class Split:
    """How the images are assigned to folds.

    Attributes:
        folds: ``(n,)``, of the n compared images, what belongs together kept together; all 0 where two folds cannot be
            made and none is needed.
        units: One label for each of all images, the same for those of one manifest group or of a chain of
            near-duplicates; None for an image of its own.
        pairs: ``(pairs, 2)``, positions of near-duplicates among the compared images.
    """

    folds: NDArray[np.int64]
    units: tuple[str | None, ...]
    pairs: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.str_] | None:
        """A label for every compared image, ``(n,)``; None if each is of its own, so that nothing is clustered."""
        units = self.units[: len(self.folds)]
        named = [unit for unit in units if unit is not None]
        if len(set(named)) == len(named):
            return None
        return np.array([f"image {i}" if unit is None else f"unit {unit}" for i, unit in enumerate(units)])


def split_images(data: AuditData, methods: Methods, options: AuditOptions) -> Split:
    """Find what belongs together and assign it to the folds of the cross-fitting.

    Returns:
        The split.

    Raises:
        DataError: There are too few images, or too few groups, for what has to be chosen or for a test of the design.
    """
    samples, count, needed = data.samples, len(data.compared), needs_folds(methods, options.drops)
    for name, part in ((data.design.code, data.positives), ("non-members", data.nonmembers)):
        if needed and len(part) < 2:
            lost = [f"{part.duplicates} copies of it were dropped"] if part.duplicates else []
            lost += [f"{len(part.skipped)} files could not be read"] if part.skipped else []
            copies = f" ({', '.join(lost)})" if lost else ""
            raise DataError(
                f"expected at least 2 distinct {name}, so that what is chosen on some is judged on others, got "
                f"{len(part)}{copies}; add images, or leave nothing to choose: --attack loss:levels=100, one --drop"
            )
    ids = [sample.id for sample in samples]
    pairs = near_duplicates(
        np.array([sample.perceptual_hash for sample in samples], dtype=np.uint64),
        _thumbnails([sample.thumbnail for sample in samples]),
    )
    together = units(ids, [sample.group for sample in samples], clusters(pairs, len(samples)))
    data.design.require_enough(data, together)
    folds = assign_folds(
        ids[:count],
        data.is_positive,
        together[:count],
        folds=options.folds,
        seed=options.seed,
        needed=needed,
        first=data.design.code,
    )
    return Split(folds, together, pairs[(pairs < count).all(axis=1)])


def _thumbnails(thumbnails: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.stack([np.frombuffer(thumbnail, dtype=np.uint8) for thumbnail in thumbnails])
