"""Which of the two sets the model fits better.

A score of an attack that learns nothing has a direction: higher means trained on, whatever the labels say. If its whole
interval lies below an AUROC of .5, the model fits the second set better than the first. That is evidence about the sets
and never an all-clear. A score that learns from the labels has no direction of its own: it tells exchanged sets apart
as well as the right ones, and so cannot say which set was trained on.

With the sets exchanged, a score of a fixed level has 1 - AUROC. What is weighed here mirrors what the finding tests, so
that an audit of exchanged sets ends neither in "no leak" nor in a leak. Intervals are not corrected for their number,
since a false alarm costs less here than a false all-clear (``benchmarks/direction.py`` counts both).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.facts import Check, Fact, fact
from privaudit.evaluation.finding import Pair, level_per_test, significant_scores
from privaudit.evaluation.metrics import Evaluation

DIRECTION = "direction"
"""Name of the check."""


def direction_check(
    evaluation: Evaluation[Pair],
    scores: Collection[Pair],
    directed: Sequence[Pair],
    *,
    membership_known: bool = True,
    drawn_at_random: bool = False,
) -> Check:
    """Check that no score ranks the non-members above the positives.

    Sets that were drawn at random cannot differ by themselves. There, a score below chance counts only if it passes the
    mirrored test of the finding, corrected for all scores; chance explains the others.

    Args:
        evaluation: Evaluation of the scores.
        scores: All scores that the finding tests.
        directed: Those of them that learn nothing from the labels.
        membership_known: Whether the positives are known to be members.
        drawn_at_random: Whether chance decided which image is in which set.

    Returns:
        ``fail`` if the interval of a directed score lies below .5, unless another one is significantly above chance and
        no mirrored test outweighs it: then ``warn``. If only learned scores tell the sets apart, ``fail`` if all
        directed ones have an AUROC below .5, else ``warn``. Else ``ok``.
    """
    areas = {pair: evaluation.metrics[pair].auroc for pair in directed}
    below = [pair for pair in directed if areas[pair].hi < 0.5]
    significant = significant_scores(evaluation, scores)
    if not below:
        return _none_below(areas, significant)
    opposed = fact("below_chance", **_extreme(areas, below, -1.0))
    level = level_per_test(evaluation, scores)
    mirrored = [pair for pair in below if 1.0 - evaluation.p_above_chance[pair] <= level]
    if drawn_at_random and not mirrored:
        return Check(DIRECTION, "ok", (opposed, fact("drawn_at_random")))
    above = [pair for pair in significant if pair in areas and pair not in below]
    if above and _distance(areas, above) >= _distance(areas, mirrored):
        agreeing = fact("above_chance", **_extreme(areas, above, 1.0))
        return Check(DIRECTION, "warn", (agreeing, opposed, fact("scores_disagree")))
    chance = () if mirrored else (fact("direction_may_be_chance"),)
    return Check(DIRECTION, "fail", (opposed, _explanation(membership_known, drawn_at_random), *chance))


def _none_below(areas: Mapping[Pair, Estimate], significant: Sequence[Pair]) -> Check:
    undirected = [pair for pair in significant if pair not in areas]
    if not undirected or any(area.lo > 0.5 for area in areas.values()):
        return Check(DIRECTION, "ok", (fact("none_below_chance", scores=len(areas)),))
    attack, mask = undirected[0]
    unconfirmed = fact("direction_unconfirmed", attack=attack, mask=mask)
    if areas and all(area.value < 0.5 for area in areas.values()):
        return Check(DIRECTION, "fail", (fact("below_chance", **_extreme(areas, list(areas), -1.0)), unconfirmed))
    return Check(DIRECTION, "warn", (unconfirmed,))


def _distance(areas: Mapping[Pair, Estimate], pairs: Sequence[Pair]) -> float:
    return max((abs(areas[pair].value - 0.5) for pair in pairs), default=0.0)


def _extreme(areas: Mapping[Pair, Estimate], pairs: Sequence[Pair], sign: float) -> dict[str, str | float | int]:
    """Values of a fact about some scores: the most extreme one, and how many of how many there are."""
    attack, mask = extreme = max(pairs, key=lambda pair: sign * areas[pair].value)
    area = areas[extreme]
    numbers = {"auroc": area.value, "lo": area.lo, "hi": area.hi}
    return {"attack": attack, "mask": mask, **numbers, "scores": len(pairs), "of": len(areas)}


def _explanation(membership_known: bool, drawn_at_random: bool) -> Fact:
    if drawn_at_random:
        return fact("draw_may_be_exchanged")
    return fact("sets_may_be_exchanged" if membership_known else "suspects_may_be_exchanged")
