"""The first screen, for a reader who knows nothing: what was tested, what was found, how sure, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from privaudit.evaluation.verdict import TESTED_MASKS, GateOutcome
from privaudit.report.html.numbers import probability
from privaudit.report.html.proportion import Proportion, pairs_in_words, proportion, score_in_words
from privaudit.report.quoted import quoted
from privaudit.report.words import advice, headline
from privaudit.result import AuditResult

ANSWERS = {
    "none": "No attack told the training images from images that the model never saw.",
    "low": "The model gives away a weak trace of which images it was trained on.",
    "medium": "The model gives away, for part of its training images, that it was trained on them.",
    "high": "The model gives away which images it was trained on.",
    "unclear": "Whether the model gives away its training images cannot be told from these images.",
}
ABOUT_SUSPECTS = {
    "none": "Nothing shows that the model was trained on the suspects.",
    "unclear": "Whether the model was trained on the suspects cannot be told from these images.",
}
"""Any other level is evidence."""


@dataclass(frozen=True)
class FirstScreen:
    """What the first screen says.

    Attributes:
        model: Name of the audited model.
        level: Of the finding.
        steps: How many of three steps of strength are filled; 0 without a leak.
        headline: In a few words.
        answer: One plain sentence.
        tested: What was compared, and how.
        statement: The finding's own words, with every number.
        sure: The number that a reader should remember; None where none can be trusted.
        pairs: The AUROC in words; empty without a number.
        about: Which score the number is of, and what its interval leaves out.
        advice: What to do, the most urgent first.
        gates: What became of them.
        outcome: The gates in one sentence.
    """

    model: str
    level: str
    steps: int
    headline: str
    answer: str
    tested: str
    statement: str
    sure: Proportion | None
    pairs: str
    about: str
    advice: tuple[str, ...]
    gates: tuple[GateOutcome, ...]
    outcome: str


def first_screen(result: AuditResult) -> FirstScreen:
    """Write the first screen.

    Args:
        result: Of an audit, made `privaudit.report.outward.outward`.

    Returns:
        Every text of it.
    """
    finding, score = result.verdict.finding, quoted(result)
    found = proportion(result, score) if finding.level != "unclear" else None
    answers = ANSWERS if result.data.role != "suspects" else ABOUT_SUSPECTS
    return FirstScreen(
        model=result.target.id,
        level=finding.level,
        steps={"low": 1, "medium": 2, "high": 3}.get(finding.level, 0),
        headline=headline(result).capitalize(),
        answer=answers.get(finding.level, "There is evidence that the model was trained on some of the suspects."),
        tested=_tested(result),
        statement=finding.statement.rstrip(".") + ".",
        sure=found,
        pairs=pairs_in_words(result, score) if found is not None and found.guess != 0.5 else "",
        about=_about(result) if found is not None else "",
        advice=advice(result),
        gates=result.verdict.gates,
        outcome=_outcome(result),
    )


def _tested(result: AuditResult) -> str:
    data = result.data
    sets = {
        "members": f"{data.members} images that it was trained on and {data.nonmembers} that it never saw",
        "canaries": f"{data.members} canaries that it was trained on and {data.nonmembers} that were kept back, "
        "drawn by lot before the training",
        "suspects": f"{data.members} images that it may have been trained on and {data.nonmembers} that it never saw",
    }
    scores = sum(len(report.masks) for report in result.attacks)
    attacks = f"{len(result.attacks)} attacks" if len(result.attacks) != 1 else "1 attack"
    beside = f" (and {data.suspects} suspects)" if data.suspects and data.role != "suspects" else ""
    return (
        f"Whether {sets[data.role]}{beside} can be told apart by looking at the model. {attacks} were run, each with "
        f"its masks: {scores} scores an image."
    )


def _about(result: AuditResult) -> str:
    if result.suspects is not None and result.data.role == "suspects":
        p = probability(result.suspects.set_p)
        return (
            f"Had the model been trained on none of the suspects, they would score so high with a probability of {p}."
        )
    this = f"This is {score_in_words(quoted(result))}"
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


def _was(status: str) -> str:
    return {"fail": "failed", "pass": "passed"}.get(status, "is inconclusive")
