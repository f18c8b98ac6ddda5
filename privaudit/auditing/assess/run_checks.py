"""Checks of what could make the numbers of an audit untrustworthy, in its images and in its run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from privaudit.auditing.assess.evaluated_scores import EvaluatedScores
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import Convergence, Measurements
from privaudit.evaluation import Check, fact
from privaudit.evaluation.checks import (
    BLIND,
    blind_check,
    consistency_check,
    duplicate_check,
    file_check,
    sample_size_check,
)
from privaudit.evaluation.direction import direction_check
from privaudit.evaluation.image_reading import image_reading_check

MIN_CONVERGED = 0.9
"""Minimum fraction of the images whose inversion reaches its tolerance."""


def all_checks(evaluated: EvaluatedScores, measured: Measurements, data: AuditData, split: Split) -> tuple[Check, ...]:
    """Make all checks of an audit."""
    copies, design = sum(part.duplicates for part in data.sets), data.design.facts()
    return (
        _blind_check(evaluated, drawn_at_random=design.drawn_at_random),
        direction_check(
            evaluated.evaluation,
            evaluated.verdict_scores,
            evaluated.directed_scores,
            membership_known=design.membership_known,
            drawn_at_random=design.drawn_at_random,
        ),
        sample_size_check(len(data.positives), len(data.nonmembers), evaluated.fprs),
        duplicate_check(len(data.shared), copies, split.pairs, data.is_positive),
        file_check([s.file for s in data.positives.samples], [s.file for s in data.nonmembers.samples]),
        image_reading_check([part.samples for part in data.sets], data.samples[0].reading),
        skipped_check(data),
        convergence_check(measured.convergence),
        Check("non-finite values", "ok", (fact("all_scores_finite"),)),
        consistency_check(evaluated.evaluation),
    )


def _blind_check(evaluated: EvaluatedScores, *, drawn_at_random: bool) -> Check:
    if not evaluated.blind:
        return Check(BLIND, "warn", (fact("blind_not_measured"), fact("no_classifier_fitted")))
    check = blind_check(evaluated.evaluation, evaluated.blind, evaluated.verdict_scores)
    # a random draw cannot differ systematically, so what the baseline found is chance
    if drawn_at_random and check.status != "ok":
        return replace(check, status="ok", facts=(*check.facts, fact("drawn_at_random")))
    return check


def skipped_check(data: AuditData) -> Check:
    """Check whether every file could be read."""
    if skipped := sum(len(part.skipped) for part in data.sets):
        # a number and no names: facts appear in every report, and the names of images are private
        return Check("unreadable files", "warn", (fact("files_skipped", files=skipped),))
    return Check("unreadable files", "ok", (fact("all_files_readable"),))


def convergence_check(reached: Convergence) -> Check:
    """Check whether the inversion reached its tolerance."""
    if np.isnan(reached.tolerance):
        return Check("convergence", "ok", (fact("inversion_not_used"),))
    fraction = float((reached.residual <= reached.tolerance).mean())
    median, facts = float(np.median(reached.residual)), []
    if np.isfinite(median):  # a residual is infinite where no iterate was finite
        values = {"fraction": fraction, "tolerance": float(reached.tolerance), "median": median}
        facts.append(fact("inversion_reached", **values, evaluations=float(reached.evaluations.mean())))
    if diverged := int(reached.diverged.sum()):
        facts.append(fact("inversion_diverged", images=diverged))
    return Check("convergence", "ok" if fraction >= MIN_CONVERGED and not diverged else "warn", tuple(facts))
