"""What the numbers mean, in plain words."""

from __future__ import annotations

import math

from privaudit.evaluation.suspects.conformal import needed_on_top, smallest_p
from privaudit.evaluation.suspects.set_permutation import SetTest

CONDITION = (
    "This holds only if the suspects differ from the non-members in nothing but membership: one source, one way of "
    "preparing the files, and no choice of the suspects by what the model does with them."
)


def statement(suspects: int, nonmembers: int, p: float, alpha: float, flagged: int, rate: float) -> str:
    """Say what was found, and what it does not show."""
    those = "this image was" if suspects == 1 else f"some of these {suspects} images were"
    them = "it scores" if suspects == 1 else "together they score"
    against = f"than {nonmembers} images that are known not to be in the training set (p = {p:.2g})"
    if p <= alpha:
        first = f"There is evidence that {those} trained on: {them} higher {against}."
    elif suspects > 1 and flagged:
        first = (
            f"As a set they are no evidence: {them} not clearly higher {against}. Single images stand out all the same."
        )
    else:
        first = (
            f"No evidence was found that {those} trained on: {them} not clearly higher {against}. That does not clear "
            f"{'it' if suspects == 1 else 'them'}."
        )
    if suspects > 1 and flagged:
        which = "image is" if flagged == 1 else "images are"
        second = f"{flagged} {which} flagged singly; of such flags up to {rate:.0%} are expected to be wrong."
    elif suspects > 1:
        second = "No image stands out enough to be flagged by itself."
    else:
        second = "Of a single image nothing can be said with certainty."
    return f"{first} {second} Evidence is not proof. {CONDITION}"


def caution(
    suspects: int,
    nonmember_groups: int,
    tested: SetTest,
    alpha: float,
    rate: float,
    level: int | None = None,
) -> str | None:
    """Say what the sample cannot resolve.

    Args:
        suspects: Images.
        nonmember_groups: Observations among the non-members.
        tested: The set test.
        alpha: Level of the set test.
        rate: False discovery rate of the images.
        level: Images of each group that took part in the set test; None if all did.

    Returns:
        Sentences, or None if nothing is amiss.
    """
    notes = []
    if tested.constant:
        notes.append("all scores are equal, so that nothing can be told apart")
    if not tested.held_out:
        notes.append(
            "there are too few suspects or non-members (a group counts once) to choose a candidate on some and test it "
            "on others, so that there is no out-of-fold test"
        )
    if level is not None:
        images = "one image" if level == 1 else f"{level} images"
        notes.append(f"groups differ in size, so that {images} of each took part in the test of the set")
    if tested.distinct * alpha < 1.0:
        notes.append(
            f"the set p-value cannot be below {1.0 / tested.distinct:.2g} with so few images (a group counts once); "
            "add suspects or non-members"
        )
    elif (tested.permutations + 1) * alpha < 1.0:
        notes.append(f"{tested.permutations} permutations do not resolve a level of {alpha:g}")
    needed, least = needed_on_top(suspects, nonmember_groups, rate), smallest_p(nonmember_groups)
    if math.isinf(needed):
        more = math.ceil(1.0 / rate - 1e-9) - 1
        notes.append(
            f"no image can be flagged at a false discovery rate of {rate:.0%}: with {nonmember_groups} non-members "
            f"(a group counts once) its p-value is at least {least:.2g}; {more} or more are needed"
        )
    elif needed > 1:
        notes.append(
            f"at least {needed} of the {suspects} suspects have to score above all non-members before any is flagged "
            f"at a false discovery rate of {rate:.0%}"
        )
    return "; ".join(notes) or None
