"""Checks that decide whether the metrics mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from privaudit.evaluation.asymmetry import file_check
from privaudit.evaluation.facts import Check, fact
from privaudit.evaluation.finding import Pair
from privaudit.evaluation.intervals import auroc_limit
from privaudit.evaluation.metrics import Evaluation, bound, compare, inflated_alpha
from privaudit.evaluation.rate import FEW_FALSE_POSITIVES
from privaudit.evaluation.roc import consistent

__all__ = ["BLIND", "blind_check", "consistency_check", "duplicate_check", "file_check", "sample_size_check"]


BLIND = "blind baseline"
"""Name of the check, and in place of an attack's name in a pair that names a blind score; the mask is the family."""
MAX_BLIND_AUROC = 0.65
"""AUROC of a blind classifier that would matter: an interval that goes beyond it says nothing."""


def blind_check(evaluation: Evaluation[Pair], names: Sequence[Pair], attacks: Sequence[Pair]) -> Check:
    """Whether classifiers that never saw the target tell members from non-members.

    A family does if the lower limit of its AUROC, that of an out-of-fold score (see `inflated_alpha`) and corrected for
    the number of families, lies above .5.

    Args:
        evaluation: Holds the blind scores, among its ``learned`` ones, and the attacks' scores.
        names: The blind scores: `BLIND` and the family, one of `FAMILIES`.
        attacks: The scores that the verdict rests on.

    Returns:
        ``ok`` if no family does and no interval goes beyond `MAX_BLIND_AUROC`; ``warn`` if one does but an attack has a
        larger AUROC than the strongest in the paired test (Bonferroni over the attacks), or if there are too few
        images; else ``fail``. Of so few images that even an AUROC of 1 has no limit above .5, the rank test decides.
    """
    alpha = 1.0 - evaluation.confidence
    if not names:
        return Check(BLIND, "ok", (fact("nothing_to_tell_apart"),))
    areas = {name: evaluation.metrics[name].auroc for name in names}
    level = alpha / 2.0 / len(names)
    lower = {name: bound(evaluation, name, "auroc", None, level) for name in names}
    best = max(names, key=lambda name: areas[name].value)
    if all(np.isnan(limit) for limit in lower.values()):
        return Check(BLIND, "warn", (fact("blind_not_measured"), areas[best].reason or fact("not_measured")))
    apart = [name for name in names if lower[name] > 0.5]  # a family without a limit had nothing to go by
    few = auroc_limit(1.0, 0.0, evaluation.areas.pairs, inflated_alpha(level, evaluation.folds), "lower") <= 0.5
    if few:
        apart = [name for name in names if evaluation.p_above_chance[name] <= level]
    if not apart:
        upper = max(area.hi for area in areas.values() if not np.isnan(area.hi))
        return _not_apart(areas[best].value, upper, few=few)
    apart.sort(key=lambda name: areas[name].value, reverse=True)
    seen = []
    for name in apart:
        family, area = name[1], areas[name].value
        if few:
            p = float(evaluation.p_above_chance[name])
            seen.append(fact("blind_told_apart_by_rank", family=family, auroc=area, p=p))
        else:
            seen.append(fact("blind_told_apart", family=family, auroc=area, lower=float(lower[name])))
    for attack in attacks:
        gain = compare(evaluation, attack, best).auroc_delta
        if gain.value > 0.0 and gain.p <= alpha / len(attacks):
            more = {"gain": gain.value, "lo": gain.lo, "hi": gain.hi}
            exceeds = fact("attack_exceeds_blind", attack=attack[0], mask=attack[1], **more)
            return Check(BLIND, "warn", (*seen, exceeds))
    return Check(BLIND, "fail", (*seen, fact("no_attack_exceeds_blind")))


def _not_apart(auroc: float, upper: float, *, few: bool) -> Check:
    """Of families that do not tell the sets apart: whether the images suffice to say so."""
    if few and auroc > 0.5:
        return Check(BLIND, "warn", (fact("blind_too_few", auroc=auroc),))
    code = "blind_not_ruled_out" if upper > MAX_BLIND_AUROC else "blind_not_told_apart"
    return Check(BLIND, "ok" if code == "blind_not_told_apart" else "warn", (fact(code, auroc=auroc, upper=upper),))


def duplicate_check(shared: int, copies: int, pairs: ArrayLike, is_member: ArrayLike) -> Check:
    """Whether images of one set are in the other, or look like one there.

    Args:
        shared: Images that were in both sets and were left out of both.
        copies: Further copies within a set that were dropped.
        pairs: ``(pairs, 2)``, from `privaudit.evaluation.duplicates.near_duplicates`, over the remaining images.
        is_member: ``(n,)``, of these.

    Returns:
        ``warn`` if an image is or looks like one of the other set: an attack that recognises it as a member is right
        and counted as wrong; else ``ok``.
    """
    member, alike = np.asarray(is_member, dtype=np.bool_), np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    is_across = member[alike[:, 0]] != member[alike[:, 1]]
    across, within = np.unique(alike[is_across]), np.unique(alike[~is_across])
    positives, nonmembers = int(member[across].sum()), int((~member[across]).sum())
    facts = [
        fact("in_both_sets", images=shared),
        fact("copies_dropped", images=copies),
        fact("look_alike_across", positives=positives, nonmembers=nonmembers),
    ]
    if within.size:
        facts.append(fact("look_alike_within", images=int(within.size)))
    if alike.size:
        facts.append(fact("look_alikes_share_folds"))
    return Check("duplicates", "warn" if shared or across.size else "ok", tuple(facts))


def consistency_check(evaluation: Evaluation[Pair]) -> Check:
    """Whether AUROC and rates of each score can belong to one curve: AUROC >= TPR (1 - FPR).

    They can, unless privaudit is wrong: published pairs exist that cannot.

    Returns:
        ``fail`` if a score has an AUROC and a rate that contradict each other.
    """
    contradicting = [
        pair
        for pair, metrics in evaluation.metrics.items()
        for rate in metrics.tpr_at_fpr.values()
        if not consistent(metrics.auroc.value, rate.value, rate.fpr_realised)
    ]
    if contradicting:
        facts = (fact("rate_contradicts_auroc", attack=a, mask=m) for a, m in dict.fromkeys(contradicting))
        return Check("consistency", "fail", tuple(facts))
    return Check("consistency", "ok", (fact("rates_consistent", scores=len(evaluation.metrics)),))


def sample_size_check(positives: int, nonmembers: int, fprs: Sequence[float] = (0.01, 0.001)) -> Check:
    """Whether there are enough images for what is reported.

    Returns:
        ``fail`` below 2 images in a set; ``warn`` if a target has fewer than ten expected false positives.
    """
    name = "sample size"
    if min(positives, nonmembers) < 2:
        return Check(name, "fail", (fact("set_too_small", positives=positives, nonmembers=nonmembers),))
    scarce = []
    for fpr in fprs:
        expected = fpr * nonmembers
        if not fpr:
            scarce.append(fact("rate_at_zero"))
        elif expected < FEW_FALSE_POSITIVES - 1e-9:
            needed = int(np.ceil(FEW_FALSE_POSITIVES / fpr - 1e-9))
            if expected >= 1.0 - 1e-9:
                scarce.append(fact("rate_rests_on_few", fpr=fpr, expected=expected, needed=needed))
            else:
                scarce.append(fact("rate_not_reported", fpr=fpr, needed=needed))
    sizes = fact("set_sizes", positives=positives, nonmembers=nonmembers)
    return Check(name, "warn" if scarce else "ok", (sizes, *scarce))
