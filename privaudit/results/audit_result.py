"""The saved result of an audit: everything a report shows, recomputable from the run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from privaudit.errors import ResultError
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.evaluation.curves import Histogram, RocCurve
from privaudit.evaluation.estimate import Comparison, Estimate, GroupStratum, Metrics, Stratum
from privaudit.evaluation.facts import Check
from privaudit.evaluation.selection import Choice
from privaudit.evaluation.suspects import SuspectReport
from privaudit.evaluation.verdict import Verdict
from privaudit.results.data_report import DataReport
from privaudit.results.exemplars import Exemplar
from privaudit.results.former_versions import upgraded
from privaudit.storage.exact_json import decode, encode
from privaudit.storage.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from privaudit.report.frames import Kind
    from privaudit.report.plots import Plots

SCHEMA_VERSION = 6
Model = Literal["target", "reference"]
"""Options that name a model."""


@dataclass(frozen=True)
class TargetReport:
    """The audited model (see `privaudit.model.target.TargetInfo`).

    Attributes:
        id: Folder or hub id, as it was requested.
        hash: Hash of its weights and configuration.
        family: Such as ``unconditional``.
        prediction_type: What the denoiser predicts: ``epsilon``, ``v_prediction``, ``sample`` or ``flow``.
        latent_shape: Without the batch.
    """

    id: str
    hash: str
    family: str
    prediction_type: str
    latent_shape: tuple[int, ...]


@dataclass(frozen=True)
class LevelReport:
    """An attack at one of the noise levels that were compared, on all images.

    Attributes:
        level: Noise level.
        log_snr: 2 log(alpha / sigma) there; None where there is none.
        auroc: AUROC by mask. The largest of them is no estimate of what an attacker reaches: it was picked on these
            images.
    """

    level: float
    log_snr: float | None
    auroc: Mapping[str, Estimate]


@dataclass(frozen=True)
class AttackReport:
    """One attack under all masks, or one score made of the attacks' scores.

    Attributes:
        name: Name of the attack, with its preset; ``NAME-reference`` for its errors minus the reference model's.
        kind: ``published``; ``ours``; ``reference``, minus the reference model's errors; or ``learned``, by a model
            fitted to other images (see `learners` and `choices`).
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
        passes: Denoiser passes per image, alone; what is shared with other attacks counts for each.
        learners: Kinds of classifiers that it is the mean of; empty if none was fitted.
        latents: Where the statistic was taken: ``encoder`` or ``inversion``.
        masks: Metrics by mask; ``none`` alone for a score that weighs dimensions itself.
        random_vs_none: The control: a random mask of the same size against no mask.
        influence_vs_none: The hard mask against no mask, paired.
        weighted_vs_none: The soft weights against no mask, paired.
        best_published: For a score that is not ``published``: the strongest published attack by unmasked AUROC.
        versus_published: This score without mask against that attack without mask, paired.
        distortion_quartiles: AUROC without mask by quartile of local distortion, lowest first.
        groups: The same by group of the manifests; empty without groups.
        curves: ROC curve by mask, with pointwise limits without a mask.
        histograms: How both sets are spread over the score, by mask.
        levels: AUROC at each noise level that was compared; empty where levels are not what was.
        spread: Factor by which the standard deviation of its AUROC exceeds that of a fixed score, since other folds had
            a part in it: tests and intervals allow for it.
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
    learners: tuple[str, ...]
    latents: str
    masks: Mapping[str, Metrics]
    random_vs_none: Comparison | None
    influence_vs_none: Comparison | None
    weighted_vs_none: Comparison | None
    best_published: str | None
    versus_published: Comparison | None
    distortion_quartiles: tuple[Stratum, ...]
    groups: tuple[GroupStratum, ...]
    curves: Mapping[str, RocCurve]
    histograms: Mapping[str, Histogram]
    levels: tuple[LevelReport, ...]
    spread: float = 1.0

    @property
    def gains(self) -> dict[str, Comparison]:
        """What every mask gains over none, by mask; empty of a score that has no masks."""
        found = {
            "random": self.random_vs_none,
            "influence": self.influence_vs_none,
            "weighted": self.weighted_vs_none,
        }
        return {mask: gain for mask, gain in found.items() if gain is not None}


@dataclass(frozen=True)
class RefusedReport:
    """An attack that was requested and could not run on this target.

    Attributes:
        name: Name of the attack.
        reason: Why not.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class BlindReport:
    """Classifiers that never see the target, on the same images.

    Attributes:
        auroc: AUROC of the strongest one.
        strongest: The family of what it looks at: ``pixels``, ``compression``, ``files`` or ``captions``.
        families: AUROC by family, the largest first.
        curve: ROC curve of the strongest one, without limits; None if none was fitted.
    """

    auroc: Estimate
    strongest: str
    families: Mapping[str, Estimate]
    curve: RocCurve | None


@dataclass(frozen=True)
class InfluenceReport:
    """Where in the latent the decoder is most sensitive, averaged over images, so that no single image is shown.

    Maps are means over images of each image's influence summed over channels, scaled to a mean of 1 over positions
    and, of latents larger than `privaudit.auditing.run_stages.MAP` on a side, averaged over patches.

    Attributes:
        everywhere: ``(height, width)``, over all compared images.
        exposed: The same over the positives that the attack recognises most clearly.
        images: Number of those members.
        attack: Attack whose unmasked score ranks them.
        channels: Share of the influence that falls to each channel, over all compared images.
    """

    everywhere: tuple[tuple[float, ...], ...]
    exposed: tuple[tuple[float, ...], ...]
    images: int
    attack: str
    channels: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class AuditResult:
    """Everything a report shows; ``report.json`` is its exact JSON form.

    What shows it (`frame`, `plot`, `save`, `to_html`) is loaded when it is asked for.

    Attributes:
        schema_version: Version of this schema.
        privaudit_version: Version of privaudit that wrote it.
        created: UTC, ISO 8601.
        target: The audited model.
        data: The audited images.
        config: Every option of the audit.
        hardware: Machine and versions.
        timing: Seconds by stage.
        attacks: One entry per attack or scorer.
        refused: Attacks that could not run, and why.
        blind: Differences of the two sets without any model.
        checks: Checks of what could make the numbers untrustworthy.
        verdict: Finding, gates, status.
        suspects: Test of the images of unknown membership; None without any.
        canaries: One-run audit; None unless membership was drawn at random.
        influence: Where the decoder is sensitive.
        folders: Which of ``target`` and ``reference`` are folders of a disk. A folder may be named ``owner/model`` like
            a model of the hub; a report that leaves the machine names the owner only of the latter.
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
    influence: InfluenceReport
    folders: tuple[Model, ...] = ("target", "reference")

    def __repr__(self) -> str:
        names = ", ".join(report.name for report in self.attacks)
        target = Path(self.target.id).name if "target" in self.folders else self.target.id
        return (
            f"AuditResult(target={target!r}, finding={self.verdict.finding.level!r}, "
            f"verdict={self.verdict.status!r}, attacks=[{names}], created={self.created!r})"
        )

    def _repr_html_(self) -> str:
        from privaudit.report.notebook import render_notebook

        return render_notebook(self)

    def frame(self, kind: Kind = "metrics") -> pd.DataFrame:
        """Lay a part of the result out as a table (see `privaudit.report.frames.frame`).

        Args:
            kind: ``metrics``, ``comparisons``, ``quartiles``, ``groups``, ``levels``, ``curves``, ``histograms``,
                ``checks`` or ``gates``.

        Returns:
            The table.
        """
        from privaudit.report.frames import frame

        return frame(self, kind)

    @property
    def plot(self) -> Plots:
        """Its plots: ``result.plot.roc()`` (see `privaudit.report.plots.Plots`)."""
        from privaudit.report.plots import Plots

        return Plots(self)

    def to_html(self, exemplars: Sequence[Exemplar] = ()) -> str:
        """Render the whole report as one page.

        Args:
            exemplars: Images to show, from `privaudit.load_exemplars`; a page without them may leave the machine.

        Returns:
            HTML that needs nothing else.
        """
        from privaudit.report.html import render_html

        return render_html(self, exemplars)

    def save(self, path: str | Path, exemplars: Sequence[Exemplar] = ()) -> Path:
        """Write the result to a file, whose name says in which format: ``.json``, ``.html``, ``.md``, ``.csv``, ...

        Args:
            path: Path of the file; an existing folder gets a ``report.json``, from which `load` reads the result again.
            exemplars: Images to show, in a format that can.

        Returns:
            Where it was written.

        Raises:
            ConfigError: No format has such a name.
        """
        from privaudit.report.formats import format_of

        file = Path(path) / "report.json" if Path(path).is_dir() else Path(path)
        write_bytes(file, format_of(file).encoded(self, exemplars))
        return file

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
            ResultError: The text is no report of a schema version that can be read.
        """
        report = read_report(text)
        if isinstance(report, AuditFailure):
            raise ResultError(
                "expected the report of an audit, got that of one that ended with an error: "
                + "; ".join(report.verdict.reasons)
            )
        return report

    @classmethod
    def load(cls, path: str | Path) -> AuditResult:
        """Read ``report.json`` of a run folder, or a report file.

        Args:
            path: A run folder or a file.

        Returns:
            The result.

        Raises:
            ResultError: There is no report.
        """
        return cls.from_json(_text_at(Path(path)))


@dataclass(frozen=True)
class FailedVerdict:
    """The verdict of an audit that did not get as far as one.

    Attributes:
        status: ``error``: nothing is said about the model.
        reasons: What went wrong, one line per problem.
    """

    status: Literal["error"]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class AuditFailure:
    """``report.json`` of an audit that ended with an error, so that a machine finds a report whatever happened.

    Attributes:
        schema_version: Version of the schema, as in `AuditResult`.
        privaudit_version: Version of privaudit that wrote it.
        created: UTC, ISO 8601.
        target: The model as it was requested.
        config: Every option as far as it could be read.
        kind: Name of the error's class, such as ``TargetError``.
        defect: Whether this is a defect of privaudit and not something that a user can fix.
        verdict: What went wrong, where `AuditResult` has its verdict.
        private: Parts of the reasons that name single images, or a place that no option names.
    """

    schema_version: int
    privaudit_version: str
    created: str
    target: str
    config: Mapping[str, Any]
    kind: str
    defect: bool
    verdict: FailedVerdict
    private: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the canonical JSON text."""
        return json.dumps(encode(self), indent=2, allow_nan=False) + "\n"


def read_report(text: str) -> AuditResult | AuditFailure:
    """Read a report of either kind.

    Args:
        text: JSON.

    Returns:
        What `to_json` wrote.

    Raises:
        ResultError: The text is no report of a schema version that can be read.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ResultError(f"expected a privaudit report in JSON: {error}") from error
    values = upgraded(values) if isinstance(values, dict) else {}
    found = values.get("schema_version")
    if found != SCHEMA_VERSION:
        raise ResultError(
            f"expected schema_version {SCHEMA_VERSION}, got {found}; read it with the privaudit version that wrote it"
        )
    verdict = values.get("verdict")
    failed = isinstance(verdict, dict) and verdict.get("status") == "error"
    return decode(AuditFailure, values) if failed else decode(AuditResult, values)


def load_report(path: str | Path) -> AuditResult | AuditFailure:
    """Read a report of either kind from disk.

    Returns:
        The result, or what a run that ended with an error left.

    Raises:
        ResultError: There is no report.
    """
    return read_report(_text_at(Path(path)))


def _text_at(path: Path) -> str:
    file = path / "report.json" if path.is_dir() else path
    if not file.is_file():
        raise ResultError(f"expected a report at {file}, found none; run privaudit scan first")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ResultError(f"expected a privaudit report in JSON at {file}: {error}") from error
