"""Cautions: what a test of suspects cannot resolve with the available images."""

from __future__ import annotations

import math

from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.suspects.conformal import needed_on_top, smallest_p
from privaudit.evaluation.suspects.set_permutation import SetTest


def cautions(
    suspects: int,
    nonmember_groups: int,
    set_result: SetTest,
    alpha: float,
    rate: float,
    level: int | None = None,
) -> tuple[Fact, ...]:
    """List what the sample cannot resolve.

    Args:
        suspects: Number of suspect images.
        nonmember_groups: Number of observations among the non-members.
        set_result: Result of the set test.
        alpha: Level of the set test.
        rate: False discovery rate of the images.
        level: Number of images per group that took part in the set test; None if all did.

    Returns:
        Facts; empty if everything can be resolved.
    """
    facts = []
    if set_result.constant:
        facts.append(fact("all_scores_equal"))
    if not set_result.held_out:
        facts.append(fact("no_out_of_fold_test"))
    if level is not None:
        facts.append(fact("part_of_each_group", images=level))
    if set_result.distinct * alpha < 1.0:
        facts.append(fact("set_p_at_least", smallest_p=1.0 / set_result.distinct))
    elif (set_result.permutations + 1) * alpha < 1.0:
        facts.append(fact("permutations_cannot_resolve", permutations=set_result.permutations, level=alpha))
    needed, smallest = needed_on_top(suspects, nonmember_groups, rate), smallest_p(nonmember_groups)
    if math.isinf(needed):
        more = math.ceil(1.0 / rate - 1e-9) - 1
        flag_values = {"nonmembers": nonmember_groups, "smallest_p": smallest, "needed": more}
        facts.append(fact("no_flag_possible", rate=rate, **flag_values))
    elif needed > 1:
        facts.append(fact("flag_needs_several", rate=rate, needed=int(needed), suspects=suspects))
    return tuple(facts)
