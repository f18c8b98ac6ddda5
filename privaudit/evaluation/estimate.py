"""What an evaluation reports: numbers with their uncertainty, and never a number that was not measured.

A value that cannot be computed is NaN and ``reason`` says why. A ``reason`` beside a finite value is a
warning about it.
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
        value: The point estimate, or NaN.
        lo: Lower end of the interval; NaN if none can be given.
        hi: Upper end of the interval; NaN if none can be given.
        reason: Why the value or its interval is NaN, or what to keep in mind about it.
    """

    value: float
    lo: float
    hi: float
    reason: Fact | None = None


@dataclass(frozen=True)
class FixedThreshold:
    """What a threshold that was fixed beforehand does.

    Attributes:
        threshold: Scores at or above it count as "member".
        tpr: Share of members there.
        fpr: Share of non-members there.
    """

    threshold: float
    tpr: Estimate
    fpr: Estimate


@dataclass(frozen=True)
class RateEstimate:
    """True-positive rate at the largest realised false-positive rate that does not exceed a target.

    Attributes:
        value: Share of members at or above the threshold; NaN if the target is below one non-member.
        lo: Lower end of the interval; NaN if there are too few non-members for one.
        hi: Upper end of the interval; NaN if there are too few non-members for one.
        fpr_realised: ``k / n``, which ties or a small ``n`` can put well below the target.
        k: Non-members at or above the threshold.
        n: Non-members.
        reason: Why the value or its interval is NaN, or a warning: fewer than ten false positives are expected.
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
    """A paired difference: both scores were compared on the same images.

    Attributes:
        value: Score minus baseline.
        lo: Lower end of the interval.
        hi: Upper end of the interval.
        p: Two-sided p-value of no difference.
        reason: Why the value is NaN, or what to keep in mind about it.
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
        confidence: With which the two error rates behind it hold jointly.
        reason: Why the value is NaN.
    """

    value: float
    confidence: float
    reason: Fact | None = None


@dataclass(frozen=True)
class Metrics:
    """What one score tells about membership.

    Attributes:
        auroc: Chance that a member scores above a non-member, ties counting one half.
        tpr_at_fpr: Keyed by the target, written as ``"0.01"`` and ``"0.001"``.
        advantage: Largest difference of true- and false-positive rate over all thresholds.
        attack_success: Balanced: largest (TPR + 1 - FPR) / 2 over all thresholds, (1 + advantage) / 2. An attacker who
            is shown as many members as non-members is right about this share of them.
        epsilon_lower: What the score refutes about differential privacy, on average over the images.
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
        auroc_delta: Difference of the AUROC.
        tpr_delta: Difference of the true-positive rate at 1 % false positives.
    """

    auroc_delta: Difference
    tpr_delta: Difference


@dataclass(frozen=True)
class Stratum:
    """The images whose covariate lies in one range.

    Attributes:
        lower: Lower edge, included.
        upper: Upper edge, excluded except in the last stratum.
        members: Members in it.
        nonmembers: Non-members in it.
        auroc: AUROC among them.
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
        members: Members of the group.
        nonmembers: Non-members that they are measured against.
        against: ``group``: the group's own non-members; ``all``: the non-members of all groups, because the group has
            fewer than two of its own.
        auroc: AUROC of the group's members against these.
        tpr: At a false-positive rate among these; None if it is not resolved for any number of members.
    """

    name: str
    members: int
    nonmembers: int
    against: Literal["group", "all"]
    auroc: Estimate
    tpr: RateEstimate | None
