"""Metrics by group of images, such as one artist's: which groups' members are most exposed.

The members of a group are compared with the non-members of the same group, so that differences between groups do not
count as membership. If a group has fewer than two non-members, its members are compared with the non-members of all
groups; a high AUROC may then also mean that the group differs from the others.
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

TOO_FEW_MEMBERS = Estimate(float("nan"), float("nan"), float("nan"), fact("single_member_in_group"))


def by_group(
    names: Sequence[str | None],
    scores: ArrayLike,
    is_member: ArrayLike,
    *,
    fpr: float = 0.01,
    confidence: float = 0.95,
) -> tuple[GroupStratum, ...]:
    """Measure each group that has members.

    The images of a group are regarded as independent draws from it: intervals hold for further images of this group,
    not for further groups.

    Args:
        names: ``(n,)``, group of each image, None for an image without one; non-members without a group serve in
            comparisons with all non-members only.
        scores: ``(n,)``, higher = more likely a member.
        is_member: ``(n,)``.
        fpr: Target false-positive rate of the true-positive rate.
        confidence: Confidence level of the intervals.

    Returns:
        One stratum per group, sorted by name; NaN with a reason for a group with fewer than two members.

    Raises:
        DataError: The number of names differs from the number of images.
    """
    check_confidence(confidence)
    values, member = checked(scores, is_member)
    labels = np.array(list(names), dtype=object)
    if labels.shape != member.shape:
        raise DataError(
            f"expected one group per image, got {labels.size} for {member.size} images; pass None for images without "
            "a group"
        )
    strata = []
    for name in sorted({label for label in labels[member] if label is not None}):
        inside: NDArray[np.bool_] = labels == name
        has_nonmembers = int((inside & ~member).sum()) > 1
        part = inside if has_nonmembers else (inside & member) | ~member
        curve = count(values[part], member[part])
        rate = rate_estimate(curve, fpr, confidence)
        too_few = curve.members < 2  # the AUROC would disclose the rank of a single image
        strata.append(
            GroupStratum(
                name=name,
                members=curve.members,
                nonmembers=curve.nonmembers,
                against="group" if has_nonmembers else "all",
                auroc=TOO_FEW_MEMBERS if too_few else auroc_estimate(values[part], member[part], confidence),
                tpr=None if too_few or np.isnan(rate.value) else rate,
            )
        )
    return tuple(strata)
