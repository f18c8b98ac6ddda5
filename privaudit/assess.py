"""Scores become the attack reports, checks and verdict of a result: numpy only, no model needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.codec import encode
from privaudit.data import AuditData
from privaudit.entries import Entry, calibrated, learned, plain
from privaudit.evaluation import (
    Check,
    Comparison,
    Verdict,
    assign_folds,
    blind_check,
    blind_scores,
    by_quartile,
    compare,
    decide,
    evaluate,
    parse_gates,
    required_fprs,
    sample_size_check,
)
from privaudit.evaluation.verdict import TESTED_MASKS
from privaudit.measure import Measured, OnProgress
from privaudit.options import AuditOptions
from privaudit.result import AttackReport, BlindReport
from privaudit.schedule import Schedule
from privaudit.scorers import Evidence, Methods

BLIND = "blind baseline"
LEAST_CONVERGED = 0.9
"""Share of images whose inversion should reach its tolerance."""


@dataclass(frozen=True)
class Assessment:
    """What the scores of an audit say.

    Attributes:
        attacks: One report an attack.
        blind: The blind baseline.
        checks: What could make the numbers untrustworthy.
        verdict: Finding, gates, status.
        scores: The rows of ``scores.parquet``: one an image, attack and mask.
    """

    attacks: tuple[AttackReport, ...]
    blind: BlindReport
    checks: tuple[Check, ...]
    verdict: Verdict
    scores: pd.DataFrame


def fold_images(data: AuditData, options: AuditOptions) -> NDArray[np.int64]:
    """Deal the images into the folds of the cross-fitting, groups kept together; raises if there are too few."""
    samples = data.samples
    return assign_folds(
        [s.id for s in samples],
        np.arange(len(samples)) < len(data.members),
        [s.group for s in samples],
        folds=options.folds,
        seed=options.seed,
    )


def assess(
    measured: Measured,
    data: AuditData,
    methods: Methods,
    options: AuditOptions,
    schedule: Schedule,
    passes: Mapping[str, int],
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Assessment:
    """Choose levels by cross-fitting, let the scorers learn, compute metrics and comparisons, judge.

    The level of an attack is chosen on its unmasked score and used for every mask, so a mask is compared
    with no mask at the same level, from the same denoiser passes.

    Args:
        measured: What every attack found at every level.
        data: The images, in the same order.
        methods: What was run.
        options: Of the audit.
        schedule: Of the target.
        passes: Denoiser passes an image, by attack.
        on_progress: Called after the blind baseline, the scorers, the bootstrap, and each report.

    Returns:
        Everything that a result needs beside provenance.
    """
    samples = data.samples
    is_member = np.arange(len(samples)) < len(data.members)
    folds = fold_images(data, options)
    by_title = {attack.title: attack for attack in methods.attacks}
    entries = [plain(by_title[table.name], table, is_member, folds, options.seed) for table in measured.tables]
    for own, other in zip(measured.tables, measured.references, strict=True) if measured.references else ():
        entries.append(calibrated(by_title[own.name], own, other, is_member, folds, options.seed))
    steps = 3 + len(entries) + len(methods.scorers)
    on_progress("evaluation", 0, steps)
    blind = blind_scores(measured.features, is_member, folds, seed=options.seed)
    on_progress("evaluation", 1, steps)
    chosen = {(entry.name, mask): values for entry in entries for mask, values in entry.scores.items()}
    evidence = Evidence(
        tables=measured.tables,
        references=measured.references,
        chosen=chosen,
        published=tuple(entry.name for entry in entries if entry.kind == "published"),
        distortion=measured.distortion,
        images=measured.features,
        is_member=is_member,
        folds=folds,
        seed=options.seed,
    )
    entries += [learned(scorer, evidence) for scorer in methods.scorers]
    on_progress("evaluation", 2, steps)
    scores = {f"{entry.name}/{mask}": values for entry in entries for mask, values in entry.scores.items()}
    gates = parse_gates(options.fail_on)
    evaluation = evaluate(
        {**scores, BLIND: blind},
        is_member,
        folds,
        fprs=required_fprs(gates),
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        learned=[BLIND, *(f"{entry.name}/{mask}" for entry in entries if entry.fitted for mask in entry.scores)],
    )
    on_progress("evaluation", 3, steps)
    best = max(
        (entry.name for entry in entries if entry.kind == "published"),
        key=lambda name: evaluation.metrics[f"{name}/none"].auroc.value,
        default=None,
    )

    def report(entry: Entry) -> AttackReport:
        none = f"{entry.name}/none"

        def against_none(mask: str) -> Comparison | None:
            return compare(evaluation, f"{entry.name}/{mask}", none) if mask in entry.scores else None

        level = max(entry.chosen, key=entry.chosen.count) if entry.chosen else None
        is_level = entry.axis == "level" and level is not None
        rivals = entry.kind != "published" and best is not None
        return AttackReport(
            name=entry.name,
            kind=entry.kind,
            reference=entry.reference,
            level=level,
            log_snr=_log_snr(schedule, int(level)) if is_level and level is not None else None,
            axis=entry.axis,
            levels_by_fold=entry.chosen,
            search_space=entry.columns,
            order=getattr(entry.method, "order", None),
            parameters=encode(entry.method),
            passes=passes.get(entry.method.title, 0),
            selected_on=entry.selected_on,
            latents=options.attack_latents,
            masks={mask: evaluation.metrics[f"{entry.name}/{mask}"] for mask in entry.scores},
            random_vs_none=against_none("random"),
            influence_vs_none=against_none("influence"),
            weighted_vs_none=against_none("weighted"),
            best_published=best if rivals else None,
            versus_published=compare(evaluation, none, f"{best}/none") if rivals else None,
            distortion_quartiles=by_quartile(
                measured.distortion,
                entry.scores["none"],
                is_member,
                replicates=options.replicates,
                seed=options.seed,
                confidence=options.confidence,
            ),
        )

    tested = {(entry.name, mask): f"{entry.name}/{mask}" for entry in entries for mask in entry.scores}
    rests_on = [name for (_, mask), name in tested.items() if mask in TESTED_MASKS]
    checks = (
        blind_check(evaluation, BLIND, rests_on),
        sample_size_check(len(data.members), len(data.nonmembers), required_fprs(gates)),
        _duplicate_check(data),
        _skipped_check(data),
        _convergence_check(measured),
        Check("non-finite values", "ok", "every score is a finite number; a run with another one stops and names it"),
    )
    reports = []
    for done, entry in enumerate(entries, start=4):
        reports.append(report(entry))
        on_progress("evaluation", min(done, steps), steps)
    return Assessment(
        attacks=tuple(reports),
        blind=BlindReport(
            auroc=evaluation.metrics[BLIND].auroc,
            method="gradient-boosted trees on pixel, colour and frequency statistics, out of fold",
        ),
        checks=checks,
        verdict=decide(evaluation, tested, gates=gates, checks=checks),
        scores=_score_table(data, entries),
    )


def _log_snr(schedule: Schedule, level: int) -> float | None:
    """None at a level without noise, or without signal: JSON has no infinity."""
    value = schedule.log_snr(level)
    return value if np.isfinite(value) else None


def _score_table(data: AuditData, entries: Sequence[Entry]) -> pd.DataFrame:
    base = {
        "id": [s.id for s in data.samples],
        "path": [str(s.path) for s in data.samples],
        "set": ["member"] * len(data.members) + ["nonmember"] * len(data.nonmembers),
    }
    tables = [
        pd.DataFrame({**base, "attack": entry.name, "mask": mask, "level": entry.level_of_image, "score": values})
        for entry in entries
        for mask, values in entry.scores.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _duplicate_check(data: AuditData) -> Check:
    within = data.members.duplicates + data.nonmembers.duplicates
    if data.shared:
        return Check(
            "duplicates",
            "warn",
            f"{len(data.shared)} pictures were in both sets and were left out of both; "
            f"{within} further copies within a set were dropped",
        )
    return Check("duplicates", "ok", f"no picture is in both sets; {within} copies within a set were dropped")


def _skipped_check(data: AuditData) -> Check:
    skipped = (*data.members.skipped, *data.nonmembers.skipped)
    if skipped:
        return Check("unreadable files", "warn", f"{len(skipped)} files were skipped, the first: {skipped[0].path}")
    return Check("unreadable files", "ok", "every file could be read")


def _convergence_check(measured: Measured) -> Check:
    if np.isnan(measured.tolerance):
        return Check("convergence", "ok", "inversion not used: geometry and attack are taken at the encoder's latents")
    share = float((measured.residual <= measured.tolerance).mean())
    detail = (
        f"{share:.0%} of the images reached a relative residual of {measured.tolerance:g} "
        f"(median {float(np.median(measured.residual)):.2g}, {measured.evaluations.mean():.1f} evaluations an image)"
    )
    if lost := int(measured.diverged.sum()):
        detail += f"; {lost} diverged and kept their best iterate"
    return Check("convergence", "ok" if share >= LEAST_CONVERGED and not lost else "warn", detail)
