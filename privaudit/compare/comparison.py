"""What a comparison found: everything its reports show, and the exact JSON form of it."""

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
        run: Folder or file, as it was named.
        created: UTC, ISO 8601.
        privaudit_version: Version of privaudit that wrote it.
        target: Id of the audited model.
        hash: Hash of its weights.
        family: Family of the model.
        design: What its positives are, which it compares with non-members.
        positives: Images of the positive class.
        nonmembers: Non-members.
        split_hash: Hash of which ids are members.
        status: Status of its verdict.
        level: Level of its finding.
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
    """Something in which the runs differ so that their numbers are not the same quantity; it was allowed.

    Attributes:
        kind: One of `privaudit.compare.compare_options.KINDS`.
        what: What differs.
        old: Value in the old run.
        new: Value in the new run.
    """

    kind: str
    what: str
    old: str
    new: str


@dataclass(frozen=True)
class Setting:
    """A setting that differs and does not stand in the way of a comparison.

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
    """Which images the differences rest on.

    Attributes:
        paired: Whether both runs' scores of the same images were compared.
        facts: On which images they rest, or why on none.
        positives: Positives that both runs scored.
        nonmembers: Non-members that both runs scored.
        old_only: Images that only the old run scored.
        new_only: Images that only the new run scored.
        moved: Images that are in one set of the old run and in the other set of the new one; left out.
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
        attack: Its name.
        mask: The mask.
        metric: ``auroc``, ``tpr@1%fpr``, or what a gate of either run looks at.
        old: Value in the old run; on the images that both scored where the difference is paired.
        new: Value in the new run.
        difference: New minus old.
        rise: Lower confidence limit of the difference, corrected for all tests; NaN unless it is tested.
        fall: Upper confidence limit of it, corrected for as many.
        tested: Whether the verdict rests on it.
        direction: ``worse`` if `rise` is above the margin and the new run above chance by more than that; ``better``
            if `fall` is below minus the margin and the old run was above chance; ``unclear`` if neither is shown;
            ``unmeasured`` if it is not tested or could not be.
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
    """An attack of both runs that is not compared.

    Attributes:
        attack: Name of the attack.
        differs_by: Attacks that only one of the runs has, of which the score was made.
    """

    attack: str
    differs_by: tuple[str, ...]


@dataclass(frozen=True)
class GateChange:
    """A gate of either run.

    Attributes:
        gate: Text of the gate, as the user wrote it in the new run, else in the old one.
        old: What became of it; None if it was not set.
        new: What became of it; None if it is not set any more.
        regressed: It passed and fails now.
        reason: What decided it in the new run, else in the old one.
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
        check: Its name.
        old: Its status; None if it was not made.
        new: Its status; None if it was not made.
        facts: What it noticed in the new run, else in the old one.
    """

    check: str
    old: Literal["ok", "warn", "fail"] | None
    new: Literal["ok", "warn", "fail"] | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class RegressionVerdict:
    """Whether the new run leaks more.

    Attributes:
        status: ``fail`` if something is shown to be worse; ``inconclusive`` if a check of the new run failed, or
            if too little could be tested.
        reasons: At least one reason.
    """

    status: Status
    reasons: tuple[Fact, ...]


@dataclass(frozen=True)
class ComparisonResult:
    """Everything a report of a comparison shows; ``comparison.json`` is its exact JSON form.

    Attributes:
        schema_version: Version of this schema.
        privaudit_version: Version of privaudit that compared.
        created: UTC, ISO 8601.
        old: The old run.
        new: The new run.
        same_model: Whether the weights are the same.
        fail_on_regression: Whether a regression was to fail.
        margin: How much AUROC or TPR may rise.
        confidence: Confidence level of all intervals.
        tests: Number of differences that are tested together.
        allowed: What is not the same quantity and was allowed.
        settings: What else differs.
        pairing: Which images the differences rest on.
        changes: One entry per attack, mask and metric.
        not_compared: Attacks of both runs that are not compared.
        added: Attacks of the new run alone.
        removed: Attacks of the old run alone.
        gates: Gates of either run.
        checks: Checks whose status changed.
        notes: What to keep in mind.
        untested: Why differences could not be tested, each reason once.
        verdict: Regression or none.
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
        """Render the whole comparison as one page; it names no folder and may leave the machine.

        Returns:
            HTML that needs nothing else.
        """
        from privaudit.report.html.comparison_page import render_comparison_html

        return render_comparison_html(self)

    @classmethod
    def from_json(cls, text: str) -> ComparisonResult:
        """Read what `to_json` wrote.

        Args:
            text: JSON.

        Returns:
            The same comparison.

        Raises:
            ResultError: The text is no comparison of this schema version.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ResultError(f"expected a comparison of two privaudit runs in JSON: {error}") from error
        found = values.get("schema_version") if isinstance(values, dict) else None
        if found != COMPARISON_SCHEMA:
            raise ResultError(
                f"expected a comparison with schema_version {COMPARISON_SCHEMA}, got {found}; compare the runs again"
            )
        return decode(cls, values)
