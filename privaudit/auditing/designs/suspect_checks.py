"""Suspects next to known members: do they differ from the non-members in more than membership?"""

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
"""Names of the two checks."""


def suspect_checks(measured: Measurements, data: AuditData, split: Split, options: AuditOptions) -> tuple[Check, ...]:
    """Compare suspects with the non-members as an audit compares members with them: without the model.

    Returns:
        The blind baseline, which fails if a family tells the two apart, since no attack can make up for that: a score
        that is higher for other reasons is what is feared; and the properties of the files.
    """
    apart = AuditData(data.suspects, data.nonmembers, design=SuspectsDesign())
    first, compared = len(data.positives), len(data.compared)
    rows = np.r_[compared : len(data.samples), first:compared]
    is_suspect = apart.is_positive
    units = tuple(split.units[row] for row in rows)
    ids = [sample.id for sample in apart.compared]
    folds = assign_folds(ids, is_suspect, units, folds=options.folds, seed=options.seed, needed=False)
    parts = Split(folds, units, np.empty((0, 2), dtype=np.int64))
    scores = blind_families(measured.pixels.rows(rows), apart, parts, options.seed)
    of_suspects, others = ([sample.file for sample in part.samples] for part in (data.suspects, data.nonmembers))
    files = file_check(of_suspects, others)
    if not scores:
        unmeasured = (fact("blind_not_measured"), fact("no_classifier_fitted"))
        return (Check(BLIND_OF_SUSPECTS, "warn", unmeasured), replace(files, name=FILES_OF_SUSPECTS))
    found = evaluate(
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
    blind = replace(blind_check(found, list(scores), []), name=BLIND_OF_SUSPECTS)
    return (blind, replace(files, name=FILES_OF_SUSPECTS))


def known_check(data: AuditData) -> tuple[Check, ...]:
    """Name suspects that were left out, since they are in a known set; empty if there are none."""
    if not data.known_suspects:
        return ()
    return (Check("suspects", "warn", (fact("suspects_already_known", images=data.known_suspects),)),)
