"""Checks and gates in words: what each noticed or decided, what a pass means, and with which code the scan ended."""

from __future__ import annotations

from privaudit.evaluation.facts import Check
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.rate import nonmembers_needed
from privaudit.evaluation.verdict import GateOutcome, exit_code
from privaudit.report.sentences.design_text import canary_reach
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, facts_text
from privaudit.results.audit_result import AuditResult
from privaudit.results.data_report import DataReport

ABOUT_SUSPECTS = ("blind baseline, suspects", "file properties, suspects")
"""Checks that compare suspects with non-members next to known members."""
WHY = {
    "blind baseline": "if the sets differ in anything else, an attack may recognise that and not membership",
    "sample size": "rates at few false positives rest on the few non-members with the highest scores",
    "duplicates": "an attack that recognises a copy of a training image is right and counted as wrong",
    "file properties": "what was stored differently can be told apart without the model",
    "unreadable files": "images that were left out may be of one kind",
    "convergence": "where the inversion of the decoder is rough, influence maps and masks are rough, too; attacks "
    "without mask at the encoder's latents are not affected",
    "latent scale": "a network that is asked at another scale than in training shows no leak",
    "prediction": "a network that is read with the wrong prediction type or schedule shows no leak",
    "condition": "a network that is told other captions than in training shows less of a leak",
    "non-finite values": "a score that is not a number has no rank",
    "consistency": "an AUROC and a rate that no curve can have would be a defect of privaudit",
    "canaries": "the draw is a proof only if no one could know or change it",
    "suspects": "an image of known membership is no suspect",
    "reference": "differences from a reference mean something only in the same latent space",
    ABOUT_SUSPECTS[0]: "if suspects and non-members differ in anything else, that may be what is recognised",
    ABOUT_SUSPECTS[1]: "what was stored differently can be told apart without the model",
}
"""Why each check matters, by name."""
ORDER = {"fail": 0, "warn": 1, "ok": 2}


def check_text(check: Check, data: DataReport) -> str:
    """Write what a check noticed: clauses with semicolons between them."""
    about_suspects = check.name in ABOUT_SUSPECTS or not data.membership_known
    return facts_text(check.facts, "suspects" if about_suspects else words_of(data).positives)


def ordered_checks(result: AuditResult) -> tuple[Check, ...]:
    """List all checks, those that failed or warned first."""
    return tuple(sorted(result.checks, key=lambda check: ORDER[check.status]))


def names_of(result: AuditResult, status: str) -> str:
    """Name the checks of a status, with commas between them; empty if there are none."""
    return ", ".join(check.name for check in result.checks if check.status == status)


OUTCOMES = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}
OTHERWISE = {1: "unless --exit-zero was given", 3: "unless --inconclusive or --exit-zero said otherwise"}
"""Options that change a code and are no part of a result."""


def gate_reason(gate: GateOutcome, result: AuditResult) -> str:
    """Say what decided a gate, or why nothing did: a clause."""
    reason = fact_text(gate.reason)
    if result.data.membership_known:
        return reason
    return f"{reason}; it compares the suspects with the non-members, and no known members"


def gates_outcome(result: AuditResult) -> str:
    """Say in a sentence what became of all gates."""
    gates = result.verdict.gates
    if not gates:
        return "No gate was set, so nothing could fail."
    if len(gates) == 1:
        was = "is inconclusive" if gates[0].status == "inconclusive" else OUTCOMES[gates[0].status]
        return f"The gate {was}."
    counts = {status: sum(gate.status == status for gate in gates) for status in OUTCOMES}
    parts = ", ".join(f"{count} {OUTCOMES[status]}" for status, count in counts.items() if count)
    return f"Of {len(gates)} gates: {parts}."


def named_gates(result: AuditResult, status: str) -> str:
    """Name the gates of a status in a sentence: the only one by its text, several by their number."""
    gates = [gate.gate for gate in result.verdict.gates if gate.status == status]
    return f"the gate {gates[0]}" if len(gates) == 1 else f"{len(gates)} gates" if gates else "the question"


def gates_are_upper(result: AuditResult) -> bool:
    """Whether passing a gate means that more was ruled out (``--gate-bound upper``)."""
    return result.config.get("gate_bound") == "upper"


def pass_meaning(result: AuditResult, *, reach: bool = True) -> tuple[str, ...]:
    """Say what a gate that passed means.

    Args:
        result: Result of an audit.
        reach: Whether to add what canaries could have shown at most.

    Returns:
        Sentences; none if no gate passed, or if passing meant that more was ruled out (``--gate-bound upper``).
    """
    passed = [gate for gate in result.verdict.gates if gate.status == "pass"]
    if gates_are_upper(result) or not passed:
        return ()
    rest = " (--gate-bound upper does)."
    if all(gate.metric == "epsilon" for gate in passed):
        rest = ", and no audit could: epsilon is bounded from below only."
    meaning = f"A pass means: more than this was not shown. It does not rule it out{rest}"
    return tuple(filter(None, (meaning, canary_reach(result) if reach else "")))


def undecided(result: AuditResult) -> tuple[str, ...]:
    """Say what would decide each gate that is inconclusive.

    Returns:
        A sentence per gate; empty if all were decided, or if what is wrong is a check.
    """
    if failed_checks(result.checks):
        return ()
    return tuple(_decide(result, gate) for gate in result.verdict.gates if gate.status == "inconclusive")


def _decide(result: AuditResult, gate: GateOutcome) -> str:
    available, upper = result.data.nonmembers, gates_are_upper(result)
    if gate.metric == "epsilon" and upper:
        return f"Leave --gate-bound upper out for the gate {gate.gate}: an audit bounds epsilon from below only."
    if gate.fpr is not None:
        tests = 1 if upper else sum(max(1, len(other.tests)) for other in result.verdict.gates)
        needed = nonmembers_needed(gate.fpr, (1.0 - float(result.config.get("confidence", 0.95))) / tests)
        if available < needed:
            among = "" if tests == 1 else f", since {tests} tests share the error"
            return (
                f"Add images: the gate {gate.gate} needs at least {needed} non-members for a limit{among}; there were "
                f"{available}."
            )
    return f"Add images, or run fewer attacks and set fewer gates: {gate.gate} could not be decided with so few images."


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
    code = exit_code(verdict.status, gated=True)
    return f"Exit code {code}{f', {OTHERWISE[code]}' if code in OTHERWISE else ''}."
