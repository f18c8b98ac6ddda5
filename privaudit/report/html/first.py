"""The first screen, for a reader who knows nothing: what was tested, what was found, how sure, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass

from privaudit.evaluation.verdict import GateOutcome
from privaudit.report.html.proportion import Proportion, pairs_in_words, proportion
from privaudit.report.quoted import quoted
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.attacker import NEEDS, NOT_TESTED, worst_case
from privaudit.report.sentences.fact_text import sentence
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.gate_text import gate_reason, gates_outcome, pass_meaning
from privaudit.report.sentences.lines import compared_text, score_note
from privaudit.report.sentences.overall import Tone, answer, headline, tone
from privaudit.report.sentences.suspect_text import flagged_text, set_p_of_hundred
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
        gates: What became of each, and why.
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
    gates: tuple[tuple[GateOutcome, str], ...]
    outcome: str
    note: str


def first_screen(result: AuditResult) -> FirstScreen:
    """Write the first screen."""
    finding, score, plain = result.verdict.finding, quoted(result), answer(result)
    known = result.data.membership_known
    reached = proportion(result, score) if finding.level != "unclear" and known else None
    return FirstScreen(
        model=result.target.id,
        tone=tone(result),
        steps={"low": 1, "medium": 2, "high": 3}.get(tone(result), 0),
        headline=headline(result).capitalize(),
        answer=plain,
        tested=compared_text(result),
        limits=(NEEDS, NOT_TESTED),
        statement=statement(result),
        sure=reached,
        chance=_chance(result) if finding.level != "unclear" else None,
        pairs=pairs_in_words(result, score) if reached is not None and reached.guess != 0.5 else "",
        about=score_note(result) if reached is not None else "",
        worst=worst_case(result) if reached is not None else "",
        advice=advice(result),
        gates=tuple((gate, sentence(gate_reason(gate, result))) for gate in result.verdict.gates),
        outcome=gates_outcome(result),
        note=" ".join(line for line in pass_meaning(result) if line not in plain),
    )


def _chance(result: AuditResult) -> Chance | None:
    report = result.suspects
    if report is None or result.data.membership_known or math.isnan(report.set_p):
        return None
    evidence = f"We speak of evidence at {100.0 * report.alpha:g} of 100 or fewer."
    return Chance(set_p_of_hundred(report), evidence, sentence(f"{report.count} images, {flagged_text(report)}"))
