"""Checks that decide whether the metrics mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from privaudit.evaluation.asymmetry import file_check
from privaudit.evaluation.blind.families import FAMILIES
from privaudit.evaluation.intervals import auroc_limit
from privaudit.evaluation.metrics import Evaluation, bound, compare, inflated_alpha
from privaudit.evaluation.rate import FEW_FALSE_POSITIVES
from privaudit.evaluation.roc import consistent
from privaudit.evaluation.verdict import Check

__all__ = ["blind_check", "consistency_check", "duplicate_check", "file_check", "sample_size_check"]


TELLING = 0.65
"""AUROC of a blind classifier that would matter: an interval beyond it says nothing."""


def blind_check(evaluation: Evaluation, names: Sequence[str], attacks: Sequence[str], first: str = "members") -> Check:
    """Whether classifiers that never saw the target tell members from non-members.

    A family does if the lower limit of its AUROC, that of an out-of-fold score (see `inflated_alpha`) and corrected for
    the number of families, lies above .5.

    Args:
        evaluation: Holds the blind scores, among its ``learned`` ones, and the attacks' scores.
        names: Names of the blind scores; what follows the last "/" is the family, one of `FAMILIES`.
        attacks: Names of the scores that the verdict rests on.
        first: What the members are called.

    Returns:
        ``ok`` if no family does and no interval goes beyond `TELLING`; ``warn`` if one does but an attack has a larger
        AUROC than the strongest in the paired test (Bonferroni over the attacks), or if there are too few images; else
        ``fail``. Of so few images that even an AUROC of 1 has no limit above .5, the rank test decides.
    """
    check, alpha = "blind baseline", 1.0 - evaluation.confidence
    blind = [names] if isinstance(names, str) else list(names)  # one name is a sequence of letters
    if not blind:
        return Check(check, "ok", "images, files and captions are the same for all images")
    level = alpha / 2.0 / len(blind)
    lower = {name: bound(evaluation, name, "auroc", None, level) for name in blind}
    best = max(blind, key=lambda name: evaluation.metrics[name].auroc.value)
    value = evaluation.metrics[best].auroc.value
    if all(np.isnan(limit) for limit in lower.values()):
        return Check(check, "warn", f"not measured: {evaluation.metrics[best].auroc.reason}")
    told = [name for name in blind if lower[name] > 0.5]  # a family without a limit found nothing to go by
    few = auroc_limit(1.0, 0.0, evaluation.areas.pairs, inflated_alpha(level, evaluation.folds), "lower") <= 0.5
    if few:
        told = [name for name in blind if evaluation.p_above_chance[name] <= level]
    if not told:
        families = _listed([_family(name) for name in blind])
        if few and value > 0.5:
            detail = f"too few images to say whether {families} tell the sets apart (largest AUROC {value:.3f})"
            return Check(check, "warn", detail)
        area = max((evaluation.metrics[name].auroc for name in blind), key=lambda found: found.hi)
        if area.hi > TELLING:
            detail = (
                f"too few images to rule out that {families} tell the sets apart (AUROC up to {area.hi:.3f} agrees "
                f"with these images, the largest measured is {value:.3f})"
            )
            return Check(check, "warn", detail)
        range_ = f"largest AUROC {value:.3f}, intervals up to {area.hi:.3f}"
        return Check(check, "ok", f"{families} do not tell the sets apart ({range_})")
    told.sort(key=lambda name: evaluation.metrics[name].auroc.value, reverse=True)
    shown = {
        name: f"p = {evaluation.p_above_chance[name]:.2g}" if few else f"at least {lower[name]:.3f}" for name in told
    }
    strongest, *others = (f"{evaluation.metrics[name].auroc.value:.3f} ({shown[name]})" for name in told)
    seen = f"without the model, {_family(told[0])} alone reach an AUROC of {strongest}"
    for name, reached in zip(told[1:], others, strict=True):
        seen += f", {_family(name)} {reached}"
    for attack in attacks:
        gain = compare(evaluation, attack, best).auroc_delta
        if gain.value > 0.0 and gain.p <= alpha / len(attacks):
            return Check(
                check,
                "warn",
                f"{seen}: the two sets differ; {attack} exceeds the largest by {gain.value:.3f} "
                f"[{gain.lo:.3f}, {gain.hi:.3f}], so part of its success is not explained",
            )
    return Check(
        check,
        "fail",
        f"{seen}, and no attack does better: the two sets differ, whatever was trained on; take "
        f"{first} and non-members from one source",
    )


def duplicate_check(shared: int, copies: int, pairs: ArrayLike, is_member: ArrayLike, first: str = "members") -> Check:
    """Whether pictures of one set are in the other, or look like one there.

    Args:
        shared: Pictures that were in both sets and were left out of both.
        copies: Further copies within a set that were dropped.
        pairs: ``(pairs, 2)``, from `privaudit.evaluation.duplicates.near_duplicates`, over the images that are left.
        is_member: ``(n,)``, of these.
        first: What the members are called.

    Returns:
        ``warn`` if a picture is or looks like one of the other set: an attack that recognises it as a member is right
        and counted as wrong; else ``ok``.
    """
    member, found = np.asarray(is_member, dtype=np.bool_), np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    across = member[found[:, 0]] != member[found[:, 1]]
    twins = np.unique(found[across])
    alike = np.unique(found[~across])
    notes = [
        f"{shared} pictures were in both sets and were left out of both" if shared else "no picture is in both sets",
        f"{copies} copies within a set were dropped",
        f"{member[twins].sum()} {first} look like one of {(~member[twins]).sum()} non-members (near-duplicates)"
        if twins.size
        else "none looks like one of the other set",
    ]
    if alike.size:
        notes.append(f"{alike.size} look like another of their own set")
    if found.size:
        notes.append("near-duplicates are kept, always in one fold")
    return Check("duplicates", "warn" if shared or twins.size else "ok", "; ".join(notes))


def consistency_check(evaluation: Evaluation) -> Check:
    """Whether AUROC and rates of each score can belong to one curve: AUROC >= TPR (1 - FPR).

    They can, unless privaudit is wrong: published pairs exist that cannot.

    Returns:
        ``fail`` if a score has an AUROC and a rate that contradict each other.
    """
    broken = [
        name
        for name, metrics in evaluation.metrics.items()
        for rate in metrics.tpr_at_fpr.values()
        if not consistent(metrics.auroc.value, rate.value, rate.fpr_realised)
    ]
    if broken:
        detail = (
            f"no curve has both the AUROC and a rate of {', '.join(dict.fromkeys(broken))}; please report this defect"
        )
        return Check("consistency", "fail", detail)
    return Check("consistency", "ok", f"AUROC >= TPR (1 - FPR) for each of {len(evaluation.metrics)} scores")


def sample_size_check(
    members: int, nonmembers: int, fprs: Sequence[float] = (0.01, 0.001), first: str = "members"
) -> Check:
    """Whether there are enough images for what is reported.

    Returns:
        ``fail`` below 2 images in a set; ``warn`` if a target has fewer than ten expected false positives.
    """
    name = "sample size"
    if min(members, nonmembers) < 2:
        return Check(name, "fail", f"expected at least 2 {first} and 2 non-members, got {members} and {nonmembers}")
    notes = []
    for fpr in fprs:
        expected = fpr * nonmembers
        if expected < FEW_FALSE_POSITIVES - 1e-9:
            seen = f"rests on {expected:.3g} expected false positives" if expected >= 1 - 1e-9 else "is not reported"
            wanted = int(np.ceil(FEW_FALSE_POSITIVES / fpr - 1e-9)) if fpr else "infinitely many"
            notes.append(f"TPR at {100 * fpr:g} % FPR {seen}, {wanted} non-members would give {FEW_FALSE_POSITIVES}")
    detail = f"{members} {first} and {nonmembers} non-members"
    return Check(name, "warn" if notes else "ok", "; ".join([detail, *notes]))


def _family(name: str) -> str:
    return FAMILIES.get(name.rpartition("/")[2], "image statistics")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
