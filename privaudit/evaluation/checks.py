"""Checks on the images that decide whether the metrics mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from privaudit.evaluation.metrics import FEW_FALSE_POSITIVES, Evaluation, bound, compare
from privaudit.evaluation.verdict import Check


def blind_check(evaluation: Evaluation, blind: str, attacks: Sequence[str]) -> Check:
    """Whether a classifier that never saw the target tells members from non-members.

    It does if its AUROC interval, that of an out-of-fold score (`privaudit.evaluation.metrics.widened`), lies above .5.

    Args:
        evaluation: Holds the blind score, among its ``learned`` ones, and the attacks' scores.
        blind: Name of the blind score.
        attacks: Names of the scores that the verdict rests on.

    Returns:
        ``ok`` if the interval includes .5 or lies below; ``warn`` if it lies above but an attack has a larger AUROC in
        the paired test (Bonferroni over the attacks), or if there are too few images; else ``fail``.
    """
    name, alpha = "blind baseline", 1.0 - evaluation.confidence
    value = evaluation.metrics[blind].auroc.value
    lower = bound(evaluation, blind, "auroc", None, alpha / 2.0)
    if np.isnan(lower):
        return Check(name, "warn", f"not measured: {evaluation.metrics[blind].auroc.reason}")
    seen = f"without the model, image statistics alone reach an AUROC of {value:.3f} (at least {lower:.3f})"
    if lower <= 0.5:
        return Check(name, "ok", f"image statistics alone do not tell the sets apart (AUROC {value:.3f})")
    for attack in attacks:
        gain = compare(evaluation, attack, blind).auroc_delta
        if gain.value > 0.0 and gain.p <= alpha / len(attacks):
            return Check(
                name,
                "warn",
                f"{seen}: the two sets differ; {attack} exceeds that by {gain.value:.3f} "
                f"[{gain.lo:.3f}, {gain.hi:.3f}], so part of its success is not explained",
            )
    return Check(
        name,
        "fail",
        f"{seen}, and no attack does better: the two sets differ, whatever was trained on; take "
        "members and non-members from one source",
    )


def sample_size_check(members: int, nonmembers: int, fprs: Sequence[float] = (0.01, 0.001)) -> Check:
    """Whether there are enough images for what is reported.

    Args:
        members: How many.
        nonmembers: How many.
        fprs: Targets for the true-positive rate.

    Returns:
        ``fail`` below 2 images in a set; ``warn`` if a target has fewer than ten expected false positives.
    """
    name = "sample size"
    if min(members, nonmembers) < 2:
        return Check(name, "fail", f"expected at least 2 members and 2 non-members, got {members} and {nonmembers}")
    notes = []
    for fpr in fprs:
        expected = fpr * nonmembers
        if expected < FEW_FALSE_POSITIVES - 1e-9:
            seen = f"rests on {expected:.3g} expected false positives" if expected >= 1 - 1e-9 else "is not reported"
            wanted = int(np.ceil(FEW_FALSE_POSITIVES / fpr - 1e-9)) if fpr else "infinitely many"
            notes.append(f"TPR at {100 * fpr:g} % FPR {seen}, {wanted} non-members would give {FEW_FALSE_POSITIVES}")
    detail = f"{members} members and {nonmembers} non-members"
    return Check(name, "warn" if notes else "ok", "; ".join([detail, *notes]))
