"""Options of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from privaudit.auditing.image_options import ImageChoices, ImageOptions
from privaudit.auditing.model_options import FineTuneChoices, FineTuneOptions
from privaudit.auditing.option_table import GATES, HOW, REPORTS, RUNNING, SETS, needed, option, rule
from privaudit.auditing.option_values import (
    number_or,
    read_attacks,
    read_drop,
    read_gates,
    read_influence,
    read_solver,
    resolved_by,
    spec_of,
    wrong_drops,
)
from privaudit.auditing.parsed_options import Problem

if TYPE_CHECKING:
    from privaudit.decoder_geometry import Estimator
    from privaudit.evaluation import Gate
    from privaudit.inversion import Solver
    from privaudit.loading.model_source import ModelSource
    from privaudit.scorers import Methods

LatentSource = Literal["encoder", "inversion"]
MaskScope = Literal["image", "set"]
GateBound = Literal["lower", "upper"]
NO_REFERENCE = "none"
"""Value of ``--reference`` that audits a model with a LoRA alone."""
AUTOENCODER_NAMES = ("vae", "vqvae", "movq", "vqgan")
"""Names of the autoencoder in pipelines (see `privaudit.loading.standalone`), which imports torch."""
_set, _how, _gate, _report, _running = (partial(option, panel=panel) for panel in (SETS, HOW, GATES, REPORTS, RUNNING))


@dataclass(frozen=True)
class AuditOptions(FineTuneOptions, ImageOptions):
    """Options of an audit; the defaults are those of `privaudit scan`.

    Attributes:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set; None with ``suspects`` or ``canaries``.
        nonmembers: Folder or manifest of images said not to be; None with ``canaries``.
        out: Run folder.
        suspects: Folder or manifest of images of unknown membership, compared with ``nonmembers``.
        canaries: Output of `privaudit canaries make`: members and non-members drawn at random before training.
        attacks: Attacks and scorers to run.
        reference: A diffusers folder or hub id whose errors are subtracted, such as the base of a fine-tune; ``none``
            for no reference; None for the model without its adapters if there are any.
        drop: Fraction of latent dimensions that the hard masks drop; if several, one is chosen for each fold.
        gamma: Exponent of the influence in the soft weights.
        mask_scope: ``image`` for masks and weights from the influence of each image, ``set`` for one from their mean.
        geometry_latents: Latents at which the decoder's influence is computed.
        attack_latents: Latents at which the attacks are computed; the denoiser was trained on those of the encoder.
        solver: Inversion solver.
        influence: Estimator of the decoder's influence.
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: Precision of the denoiser: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        batch_size: Images per pass; None chooses a number. The geometry uses fewer if memory is short, and every stage
            halves the number when memory runs out.
        memory: GiB that the geometry may use; None means half of the free memory
            (`privaudit.execution.memory.MAX_MEMORY_FRACTION`).
        seed: Seed of noise, probes, masks, folds and resampling.
        folds: Folds of the cross-fitting.
        replicates: Minimum number of bootstrap resamples; more are drawn if limits are corrected for many tests.
        confidence: Confidence level of all intervals.
        fail_on: Gates; the audit fails if any of them does.
        gate_bound: Confidence limit that a gate tests: ``lower`` fails if more leakage than allowed is shown, ``upper``
            unless more is ruled out.
        strict: Stop at anything that is left out or cannot be read, instead of counting it.
        fresh: Delete the cache of an earlier run in ``out``.
        config_file: File that options were read from, to which SARIF points; the result does not depend on it.
    """

    members: Path | None = field(
        metadata=needed(
            kind="path",
            panel=SETS,
            help="Images the model was trained on: a folder, table or archive (see privaudit data).",
        )
    )
    nonmembers: Path | None = field(
        metadata=needed(kind="path", panel=SETS, help="Images it was not trained on, of the same source.")
    )
    out: Path = field(
        metadata=needed(
            kind="path",
            panel=REPORTS,
            decides=False,
            help="Run folder. The same command again resumes what is in it.",
        )
    )
    suspects: Path | None = _set(
        kind="path",
        help="Images it may have been trained on, compared with --nonmembers.",
    )
    canaries: Path | None = _set(
        kind="path",
        help="Output of privaudit canaries make: both sets, drawn at random before training.",
    )
    attacks: Methods = _how(
        (),
        flag="--attack",
        metavar="SPEC",
        parse=read_attacks,
        write=lambda methods: methods.texts,
        help="Attack, repeatable: sima, a preset pian@eq, with parameters sima:order=2:levels=50,100, with values to "
        "choose among sima:order=2,4, or all. "
        "privaudit attacks lists them. Default: sima, pia, loss, mirror, combined.",
    )
    reference: str | None = _how(
        metavar="MODEL",
        quantity="reference",
        help="Model whose errors at the same noise are subtracted, such as the base of a fine-tune; adds "
        "NAME-reference. With --lora, the model without it; none for no reference.",
    )
    drop: float | tuple[float, ...] = _how(
        "0.4",
        metavar="FRACTIONS",
        parse=read_drop,
        syntax=True,
        check=wrong_drops,
        joined=True,
        quantity="masks",
        help="Fraction of latent dimensions that the hard masks drop; if several (0.2,0.4,0.6), one is chosen by "
        "cross-fitting.",
    )
    gamma: float = _how(
        1.0,
        quantity="masks",
        check=rule(lambda gamma: 0 <= gamma < inf, "0 <= gamma < infinity"),
        help="Exponent of the influence in the soft weights; 0 is no mask.",
    )
    mask_scope: MaskScope = _how(
        "image",
        metavar="image|set",
        quantity="masks",
        choices=get_args(MaskScope),
        help="Masks from the influence of each image, or one for the whole set.",
    )
    geometry_latents: LatentSource = _how(
        "inversion",
        metavar="WHERE",
        quantity="masks",
        choices=get_args(LatentSource),
        help="Latents at which the decoder's influence is computed: inversion or encoder.",
    )
    attack_latents: LatentSource = _how(
        "encoder",
        metavar="WHERE",
        quantity="latents",
        choices=get_args(LatentSource),
        help="Latents at which the attacks are computed: encoder or inversion.",
    )
    solver: Solver = _how(
        metavar="SPEC",
        quantity="masks",
        parse=read_solver,
        write=spec_of,
        help="Inversion solver, with parameters if wanted: anderson:evaluations=10:tolerance=0.001. "
        "privaudit solvers lists them.",
    )
    influence: Estimator = _how(
        metavar="SPEC",
        after="mask_scope",
        quantity="masks",
        parse=read_influence,
        write=spec_of,
        help="Estimator of the decoder's influence, with parameters if wanted: separable:probes=4, exact. "
        "privaudit estimators lists them.",
    )
    device: str = _running(
        "auto", metavar="auto|cuda|cpu", check=resolved_by("resolve_device"), decides=False, help="Device to run on."
    )
    dtype: str = _running(
        "auto",
        metavar="NAME",
        check=resolved_by("resolve_dtype"),
        quantity="setting",
        help="Precision of the denoiser: auto, float32, bfloat16 or float16.",
    )
    batch_size: int | None = _running(
        "auto",
        metavar="auto|N",
        parse=number_or("auto", "--batch-size"),
        syntax=True,
        check=rule(lambda size: size is None or size >= 1, "a batch size >= 1 or auto"),
        help="Images per pass.",
    )
    memory: float | None = _running(
        kind="number",
        check=rule(lambda gib: gib is None or 0 < gib < inf, "memory > 0 GiB"),
        help="GiB of memory for the geometry; by default half of the free memory.",
    )
    seed: int = _how(
        0,
        quantity="seed",
        check=rule(lambda seed: 0 <= seed < 2**32, "0 <= seed < 2^32"),
        help="Seed of noise, probes, masks, folds and resampling.",
    )
    folds: int = option(5, quantity="folds", check=rule(lambda folds: folds >= 2, "folds >= 2"))
    replicates: int = option(2000, check=rule(lambda count: count >= 100, "replicates >= 100"))
    confidence: float = option(
        0.95, quantity="setting", check=rule(lambda level: 0.5 < level < 1, "0.5 < confidence < 1")
    )
    fail_on: tuple[Gate, ...] = _gate(
        (),
        metavar="GATE",
        parse=read_gates,
        write=lambda gates: [gate.text for gate in gates],
        help="Gate, repeatable, on all attacks under all masks: 'auroc>0.6', 'tpr@1%fpr>0.05', 'advantage>0.2', "
        "'epsilon>1'.",
    )
    gate_bound: GateBound = _gate(
        "lower",
        metavar="lower|upper",
        quantity="setting",
        choices=get_args(GateBound),
        help="lower: a gate fails if leakage beyond it is shown. upper: unless leakage beyond it is ruled out.",
    )
    strict: bool = _set(False, help="Stop at anything that is left out or cannot be read, instead of counting it.")
    fresh: bool = _report(False, decides=False, help="Delete the cache of an earlier run in the run folder.")
    config_file: Path | None = option(kind="path", decides=False)

    def problems(self, *, right: bool) -> list[Problem]:
        """List problems of the image sets, and of options that depend on each other."""
        problems = self._wrong_sets()
        # each tail of an interval needs at least one resample
        if 0.5 < self.confidence < 1 and self.replicates * (1 - self.confidence) < 2:
            minimum = round(2 / (1 - self.confidence))
            few = f"expected at least {minimum} `replicates` for this `confidence`, got {self.replicates}"
            problems.append((few, ("replicates", "confidence")))
        return problems if problems or not right else self._wrong_cut()

    def _wrong_sets(self) -> list[Problem]:
        """List image sets that are missing or superfluous."""
        named = [name for name in ("members", "nonmembers", "suspects") if getattr(self, name) is not None]
        if self.canaries is not None:
            further = ", ".join(f"`{name}`" for name in named)
            alone = f"expected `canaries` alone, which are both sets, got {further}, too; leave one or the other out"
            return [(alone, ("canaries", *named))] if named else []
        if self.nonmembers is None:
            missing = (
                "expected `nonmembers`, images that the model was not trained on, got none; pass them with `members` "
                "or `suspects`, or pass `canaries`"
            )
            return [(missing, ("nonmembers",))]
        if self.members is None and self.suspects is None:
            return [
                (
                    "expected `members` or `suspects` to compare with the non-members, got neither; pass one of them",
                    ("members", "suspects"),
                )
            ]
        return []

    def _wrong_cut(self) -> list[Problem]:
        """List problems of an estimator that settles one cut, if the masks drop another fraction or several."""
        from privaudit.decoder_geometry import wrong_cut

        problems = [problem for drop in self.drops for problem in wrong_cut(self.influence, drop)]
        if problems and len(self.drops) > 1:
            spec = self.influence.spec
            problems = [f"expected one fraction to drop with {spec}, which settles one cut, got {self.drops}"]
        return [(problem, ("drop", "influence")) for problem in problems]

    @property
    def model(self) -> ModelSource:
        """Source of the audited model."""
        return self.source(device=self.device, dtype=self.dtype)

    @property
    def reference_model(self) -> ModelSource | None:
        """Source of the reference model, read like the audited one; None without one.

        The model without its adapters is the reference of a model with adapters, unless another is named.
        """
        if self.reference is None:
            return self.model.base if self.lora else None
        if self.reference == NO_REFERENCE:
            return None
        # These options name files of the target. An autoencoder is shared: both models need the same latents.
        shared = {name: folder for name, folder in self.components if name in AUTOENCODER_NAMES}
        base = self.model.base
        # A single file as a reference is of the same kind, and has no configuration of its own either.
        config_from = self.config_from if self.reference.lower().endswith(".safetensors") else None
        return replace(base, path=self.reference, revision=None, variant=None, config_from=config_from, replaced=shared)

    @property
    def sources(self) -> tuple[Path, ...]:
        """Folders and files that images are read from."""
        return tuple(p for p in (self.members, self.nonmembers, self.suspects, self.canaries) if p is not None)

    @property
    def drops(self) -> tuple[float, ...]:
        """Fractions to drop, as a tuple even if there is only one."""
        return self.drop if isinstance(self.drop, tuple) else (self.drop,)

    @property
    def inverts(self) -> bool:
        """Whether any stage needs the inverted latents."""
        return "inversion" in (self.geometry_latents, self.attack_latents)


class ScoreChoices(FineTuneChoices, ImageChoices, total=False):
    """Options that determine scores and how they are computed, as text or parsed; see `AuditOptions`."""

    attacks: Sequence[str] | Methods
    drop: float | Sequence[float]
    gamma: float
    mask_scope: MaskScope
    geometry_latents: LatentSource
    attack_latents: LatentSource
    solver: str | Solver
    influence: str | Estimator
    device: str
    dtype: str
    batch_size: int | None
    memory: float | None
    seed: int
    confidence: float
    strict: bool
    fresh: bool


class AuditChoices(ScoreChoices, total=False):
    """Options of `privaudit.audit` in addition to image sets and run folder, as text or parsed; see `AuditOptions`."""

    reference: str | Path | None
    folds: int
    replicates: int
    fail_on: Sequence[str | Gate]
    gate_bound: GateBound
