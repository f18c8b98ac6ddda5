"""Images that both runs scored, matched by id and set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privaudit.compare.comparison import Pairing
from privaudit.compare.saved_runs import Images, Run
from privaudit.evaluation.duplicates import units
from privaudit.evaluation.facts import fact

MIN_SHARED = 0.5
"""Minimum fraction of either run's members, and of its non-members, that both runs must share for a paired comparison.

A paired comparison leaves all other images out. An unpaired one uses them, but ignores the correlation between the
scores of shared images."""


@dataclass(frozen=True)
class Shared:
    """The images that both runs scored.

    Attributes:
        old: ``(n,)``, rows of the images in the old run.
        new: ``(n,)``, rows of the images in the new run.
        ids: Ids of the images.
        is_member: ``(n,)``, whether an image is a positive.
        units: ``(n,)``, labels shared by images that were drawn together in either run; None if all images are
            independent.
        complete: Whether these are all images of both runs.
    """

    old: NDArray[np.intp]
    new: NDArray[np.intp]
    ids: tuple[str, ...]
    is_member: NDArray[np.bool_]
    units: NDArray[np.str_] | None
    complete: bool


def match_images(old: Run, new: Run) -> tuple[Pairing, Shared | None]:
    """Find the images that both runs scored.

    Returns:
        Counts and facts for the report; the shared images, or None if the comparison cannot be paired.
    """
    if old.images is None or new.images is None:
        facts = [fact("scores_missing", run=name) for name, run in (("OLD", old), ("NEW", new)) if run.images is None]
        if old.result.data.split_hash == new.result.data.split_hash:
            facts.append(fact("same_images_unpaired"))
        return Pairing(False, tuple(facts), 0, 0, 0, 0, 0), None
    shared, moved = _shared(old.images, new.images)
    positives, nonmembers = int(shared.is_member.sum()), int((~shared.is_member).sum())
    paired = fact("paired", positives=positives, nonmembers=nonmembers)
    pairing = Pairing(
        paired=True,
        facts=(paired,) if shared.complete else (paired, fact("others_left_out")),
        positives=positives,
        nonmembers=nonmembers,
        old_only=len(old.images.ids) - len(shared.ids) - moved,
        new_only=len(new.images.ids) - len(shared.ids) - moved,
        moved=moved,
    )
    if _is_enough(old.images, new.images, positives, nonmembers):
        return pairing, shared
    too_few = fact("too_few_shared", positives=positives, nonmembers=nonmembers)
    return replace(pairing, paired=False, facts=(too_few,)), None


def _is_enough(old: Images, new: Images, members: int, nonmembers: int) -> bool:
    sizes = [(int(run.is_member.sum()), int((~run.is_member).sum())) for run in (old, new)]
    return min(members, nonmembers) >= 2 and all(
        members >= MIN_SHARED * first and nonmembers >= MIN_SHARED * second for first, second in sizes
    )


def _shared(old: Images, new: Images) -> tuple[Shared, int]:
    """The images with the same id and set in both runs, and the number of ids that are in different sets."""
    ids, old_rows, new_rows = np.intersect1d(np.array(old.ids), np.array(new.ids), return_indices=True)
    same_set = old.is_member[old_rows] == new.is_member[new_rows]
    old_rows, new_rows = old_rows[same_set], new_rows[same_set]
    shared_ids = tuple(map(str, ids[same_set]))
    return Shared(
        old=old_rows,
        new=new_rows,
        ids=shared_ids,
        is_member=old.is_member[old_rows],
        units=_units(shared_ids, [old.units[row] for row in old_rows], [new.units[row] for row in new_rows]),
        complete=len(shared_ids) == len(old.ids) == len(new.ids),
    ), int((~same_set).sum())


def _units(ids: tuple[str, ...], old: list[str | None], new: list[str | None]) -> NDArray[np.str_] | None:
    """Labels of images that belong together in either run, joined transitively; None if all are independent."""
    # The units of the old run as cluster labels: numbers from 0, those of images by themselves from len(ids).
    numbers: dict[str, int] = {}
    single_labels = iter(range(len(ids), 2 * len(ids)))
    labels = [next(single_labels) if unit is None else numbers.setdefault(unit, len(numbers)) for unit in old]
    joined = units(ids, new, labels)
    # A unit may have lost all but one of its images; if every unit has, all shared images are independent.
    named = [unit for unit in joined if unit is not None]
    if len(set(named)) == len(named):
        return None
    # The prefixes keep an image id from being taken for the name of a unit.
    return np.array([f"image {key}" if unit is None else f"unit {unit}" for key, unit in zip(ids, joined, strict=True)])
