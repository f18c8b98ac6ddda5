"""Results of a test of suspects, in types that JSON stores exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.facts import Fact
from privaudit.evaluation.selection import Candidate
from privaudit.evaluation.suspects.normal_scores import Floats


@dataclass(frozen=True)
class SuspectReport:
    """Report of a test of suspects.

    Attributes:
        count: Number of suspect images.
        nonmembers: Number of images known not to be members.
        known_members: Number of images known to be members.
        suspect_groups: Number of observations among the suspects: groups, and images without a group.
        nonmember_groups: Number of observations among the non-members.
        search_space: All candidates.
        chosen: Candidate that best separates all suspects from all non-members or, with known members, these from both.
        chosen_by_fold: Candidate of each fold of the out-of-fold test; ``chosen`` alone without folds.
        auroc: AUROC of the out-of-fold scores, suspects against non-members, each group counting once. A description;
            NaN if every candidate was chosen with the help of the images that it scores.
        set_p: P-value of "suspects do not score higher", by permutations that each repeat the choice of the candidate.
        out_of_fold_p: The same p-value for candidates chosen on the other folds; NaN without folds.
        welch_p: One-sided p-value of Welch's t-test of the out-of-fold scores, as if they were independent. A
            description; NaN where ``auroc`` is.
        permutations: Number of permutations behind the p-values.
        alpha: Level at which ``set_p`` counts as evidence.
        type_i_rate: Fraction of random splits of the non-members in which ``set_p`` was at most ``alpha``.
        false_flag_rate: Fraction of these splits in which any image was flagged at the larger false discovery rate.
        type_i_repeats: Number of these splits.
        flagged: Number of flagged images by false discovery rate, with the keys ``"0.05"`` and ``"0.1"``.
        smallest_p: Smallest possible p-value of an image.
        cautions: What the sample cannot resolve.
        failed_checks: Names of failed checks of the suspects' images, or of how the model was read; if there are any,
            the suspects cannot be judged.
        smallest_set_p: Smallest possible ``set_p`` for so many images.
    """

    count: int
    nonmembers: int
    known_members: int
    suspect_groups: int
    nonmember_groups: int
    search_space: tuple[Candidate, ...]
    chosen: Candidate
    chosen_by_fold: tuple[Candidate, ...]
    auroc: float
    set_p: float
    out_of_fold_p: float
    welch_p: float
    permutations: int
    alpha: float
    type_i_rate: Estimate
    false_flag_rate: Estimate
    type_i_repeats: int
    flagged: Mapping[str, int]
    smallest_p: float
    cautions: tuple[Fact, ...]
    smallest_set_p: float = 0.0
    failed_checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SuspectFindings:
    """Report, and results of the suspect images, in the order of the input.

    Attributes:
        report: Report of the set test.
        score: ``(suspects,)``, normal score of the image at its candidate, higher = more likely a member.
        p: ``(suspects,)``, conformal p-value of "not a member".
        q: ``(suspects,)``, smallest false discovery rate at which the image is flagged.
        candidate: Candidate of each image.
    """

    report: SuspectReport
    score: Floats
    p: Floats
    q: Floats
    candidate: tuple[Candidate, ...]
