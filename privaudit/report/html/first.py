"""The first screen, for a reader who knows nothing: what was tested, what was found, how sure, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from privaudit.evaluation.verdict import TESTED_MASKS, GateOutcome
from privaudit.report.attacker import NEEDS, NOT_TESTED, worst_case
from privaudit.report.design_words import words_of
from privaudit.report.html.page_numbers import percent
from privaudit.report.html.proportion import Proportion, pairs_in_words, proportion
from privaudit.report.numbers import hundredths
from privaudit.report.quoted import quoted
from privaudit.report.words import (
    Tone,
    advice,
    answer,
    canary_reach,
    gate_note,
    headline,
    scale_text,
    score_text,
    statement,
    tone,
)
from privaudit.results.audit_result import AuditResult


@dataclass(frozen=True)
class Chance:
    """How often suspects would score as high as these if none had been trained on.

    Attributes:
        number: How many of a hundred, as it is written.
        evidence: From where on it counts as evidence, in words.
        flagged: How many stand out singly, in words.
    """

    number: str
    evidence: str
    flagged: str


@dataclass(frozen=True)
class FirstScreen:
    """What the first screen says.

    Attributes:
        model: Name of the audited model.
        tone: Tone of the headline.
        steps: How many of three steps of strength are filled; 0 without a leak.
        headline: In a few words.
        answer: One plain sentence.
        tested: What was compared, and how.
        limits: What the attacker needs, and what was not tested.
        statement: The finding in words, with every number.
        sure: The number that a reader should remember; None where none can be trusted, and of suspects.
        chance: The same of suspects.
        pairs: The AUROC in words; empty without a number.
        about: Which score the number is of, and what its interval leaves out.
        worst: What this attacker knows that others do not.
        advice: What to do, the most urgent first.
        gates: What became of them.
        outcome: The gates in one sentence.
        note: What a gate that passed means.
    """

    model: str
    tone: Tone
    steps: int
    headline: str
    answer: str
    tested: str
    limits: tuple[str, ...]
    statement: str
    sure: Proportion | None
    chance: Chance | None
    pairs: str
    about: str
    worst: str
    advice: tuple[str, ...]
    gates: tuple[GateOutcome, ...]
    outcome: str
    note: str


def first_screen(result: AuditResult) -> FirstScreen:
    """Write the first screen."""
    finding, score = result.verdict.finding, quoted(result)
    suspects = not result.data.membership_known
    found = proportion(result, score) if finding.level != "unclear" and not suspects else None
    return FirstScreen(
        model=result.target.id,
        tone=tone(result),
        steps={"low": 1, "medium": 2, "high": 3}.get(tone(result), 0),
        headline=headline(result).capitalize(),
        answer=answer(result),
        tested=_tested(result),
        limits=(NEEDS, NOT_TESTED),
        statement=statement(result),
        sure=found,
        chance=_chance(result) if finding.level != "unclear" else None,
        pairs=pairs_in_words(result, score) if found is not None and found.guess != 0.5 else "",
        about=_about(result) if found is not None else "",
        worst=worst_case(result) if found is not None else "",
        advice=advice(result),
        gates=result.verdict.gates,
        outcome=_outcome(result),
        note=_note(result),
    )


def _tested(result: AuditResult) -> str:
    data = result.data
    sets = words_of(data).compared.format(positives=data.positives, nonmembers=data.nonmembers)
    beside = f" (and {data.additional_suspects} suspects)" if data.additional_suspects else ""
    return f"Whether {sets}{beside} can be told apart with the model's help: {scale_text(result)}."


def _chance(result: AuditResult) -> Chance | None:
    report = result.suspects
    if report is None or result.data.membership_known or math.isnan(report.set_p):
        return None
    number = hundredths(report.set_p) if report.set_p >= 0.001 else "fewer than 0.1"
    counts = [f"{count} at a false discovery rate of {percent(float(rate))}" for rate, count in report.flagged.items()]
    flagged = f"Of {report.count} images, flagged singly: {', '.join(counts) or 'none'}."
    return Chance(number, f"We speak of evidence at {100.0 * report.alpha:g} of 100 or fewer.", flagged)


def _about(result: AuditResult) -> str:
    score = quoted(result)
    this = f"This is {score_text(score.report.name, score.mask)}"
    tried = sum(mask in TESTED_MASKS for report in result.attacks for mask in report.masks)
    if result.verdict.finding.attack is None:
        return f"{this}, the strongest attack without mask." if tried > 1 else f"{this}."
    if tried == 1:
        return f"{this}, the only score."
    corrected = "“at least”" if "at least" in result.verdict.finding.statement else "the p-value"
    return (
        f"{this}, the strongest of {tried} scores that were compared. The interval does not allow for that choice; "
        f"{corrected} in what was found does."
    )


def _outcome(result: AuditResult) -> str:
    gates = result.verdict.gates
    if not gates:
        return "No gate was set, so nothing could fail."
    counts = {status: sum(gate.status == status for gate in gates) for status in ("fail", "inconclusive", "pass")}
    names = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}
    parts = ", ".join(f"{count} {names[status]}" for status, count in counts.items() if count)
    return f"Of {len(gates)} gates: {parts}." if len(gates) > 1 else f"The gate {_was(gates[0].status)}."


def _note(result: AuditResult) -> str:
    """What a pass means; what canaries could have shown is said once."""
    note, reach = gate_note(result), canary_reach(result)
    return note.replace(reach, "").strip() if reach and reach in answer(result) else note


def _was(status: str) -> str:
    return {"fail": "failed", "pass": "passed"}.get(status, "is inconclusive")
