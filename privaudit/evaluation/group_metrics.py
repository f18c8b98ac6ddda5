"""Whose images are most exposed: the metrics of each group's members.

A group that has non-members of its own is measured within itself, so that what sets the group apart from the others
does not count as membership. A group of members only is measured against the non-members of all groups: what is then
found may also be that the group is different, which no number here can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError
from privaudit.evaluation.delong import auroc_estimate
from privaudit.evaluation.estimate import Estimate, GroupStratum
from privaudit.evaluation.facts import fact
from privaudit.evaluation.intervals import check_confidence
from privaudit.evaluation.rate import rate_estimate
from privaudit.evaluation.roc import checked, count

ALONE = Estimate(float("nan"), float("nan"), float("nan"), fact("single_member_in_group"))


def by_group(
    names: Sequence[str | None],
    scores: ArrayLike,
    is_member: ArrayLike,
    *,
    fpr: float = 0.01,
    confidence: float = 0.95,
) -> tuple[GroupStratum, ...]:
    """Measure each group that has members.

    The images of a group are taken to be independent draws from it: intervals speak for further images of this group,
    and not for further groups.

    Args:
        names: ``(n,)``, the group of each image; None: left out, except as a non-member that others are measured
            against.
        scores: ``(n,)``, higher = member.
        is_member: ``(n,)``.
        fpr: Target for the true-positive rate.
        confidence: Confidence level of the intervals.

    Returns:
        One stratum a group, by name; NaN with a reason where a group has fewer than two members.

    Raises:
        DataError: There is not one name an image.
    """
    check_confidence(confidence)
    values, member = checked(scores, is_member)
    labels = np.array(list(names), dtype=object)
    if labels.shape != member.shape:
        raise DataError(
            f"expected one group an image, got {labels.size} for {member.size} images; name the group of every image, "
            "None for one without"
        )
    found = []
    for name in sorted({label for label in labels[member] if label is not None}):
        inside: NDArray[np.bool_] = labels == name
        own = int((inside & ~member).sum()) > 1
        part = inside if own else (inside & member) | ~member
        curve = count(values[part], member[part])
        rate = rate_estimate(curve, fpr, confidence)
        alone = curve.members < 2  # its AUROC would be the rank of that image
        found.append(
            GroupStratum(
                name=name,
                members=curve.members,
                nonmembers=curve.nonmembers,
                against="group" if own else "all",
                auroc=ALONE if alone else auroc_estimate(values[part], member[part], confidence),
                tpr=None if alone or np.isnan(rate.value) else rate,
            )
        )
    return tuple(found)
