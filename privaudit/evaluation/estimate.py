"""Results of an evaluation: numbers with their uncertainty.

A value that cannot be computed is NaN, and ``reason`` says why. A ``reason`` next to a finite value is a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from privaudit.evaluation.facts import Fact


@dataclass(frozen=True)
class Estimate:
    """A number with a two-sided interval.

    Attributes:
        value: Point estimate, or NaN.
        lo: Lower end of the interval; NaN if there is none.
        hi: Upper end of the interval; NaN if there is none.
        reason: Why the value or its interval is NaN, or a warning; None otherwise.
    """

    value: float
    lo: float
    hi: float
    reason: Fact | None = None


@dataclass(frozen=True)
class FixedThreshold:
    """Error rates at a threshold that was fixed beforehand.

    Attributes:
        threshold: Threshold; images with scores at or above it are called members.
        tpr: True-positive rate, the fraction of members at or above the threshold.
        fpr: False-positive rate, the fraction of non-members at or above the threshold.
    """

    threshold: float
    tpr: Estimate
    fpr: Estimate


@dataclass(frozen=True)
class RateEstimate:
    """True-positive rate at the largest false-positive rate that does not exceed a target.

    Where the target falls among equal scores of members and non-members, it is the rate of an attacker who tosses coins
    for these images, so that the target is reached on average.

    Attributes:
        value: Fraction of members at or above the threshold, plus the fraction that coins call members on average; NaN
            if the target is less than one false positive.
        lo: Lower end of the interval; NaN if there are too few non-members for one.
        hi: Upper end of the interval; NaN if there are too few non-members for one.
        fpr_realised: Realised false-positive rate: the target if coins are tossed, else ``k / n``, which a small ``n``
            or ties among non-members alone can put well below the target.
        k: Number of non-members at or above the threshold, without those for which coins are tossed.
        n: Number of non-members.
        reason: Why the value or its interval is NaN, or a warning that fewer than ten false positives are expected;
            None otherwise.
    """

    value: float
    lo: float
    hi: float
    fpr_realised: float
    k: int
    n: int
    reason: Fact | None = None


@dataclass(frozen=True)
class Difference:
    """A paired difference between two scores of the same images.

    Attributes:
        value: Metric of the score minus that of the baseline.
        lo: Lower end of the interval.
        hi: Upper end of the interval.
        p: Two-sided p-value of the hypothesis of no difference.
        reason: Why the value or its interval is NaN, or a warning; None otherwise.
    """

    value: float
    lo: float
    hi: float
    p: float
    reason: Fact | None = None


@dataclass(frozen=True)
class EpsilonBound:
    """Empirical, average-case lower bound on the epsilon of differential privacy.

    Attributes:
        value: The bound, >= 0, or NaN.
        confidence: Confidence level of the bound.
        reason: Why the value is NaN; None otherwise.
    """

    value: float
    confidence: float
    reason: Fact | None = None


@dataclass(frozen=True)
class Metrics:
    """Metrics of how well one score separates members from non-members.

    Attributes:
        auroc: Probability that a member scores above a non-member, ties counting one half.
        tpr_at_fpr: True-positive rates by target false-positive rate, with keys such as ``"0.01"`` and ``"0.001"``.
        advantage: Maximum of TPR - FPR over all thresholds.
        attack_success: Balanced accuracy, the maximum of (TPR + 1 - FPR) / 2 over all thresholds, (1 + advantage) / 2:
            the fraction of right calls if there are as many members as non-members.
        epsilon_lower: Lower bound on epsilon, on average over the images.
    """

    auroc: Estimate
    tpr_at_fpr: Mapping[str, RateEstimate]
    advantage: Estimate
    attack_success: Estimate
    epsilon_lower: EpsilonBound


@dataclass(frozen=True)
class Comparison:
    """One score against a baseline, paired on the same images.

    Attributes:
        auroc_delta: Difference of the AUROCs.
        tpr_delta: Difference of the true-positive rates at a false-positive rate of 1 %.
    """

    auroc_delta: Difference
    tpr_delta: Difference


@dataclass(frozen=True)
class Stratum:
    """The images whose covariate lies in one range.

    Attributes:
        lower: Lower edge, included.
        upper: Upper edge, excluded except in the last stratum.
        members: Number of members in the stratum.
        nonmembers: Number of non-members in the stratum.
        auroc: AUROC within the stratum.
    """

    lower: float
    upper: float
    members: int
    nonmembers: int
    auroc: Estimate


@dataclass(frozen=True)
class GroupStratum:
    """The images of one group.

    Attributes:
        name: Name of the group.
        members: Number of members in the group.
        nonmembers: Number of non-members that they are compared with.
        against: Non-members that they are compared with: ``group``, those of the group; ``all``, those of all groups,
            because the group has fewer than two.
        auroc: AUROC of the group's members against these non-members.
        tpr: True-positive rate at a false-positive rate among these non-members; None if these are too few for it, or
            the group has fewer than two members.
    """

    name: str
    members: int
    nonmembers: int
    against: Literal["group", "all"]
    auroc: Estimate
    tpr: RateEstimate | None
