"""What could make the numbers untrustworthy: everything that an audit knows about its images and its run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from privaudit.auditing.assess.evaluated_scores import EvaluatedScores
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import Convergence, Measurements
from privaudit.evaluation import Check
from privaudit.evaluation.checks import (
    blind_check,
    consistency_check,
    duplicate_check,
    file_check,
    sample_size_check,
)

MIN_CONVERGED = 0.9
"""Share of images whose inversion should reach its tolerance."""


def all_checks(evaluated: EvaluatedScores, measured: Measurements, data: AuditData, split: Split) -> tuple[Check, ...]:
    """Check an audit."""
    first = data.design.positives
    copies = sum(part.duplicates for part in data.sets)
    return (
        _blind_check(evaluated, first, drawn_at_random=data.design.facts().drawn_at_random),
        sample_size_check(len(data.positives), len(data.nonmembers), evaluated.fprs, first),
        duplicate_check(len(data.shared), copies, split.pairs, data.is_positive, first),
        file_check([s.file for s in data.positives.samples], [s.file for s in data.nonmembers.samples], first),
        skipped_check(data),
        convergence_check(measured.convergence),
        Check("non-finite values", "ok", "every score is a finite number; a run with another one stops and names it"),
        consistency_check(evaluated.evaluation),
    )


def _blind_check(evaluated: EvaluatedScores, first: str, *, drawn_at_random: bool) -> Check:
    if not evaluated.blind:
        return Check(
            "blind baseline", "warn", "not measured: there are too few images to fit a classifier to some folds"
        )
    found = blind_check(evaluated.evaluation, evaluated.blind, evaluated.verdict_scores, first)
    if drawn_at_random and found.status != "ok":
        detail = f"{found.detail}; these sets were drawn by lot, so that they differ by chance alone"
        return replace(found, status="ok", detail=detail)
    return found


def skipped_check(data: AuditData) -> Check:
    """Whether every file could be read."""
    skipped = [file for part in data.sets for file in part.skipped]
    if skipped:
        # not which: details go wherever a report goes, and the name of an image is no one's business there
        number = "1 file was" if len(skipped) == 1 else f"{len(skipped)} files were"
        return Check("unreadable files", "warn", f"{number} skipped; report.json lists them")
    return Check("unreadable files", "ok", "every file could be read")


def convergence_check(found: Convergence) -> Check:
    """Whether the inversion reached its tolerance."""
    if np.isnan(found.tolerance):
        return Check("convergence", "ok", "inversion not used: geometry and attack are taken at the encoder's latents")
    share = float((found.residual <= found.tolerance).mean())
    detail = (
        f"{share:.0%} of the images reached a relative residual of {found.tolerance:g} "
        f"(median {float(np.median(found.residual)):.2g}, {found.evaluations.mean():.1f} evaluations an image)"
    )
    if lost := int(found.diverged.sum()):
        detail += f"; {lost} diverged and kept their best iterate"
    return Check("convergence", "ok" if share >= MIN_CONVERGED and not lost else "warn", detail)
