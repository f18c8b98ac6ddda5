"""Result of a comparison: everything that its reports show, with an exact JSON form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from privaudit.errors import ResultError
from privaudit.evaluation.estimate import Difference, Estimate
from privaudit.evaluation.facts import Fact
from privaudit.evaluation.verdict import Status
from privaudit.results.data_report import DesignCode
from privaudit.storage.exact_json import decode, encode

COMPARISON_SCHEMA = 3

Direction = Literal["worse", "better", "unclear", "unmeasured"]


@dataclass(frozen=True)
class RunSummary:
    """One of the two runs.

    Attributes:
        run: Run folder or report file, as the user named it.
        created: Time of the audit: UTC, ISO 8601.
        privaudit_version: Version of privaudit that wrote the report.
        target: Folder or hub id of the audited model.
        hash: Hash of the model's weights and configuration.
        family: Family of the model.
        design: Kind of the positives, which are compared with non-members.
        positives: Number of images of the positive class.
        nonmembers: Number of non-members.
        split_hash: Hash of the ids and their membership.
        status: Status of the verdict.
        level: Level of the finding.
    """

    run: str
    created: str
    privaudit_version: str
    target: str
    hash: str
    family: str
    design: DesignCode
    positives: int
    nonmembers: int
    split_hash: str
    status: Literal["pass", "fail", "inconclusive"]
    level: Literal["none", "low", "medium", "high", "unclear"]


@dataclass(frozen=True)
class Mismatch:
    """An allowed difference between the runs that makes their numbers different quantities.

    Attributes:
        kind: One of `privaudit.compare.compare_options.KINDS`.
        what: Name of the option or property that differs.
        old: Value in the old run.
        new: Value in the new run.
    """

    kind: str
    what: str
    old: str
    new: str


@dataclass(frozen=True)
class Setting:
    """A setting that differs and does not prevent a comparison.

    Attributes:
        name: Name of the setting.
        old: Value in the old run.
        new: Value in the new run.
    """

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Pairing:
    """Images from which the differences were computed.

    Attributes:
        paired: Whether the scores of both runs on the same images were compared.
        facts: The images that were compared, or why the differences are not paired.
        positives: Number of positives that both runs scored.
        nonmembers: Number of non-members that both runs scored.
        old_only: Number of images that only the old run scored.
        new_only: Number of images that only the new run scored.
        moved: Number of images that are in different sets in the two runs, and are left out.
    """

    paired: bool
    facts: tuple[Fact, ...]
    positives: int
    nonmembers: int
    old_only: int
    new_only: int
    moved: int


@dataclass(frozen=True)
class Change:
    """One metric of one attack under one mask, in both runs.

    Attributes:
        attack: Name of the attack.
        mask: Name of the mask.
        metric: ``auroc``, ``tpr@1%fpr``, or the metric of a gate of either run.
        old: Value in the old run; on the images that both runs scored if the difference is paired.
        new: Value in the new run, on the same images.
        difference: New minus old.
        rise: Lower confidence limit of the difference, corrected for all tests; NaN if it is not tested.
        fall: Upper confidence limit of the difference, corrected for all tests; NaN if it is not tested.
        tested: Whether the difference was tested, so that the verdict depends on it.
        direction: ``worse`` if `rise` is above the margin and the new run is above chance by more than the margin;
            ``better`` if `fall` is below minus the margin and the old run was above chance by more than the margin;
            ``unclear`` if neither is shown; ``unmeasured`` if the difference was not tested or could not be.
    """

    attack: str
    mask: str
    metric: str
    old: Estimate
    new: Estimate
    difference: Difference
    rise: float
    fall: float
    tested: bool
    direction: Direction


@dataclass(frozen=True)
class NotCompared:
    """A learned score of both runs that is not compared, because it was fitted to the scores of different attacks.

    Attributes:
        attack: Name of the learned score.
        differs_by: Attacks that only one of the runs has.
    """

    attack: str
    differs_by: tuple[str, ...]


@dataclass(frozen=True)
class GateChange:
    """A gate of either run.

    Attributes:
        gate: Text of the gate as the user wrote it in the new run, or in the old run if the new one does not have it.
        old: Status in the old run; None if the gate was not set.
        new: Status in the new run; None if the gate is not set.
        regressed: Whether it passed in the old run and fails in the new run.
        reason: Reason of the status in the new run, or in the old run if the new one does not have it.
    """

    gate: str
    old: Literal["pass", "fail", "inconclusive"] | None
    new: Literal["pass", "fail", "inconclusive"] | None
    regressed: bool
    reason: Fact


@dataclass(frozen=True)
class CheckChange:
    """A check whose status changed.

    Attributes:
        check: Name of the check.
        old: Status in the old run; None if the check was not made.
        new: Status in the new run; None if the check was not made.
        facts: Observations of the new run, or of the old run if the new one does not have the check.
    """

    check: str
    old: Literal["ok", "warn", "fail"] | None
    new: Literal["ok", "warn", "fail"] | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class RegressionVerdict:
    """Whether the new run leaks more.

    Attributes:
        status: ``fail`` if a regression is shown; ``inconclusive`` if a check of the new run failed, or if too little
            could be tested; ``pass`` otherwise.
        reasons: Reasons of the status, at least one.
    """

    status: Status
    reasons: tuple[Fact, ...]


@dataclass(frozen=True)
class ComparisonResult:
    """Everything that a report of a comparison shows; ``comparison.json`` is its exact JSON form.

    Attributes:
        schema_version: Version of this schema.
        privaudit_version: Version of privaudit that made the comparison.
        created: Time of the comparison: UTC, ISO 8601.
        old: Summary of the old run.
        new: Summary of the new run.
        same_model: Whether both runs audited the same weights.
        fail_on_regression: Whether a regression fails the comparison.
        margin: Maximum rise of AUROC or TPR that does not count as a regression.
        confidence: Confidence level of each interval, and of all tests jointly.
        tests: Number of differences that are tested together.
        allowed: Differences between the runs that make their numbers different quantities and were allowed.
        settings: Other settings that differ.
        pairing: Images from which the differences were computed.
        changes: Differences, one entry per attack, mask and metric.
        not_compared: Learned scores of both runs that are not compared.
        added: Attacks that only the new run has.
        removed: Attacks that only the old run has.
        gates: Gates of either run.
        checks: Checks whose status changed.
        notes: Observations that matter for reading the numbers.
        untested: Reasons why differences could not be tested, each reason once.
        verdict: Whether there is a regression.
    """

    schema_version: int
    privaudit_version: str
    created: str
    old: RunSummary
    new: RunSummary
    same_model: bool
    fail_on_regression: bool
    margin: float
    confidence: float
    tests: int
    allowed: tuple[Mismatch, ...]
    settings: tuple[Setting, ...]
    pairing: Pairing
    changes: tuple[Change, ...]
    not_compared: tuple[NotCompared, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    gates: tuple[GateChange, ...]
    checks: tuple[CheckChange, ...]
    notes: tuple[Fact, ...]
    untested: tuple[Fact, ...]
    verdict: RegressionVerdict

    def to_json(self) -> str:
        """Return the canonical JSON text: NaN as null, keys in the order of the fields."""
        return json.dumps(encode(self), indent=2, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """Render the comparison as a page that contains no folder names and can be shared.

        Returns:
            Self-contained HTML.
        """
        from privaudit.report.html.comparison_page import render_comparison_html

        return render_comparison_html(self)

    @classmethod
    def from_json(cls, text: str) -> ComparisonResult:
        """Read the output of `to_json`.

        Args:
            text: JSON text.

        Returns:
            The comparison.

        Raises:
            ResultError: The text is not a comparison of this schema version.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ResultError(f"expected a comparison of two privaudit runs in JSON: {error}") from error
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != COMPARISON_SCHEMA:
            raise ResultError(
                f"expected a comparison with schema_version {COMPARISON_SCHEMA}, got {version}; compare the runs again"
            )
        return decode(cls, values)
