"""Two questions beside "do members score higher": are suspects among them, and what does a draw by lot prove?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from privaudit.assess.candidates import candidates
from privaudit.assess.split import Split
from privaudit.data import AuditData
from privaudit.evaluation import Finding
from privaudit.evaluation.canaries import CanaryReport, audit_canaries
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.evaluation.suspects import SuspectReport, judge_suspects
from privaudit.measure import Measured
from privaudit.options import AuditOptions


@dataclass(frozen=True)
class Unknown:
    """What the images of unknown membership say.

    Attributes:
        report: About all of them.
        table: One row a suspect.
    """

    report: SuspectReport
    table: pd.DataFrame


def judge_unknown(measured: Measured, data: AuditData, split: Split, options: AuditOptions) -> Unknown | None:
    """Compare suspects with the non-members.

    Args:
        measured: Of all images.
        data: The images; either the first set are suspects, or there are suspects beside known members.
        split: What belongs together.
        options: Of the audit.

    Returns:
        None without suspects.
    """
    beside = len(data.suspects) > 0
    if not beside and data.role != "suspects":
        return None
    table, names = candidates(measured.tables, measured.references)
    samples, first, compared = data.samples, len(data.members), len(data.compared)
    positions = np.arange(len(samples))
    is_suspect = positions >= compared if beside else positions < first
    judged = positions >= first if beside else positions < compared
    rows = np.flatnonzero(judged)
    findings = judge_suspects(
        table[rows],
        names,
        [samples[row].id for row in rows],
        is_suspect[rows],
        groups=[split.units[row] for row in rows],
        known_members=table[:first] if beside else None,
        folds=options.folds,
        alpha=1.0 - options.confidence,
        seed=options.seed,
    )
    suspects = [samples[row] for row in np.flatnonzero(is_suspect)]
    listed = pd.DataFrame({
        "id": [sample.id for sample in suspects],
        "path": [str(sample.path) for sample in suspects],
        "label": [sample.label for sample in suspects],
        "group": [sample.group for sample in suspects],
        "score": findings.score,
        "p": findings.p,
        "q": findings.q,
    })
    return Unknown(findings.report, listed.sort_values(["p", "id"], ignore_index=True))


def suspect_finding(finding: Finding, report: SuspectReport) -> Finding:
    """Say what an audit of suspects found: the test of the whole set decides whether there is evidence.

    Args:
        finding: Of the attacks, with the suspects taken for members.
        report: About the suspects.

    Returns:
        ``unclear`` if that is what the attacks' finding is, or if the test could not be made; ``none`` without
        evidence; otherwise the level that the attacks' rates have, at least ``low``.
    """
    if finding.level == "unclear":
        return finding
    if np.isnan(report.set_p):
        return Finding("unclear", report.statement)
    if report.set_p > report.alpha:
        return Finding("none", report.statement)
    return replace(finding, level="low" if finding.level == "none" else finding.level, statement=report.statement)


def audit_by_lot(measured: Measured, data: AuditData, options: AuditOptions) -> CanaryReport | None:
    """Audit in one run what was drawn by lot.

    Args:
        measured: Of the compared images.
        data: The images.
        options: Of the audit.

    Returns:
        None unless the sets are canaries.
    """
    if data.role != "canaries":
        return None
    table, names = candidates(measured.tables, measured.references)
    return audit_canaries(
        table,
        names,
        np.arange(len(data.compared)) < len(data.members),
        [sample.id for sample in data.compared],
        confidence=options.confidence,
        seed=options.seed,
    )


def proven_epsilon(report: CanaryReport | None) -> Callable[[float], float] | None:
    """Say what bounds epsilon in a gate: the one-run audit, where membership was drawn by lot.

    Args:
        report: Of the one-run audit.

    Returns:
        From an error probability to the lower bound; None without canaries, where each attack has a bound of its own.
    """
    if report is None:
        return None

    def bound(alpha: float) -> float:
        if np.isnan(report.epsilon_lower):
            return float("nan")
        return epsilon_one_run(report.audited, report.guesses, report.correct, 1.0 - alpha, report.delta)

    return bound
