"""`privaudit sweep --checkpoints`: how well each attack tells members from non-members, by training step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.attacks.parsing import DEFAULT
from privaudit.auditing.assess.folds import Split, split_images
from privaudit.auditing.assess.set_checks import set_checks
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Sources
from privaudit.auditing.options import ScoreChoices
from privaudit.auditing.run import choose_methods, delete_cache
from privaudit.auditing.run_stages import measure_fit, measure_unmasked
from privaudit.auditing.set_reports import set_reports
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.auditing.sweep_options import SweepOptions
from privaudit.errors import ConfigError, TargetError
from privaudit.escape import csv_text
from privaudit.evaluation import Check, Estimate, cross_fit, evaluate
from privaudit.evaluation.choice_inflation import choice_inflation
from privaudit.evaluation.image_reading import image_reading_check
from privaudit.evaluation.reading_checks import fit_checks
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.loading import load_target
from privaudit.loading.checkpoints import BASE, Checkpoint, TrainingOutput, find_checkpoints
from privaudit.model.target import Target
from privaudit.results.audit_result import RefusedReport
from privaudit.scorers import ErrorTable, Methods, parse_methods
from privaudit.scorers.error_table import minus
from privaudit.storage.files import locked, replacing, write_text

CSV, PICTURE = "checkpoints.csv", "checkpoints.png"
FALSE_POSITIVE_RATE = "0.01"
"""Key of the reported true-positive rate."""


@dataclass(frozen=True)
class CheckpointPoint:
    """One attack on one checkpoint, without a mask.

    Attributes:
        attack: Name of the attack; ``NAME-reference`` for its errors minus those of the base.
        checkpoint: Name of the checkpoint.
        step: Training step or epoch; None for the last weights, if nothing records it.
        target_hash: Hash of the model.
        auroc: AUROC with its interval. An attack with several levels is scored at the one that is best on other images.
        tpr_at_1pct: TPR at 1 % FPR; NaN below 100 non-members.
    """

    attack: str
    checkpoint: str
    step: int | None
    target_hash: str
    auroc: Estimate
    tpr_at_1pct: float

    @property
    def leaks(self) -> bool:
        """Whether the interval of the AUROC lies above 0.5."""
        return self.auroc.lo > 0.5


@dataclass(frozen=True)
class CheckpointSweepResult:
    """Curves of the leak against the training step.

    Attributes:
        output: The checkpoints.
        members: Number of distinct members.
        nonmembers: Number of distinct non-members.
        confidence: Confidence level of the intervals.
        points: Points of all curves, ordered by attack and step.
        refused: Attacks without a curve, and why.
        checks: Whether the first checkpoint was read as it was trained; what is wrong with it is wrong with all.
    """

    output: TrainingOutput
    members: int
    nonmembers: int
    confidence: float
    points: tuple[CheckpointPoint, ...]
    refused: tuple[RefusedReport, ...]
    checks: tuple[Check, ...] = ()

    @property
    def attacks(self) -> tuple[str, ...]:
        """Names of the attacks, in order."""
        return tuple(dict.fromkeys(point.attack for point in self.points))

    def curve(self, attack: str) -> tuple[CheckpointPoint, ...]:
        """Return the points of one attack, by step."""
        return tuple(point for point in self.points if point.attack == attack)

    def largest(self, attack: str) -> CheckpointPoint:
        """Return the point with the largest AUROC; of equal ones, the earliest."""
        return max(self.curve(attack), key=lambda point: point.auroc.value)  # max returns the first of equals

    def begin(self, attack: str) -> CheckpointPoint | None:
        """Return the first point from which on every interval of the AUROC lies above 0.5; None without one."""
        leaking = list(takewhile(lambda point: point.leaks, reversed(self.curve(attack))))
        return leaking[-1] if leaking else None

    def table(self) -> pd.DataFrame:
        """Return a table with one row per point, as in ``checkpoints.csv``; an unknown step is empty."""
        rows = [
            (p.attack, p.checkpoint, p.step, p.auroc.value, p.auroc.lo, p.auroc.hi, p.tpr_at_1pct, p.target_hash)
            for p in self.points
        ]
        names = ["attack", "checkpoint", self.output.unit, "auroc", "lo", "hi", "tpr_at_1pct", "target_hash"]
        return pd.DataFrame(rows, columns=names).astype({self.output.unit: "Int64"})


def run_checkpoint_sweep(options: SweepOptions, on_progress: OnProgress | None = None) -> CheckpointSweepResult:
    """Score every image on every checkpoint of a training, and write ``checkpoints.csv``.

    All checkpoints see the same images with the same noise, and the same latents as long as they share the autoencoder.
    One checkpoint is loaded at a time. Shards are stored by the hash of the model, so that the same call resumes, and
    scores only the checkpoints that the training has added since.

    Args:
        options: Options of the sweep; ``target`` is the output folder of a training.
        on_progress: Called with (stage, done, total).

    Returns:
        The curves.

    Raises:
        ConfigError: An option is wrong, the base is needed and not named, no attack can run, or another run writes to
            the folder.
        DataError: An image set cannot be used.
        TargetError: There are no checkpoints, one cannot be loaded, or they are of different families.
        NonFiniteError: A model returns NaN or infinity; names the images.
    """
    if not options.attacks.texts:  # without the scorers of an audit, which are fitted to one model
        options = replace(options, attacks=parse_methods(DEFAULT))
    options = replace(options, geometry_latents=options.attack_latents)  # without a geometry, nothing else is inverted
    sources = list_sources(options)
    output = find_checkpoints(options.target, options.base, ema=options.ema)
    with locked(options.out), replacing(options.out, (CSV, PICTURE), options.sources):
        result = _run(options, sources, output, on_progress or no_progress)
        write_text(options.out / CSV, csv_text(result.table()))
        return result


def sweep_checkpoints(
    output: str | Path,
    members: str | Path,
    nonmembers: str | Path,
    out: str | Path | None = None,
    *,
    base: str | Path | None = None,
    ema: bool = False,
    on_progress: OnProgress | None = None,
    **choices: Unpack[ScoreChoices],
) -> CheckpointSweepResult:
    """Measure the leak of every checkpoint of a training, like `privaudit sweep --checkpoints` without its plot.

    Args:
        output: Output folder of a training script.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: Folder to write; by default that of the command line.
        base: Folder or hub id of the model that the training started from; needed unless ``output`` is the folder of a
            pipeline.
        ema: Whether to audit averaged weights (``unet_ema``) where they are next to raw ones.
        on_progress: Called with (stage, done, total).
        choices: Any other field of `SweepOptions`, as text or parsed.

    Returns:
        The curves.

    Raises:
        ConfigError: An option is wrong, the base is needed and not named, no attack can run, or another run writes to
            the folder.
        DataError: An image set cannot be used.
        TargetError: There are no checkpoints, one cannot be loaded, or they are of different families.
        NonFiniteError: A model returns NaN or infinity; names the images.
    """
    sets = {"members": members, "nonmembers": nonmembers}
    options = SweepOptions.parse(target=output, out=out, checkpoints=True, base=base, ema=ema, **sets, **choices)
    return run_checkpoint_sweep(options, on_progress)


@dataclass(frozen=True)
class _Plan:
    """What the first checkpoint settles for all.

    Attributes:
        kind: Everything about a model in which checkpoints may not differ (see `_kind`).
        data: The image sets.
        attacks: Attacks with their levels.
        split: Folds and units of the images.
        refused: Attacks without a curve, and why.
        checks: Whether the first checkpoint was read as it was trained.
        base: Errors of the base, if it is among the checkpoints: they are the reference of all others.
        autoencoder: Hash of its autoencoder, without which differences mean nothing.
    """

    kind: dict[str, object]
    data: AuditData
    attacks: tuple[Attack, ...]
    split: Split
    refused: tuple[RefusedReport, ...]
    checks: tuple[Check, ...]
    base: tuple[ErrorTable, ...] = ()
    autoencoder: str = ""


def _run(
    options: SweepOptions, sources: Sources, output: TrainingOutput, progress: OnProgress
) -> CheckpointSweepResult:
    """Run a sweep in a folder that has been prepared."""
    plan: _Plan | None = None
    points: list[CheckpointPoint] = []
    for number, checkpoint in enumerate(output.checkpoints, start=1):
        progress("checkpoints", number - 1, len(output.checkpoints))
        plan, measured = _measure(options, sources, checkpoint, plan, progress)
        points += measured
    progress("checkpoints", len(output.checkpoints), len(output.checkpoints))
    if plan is None:
        raise TargetError(f"expected checkpoints in {output.path}, found none; pass the output folder of a training")
    order = [name for attack in plan.attacks for name in (attack.label, f"{attack.label}-reference")]
    return CheckpointSweepResult(
        output=output,
        members=len(plan.data.positives),
        nonmembers=len(plan.data.nonmembers),
        confidence=options.confidence,
        points=tuple(sorted(points, key=lambda point: order.index(point.attack))),  # stable: by step within an attack
        refused=plan.refused,
        checks=plan.checks,
    )


def _measure(
    options: SweepOptions, sources: Sources, checkpoint: Checkpoint, plan: _Plan | None, progress: OnProgress
) -> tuple[_Plan, list[CheckpointPoint]]:
    """Load one checkpoint, which is freed on return, and measure every attack on it."""
    target = _load(options, checkpoint)
    if plan is None:
        plan = _plan(options, sources, target, progress)
        delete_cache(options)  # not before model and images have proved usable
        plan = replace(plan, checks=_checks(options, target, plan.data, progress))
    for what, expected in plan.kind.items():
        if _kind(target)[what] != expected:
            raise TargetError(
                f"expected checkpoints of one model, but {checkpoint.name} has another {what}, {_kind(target)[what]} "
                f"instead of {expected}; leave it out, or pass the base of this training"
            )
    tables = measure_unmasked(target, plan.data.samples, plan.attacks, options, progress)
    if checkpoint.name == BASE:
        plan = replace(plan, base=tables, autoencoder=target.info.autoencoder_hash)
    elif plan.autoencoder == target.info.autoencoder_hash:
        tables += tuple(minus(table, base) for table, base in zip(tables, plan.base, strict=True))
    return plan, _points(tables, checkpoint, target, plan, options)


def _checks(options: SweepOptions, target: Target, data: AuditData, progress: OnProgress) -> tuple[Check, ...]:
    """Check how the model, the images and their captions were read."""
    captions = set_checks(
        set_reports(data, target), options.caption_choices, data.classes, takes_captions=target.takes_captions
    )
    reading = image_reading_check([part.samples for part in data.sets], options.reading)
    return (*fit_checks(measure_fit(target, data.samples, options, progress)), reading, *captions)


def _load(options: SweepOptions, checkpoint: Checkpoint) -> Target:
    try:
        return load_target(checkpoint.source(options.model))
    except TargetError as error:
        raise TargetError(f"cannot audit {checkpoint.name}: {error}", private=error.private) from error


def _plan(options: SweepOptions, sources: Sources, target: Target, progress: OnProgress) -> _Plan:
    data = read_sources(sources, options, target, progress)
    methods, refused = choose_methods(options, target, [sample.caption for sample in data.samples])
    attacks = tuple(attack for attack in methods.attacks if not attack.learned)
    not_drawn = [
        *(RefusedReport(attack.label, "is fitted to a single model") for attack in methods.attacks if attack.learned),
        *(RefusedReport(scorer.label, "is fitted to a single model") for scorer in methods.scorers),
    ]
    if not attacks:
        raise ConfigError([
            f"expected an attack with a score of its own: {each.name} {each.reason}" for each in not_drawn
        ])
    split = split_images(data, Methods(attacks, ()), options)
    return _Plan(_kind(target), data, attacks, split, (*refused, *not_drawn), ())


def _kind(target: Target) -> dict[str, object]:
    """Everything about a model in which checkpoints of one training do not differ."""
    schedule = target.schedule
    return {
        "family": target.info.family,
        "prediction type": target.info.prediction_type,
        "image size": target.info.image_size,
        "latent shape": tuple(target.info.latent_shape),
        "noise schedule": (schedule.last, round(schedule.log_snr(schedule.last // 2), 4)),
    }


def _points(
    tables: tuple[ErrorTable, ...], checkpoint: Checkpoint, target: Target, plan: _Plan, options: SweepOptions
) -> list[CheckpointPoint]:
    """Measure the scores of each attack as a scan of this checkpoint would, without a mask."""
    is_member, folds = plan.data.is_positive, plan.split.folds
    scores: dict[str, NDArray[np.float64]] = {}
    inflation: dict[str, float] = {}
    for table in tables:
        columns = table.by_mask["none"]
        scores[table.name] = cross_fit(columns, table.labels or (table.name,), is_member, folds).scores
        inflation[table.name] = choice_inflation(columns, is_member, folds)
    metrics = evaluate(
        scores,
        is_member,
        folds,
        fprs=(float(FALSE_POSITIVE_RATE),),
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        inflation=inflation,
        units=plan.split.labels,
    ).metrics
    return [
        CheckpointPoint(
            attack=name,
            checkpoint=checkpoint.name,
            step=checkpoint.step,
            target_hash=target.info.hash,
            auroc=metrics[name].auroc,
            tpr_at_1pct=metrics[name].tpr_at_fpr[FALSE_POSITIVE_RATE].value,
        )
        for name in scores
    ]
