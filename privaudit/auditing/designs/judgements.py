"""Two questions beside "do members score higher": are suspects among them, and what does a draw by lot prove?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from privaudit.auditing.assess.folds import Split
from privaudit.auditing.assess.score_candidates import candidates
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.stages import Measured
from privaudit.data import AuditData
from privaudit.escape import encodable
from privaudit.evaluation import Check, Finding, Verdict
from privaudit.evaluation.canary_audit import SIGNIFICANCE, CanaryReport, audit_canaries
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.evaluation.suspects import SuspectReport, judge_suspects

UNCLEAR = "Whether the suspects were trained on cannot be told from these images: "


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
        "path": [encodable(str(sample.path)) for sample in suspects],
        "label": [encodable(sample.label) for sample in suspects],
        "group": [encodable(sample.group) for sample in suspects],
        "score": findings.score,
        "p": findings.p,
        "q": findings.q,
    })
    return Unknown(findings.report, listed.sort_values(["p", "id"], ignore_index=True))


def doubted(report: SuspectReport, checks: Sequence[Check]) -> SuspectReport:
    """Take the statement back where suspects and non-members differ without any model.

    Args:
        report: About the suspects.
        checks: All that compare them.

    Returns:
        The report, whose statement names the checks that failed.
    """
    failed = [f"check {check.name!r} failed: {check.detail}" for check in checks if check.status == "fail"]
    return replace(report, statement=UNCLEAR + "; ".join(failed)) if failed else report


OF_SUSPECTS = "it compares the suspects with the non-members, and no known members"


def suspect_gates(verdict: Verdict) -> Verdict:
    """Say in every gate's outcome what the gate compares where there is no known member.

    Args:
        verdict: Of the attacks, with the suspects taken for members.

    Returns:
        The same outcomes and status.
    """
    gates = tuple(replace(gate, detail=f"{gate.detail}; {OF_SUSPECTS}") for gate in verdict.gates)
    stated = {f"gate {gate.gate!r}: {gate.detail}": f"; {OF_SUSPECTS}" for gate in verdict.gates}
    reasons = tuple(reason + stated.get(reason, "") for reason in verdict.reasons)
    return replace(verdict, gates=gates, reasons=reasons)


def suspect_finding(finding: Finding, report: SuspectReport, checks: Sequence[Check] = ()) -> Finding:
    """Say what an audit of suspects found: the test of the whole set decides whether there is evidence.

    Args:
        finding: Of the attacks, with the suspects taken for members.
        report: About the suspects.
        checks: All that were made.

    Returns:
        ``unclear`` if a check failed, or if no outcome of the test could have been evidence; ``none`` without evidence;
        otherwise the level that the attacks' rates have, at least ``low``.
    """
    failed = [f"check {check.name!r} failed: {check.detail}" for check in checks if check.status == "fail"]
    if report.smallest_set_p > report.alpha * (1.0 + 1e-9):
        failed.append(report.reason or "there are too few images")
    if failed:
        return Finding("unclear", UNCLEAR + "; ".join(failed))
    if report.set_p > report.alpha:
        return Finding("none", report.statement)
    known = finding.level in ("low", "medium", "high")
    return replace(finding, level=finding.level if known else "low", statement=report.statement)


def canary_finding(finding: Finding, report: CanaryReport, checks: Sequence[Check] = ()) -> Finding:
    """Say what an audit of canaries found: the exact test decides, whose false-positive rate is known.

    Args:
        finding: Of the attacks.
        report: Of the one-run audit.
        checks: All that were made.

    Returns:
        The attacks' finding if a check failed or the test could not be made; ``unclear`` if no outcome of the test
        could have been evidence; ``none`` without evidence; otherwise the level that the attacks' rates have, at least
        ``low``.
    """
    if np.isnan(report.p) or any(check.status == "fail" for check in checks):
        return finding
    leaks = finding.level in ("low", "medium", "high")
    if math.comb(report.audited, report.included) * SIGNIFICANCE < 1.0:
        few = f"{report.audited} audited canaries, {report.included} of them trained on, are too few"
        return Finding("unclear", f"Whether the model leaks cannot be told: {few}; draw more canaries")
    if report.p > SIGNIFICANCE:
        return Finding("none", report.statement)
    statement = f"{report.statement} {finding.statement}" if leaks else report.statement
    return replace(finding, level=finding.level if leaks else "low", statement=statement)


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


def proven_epsilon(report: CanaryReport | None, *, most: bool = False) -> Callable[[float], float] | None:
    """Say what bounds epsilon in a gate: the one-run audit, where membership was drawn by lot.

    Args:
        report: Of the one-run audit.
        most: Had it guessed every audited canary, and right.

    Returns:
        From an error probability to the lower bound; None without canaries, where each attack has a bound of its own.
    """
    if report is None:
        return None

    def bound(alpha: float) -> float:
        if np.isnan(report.epsilon_lower):
            return float("nan")
        if most:
            return epsilon_one_run(report.audited, report.audited, report.audited, 1.0 - alpha, report.delta)
        return epsilon_one_run(report.audited, report.guesses, report.correct, 1.0 - alpha, report.delta)

    return bound
