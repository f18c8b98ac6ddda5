"""Checks of whether suspects next to known members differ from the non-members in more than membership."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from privaudit.auditing.assess.blind_baseline import blind_families
from privaudit.auditing.assess.folds import Split
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.designs.suspects import SuspectsDesign
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditOptions
from privaudit.evaluation import Check, assign_folds, blind_check, evaluate, fact
from privaudit.evaluation.checks import file_check

BLIND_OF_SUSPECTS, FILES_OF_SUSPECTS = "blind baseline, suspects", "file properties, suspects"
"""Names of the checks."""


def suspect_checks(measured: Measurements, data: AuditData, split: Split, options: AuditOptions) -> tuple[Check, ...]:
    """Compare suspects with the non-members without the model, as an audit compares members with them.

    Args:
        measured: Measurements of all images.
        data: The image sets.
        split: Folds and units of the images.
        options: Options of the audit.

    Returns:
        Check of the blind baseline, which fails if a family tells the two sets apart, since suspects may then score
        higher for other reasons than membership; and check of the file properties.
    """
    suspects_only = AuditData(data.suspects, data.nonmembers, design=SuspectsDesign())
    first, compared = len(data.positives), len(data.compared)
    # rows are members, non-members, suspects; here the suspects come first, as the positives
    rows = np.r_[compared : len(data.samples), first:compared]
    is_suspect = suspects_only.is_positive
    units = tuple(split.units[row] for row in rows)
    ids = [sample.id for sample in suspects_only.compared]
    folds = assign_folds(ids, is_suspect, units, folds=options.folds, seed=options.seed, needed=False)
    parts = Split(folds, units, np.empty((0, 2), dtype=np.int64))
    scores = blind_families(measured.pixels.rows(rows), suspects_only, parts, options.seed)
    of_suspects, others = ([sample.file for sample in part.samples] for part in (data.suspects, data.nonmembers))
    files = file_check(of_suspects, others)
    if not scores:
        unmeasured = (fact("blind_not_measured"), fact("no_classifier_fitted"))
        return (Check(BLIND_OF_SUSPECTS, "warn", unmeasured), replace(files, name=FILES_OF_SUSPECTS))
    evaluation = evaluate(
        scores,
        is_suspect,
        folds,
        fprs=(),
        replicates=options.replicates,
        confidence=options.confidence,
        seed=options.seed,
        learned=list(scores),
        units=parts.labels,
    )
    blind = replace(blind_check(evaluation, list(scores), []), name=BLIND_OF_SUSPECTS)
    return (blind, replace(files, name=FILES_OF_SUSPECTS))


def known_check(data: AuditData) -> tuple[Check, ...]:
    """Report how many suspects were left out because they are in a known set; empty if none were."""
    if not data.known_suspects:
        return ()
    return (Check("suspects", "warn", (fact("suspects_already_known", images=data.known_suspects),)),)
