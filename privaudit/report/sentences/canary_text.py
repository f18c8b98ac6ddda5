"""An audit of canaries in words: what so many right guesses show, and what they could have shown at most."""

from __future__ import annotations

import math

from privaudit.evaluation.canary_audit import SIGNIFICANCE, CanaryReport
from privaudit.report.numbers import COMPACT, Style, counted, p_text
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.names import candidate_text
from privaudit.results.audit_result import AuditResult

TITLE = "Canaries: drawn at random, so the false-positive rate is known"


def canary_statement(report: CanaryReport) -> str:
    """Say what the guesses show."""
    if not report.guesses:
        return f"Not measured{'' if report.reason is None else f': {fact_text(report.reason)}'}."
    right = f"{report.correct} of {report.guesses} guesses about canaries were right"
    if report.epsilon_lower > 0.0:
        private = f"(epsilon, {report.delta:g})" if report.delta else "epsilon"
        shows = (
            f"{right}: at {COMPACT.percent(report.confidence)} confidence this training is not "
            f"{private}-differentially private for any epsilon below {report.epsilon_lower:.3g}."
        )
    else:
        shows = f"{right}, too few to show that epsilon is above 0."
    if math.isnan(report.p):
        return shows
    if report.p <= SIGNIFICANCE:
        return (
            f"{shows} Evidence of leakage: coins that the model knows nothing of would rarely look like this "
            f"({p_text(report.p)})."
        )
    return f"{shows} No evidence of leakage by these attacks ({p_text(report.p)})."


def canary_lines(report: CanaryReport, style: Style) -> tuple[tuple[str, str], ...]:
    """Say what the audit of canaries rests on: names, and a line for each."""
    if not report.guesses:
        return (("result", f"not measured{'' if report.reason is None else f': {fact_text(report.reason)}'}"),)
    delta = f", delta {report.delta:g}" if report.delta else ""
    chance = f"{p_text(report.p)}: the chance of such scores if the model knew nothing of the coins"
    if math.isnan(report.p):
        chance = "n/a" if report.reason is None else fact_text(report.reason)
    return (
        (
            "canaries",
            f"{report.canaries}: {report.pilot} to choose on, {report.audited} audited ({report.included} of them "
            f"trained "
            "on)",
        ),
        ("score", f"{candidate_text(report.chosen)}, out of {counted(len(report.search_space), 'candidate')}"),
        (
            "guesses",
            f"{report.guesses_in} in, {report.guesses_out} out; {report.correct} of {report.guesses} right",
        ),
        (
            "epsilon",
            f"at least {style.number(report.epsilon_lower)} ({style.percent(report.confidence)} confidence{delta}); "
            f"even a perfect attack could have shown only {style.number(report.epsilon_most)}",
        ),
        ("chance", f"{chance} ({counted(report.draws, 'rearrangement')} of the audited coins)"),
    )


def canary_reach(result: AuditResult) -> str:
    """Say what the audit of canaries could have shown at most; empty without one."""
    report = result.canaries
    if report is None or math.isnan(report.epsilon_most):
        return ""
    return f"Even a perfect attack could have shown an epsilon of only {report.epsilon_most:.1f} with these canaries."
