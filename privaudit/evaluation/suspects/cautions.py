"""What a test of suspects cannot resolve with the images that there are."""

from __future__ import annotations

import math

from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.suspects.conformal import needed_on_top, smallest_p
from privaudit.evaluation.suspects.set_permutation import SetTest


def cautions(
    suspects: int,
    nonmember_groups: int,
    tested: SetTest,
    alpha: float,
    rate: float,
    level: int | None = None,
) -> tuple[Fact, ...]:
    """List what the sample cannot resolve.

    Args:
        suspects: Suspect images.
        nonmember_groups: Observations among the non-members.
        tested: The set test.
        alpha: Level of the set test.
        rate: False discovery rate of the images.
        level: Images of each group that took part in the set test; None if all did.

    Returns:
        Facts; none if everything can be resolved.
    """
    facts = []
    if tested.constant:
        facts.append(fact("all_scores_equal"))
    if not tested.held_out:
        facts.append(fact("no_out_of_fold_test"))
    if level is not None:
        facts.append(fact("part_of_each_group", images=level))
    if tested.distinct * alpha < 1.0:
        facts.append(fact("set_p_at_least", smallest_p=1.0 / tested.distinct))
    elif (tested.permutations + 1) * alpha < 1.0:
        facts.append(fact("permutations_cannot_resolve", permutations=tested.permutations, level=alpha))
    needed, smallest = needed_on_top(suspects, nonmember_groups, rate), smallest_p(nonmember_groups)
    if math.isinf(needed):
        more = math.ceil(1.0 / rate - 1e-9) - 1
        few = {"nonmembers": nonmember_groups, "smallest_p": smallest, "needed": more}
        facts.append(fact("no_flag_possible", rate=rate, **few))
    elif needed > 1:
        facts.append(fact("flag_needs_several", rate=rate, needed=int(needed), suspects=suspects))
    return tuple(facts)
