"""Test of images of unknown membership, alone or next to known members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from privaudit.auditing.assess.folds import Split
from privaudit.auditing.assess.score_candidates import candidates
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditOptions
from privaudit.errors import DataError
from privaudit.escape import encodable
from privaudit.evaluation import Check
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.suspects import SuspectFindings, SuspectReport, judge_suspects

TABLE = "suspects.csv"
"""File of the run folder with one row per suspect."""


def judge_unknown_membership(
    measured: Measurements, data: AuditData, split: Split, options: AuditOptions
) -> SuspectFindings:
    """Test whether suspects score higher than the non-members.

    Args:
        measured: Measurements of all images.
        data: The image sets.
        split: Folds and units of the images.
        options: Options of the audit.

    Returns:
        Tests of the whole set and of each suspect, in the order of the images.
    """
    table, names = candidates(measured.tables, measured.references)
    labels = np.array(data.labels)
    rows, known = np.flatnonzero(labels != "member"), table[labels == "member"]
    return judge_suspects(
        table[rows],
        names,
        [data.samples[row].id for row in rows],
        labels[rows] == "suspect",
        groups=[split.units[row] for row in rows],
        known_members=known if len(known) else None,
        folds=options.folds,
        alpha=1.0 - options.confidence,
        seed=options.seed,
    )


def suspect_table(data: AuditData, findings: SuspectFindings) -> pd.DataFrame:
    """Make the table ``suspects.csv``, ordered by p-value."""
    suspects = [sample for sample, label in zip(data.samples, data.labels, strict=True) if label == "suspect"]
    table = pd.DataFrame({
        "id": [sample.id for sample in suspects],
        "path": [encodable(str(sample.path)) for sample in suspects],
        "label": [encodable(sample.label) for sample in suspects],
        "group": [encodable(sample.group) for sample in suspects],
        "score": findings.score,
        "p": findings.p,
        "q": findings.q,
    })
    return table.sort_values(["p", "id"], ignore_index=True)


def qualified(report: SuspectReport, checks: Sequence[Check]) -> SuspectReport:
    """Add the failed checks to a report: if the sets can be told apart without any model, the test shows nothing."""
    return replace(report, failed_checks=tuple(check.name for check in failed_checks(checks)))


def require_nonmembers(data: AuditData, together: Sequence[str | None]) -> None:
    """Refuse too few non-members for a comparison with suspects.

    Raises:
        DataError: There are fewer than two units of non-members.
    """
    units = [unit or str(row) for row, unit in enumerate(together)][len(data.positives) : len(data.compared)]
    if len(set(units)) < 2:
        raise DataError(
            "expected at least 2 non-members to compare suspects with (a group counts once), got "
            f"{len(data.nonmembers)} in {len(set(units))}; add images"
        )
