"""Scores become the attack reports, checks and verdict of a result: numpy only, no model needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privaudit.attacks import Attack
from privaudit.codec import encode
from privaudit.data import AuditData
from privaudit.evaluation import (
    Check,
    Comparison,
    CrossFitted,
    Verdict,
    apply_choice,
    assign_folds,
    blind_check,
    blind_scores,
    by_quartile,
    compare,
    cross_fit,
    decide,
    evaluate,
    parse_gates,
    required_fprs,
    sample_size_check,
)
from privaudit.evaluation.verdict import TESTED_MASKS
from privaudit.geometry import MASKS
from privaudit.measure import Measured, OnProgress
from privaudit.options import AuditOptions
from privaudit.result import AttackReport, BlindReport

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
    attacks: Sequence[Attack],
    options: AuditOptions,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> Assessment:
    """Choose levels by cross-fitting, compute metrics and comparisons, judge.

    The level of an attack is chosen on its unmasked score and used for every mask, so a mask is compared
    with no mask at the same level, from the same denoiser passes.

    Args:
        measured: Scores at every level.
        data: The images, in the same order.
        attacks: In the order of the report.
        options: Of the audit.
        on_progress: Called after the blind baseline, the bootstrap, and each attack's report.

    Returns:
        Everything that a result needs beside provenance.
    """
    samples = data.samples
    is_member = np.arange(len(samples)) < len(data.members)
    folds = fold_images(data, options)
    steps = 2 + len(attacks)
    on_progress("evaluation", 0, steps)
    choices = {
        attack.name: cross_fit(measured.scores[attack.name, "none"], attack.levels, is_member, folds)
        for attack in attacks
    }
    scores = {
        f"{attack.name}/{mask}": apply_choice(
            measured.scores[attack.name, mask], choices[attack.name], is_member, folds
        )
        for attack in attacks
        for mask in MASKS
    }
    gates = parse_gates(options.fail_on)
    blind = blind_scores(measured.features, is_member, folds, seed=options.seed)
    on_progress("evaluation", 1, steps)
    evaluation = evaluate(
        {**scores, BLIND: blind},
        is_member,
        folds,
        fprs=required_fprs(gates),
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
    )

    on_progress("evaluation", 2, steps)

    def report(attack: Attack) -> AttackReport:
        choice, none = choices[attack.name], f"{attack.name}/none"

        def against_none(mask: str) -> Comparison:
            return compare(evaluation, f"{attack.name}/{mask}", none)

        levels = tuple(int(level) for level in choice.chosen)
        return AttackReport(
            name=attack.name,
            reference=attack.reference,
            level=max(levels, key=levels.count),
            levels_by_fold=levels,
            search_space=attack.levels,
            order=attack.order,
            parameters=encode(attack),
            passes=attack.cost,
            selected_on=_selected_on(attack, len(choice.chosen)),
            latents=options.attack_latents,
            masks={mask: evaluation.metrics[f"{attack.name}/{mask}"] for mask in MASKS},
            random_vs_none=against_none("random"),
            influence_vs_none=against_none("influence"),
            weighted_vs_none=against_none("weighted"),
            distortion_quartiles=by_quartile(
                measured.distortion,
                scores[none],
                is_member,
                replicates=options.replicates,
                seed=options.seed,
                confidence=options.confidence,
            ),
        )

    tested = {(attack.name, mask): f"{attack.name}/{mask}" for attack in attacks for mask in MASKS}
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
    for done, attack in enumerate(attacks, start=3):
        reports.append(report(attack))
        on_progress("evaluation", done, steps)
    return Assessment(
        attacks=tuple(reports),
        blind=BlindReport(
            auroc=evaluation.metrics[BLIND].auroc,
            method="gradient-boosted trees on pixel, colour and frequency statistics, out of fold",
        ),
        checks=checks,
        verdict=decide(evaluation, tested, gates=gates, checks=checks),
        scores=_score_table(data, attacks, choices, scores),
    )


def _selected_on(attack: Attack, folds: int) -> str:
    if len(attack.levels) == 1:
        return "fixed beforehand"
    return f"cross-fitting: for each of {folds} folds, the level of highest unmasked AUROC on the other folds"


def _score_table(
    data: AuditData, attacks: Sequence[Attack], choices: dict[str, CrossFitted], scores: dict[str, NDArray[np.float64]]
) -> pd.DataFrame:
    base = {
        "id": [s.id for s in data.samples],
        "path": [str(s.path) for s in data.samples],
        "set": ["member"] * len(data.members) + ["nonmember"] * len(data.nonmembers),
    }
    tables = []
    for attack in attacks:
        levels = np.asarray(attack.levels)[choices[attack.name].index]
        for mask in MASKS:
            own = {"attack": attack.name, "mask": mask, "level": levels, "score": scores[f"{attack.name}/{mask}"]}
            tables.append(pd.DataFrame({**base, **own}))
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
