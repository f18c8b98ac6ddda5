"""Checks and gates in words: what each noticed or decided, what a pass means, and the exit code of the scan."""

from __future__ import annotations

import math

from privaudit.evaluation.facts import Check
from privaudit.evaluation.finding import failed_checks
from privaudit.evaluation.rate import nonmembers_needed
from privaudit.evaluation.reading_checks import READING_CHECKS
from privaudit.evaluation.verdict import GateOutcome, exit_code
from privaudit.report.numbers import counted
from privaudit.report.quoted import confidence_of
from privaudit.report.sentences.design_text import canary_reach
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, facts_text
from privaudit.results.audit_result import AuditResult
from privaudit.results.data_report import DataReport

ABOUT_SUSPECTS = ("blind baseline, suspects", "file properties, suspects")
"""Checks of suspects against non-members in an audit that has known members, too."""
WHY = {
    "direction": "an attack that learns nothing ranks higher what the model was trained on; if it ranks the second set "
    "higher, the sets are exchanged or differ in more than membership",
    "blind baseline": "if members and non-members differ in anything but membership, an attack may recognise that "
    "difference, and its success says nothing about the training",
    "sample size": "rates at few false positives rest on the few non-members with the highest scores",
    "duplicates": "an attack that recognises a copy of a training image among the non-members is right, but counted as "
    "wrong",
    "file properties": "files that were stored differently can be told apart without the model",
    "image reading": "a model that is shown its training images turned, on another ground or with another crop shows "
    "less of a leak",
    "captions": "a model that was trained with captions and is asked without them shows less of a leak",
    "classes": "a model that is told another class than in training shows less of a leak",
    "files left out": "a file that was an image of the training and is no image of its set here is missing from it",
    "unreadable files": "images that were left out may differ systematically from the rest, which would bias the sets",
    "convergence": "where the inversion of the decoder is inaccurate, influence maps and masks are inaccurate, too; "
    "attacks without mask at the encoder's latents are not affected",
    "latent scale": "a network that is asked at another scale than in training shows no leak",
    "prediction": "a network that is read with the wrong prediction type or schedule shows no leak",
    "condition": "a network that is told other captions than in training shows less of a leak",
    **{
        f"{name}, reference": "what is subtracted means something only if the reference is read as it was trained"
        for name in READING_CHECKS
    },
    "non-finite values": "a score that is not a number has no rank",
    "consistency": "an AUROC and a rate that no ROC curve can have together would be a defect of privaudit",
    "canaries": "the draw proves something only if no one could know or change it",
    "suspects": "an image of known membership is not a suspect",
    "model files": "a finding is about the files that were audited and no others",
    "placeholder words": "a model that is told a word without its embedding reads other captions than in training",
    "reference": "differences from a reference mean something only in the same latent space",
    ABOUT_SUSPECTS[0]: "if suspects and non-members differ in anything but membership, high scores may come from that "
    "difference and not from training on the suspects",
    ABOUT_SUSPECTS[1]: "files that were stored differently can be told apart without the model",
}
"""Why each check matters, by name."""
ORDER = {"fail": 0, "warn": 1, "ok": 2}


def check_text(check: Check, data: DataReport) -> str:
    """Write what a check noticed: clauses separated by semicolons."""
    about_suspects = check.name in ABOUT_SUSPECTS or not data.membership_known
    return facts_text(check.facts, "suspects" if about_suspects else words_of(data).positives)


def undecidable_from(result: AuditResult) -> str:
    """Say what the question cannot be answered from: the images, or the model as it was read."""
    failed = {check.name for check in failed_checks(result.checks)}
    return "as the model was read" if failed and failed <= set(READING_CHECKS) else "from these images"


def ordered_checks(result: AuditResult) -> tuple[Check, ...]:
    """List all checks, those that failed or warned first."""
    return tuple(sorted(result.checks, key=lambda check: ORDER[check.status]))


def names_of(result: AuditResult, status: str) -> str:
    """List the names of the checks with a status, separated by commas."""
    return ", ".join(check.name for check in result.checks if check.status == status)


OUTCOMES = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}


def gate_reason(gate: GateOutcome, result: AuditResult) -> str:
    """Say in a clause what decided a gate, or why it is undecided."""
    reason, measured = fact_text(gate.reason), _measured(result, gate)
    if gate.status == "pass" and gate.reason.values.get("side") == "lower" and measured > gate.threshold:
        reason = f"{measured:.3f} was measured, but more than {gate.threshold:g} is not shown with certainty: {reason}"
    if result.data.membership_known:
        return reason
    return f"{reason}; the gate compares the suspects, whose membership is not known, with the non-members"


def _measured(result: AuditResult, gate: GateOutcome) -> float:
    """Look up the value of the score whose limit decided a gate; NaN without one, and for bounds."""
    values = gate.reason.values
    masks = next((report.masks for report in result.attacks if report.name == values.get("attack")), {})
    metrics = masks.get(str(values.get("mask")))
    if metrics is None or gate.metric not in ("tpr", "auroc", "advantage"):
        return math.nan
    if gate.metric != "tpr":
        return metrics.auroc.value if gate.metric == "auroc" else metrics.advantage.value
    rate = metrics.tpr_at_fpr.get(f"{gate.fpr:g}")
    return math.nan if rate is None else rate.value


def gates_outcome(result: AuditResult) -> str:
    """Sum up all gates in a sentence."""
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
    """Name the gates with a status in a sentence: a single one by its text, several by their number."""
    gates = [gate.gate for gate in result.verdict.gates if gate.status == status]
    return f"the gate {gates[0]}" if len(gates) == 1 else f"{len(gates)} gates" if gates else "the question"


def gates_are_upper(result: AuditResult) -> bool:
    """Whether passing a gate rules out more than it allows (``--gate-bound upper``)."""
    return result.config.get("gate_bound") == "upper"


def pass_meaning(result: AuditResult, *, reach: bool = True) -> tuple[str, ...]:
    """Say what a gate that passed means.

    Args:
        result: Result of an audit.
        reach: Whether to add what the canaries could have shown at most.

    Returns:
        Sentences; none if no gate passed, and with ``--gate-bound upper``, with which a pass needs no caveat.
    """
    passed = [gate for gate in result.verdict.gates if gate.status == "pass"]
    if gates_are_upper(result) or not passed:
        return ()
    rest = " (--gate-bound upper does)."
    if all(gate.metric == "epsilon" for gate in passed):
        rest = ", and no audit could: epsilon is bounded from below only."
    meaning = f"A pass means that no more than the gate allows was shown. It does not rule out more{rest}"
    return tuple(filter(None, (meaning, canary_reach(result) if reach else "")))


def limits_note(result: AuditResult) -> str:
    """Say why a limit of a gate differs from that of the finding; empty if no gate shows one of the same metric."""
    finding = result.verdict.finding
    for gate in result.verdict.gates:
        if gate.metric == finding.metric and gate.fpr in (None, 0.01) and gate.reason.values.get("side") == "lower":
            tests = counted(float(gate.reason.values["tests"]), "test")
            return (
                f"The gate's limit and “at least” of the finding differ: the one is corrected for {tests}, the other "
                f"for {2 * finding.scores}, two per score."
            )
    return ""


def undecided(result: AuditResult) -> tuple[str, ...]:
    """Say what would decide each inconclusive gate, one sentence per gate; nothing if checks are the reason."""
    if failed_checks(result.checks):
        return ()
    gates = (gate for gate in result.verdict.gates if gate.status == "inconclusive")
    return tuple(_remedy(result, gate) for gate in gates if gate.reason.code != "reading_in_doubt")


def _remedy(result: AuditResult, gate: GateOutcome) -> str:
    available, upper = result.data.nonmembers, gates_are_upper(result)
    if gate.metric == "epsilon" and upper:
        return f"Leave --gate-bound upper out for the gate {gate.gate}: an audit bounds epsilon from below only."
    if gate.fpr is not None:
        # Lower limits share the error over the tests of all gates. Upper limits need no correction: all have to hold.
        tests = 1 if upper else sum(max(1, len(other.tests)) for other in result.verdict.gates)
        needed = nonmembers_needed(gate.fpr, (1.0 - confidence_of(result)) / tests)
        if available < needed:
            shared = "" if tests == 1 else f", since {tests} tests share the error"
            independent = math.floor(float(gate.reason.values.get("nonmembers", available)))
            count = "" if independent == available else f", which count as {independent}"
            return (
                f"Add images: the gate {gate.gate} needs at least {needed} independent non-members{shared}; there are "
                f"{available}{count}."
            )
    return f"Add images, or run fewer attacks and set fewer gates: {gate.gate} could not be decided with so few images."


def exit_text(result: AuditResult, code: int | None = None) -> str:
    """Say which exit code the scan has: ``code``, or the default one where options that change it are not known."""
    verdict = result.verdict
    if not verdict.gates:
        although = ", although the audit is inconclusive" if verdict.status == "inconclusive" else ""
        return f"No gate was set (--fail-on), so the exit code is 0{although}."
    default = exit_code(verdict.status, gated=True)
    if code is None:
        return f"Exit code {default}{' by default' if default else ''}."
    return f"Exit code {code}{'' if code == default else f', as requested, instead of {default}'}."
