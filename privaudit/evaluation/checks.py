"""Checks of the conditions under which the metrics can be interpreted as membership leakage."""

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


MANY_LOOK_ALIKES = 0.1
"""Fraction of a set that looks like images of the other one from which on no audit clears the model."""
BLIND = "blind baseline"
"""Name of the check, and of the attack in the pair (attack, mask) of a blind score, whose mask is the family."""
SUPPORTED_FPR = 0.01
"""Smallest false-positive rate that has to be well supported; a scarcity at smaller ones is a notice, not a warning."""
MAX_BLIND_AUROC = 0.65
"""AUROC of a blind classifier that would matter. If no family separates the sets, but an interval reaches beyond this
value, the check warns."""


def blind_check(evaluation: Evaluation[Pair], names: Sequence[Pair], attacks: Sequence[Pair]) -> Check:
    """Check whether classifiers without access to the target separate members from non-members.

    A family of features separates them if the lower confidence limit of its AUROC is above 0.5. The limit allows for
    out-of-fold scores (see `inflated_alpha`) and is Bonferroni-corrected over the families. With so few images that
    even an AUROC of 1 would have a limit of at most 0.5, the rank test is used instead.

    Args:
        evaluation: Evaluation of the blind scores (among its ``learned`` ones) and of the attacks' scores.
        names: Names of the blind scores: `BLIND` and the family, one of `FAMILIES`.
        attacks: Names of the scores that the verdict rests on.

    Returns:
        ``ok`` if no family separates the sets and no interval goes beyond `MAX_BLIND_AUROC`. ``warn`` if a family does
        but an attack has a larger AUROC than the strongest family in the paired test (Bonferroni over the attacks), or
        if there are too few images to tell. Else ``fail``.
    """
    alpha = 1.0 - evaluation.confidence
    if not names:
        return Check(BLIND, "ok", (fact("nothing_to_tell_apart"),))
    areas = {name: evaluation.metrics[name].auroc for name in names}
    level = alpha / 2.0 / len(names)  # one side of the two-sided interval, Bonferroni over the families
    lower = {name: bound(evaluation, name, "auroc", None, level) for name in names}
    best = max(names, key=lambda name: areas[name].value)
    if all(np.isnan(limit) for limit in lower.values()):
        return Check(BLIND, "warn", (fact("blind_not_measured"), areas[best].reason or fact("not_measured")))
    separating = [name for name in names if lower[name] > 0.5]  # False for NaN: a family without a limit
    too_few = auroc_limit(1.0, 0.0, evaluation.areas.pairs, inflated_alpha(level, evaluation.folds), "lower") <= 0.5
    if too_few:
        separating = [name for name in names if evaluation.p_above_chance[name] <= level]
    if not separating:
        upper = max(area.hi for area in areas.values() if not np.isnan(area.hi))
        return _none_separates(areas[best].value, upper, too_few=too_few)
    separating.sort(key=lambda name: areas[name].value, reverse=True)
    facts = []
    for name in separating:
        family, area = name[1], areas[name].value
        if too_few:
            p = float(evaluation.p_above_chance[name])
            facts.append(fact("blind_told_apart_by_rank", family=family, auroc=area, p=p))
        else:
            facts.append(fact("blind_told_apart", family=family, auroc=area, lower=float(lower[name])))
    for attack in attacks:
        # The attack adds to what the images alone reveal only if it beats the best blind family on the same images.
        gain = compare(evaluation, attack, best).auroc_delta
        if gain.value > 0.0 and gain.p <= alpha / len(attacks):
            gain_values = {"gain": gain.value, "lo": gain.lo, "hi": gain.hi}
            exceeds = fact("attack_exceeds_blind", attack=attack[0], mask=attack[1], **gain_values)
            return Check(BLIND, "warn", (*facts, exceeds))
    return Check(BLIND, "fail", (*facts, fact("no_attack_exceeds_blind")))


def _none_separates(auroc: float, upper: float, *, too_few: bool) -> Check:
    """Check, if no family separates the sets, that there are enough images to rule out an AUROC that would matter."""
    if too_few and auroc > 0.5:
        return Check(BLIND, "warn", (fact("blind_too_few", auroc=auroc),))
    code = "blind_not_ruled_out" if upper > MAX_BLIND_AUROC else "blind_not_told_apart"
    return Check(BLIND, "ok" if code == "blind_not_told_apart" else "warn", (fact(code, auroc=auroc, upper=upper),))


def duplicate_check(shared: int, copies: int, pairs: ArrayLike, is_member: ArrayLike) -> Check:
    """Check for images of one set that are in the other set or are near-duplicates of one there.

    Args:
        shared: Number of images that were in both sets and were left out of both.
        copies: Number of further copies within a set that were dropped.
        pairs: ``(pairs, 2)``, from `privaudit.evaluation.duplicates.near_duplicates`, over the remaining images.
        is_member: ``(n,)``, labels of the remaining images.

    Returns:
        ``warn`` if an image is in both sets or has a near-duplicate in the other one, since an attack that recognises
        a trained near-duplicate is right but counted as a false positive; else ``ok``. From `MANY_LOOK_ALIKES` of a set
        on, the warning rules out an all-clear.
    """
    member, look_alikes = np.asarray(is_member, dtype=np.bool_), np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    is_across = member[look_alikes[:, 0]] != member[look_alikes[:, 1]]
    across, within = np.unique(look_alikes[is_across]), np.unique(look_alikes[~is_across])
    positives, nonmembers = int(member[across].sum()), int((~member[across]).sum())
    facts = [
        fact("in_both_sets", images=shared),
        fact("copies_dropped", images=copies),
        fact("look_alike_across", positives=positives, nonmembers=nonmembers),
    ]
    fraction = max(positives / max(1, int(member.sum())), nonmembers / max(1, int((~member).sum())))
    if fraction >= MANY_LOOK_ALIKES:
        facts.append(fact("many_look_alikes_across", fraction=fraction))
    if within.size:
        facts.append(fact("look_alike_within", images=int(within.size)))
    if look_alikes.size:
        facts.append(fact("look_alikes_share_folds"))
    return Check("duplicates", "warn" if shared or across.size else "ok", tuple(facts))


def consistency_check(evaluation: Evaluation[Pair]) -> Check:
    """Check that AUROC and rates of each score can belong to one ROC curve: AUROC >= TPR (1 - FPR).

    A self-test: it fails only if privaudit computes something wrong. Some published pairs violate the inequality.

    Returns:
        ``fail`` if a score has an AUROC and a rate that contradict each other; else ``ok``.
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
    """Check that there are enough images for the reported metrics.

    Returns:
        ``fail`` if a set has fewer than 2 images; ``warn`` if fewer than 10 false positives are expected at a target
        and at `SUPPORTED_FPR`, or if a target is 0; else ``ok``, also with a smaller target that has fewer.
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
    few = SUPPORTED_FPR * nonmembers < FEW_FALSE_POSITIVES - 1e-9
    return Check(name, "warn" if scarce and (few or 0.0 in fprs) else "ok", (sizes, *scarce))
