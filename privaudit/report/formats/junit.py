"""Gates as tests in the JUnit XML of CI servers: a suite per attack, a case per gate.

A gate is one decision over all attacks and masks. A case shows what the corrected limits of the gate say about one
attack: failed if a limit under any mask is beyond the gate, skipped if a limit is missing, passed otherwise. The list
thus tells which attack breaks which gate, and the run fails exactly if a case does.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from privaudit.escape import escape_control
from privaudit.evaluation.verdict import GateOutcome, GateTest
from privaudit.report.formats.report_format import FORMATS, Format
from privaudit.report.numbers import COMPACT
from privaudit.report.redact import base_name, redact
from privaudit.report.sentences.fact_text import facts_text
from privaudit.report.sentences.lines import gate_lines, opening_lines, remedy
from privaudit.report.sentences.model_text import model_name
from privaudit.report.sentences.overall import answer, headline
from privaudit.report.sentences.verdict_text import check_text, gate_reason
from privaudit.results.audit_result import AuditFailure, AuditResult

NO_GATE = "no gate was set"
ALL, WHOLE_AUDIT = "all attacks", "one-run audit of the canaries"
"""Suites of a gate that was not decided by attacks, and of one that tests the audit of all canaries."""
OUTCOMES = {"failed": "failure", "crashed": "error", "skipped": "skipped"}
"""XML element of a case that did not pass, by outcome."""


class Case(NamedTuple):
    """One test.

    Attributes:
        suite: Name of the attack.
        name: Text of the gate.
        outcome: Outcome that the case is counted as.
        message: Reason on one line; empty if the case passed.
        detail: Limits and reason, on several lines.
    """

    suite: str
    name: str
    outcome: Literal["passed", "failed", "crashed", "skipped"]
    message: str
    detail: str


def render_junit(result: AuditResult) -> str:
    """Render the gates of a result."""
    shown = redact(result)
    verdict, side = shown.verdict, str(shown.config.get("gate_bound", "lower"))
    cases = [case for gate in verdict.gates for case in _cases(gate, gate_reason(gate, shown), side)]
    if not cases:
        reason = facts_text(verdict.reasons)
        cases = [Case("privaudit", NO_GATE, "skipped", reason, "\n".join(opening_lines(shown)))]
    facts = {
        "privaudit_version": shown.privaudit_version,
        "target": model_name(shown.target),
        "target_hash": shown.target.hash,
        "split_hash": shown.data.split_hash,
        "verdict": verdict.status,
        "headline": headline(shown),
        "answer": answer(shown),
    }
    once = {"finding": " ".join(opening_lines(shown)[1:]), "gates": " ".join(gate_lines(shown))}
    measured = {
        report.name: {f"auroc, mask {mask}": COMPACT.estimate(metrics.auroc) for mask, metrics in report.masks.items()}
        for report in shown.attacks
    }
    checks = [f"{check.status}: {check.name}: {check_text(check, shown.data)}" for check in shown.checks]
    return _document(cases, facts, once, measured, checks, model_name(shown.target), shown.created)


def render_junit_failure(failure: AuditFailure) -> str:
    """Render a run that ended with an error as one case in error."""
    shown = redact(failure)
    reasons = shown.verdict.reasons
    case = Case("privaudit", "audit", "crashed", f"{shown.kind}: {reasons[0]}", "\n".join((*reasons, remedy(shown))))
    facts = {"privaudit_version": shown.privaudit_version, "target": base_name(shown.target), "verdict": "error"}
    return _document([case], facts, {}, {}, [], base_name(shown.target), shown.created)


def _cases(gate: GateOutcome, reason: str, side: str) -> list[Case]:
    """Make the cases of a gate, one per attack."""
    tests: dict[str, list[GateTest]] = {}
    for test in gate.tests:
        tests.setdefault(WHOLE_AUDIT if test.attack is None else test.attack, []).append(test)
    if not tests:
        outcome = {"pass": "passed", "fail": "failed", "inconclusive": "skipped"}[gate.status]
        return [Case(ALL, gate.gate, outcome, "" if outcome == "passed" else reason, reason)]  # type: ignore[arg-type]
    return [_case(gate, attack, of_attack, reason, side) for attack, of_attack in tests.items()]


def _case(gate: GateOutcome, attack: str, tests: Sequence[GateTest], reason: str, side: str) -> Case:
    limits = ", ".join(f"{test.mask or 'whole audit'} {_limit(test.limit)}" for test in tests)
    statuses = {test.status for test in tests}
    corrected = "corrected " if side == "lower" else ""
    detail = f"{corrected}{side} limits: {limits}\ngate over all attacks: {gate.status}: {reason}"
    if "fail" in statuses:
        worst = max((test for test in tests if test.status == "fail"), key=lambda test: test.limit)
        where = f" with mask {worst.mask}" if worst.mask else ""
        return Case(
            attack, gate.gate, "failed", f"{side} limit {worst.limit:.4g} of {attack}{where}, beyond the gate", detail
        )
    if "inconclusive" in statuses:
        return Case(attack, gate.gate, "skipped", f"inconclusive: {reason}", detail)
    return Case(attack, gate.gate, "passed", "", detail)


def _limit(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4g}"


def _document(
    cases: Sequence[Case],
    facts: Mapping[str, str],
    once: Mapping[str, str],
    measured: Mapping[str, Mapping[str, str]],
    checks: Sequence[str],
    target: str,
    created: str,
) -> str:
    root = ET.Element("testsuites", {"name": _line(f"privaudit: {target}"), **_counts(cases)})
    for index, name in enumerate(dict.fromkeys(case.suite for case in cases)):
        of_suite = [case for case in cases if case.suite == name]
        skipped = {"skipped": str(sum(case.outcome == "skipped" for case in of_suite))}
        timestamp = _line(created.split("+")[0])  # UTC; several readers cannot parse an offset
        about = {"name": _line(name), **_counts(of_suite), **skipped, "timestamp": timestamp}
        suite = ET.SubElement(root, "testsuite", about)
        properties = ET.SubElement(suite, "properties")
        # Long texts that concern the whole audit stand in the first suite only.
        for key, value in {**facts, **({} if index else once), **measured.get(name, {})}.items():
            ET.SubElement(properties, "property", {"name": _line(key), "value": _line(value)})
        for case in of_suite:
            _add_case(suite, case, target)
        if checks and not index:
            ET.SubElement(suite, "system-out").text = escape_control("\n".join(checks), keep="\n")
    ET.indent(root)
    text: str = ET.tostring(root, encoding="utf-8", xml_declaration=True).decode("utf-8")
    return text + "\n"


def _add_case(suite: ET.Element, case: Case, target: str) -> None:
    classname = f"privaudit.{target}.{case.suite}"
    element = ET.SubElement(suite, "testcase", {"name": _line(case.name), "classname": _line(classname)})
    if case.outcome == "passed":
        ET.SubElement(element, "system-out").text = escape_control(case.detail, keep="\n")
        return
    problem = ET.SubElement(element, OUTCOMES[case.outcome], {"message": _line(case.message), "type": "privaudit"})
    problem.text = escape_control(case.detail, keep="\n")


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    failed, crashed = (sum(case.outcome == outcome for case in cases) for outcome in ("failed", "crashed"))
    return {"tests": str(len(cases)), "failures": str(failed), "errors": str(crashed)}


def _line(text: str) -> str:
    """Escape a text for an attribute, newlines included: an XML parser would turn these into spaces."""
    return escape_control(text)


FORMATS.register(Format("junit", "junit.xml", "gates as tests, for CI", render_junit, render_junit_failure, place=3))
