"""The saved result of an audit: everything a report shows, recomputable from the run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from privaudit.codec import decode, encode
from privaudit.data.sets import Role
from privaudit.errors import ResultError
from privaudit.evaluation.canaries import CanaryReport
from privaudit.evaluation.estimate import Comparison, Estimate, GroupStratum, Metrics, Stratum
from privaudit.evaluation.selection import Choice
from privaudit.evaluation.suspects import SuspectReport
from privaudit.evaluation.verdict import Check, Verdict

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class TargetReport:
    """The audited model (see `privaudit.target.TargetInfo`)."""

    id: str
    hash: str
    family: str
    prediction_type: str
    latent_shape: tuple[int, ...]


@dataclass(frozen=True)
class SkippedReport:
    """A file that could not be read."""

    path: str
    reason: str


@dataclass(frozen=True)
class DataReport:
    """The audited images.

    Attributes:
        role: What the first of the two compared sets is: known ``members``, ``canaries`` that were drawn to be trained
            on, or ``suspects`` of unknown membership.
        members: Distinct images of that set.
        nonmembers: Distinct non-members.
        suspects: Distinct images of unknown membership, in either place.
        duplicates_removed: Copies dropped: within a set, and both copies of a picture in both sets.
        shared: Pictures that were in both sets.
        near_duplicates: Pairs of pictures that look the same; they are kept, in one fold.
        groups: Groups of the manifests.
        skipped: Unreadable files.
        split_hash: Hash of which ids are members.
    """

    role: Role
    members: int
    nonmembers: int
    suspects: int
    duplicates_removed: int
    shared: int
    near_duplicates: int
    groups: int
    skipped: tuple[SkippedReport, ...]
    split_hash: str


@dataclass(frozen=True)
class AttackReport:
    """One attack under all masks, or one score made of the attacks' scores.

    Attributes:
        name: Of the attack, with its preset; ``NAME-reference`` for its errors minus the reference model's.
        kind: ``published``; ``ours``; ``reference``, minus the reference model's errors; or ``learned``, by a model
            fitted to other images (see `selected_on`).
        reference: Where it was published.
        level: What most folds chose: a noise level, or another value where `axis` says so; None without a choice.
        log_snr: 2 log(alpha / sigma) at that level; None where there is none.
        axis: What was chosen: ``level`` unless the attack is made of several.
        levels_by_fold: What each fold's images were scored at.
        search_space: The values that were compared.
        choices: Everything that was chosen or learned, with what was compared and what each fold took; empty if all
            was fixed beforehand.
        order: p of the norm; None for other statistics, and where several were compared.
        parameters: All hyper-parameters.
        passes: Denoiser passes an image, alone; what is shared with other attacks counts for each.
        selected_on: How level or model was chosen, in words.
        latents: Where the statistic was taken: ``encoder`` or ``inversion``.
        masks: Metrics by mask; ``none`` alone for a score that weighs dimensions itself.
        random_vs_none: The control: a random mask of the same size against no mask.
        influence_vs_none: The hard mask against no mask, paired.
        weighted_vs_none: The soft weights against no mask, paired.
        best_published: For a score that is not ``published``: the strongest published attack by unmasked AUROC.
        versus_published: This score without mask against that attack without mask, paired.
        distortion_quartiles: AUROC without mask by quartile of local distortion, lowest first.
        groups: The same by group of the manifests; empty without groups.
    """

    name: str
    kind: Literal["published", "ours", "reference", "learned"]
    reference: str
    level: float | None
    log_snr: float | None
    axis: str
    levels_by_fold: tuple[float, ...]
    search_space: tuple[str | float, ...]
    choices: tuple[Choice, ...]
    order: float | None
    parameters: Mapping[str, Any]
    passes: int
    selected_on: str
    latents: str
    masks: Mapping[str, Metrics]
    random_vs_none: Comparison | None
    influence_vs_none: Comparison | None
    weighted_vs_none: Comparison | None
    best_published: str | None
    versus_published: Comparison | None
    distortion_quartiles: tuple[Stratum, ...]
    groups: tuple[GroupStratum, ...]


@dataclass(frozen=True)
class RefusedReport:
    """An attack that was asked for and could not run on this target."""

    name: str
    reason: str


@dataclass(frozen=True)
class BlindReport:
    """Classifiers that never see the target, on the same images.

    Attributes:
        auroc: Of the strongest one.
        strongest: The family of what it looks at: ``pixels``, ``compression``, ``files`` or ``captions``.
        families: AUROC by family, the largest first.
        method: In words.
    """

    auroc: Estimate
    strongest: str
    families: Mapping[str, Estimate]
    method: str


@dataclass(frozen=True)
class AuditResult:
    """Everything a report shows; ``report.json`` is its exact JSON form.

    Attributes:
        schema_version: Of this class.
        privaudit_version: That wrote it.
        created: UTC, ISO 8601.
        target: The audited model.
        data: The audited images.
        config: Every option of the audit.
        hardware: Machine and versions.
        timing: Seconds by stage.
        attacks: One entry an attack or scorer.
        refused: Attacks that could not run, and why.
        blind: What the two sets differ in without any model.
        checks: What could make the numbers untrustworthy.
        verdict: Finding, gates, status.
        suspects: What images of unknown membership say; None without any.
        canaries: The one-run audit; None unless membership was drawn by lot.
    """

    schema_version: int
    privaudit_version: str
    created: str
    target: TargetReport
    data: DataReport
    config: Mapping[str, Any]
    hardware: Mapping[str, Any]
    timing: Mapping[str, float]
    attacks: tuple[AttackReport, ...]
    refused: tuple[RefusedReport, ...]
    blind: BlindReport
    checks: tuple[Check, ...]
    verdict: Verdict
    suspects: SuspectReport | None
    canaries: CanaryReport | None

    def to_json(self) -> str:
        """Return the canonical JSON text: NaN as null, keys in the order of the fields."""
        return json.dumps(encode(self), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> AuditResult:
        """Read what `to_json` wrote.

        Args:
            text: JSON.

        Returns:
            The same result.

        Raises:
            ResultError: The text is no report of this schema version.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ResultError(f"expected a privaudit report in JSON: {error}") from error
        found = values.get("schema_version") if isinstance(values, dict) else None
        if found != SCHEMA_VERSION:
            raise ResultError(
                f"expected schema_version {SCHEMA_VERSION}, got {found}; "
                "read it with the privaudit version that wrote it"
            )
        return decode(cls, values)

    @classmethod
    def load(cls, path: Path) -> AuditResult:
        """Read ``report.json`` of a run folder, or a report file.

        Args:
            path: A run folder or a file.

        Returns:
            The result.

        Raises:
            ResultError: There is no report.
        """
        file = path / "report.json" if path.is_dir() else path
        if not file.is_file():
            raise ResultError(f"expected a report at {file}, found none; run privaudit scan first")
        return cls.from_json(file.read_text(encoding="utf-8"))
