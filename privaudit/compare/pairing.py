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
"""Minimum fraction of either run's members, and of its non-members, that both runs share in a paired comparison. It
leaves all other images out; an unpaired one takes all of them but cannot see that some were scored alike."""


@dataclass(frozen=True)
class Shared:
    """The images that both runs scored.

    Attributes:
        old: ``(n,)``, their rows in the old run.
        new: ``(n,)``, their rows in the new run.
        ids: Ids of the images.
        is_member: ``(n,)``.
        units: ``(n,)``, labels of images that were drawn together in either run; None if each is of its own.
        complete: Whether these are all images of both runs.
    """

    old: NDArray[np.intp]
    new: NDArray[np.intp]
    ids: tuple[str, ...]
    is_member: NDArray[np.bool_]
    units: NDArray[np.str_] | None
    complete: bool


def match(old: Run, new: Run) -> tuple[Pairing, Shared | None]:
    """Find the images that both runs scored."""
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
    if _enough(old.images, new.images, positives, nonmembers):
        return pairing, shared
    few = fact("too_few_shared", positives=positives, nonmembers=nonmembers)
    return replace(pairing, paired=False, facts=(few,)), None


def _enough(old: Images, new: Images, members: int, nonmembers: int) -> bool:
    sizes = [(int(run.is_member.sum()), int((~run.is_member).sum())) for run in (old, new)]
    return min(members, nonmembers) >= 2 and all(
        members >= MIN_SHARED * first and nonmembers >= MIN_SHARED * second for first, second in sizes
    )


def _shared(old: Images, new: Images) -> tuple[Shared, int]:
    """The images of one id and set, and how many of one id are in different sets."""
    ids, rows, others = np.intersect1d(np.array(old.ids), np.array(new.ids), return_indices=True)
    same = old.is_member[rows] == new.is_member[others]
    rows, others = rows[same], others[same]
    kept = tuple(map(str, ids[same]))
    return Shared(
        old=rows,
        new=others,
        ids=kept,
        is_member=old.is_member[rows],
        units=_units(kept, [old.units[row] for row in rows], [new.units[row] for row in others]),
        complete=len(kept) == len(old.ids) == len(new.ids),
    ), int((~same).sum())


def _units(ids: tuple[str, ...], old: list[str | None], new: list[str | None]) -> NDArray[np.str_] | None:
    """Labels of what belongs together in either run, joined transitively."""
    numbers: dict[str, int] = {}
    alone = iter(range(len(ids), 2 * len(ids)))
    labels = [next(alone) if unit is None else numbers.setdefault(unit, len(numbers)) for unit in old]
    joined = units(ids, new, labels)
    named = [unit for unit in joined if unit is not None]
    if len(set(named)) == len(named):
        return None
    return np.array([f"image {key}" if unit is None else f"unit {unit}" for key, unit in zip(ids, joined, strict=True)])
