"""What was found, in the sentences that every text report begins with."""

from __future__ import annotations

from privaudit.evaluation.verdict import TESTED_MASKS, exit_code
from privaudit.report.attacker import NEEDS, NOT_TESTED, base_rate, worst_case
from privaudit.report.words import answer, canary_reach, gate_note, statement
from privaudit.results.audit_result import AuditResult

LEAKS = ("low", "medium", "high")
OTHERWISE = {1: "unless --exit-zero was given", 3: "unless --inconclusive or --exit-zero said otherwise"}
"""Options that change a code and are no part of a result."""


def found_lines(result: AuditResult) -> tuple[str, ...]:
    """Say what was found: in a sentence, in numbers, who could find it, and what could have been found at most."""
    plain, reach = answer(result), canary_reach(result)
    worst = worst_case(result) if result.verdict.finding.level in LEAKS else ""
    stated = reach in f"{plain} {gate_note(result)}"
    return tuple(filter(None, (plain, statement(result), worst, "" if stated else reach)))


def choice_note(result: AuditResult) -> str:
    """Say what the intervals of the score that is quoted leave out: it was picked as the best of several."""
    tried = sum(mask in TESTED_MASKS for report in result.attacks for mask in report.masks)
    finding = result.verdict.finding
    if tried < 2 or finding.attack is None:
        return ""
    corrected = "“at least”" if "at least" in finding.statement else "the p-value"
    return (
        f"It is the strongest of {tried} scores that were compared. Its intervals do not allow for that choice; "
        f"{corrected} in what was found does."
    )


def gate_lines(result: AuditResult) -> tuple[str, ...]:
    """Say what gates that passed mean, unless it has been said, and with which code the scan ended."""
    note, reach = gate_note(result), canary_reach(result)
    if reach and reach in answer(result):
        note = note.replace(reach, "").strip()
    return tuple(filter(None, (note, exit_text(result))))


def reach_lines(result: AuditResult) -> tuple[str, ...]:
    """Say how far the finding reaches: what an attacker needs, how sure one accusation is, what was not tested."""
    if not result.data.membership_known:
        return (NOT_TESTED,)
    sure = f"How sure is one accusation? {base_rate(result)}" if result.verdict.finding.level in LEAKS else ""
    return tuple(filter(None, (NEEDS, sure, NOT_TESTED)))


def exit_text(result: AuditResult) -> str:
    """Say with which code the scan ended.

    Returns:
        A sentence. Options that say what an outcome counts as decide nothing about the model and are not in the
        result, so that the sentence names them where they could have changed the code.
    """
    verdict = result.verdict
    if not verdict.gates:
        however = " all the same" if verdict.status == "inconclusive" else ""
        return f"No gate was set (--fail-on), so the exit code is 0{however}."
    code = exit_code(verdict)
    return f"Exit code {code}{f', {OTHERWISE[code]}' if code in OTHERWISE else ''}."
