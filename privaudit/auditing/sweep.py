"""`privaudit sweep`: how well each attack tells members from non-members, by noise level and mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.attacks.base import LevelAttack
from privaudit.attacks.parsing import DEFAULT
from privaudit.auditing.assess.folds import find_units, unit_labels
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.design import Sources
from privaudit.auditing.options import AuditOptions, ScoreChoices
from privaudit.auditing.run import choose_methods, delete_cache
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.auditing.sweep_options import DEFAULT_POINTS, SweepOptions
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
from privaudit.storage.files import locked, replacing, write_text

MAX_SCHEDULE_FRACTION = 0.6
"""Maximum level, as a fraction of the schedule: beyond it, little of an image remains."""
FALSE_POSITIVE_RATE = 0.01
"""False-positive rate of the reported true-positive rate."""
CSV, PICTURE = "sweep.csv", "sweep.png"


@dataclass(frozen=True)
class Point:
    """One attack under one mask at one level.

    Attributes:
        attack: Name of the attack.
        mask: One of `privaudit.decoder_geometry.MASKS`.
        level: Noise level, as passed to the denoiser.
        log_snr: 2 log(alpha / sigma) at this level.
        auroc: AUROC with its interval.
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
        members: Number of distinct members.
        nonmembers: Number of distinct non-members.
        confidence: Confidence level of the intervals.
        points: Points of all curves, ordered by attack, mask and level.
        refused: Attacks without a curve, and why.
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
        """Names of the attacks that were swept, in order."""
        return tuple(dict.fromkeys(point.attack for point in self.points))

    def curve(self, attack: str, mask: str) -> tuple[Point, ...]:
        """Return the points of one attack under one mask, by level."""
        return tuple(point for point in self.points if (point.attack, point.mask) == (attack, mask))

    def best(self, attack: str, mask: str) -> Point:
        """Return the point with the largest AUROC; of equal ones, the one at the lowest level."""
        return max(self.curve(attack, mask), key=lambda point: (point.auroc.value, -point.level))

    def table(self) -> pd.DataFrame:
        """Return a table with one row per point, as in ``sweep.csv``."""
        rows = [
            (p.attack, p.mask, p.level, p.log_snr, p.auroc.value, p.auroc.lo, p.auroc.hi, p.tpr_at_1pct)
            for p in self.points
        ]
        names = ["attack", "mask", "level", "log_snr", "auroc", "lo", "hi", "tpr_at_1pct"]
        return pd.DataFrame(rows, columns=names)


def run_sweep(options: SweepOptions, on_progress: OnProgress | None = None) -> SweepResult:
    """Score every image at many levels, measure each level separately, and write ``sweep.csv``.

    The stages and their cache are those of an audit: in the folder of a scan, its latents and geometry are reused, and
    repeating the same call computes nothing. Nothing is chosen, so nothing is cross-fitted: each point is what an audit
    at that fixed level would report, and the best of many points is better than it would be on new images.

    Args:
        options: Options of the sweep; an attack with given levels is swept over those.
        on_progress: Called with (stage, done, total).

    Returns:
        The curves.

    Raises:
        ConfigError: An option is wrong, no attack can be swept, or another run writes to the folder.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model returns NaN or infinity; names the images.
    """
    if options.checkpoints:
        raise ConfigError(["expected options without checkpoints, got them; call run_checkpoint_sweep"])
    progress = on_progress or no_progress
    if not options.attacks.texts:  # without the scorers of an audit, which have no level
        options = replace(options, attacks=parse_methods(DEFAULT))
    sources = list_sources(options)
    with locked(options.out), replacing(options.out, (CSV, PICTURE), options.sources):
        return _run(options, sources, progress)


def sweep(
    target: str | Path,
    members: str | Path,
    nonmembers: str | Path,
    out: str | Path | None = None,
    *,
    points: int = DEFAULT_POINTS,
    on_progress: OnProgress | None = None,
    **choices: Unpack[ScoreChoices],
) -> SweepResult:
    """Measure every attack at many noise levels, like `privaudit sweep` without its plot.

    Args:
        target: A diffusers folder or hub id.
        members: Folder or manifest of images said to be in the training set.
        nonmembers: Folder or manifest of images said not to be.
        out: Folder to write; by default that of the command line. In the folder of a scan, its latents and geometry are
            reused.
        points: Number of levels, for attacks whose levels are not given.
        on_progress: Called with (stage, done, total).
        choices: Any other field of `SweepOptions`, as text or parsed.

    Returns:
        The curves.

    Raises:
        ConfigError: An option is wrong, no attack can be swept, or another run writes to the folder.
        DataError: An image set cannot be used.
        TargetError: The model cannot be loaded.
        NonFiniteError: The model returns NaN or infinity; names the images.
    """
    sets = {"members": members, "nonmembers": nonmembers}
    return run_sweep(SweepOptions.parse(target=target, out=out, points=points, **sets, **choices), on_progress)


def _run(options: SweepOptions, sources: Sources, progress: OnProgress) -> SweepResult:
    """Run a sweep in a folder that has been prepared."""
    target = load_target(options.model)
    data = read_sources(sources, options, target, progress)
    attacks, refused = choose_curves(options, target, [sample.caption for sample in data.samples], options.points)
    delete_cache(options)  # not before model and images have proved usable
    measured = measure(target, data.samples, Methods(attacks, ()), options, progress)
    units = unit_labels(find_units(data)[0])
    result = SweepResult(
        info=target.info,
        schedule=target.schedule,
        members=len(data.positives),
        nonmembers=len(data.nonmembers),
        confidence=options.confidence,
        points=tuple(
            point for table in measured.tables for point in curve_points(table, data, units, target.schedule, options)
        ),
        refused=refused,
    )
    write_text(options.out / CSV, csv_text(result.table()))
    return result


def choose_curves(
    options: AuditOptions, target: Target, captions: Sequence[str | None], points: int = DEFAULT_POINTS
) -> tuple[tuple[Attack, ...], tuple[RefusedReport, ...]]:
    """Set the levels of attacks that have a score at each level, and leave out all other attacks.

    Args:
        options: Options of the sweep.
        target: The model.
        captions: Caption of each image, or None.
        points: Number of levels, for attacks whose levels are not given.

    Returns:
        Attacks with the levels of their curves, and the refused ones.

    Raises:
        ConfigError: Nothing can be swept, or a level does not exist.
    """
    methods, refused = choose_methods(options, target, captions)
    requested = {attack.label: attack for attack in options.attacks.attacks}
    swept: list[Attack] = []
    not_swept = [*refused, *(RefusedReport(s.label, "combines the levels of other attacks") for s in methods.scorers)]
    for attack in methods.attacks:
        if not isinstance(attack, LevelAttack) or attack.candidates != tuple(map(float, attack.levels)):
            not_swept.append(RefusedReport(attack.label, "has no score for each of its levels"))
            continue
        # `choose_methods` has filled in default levels, so only the request tells whether levels were given
        request = requested[attack.label]
        has_levels = isinstance(request, LevelAttack) and (request.levels or request.log_snr)
        swept.append(attack if has_levels else replace(attack, levels=curve_levels(attack, target.schedule, points)))
    if not swept:
        raise ConfigError([f"expected an attack that can be swept: {item.name} {item.reason}" for item in not_swept])
    return tuple(swept), tuple(not_swept)


def curve_levels(attack: LevelAttack, schedule: Schedule, points: int = DEFAULT_POINTS) -> tuple[int, ...]:
    """Space levels quadratically over the less noisy part of a schedule: first + (top - first) (k / n)^2, k = 0 to n.

    Returns:
        Distinct levels, from the first with noise that the attack can use, up to `MAX_SCHEDULE_FRACTION` of the
        schedule.
    """
    top = round(MAX_SCHEDULE_FRACTION * schedule.last)
    first = next(level for level in range(top + 1) if _can_use(attack, level, schedule))
    levels = first + (top - first) * np.linspace(0, 1, points) ** 2
    return tuple(int(level) for level in np.unique(levels.round()))


def _can_use(attack: LevelAttack, level: int, schedule: Schedule) -> bool:
    """Whether an attack accepts a level, and the level has noise and signal."""
    try:
        replace(attack, levels=(level,))
    except ConfigError:
        return False
    return bool(np.isfinite(schedule.log_snr(level)))


def curve_points(
    table: ErrorTable, data: AuditData, units: NDArray[np.str_] | None, schedule: Schedule, options: AuditOptions
) -> list[Point]:
    """Measure every level of an attack under every mask, with DeLong intervals for what was drawn independently."""
    is_member = np.arange(len(data.samples)) < len(data.positives)
    levels = [int(level) for level in table.candidates]
    scores = {
        (mask, level): column for mask in MASKS for level, column in zip(levels, table.by_mask[mask].T, strict=True)
    }
    has_enough = FALSE_POSITIVE_RATE * len(data.nonmembers) >= 1  # else the rate is below one non-member
    return [
        Point(
            attack=table.name,
            mask=mask,
            level=level,
            log_snr=schedule.log_snr(level),
            auroc=auroc_estimate(column, is_member, options.confidence, units),
            tpr_at_1pct=tpr_at_fpr(column, is_member, FALSE_POSITIVE_RATE).tpr if has_enough else float("nan"),
        )
        for (mask, level), column in scores.items()
    ]
