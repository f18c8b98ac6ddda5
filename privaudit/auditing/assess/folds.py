"""Assignment of the images to folds, in units of images that belong together."""

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
    """Folds and units of the images.

    Attributes:
        folds: Fold of each of the n compared images, ``(n,)``; a unit is in one fold. All 0 if two folds cannot be made
            and none is needed.
        units: Unit of each image, including suspects: one label for all images of a manifest group or a chain of
            near-duplicates, and None for a single image.
        pairs: Positions of near-duplicates among the compared images, ``(pairs, 2)``.
    """

    folds: NDArray[np.int64]
    units: tuple[str | None, ...]
    pairs: NDArray[np.int64]

    @property
    def labels(self) -> NDArray[np.str_] | None:
        """Unit labels of the compared images, ``(n,)``; None if every unit is a single image."""
        return unit_labels(self.units[: len(self.folds)])  # the other images of these units are not compared


def unit_labels(units: Sequence[str | None]) -> NDArray[np.str_] | None:
    """Label images by what was drawn independently.

    Args:
        units: Unit of each image; None for an image of its own.

    Returns:
        One label per image, ``(n,)``; None if each is its own unit, so that nothing is clustered.
    """
    named = [unit for unit in units if unit is not None]
    if len(set(named)) == len(named):
        return None
    return np.array([f"image {i}" if unit is None else f"unit {unit}" for i, unit in enumerate(units)])


def find_units(data: AuditData) -> tuple[tuple[str | None, ...], NDArray[np.int64]]:
    """Find images that belong together: by the group of the manifest, or as near-duplicates.

    Returns:
        The unit of every image, None for an image of its own; and ``(pairs, 2)``, positions of near-duplicates.
    """
    samples = data.samples
    pairs = near_duplicates(
        np.array([sample.perceptual_hash for sample in samples], dtype=np.uint64),
        _thumbnails([sample.thumbnail for sample in samples]),
    )
    ids, groups = [sample.id for sample in samples], [sample.group for sample in samples]
    return units(ids, groups, clusters(pairs, len(samples))), pairs


def split_images(data: AuditData, methods: Methods, options: AuditOptions) -> Split:
    """Find images that belong together, and assign the units to the folds of the cross-fitting.

    Args:
        data: The image sets.
        methods: Attacks and scorers, which decide whether folds are needed.
        options: Options of the audit.

    Returns:
        Folds, units and near-duplicates.

    Raises:
        DataError: There are too few images or groups for a cross-fitted choice, or for a test of the design.
    """
    samples, count, needed = data.samples, len(data.compared), needs_folds(methods, options.drops)
    for name, part in ((data.design.code, data.positives), ("non-members", data.nonmembers)):
        if needed and len(part) < 2:
            lost = [f"{part.duplicates} copies of it were dropped"] if part.duplicates else []
            lost += [f"{len(part.skipped)} files could not be read"] if part.skipped else []
            copies = f" ({', '.join(lost)})" if lost else ""
            raise DataError(
                f"expected at least 2 distinct {name}, so that what is chosen on some images is judged on others, got "
                f"{len(part)}{copies}; add images, or leave nothing to choose: --attack loss:levels=100, one --drop"
            )
    together, pairs = find_units(data)
    data.design.require_enough(data, together)
    folds = assign_folds(
        [sample.id for sample in samples[:count]],
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
