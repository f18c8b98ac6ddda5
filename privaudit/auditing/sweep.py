"""`privaudit sweep`: how well each attack tells members from non-members at each noise level, under each mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd

from privaudit.attacks import Attack
from privaudit.attacks.base import LevelAttack
from privaudit.attacks.parsing import DEFAULT
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Sources
from privaudit.auditing.options import AuditOptions, ScoreChoices
from privaudit.auditing.run import choose_methods, prepare_folder
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.auditing.sweep_options import POINTS, SweepOptions
from privaudit.decoder_geometry import MASKS
from privaudit.errors import ConfigError
from privaudit.escape import csv_text
from privaudit.evaluation import Estimate, tpr_at_fpr
from privaudit.evaluation.delong import auroc_estimate
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.loading import load_target
from privaudit.model.schedule import Schedule
from privaudit.model.target import Target, TargetInfo
from privaudit.results.audit_result import RefusedReport
from privaudit.scorers import ErrorTable, Methods, parse_methods
from privaudit.storage.files import locked, write_text

RANGE = 0.6
"""Fraction of the schedule that is swept: beyond it little of an image is left."""
RATE = 0.01
"""False-positive rate at which the true-positive rate is read."""
CSV, PICTURE = "sweep.csv", "sweep.png"


@dataclass(frozen=True)
class Point:
    """One attack under one mask at one level.

    Attributes:
        attack: Name.
        mask: One of `privaudit.decoder_geometry.MASKS`.
        level: What the denoiser is told.
        log_snr: 2 log(alpha / sigma) there.
        auroc: With its interval.
        tpr_at_1pct: TPR at 1 % FPR; NaN below 100 non-members.
    """

    attack: str
    mask: str
    level: int
    log_snr: float
    auroc: Estimate
    tpr_at_1pct: float


@dataclass(frozen=True)
class SweepResult:
    """All curves of a sweep.

    Attributes:
        info: Description of the target.
        schedule: Schedule of the target.
        members: Distinct members.
        nonmembers: Distinct non-members.
        confidence: Confidence level of the intervals.
        points: By attack, mask and level, in this order.
        refused: Attacks that have no curve, and why.
    """

    info: TargetInfo
    schedule: Schedule
    members: int
    nonmembers: int
    confidence: float
    points: tuple[Point, ...]
    refused: tuple[RefusedReport, ...]

    @property
    def attacks(self) -> tuple[str, ...]:
        """Names, in their order."""
        return tuple(dict.fromkeys(point.attack for point in self.points))

    def curve(self, attack: str, mask: str) -> tuple[Point, ...]:
        """One attack under one mask, by level."""
        return tuple(point for point in self.points if (point.attack, point.mask) == (attack, mask))

    def best(self, attack: str, mask: str) -> Point:
        """The point of largest AUROC; the cleanest of equals."""
        return max(self.curve(attack, mask), key=lambda point: (point.auroc.value, -point.level))

    def table(self) -> pd.DataFrame:
        """One row per point, as in ``sweep.csv``."""
        rows = [
            (p.attack, p.mask, p.level, p.log_snr, p.auroc.value, p.auroc.lo, p.auroc.hi, p.tpr_at_1pct)
            for p in self.points
        ]
        names = ["attack", "mask", "level", "log_snr", "auroc", "lo", "hi", "tpr_at_1pct"]
        return pd.DataFrame(rows, columns=names)


def run_sweep(options: SweepOptions, on_progress: OnProgress | None = None) -> SweepResult:
    """Score every image at many levels and measure each level by itself; writes ``sweep.csv``.

    The stages and their cache are those of an audit: in the folder of a scan its latents and geometry are used, and the
    same call again runs nothing. Nothing is chosen here, so nothing is cross-fitted: each point is what an audit at
    that fixed level would report, and the best of many points is better than it would be on new images.

    Args:
        options: What to sweep and how; an attack with levels of its own is swept over those.
        on_progress: Called with (stage, done, total).

    Returns:
        The curves.

    Raises:
        ConfigError: An option is wrong, or no attack can be swept.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model gives NaN or infinity; names the images.
    """
    progress = on_progress or no_progress
    chosen = options if options.attacks.texts else replace(options, attacks=parse_methods(DEFAULT))
    sources = list_sources(chosen)
    with locked(chosen.out):
        prepare_folder(chosen, (CSV, PICTURE))
        return _run(chosen, sources, progress)


def sweep(
    target: str | Path,
    members: str | Path,
    nonmembers: str | Path,
    out: str | Path | None = None,
    *,
    points: int = POINTS,
    on_progress: OnProgress | None = None,
    **choices: Unpack[ScoreChoices],
) -> SweepResult:
    """Measure every attack at many noise levels, as `privaudit sweep` does; draws nothing.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: Folder to write; by default that of the command line. In that of a scan, its latents and geometry are used.
        points: Levels of attacks without levels of their own.
        on_progress: Called with (stage, done, total).
        choices: Any other field of `SweepOptions`, parsed or as text.

    Returns:
        The curves (see `run_sweep` for what raises).
    """
    sets = {"members": members, "nonmembers": nonmembers}
    return run_sweep(SweepOptions.parse(target=target, out=out, points=points, **sets, **choices), on_progress)


def _run(chosen: SweepOptions, sources: Sources, progress: OnProgress) -> SweepResult:
    """Sweep in a folder that is ready."""
    target = load_target(chosen.model)
    data = read_sources(sources, chosen, target, progress)
    attacks, refused = choose_curves(chosen, target, [sample.caption for sample in data.samples], chosen.points)
    measured = measure(target, data.samples, Methods(attacks, ()), chosen, progress)
    found = SweepResult(
        info=target.info,
        schedule=target.schedule,
        members=len(data.positives),
        nonmembers=len(data.nonmembers),
        confidence=chosen.confidence,
        points=tuple(
            point for table in measured.tables for point in curve_points(table, data, target.schedule, chosen)
        ),
        refused=refused,
    )
    write_text(chosen.out / CSV, csv_text(found.table()))
    return found


def choose_curves(
    options: AuditOptions, target: Target, captions: Sequence[str | None], points: int = POINTS
) -> tuple[tuple[Attack, ...], tuple[RefusedReport, ...]]:
    """Give attacks whose columns are levels the levels of a curve, and leave out all others.

    Returns:
        What will be swept, and what will not.

    Raises:
        ConfigError: Nothing can be swept, or a level does not exist.
    """
    methods, refused = choose_methods(options, target, captions)
    asked = {attack.label: attack for attack in options.attacks.attacks}
    swept: list[Attack] = []
    left = [*refused, *(RefusedReport(s.label, "is made of all levels of other attacks") for s in methods.scorers)]
    for attack in methods.attacks:
        if not isinstance(attack, LevelAttack) or attack.candidates != tuple(map(float, attack.levels)):
            left.append(RefusedReport(attack.label, "has no score for each of its levels"))
            continue
        given = asked[attack.label]
        own = isinstance(given, LevelAttack) and (given.levels or given.log_snr)
        swept.append(attack if own else replace(attack, levels=curve_levels(attack, target.schedule, points)))
    if not swept:
        raise ConfigError([f"expected an attack that can be swept: {item.name} {item.reason}" for item in left])
    return tuple(swept), tuple(left)


def curve_levels(attack: LevelAttack, schedule: Schedule, points: int = POINTS) -> tuple[int, ...]:
    """Spread levels over the cleaner part of a schedule, finer where it is cleaner: first + (top - first) (k / n)^2.

    Returns:
        From the first level that the attack can take and that has noise, to `RANGE` of the schedule.
    """
    top = round(RANGE * schedule.last)
    first = next(level for level in range(top + 1) if _can_take(attack, level, schedule))
    spread = first + (top - first) * np.linspace(0, 1, points) ** 2
    return tuple(int(level) for level in np.unique(spread.round()))


def _can_take(attack: LevelAttack, level: int, schedule: Schedule) -> bool:
    try:
        replace(attack, levels=(level,))
    except ConfigError:
        return False
    return bool(np.isfinite(schedule.log_snr(level)))


def curve_points(table: ErrorTable, data: AuditData, schedule: Schedule, options: AuditOptions) -> list[Point]:
    """Measure every level of an attack under every mask, with intervals (DeLong)."""
    is_member = np.arange(len(data.samples)) < len(data.positives)
    levels = [int(level) for level in table.candidates]
    scores = {
        f"{mask}/{level}": column for mask in MASKS for level, column in zip(levels, table.by_mask[mask].T, strict=True)
    }
    enough = RATE * len(data.nonmembers) >= 1
    return [
        Point(
            attack=table.name,
            mask=mask,
            level=level,
            log_snr=schedule.log_snr(level),
            auroc=auroc_estimate(scores[name], is_member, options.confidence),
            tpr_at_1pct=tpr_at_fpr(scores[name], is_member, RATE).tpr if enough else float("nan"),
        )
        for mask in MASKS
        for level in levels
        for name in [f"{mask}/{level}"]
    ]
