"""The saved result of an audit: everything that a report shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from privaudit.model.model_files import ModelFiles
from privaudit.results.data_report import DataReport
from privaudit.results.exemplars import Exemplar
from privaudit.results.former_versions import upgraded
from privaudit.storage.exact_json import decode, encode
from privaudit.storage.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from privaudit.report.frames import Kind
    from privaudit.report.plots import Plots

SCHEMA_VERSION = 8
Model = Literal["target", "reference", "config_from"]
"""Options that name a model."""


@dataclass(frozen=True)
class TargetReport:
    """The audited model (see `privaudit.model.target.TargetInfo`).

    Attributes:
        id: Folder or hub id, as it was requested.
        hash: Hash of the model's weights and configuration.
        family: Family of the model, such as ``unconditional``.
        prediction_type: Quantity that the denoiser predicts, such as ``epsilon``, ``v_prediction`` or ``flow``.
        latent_shape: Shape of one latent, without the batch axis.
        components: Hash of each component of the model, by name.
        settings: What the network was told and no file of the model records, such as a guidance scale, as text.
        files: Adapters that were merged, components from elsewhere, and what was not audited.
    """

    id: str
    hash: str
    family: str
    prediction_type: str
    latent_shape: tuple[int, ...]
    components: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    files: ModelFiles = field(default_factory=ModelFiles)


@dataclass(frozen=True)
class LevelReport:
    """An attack at one of the noise levels that were compared, on all images.

    Attributes:
        level: Noise level.
        log_snr: 2 log(alpha / sigma) at that level; None if it is not defined.
        auroc: AUROC by mask. The largest over levels overestimates what an attacker reaches, because it is selected on
            the images that it is measured on.
    """

    level: float
    log_snr: float | None
    auroc: Mapping[str, Estimate]


@dataclass(frozen=True)
class AttackReport:
    """One attack, or one score computed from the attacks' scores, under all masks.

    Attributes:
        name: Name of the attack, with its preset; ``NAME-reference`` for its errors minus those of the reference model.
        kind: ``published``; ``ours``; ``reference`` for errors minus those of the reference model; or ``learned`` for
            the output of a model fitted to other images (see `learners` and `choices`).
        reference: Publication of the attack.
        level: Value that most folds chose: a noise level, or the parameter named by `axis`; None without a choice.
        log_snr: 2 log(alpha / sigma) at that level; None if it is not defined.
        axis: Parameter that was chosen: ``level``, unless the attack chooses between other variants.
        levels_by_fold: Value at which the images of each fold were scored.
        search_space: Values that were compared.
        choices: Everything that was chosen or learned, with the values that were compared and the choice of each fold;
            empty if everything was fixed beforehand.
        order: Order p of the norm; None for other statistics, and if several orders were compared.
        parameters: All hyper-parameters.
        passes: Denoiser passes per image if the attack ran alone; passes shared with other attacks count for each.
        learners: Kinds of classifiers whose mean the score is; empty if none was fitted.
        latents: Latents on which the statistic was computed: ``encoder`` or ``inversion``.
        masks: Metrics by mask; only ``none`` for a score that weights dimensions itself.
        random_vs_none: Control: a random mask of the same size minus no mask, paired.
        influence_vs_none: Hard influence mask minus no mask, paired.
        weighted_vs_none: Soft influence weights minus no mask, paired.
        best_published: Strongest published attack by unmasked AUROC, for a score that is not ``published`` itself.
        versus_published: This score minus `best_published`, both without mask, paired.
        distortion_quartiles: AUROC without mask by quartile of local distortion, lowest first.
        groups: AUROC without mask by group of the manifests; empty without groups.
        curves: ROC curve by mask; only the one without mask has pointwise limits.
        histograms: Histograms of the scores of both sets, by mask.
        levels: AUROC at each noise level that was compared; empty if no noise levels were.
        spread: Factor on the standard deviation of the AUROC, relative to a fixed score, due to choosing or learning on
            other folds; tests and intervals allow for it.
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
        """Gain of each mask over no mask, by mask; empty for a score without masks."""
        gains = {
            "random": self.random_vs_none,
            "influence": self.influence_vs_none,
            "weighted": self.weighted_vs_none,
        }
        return {mask: gain for mask, gain in gains.items() if gain is not None}


@dataclass(frozen=True)
class RefusedReport:
    """An attack that was requested and could not run on this target.

    Attributes:
        name: Name of the attack.
        reason: Why it could not run.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class BlindReport:
    """Classifiers that use the images but not the target: a measure of how much the two sets differ.

    Attributes:
        auroc: AUROC of the strongest classifier.
        strongest: Family of its features: ``pixels``, ``compression``, ``files`` or ``captions``.
        families: AUROC by family, largest first.
        curve: ROC curve of the strongest classifier, without limits; None if no classifier was fitted.
    """

    auroc: Estimate
    strongest: str
    families: Mapping[str, Estimate]
    curve: RocCurve | None


@dataclass(frozen=True)
class InfluenceReport:
    """Influence of the latent positions on the decoded image, averaged over images so that no single image is shown.

    The map of an image is its influence summed over channels and scaled to a mean of 1 over positions. Maps with more
    than 32 positions on a side are averaged over patches. Maps of images of several sizes (aspect-ratio buckets) are
    resampled to the largest height and the largest width among them before they are averaged.

    Attributes:
        everywhere: ``(height, width)``, mean map of all compared images.
        exposed: ``(height, width)``, mean map of the most exposed positives.
        images: Number of these positives.
        attack: Attack whose unmasked score ranks the positives.
        channels: Fraction of the influence in each channel, mean over all compared images.
    """

    everywhere: tuple[tuple[float, ...], ...]
    exposed: tuple[tuple[float, ...], ...]
    images: int
    attack: str
    channels: tuple[float, ...]


@dataclass(frozen=True, repr=False)
class AuditResult:
    """Everything that a report shows; ``report.json`` is its exact JSON form.

    `frame`, `plot`, `save` and `to_html` import pandas and the report modules when they are first used.

    Attributes:
        schema_version: Version of this schema.
        privaudit_version: Version of privaudit that ran the audit.
        created: Time of the audit: UTC, ISO 8601.
        target: The audited model.
        data: The audited images.
        config: All options of the audit.
        hardware: Machine and versions of packages.
        timing: Seconds by stage.
        attacks: Results, one entry per attack or scorer.
        refused: Attacks that could not run, and why.
        blind: Classifiers that tell the two sets apart without any model.
        checks: Checks for conditions that make the numbers untrustworthy.
        verdict: Finding, gates and status.
        suspects: Test of the images of unknown membership; None without such images.
        canaries: One-run audit; None unless membership was drawn at random.
        influence: Influence of the latent positions on the decoded image.
        folders: Which of the options that name models are local folders or files. One may be named ``owner/model``
            like a hub id; reports for sharing contain the owner of a hub id only.
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
    folders: tuple[Model, ...] = ("target", "reference", "config_from")

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
        """Return a part of the result as a table (see `privaudit.report.frames.frame`).

        Args:
            kind: Part of the result: ``metrics``, ``comparisons``, ``quartiles``, ``groups``, ``levels``, ``curves``,
                ``histograms``, ``checks`` or ``gates``.

        Returns:
            The table.
        """
        from privaudit.report.frames import frame

        return frame(self, kind)

    @property
    def plot(self) -> Plots:
        """Plots of the result, such as ``result.plot.roc()`` (see `privaudit.report.plots.Plots`)."""
        from privaudit.report.plots import Plots

        return Plots(self)

    def to_html(self, exemplars: Sequence[Exemplar] = ()) -> str:
        """Render the report as one page.

        Args:
            exemplars: Images to show, from `privaudit.load_exemplars`. Without them the page can be shared.

        Returns:
            Self-contained HTML.
        """
        from privaudit.report.html import render_html

        return render_html(self, exemplars)

    def save(self, path: str | Path, exemplars: Sequence[Exemplar] = ()) -> Path:
        """Write the result to a file in the format of its name: ``.json``, ``.html``, ``.md``, ``.csv``, ...

        Args:
            path: Path of the file, or an existing folder in which to write ``report.json``.
            exemplars: Images to show, if the format can show images.

        Returns:
            Path of the file that was written.

        Raises:
            ConfigError: No format has such a file name.
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
        """Read the output of `to_json`.

        Args:
            text: JSON text.

        Returns:
            The result.

        Raises:
            ResultError: The text is not the report of an audit in a schema version that can be read, or it is that of
                an audit that ended with an error.
        """
        report = read_report(text)
        if isinstance(report, AuditFailure):
            raise ResultError(
                "expected the report of a completed audit, got that of one that ended with an error: "
                + "; ".join(report.verdict.reasons)
            )
        return report

    @classmethod
    def load(cls, path: str | Path) -> AuditResult:
        """Read the ``report.json`` of a run folder, or a report file.

        Args:
            path: Run folder or report file.

        Returns:
            The result.

        Raises:
            ResultError: There is no report, or it cannot be read (see `from_json`).
        """
        return cls.from_json(_text_at(Path(path)))


@dataclass(frozen=True)
class FailedVerdict:
    """Stands in for the verdict of an audit that ended with an error.

    Attributes:
        status: Always ``error``: nothing is known about the model.
        reasons: Problems, one sentence per problem.
    """

    status: Literal["error"]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class AuditFailure:
    """``report.json`` of an audit that ended with an error, so that a CI job finds a report in any case.

    Attributes:
        schema_version: Version of the schema, as in `AuditResult`.
        privaudit_version: Version of privaudit that wrote the report.
        created: Time of the error: UTC, ISO 8601.
        target: Folder or hub id, as it was requested.
        config: All options, as far as they could be read.
        kind: Class name of the error, such as ``TargetError``.
        defect: Whether this is a defect of privaudit rather than something that a user can fix.
        verdict: The problems, under the key that holds the verdict of an `AuditResult`.
        private: Parts of the reasons that name single images or paths that no option names; reports for sharing omit
            them.
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
        text: JSON text.

    Returns:
        The result, or the failure of an audit that ended with an error.

    Raises:
        ResultError: The text is not a report in a schema version that can be read.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ResultError(f"expected a privaudit report in JSON: {error}") from error
    values = upgraded(values) if isinstance(values, dict) else {}
    version = values.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ResultError(
            f"expected schema_version {SCHEMA_VERSION}, got {version}; read it with the privaudit version that wrote it"
        )
    verdict = values.get("verdict")
    failed = isinstance(verdict, dict) and verdict.get("status") == "error"
    return decode(AuditFailure, values) if failed else decode(AuditResult, values)


def load_report(path: str | Path) -> AuditResult | AuditFailure:
    """Read a report of either kind from disk.

    Args:
        path: Run folder or report file.

    Returns:
        The result, or the failure of an audit that ended with an error.

    Raises:
        ResultError: There is no report, or it cannot be read.
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
