"""What a judgement of suspects says: plain values, exact in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.facts import Fact
from privaudit.evaluation.selection import Candidate
from privaudit.evaluation.suspects.normal_scores import Floats


@dataclass(frozen=True)
class SuspectReport:
    """What can be said about the suspects.

    Attributes:
        count: Suspect images.
        nonmembers: Images known not to be members.
        known_members: Images known to be members; 0 without any.
        suspect_groups: Observations among the suspects: groups, and images without one.
        nonmember_groups: The same among the non-members.
        search_space: All candidates that were compared.
        chosen: The candidate that separates best on the whole, or best separates the known members.
        chosen_by_fold: The candidate of each fold of the out-of-fold test; ``chosen`` alone without folds.
        auroc: AUROC of the out-of-fold scores, suspects against non-members, a group counting once; a description,
            NaN where every candidate was chosen with the help of the images that it scores.
        set_p: P-value of "suspects do not score higher", by permutation, the choice of the candidate repeated in each.
        out_of_fold_p: The same for candidates chosen on other folds; NaN without folds.
        welch_p: One-sided, of the out-of-fold scores as if they were independent; a description, NaN like `auroc`.
        permutations: Permutations behind the p-values.
        alpha: Level at which ``set_p`` counts as evidence.
        type_i_rate: Share of random splits of the non-members in which ``set_p`` was at most ``alpha``.
        false_flag_rate: Share of them in which any image was flagged at the larger false discovery rate.
        type_i_repeats: Number of those splits.
        flagged: Images flagged, by false discovery rate, written as ``"0.05"`` and ``"0.1"``.
        smallest_p: The smallest p-value that an image can have.
        cautions: What the sample cannot resolve.
        failed_checks: Checks without the model that failed, so that nothing can be said about the suspects.
        smallest_set_p: The smallest ``set_p`` that so many images can have.
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
    """The report, and one entry per suspect image in the order that they were given in.

    Attributes:
        report: Test of the set.
        score: Normal score at the candidate of the image, higher = more likely a member.
        p: Calibrated p-value of "not a member".
        q: Smallest false discovery rate at which the image is flagged.
        candidate: Candidate that the score came from.
    """

    report: SuspectReport
    score: Floats
    p: Floats
    q: Floats
    candidate: tuple[Candidate, ...]
