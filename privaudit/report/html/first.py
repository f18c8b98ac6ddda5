"""The first screen, for a reader who knows nothing: what was tested, what was found, how sure, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.report.html.scores import confidence_text
from privaudit.report.numbers import of_hundred
from privaudit.report.quoted import Quoted, quoted
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.attacker import (
    NEEDS,
    NOT_TESTED,
    base_rate,
    measures_rate,
    rests_on,
    shows_rate,
    worst_case,
)
from privaudit.report.sentences.design_text import flagged_text, set_p_of_hundred
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import reason_text, sentence
from privaudit.report.sentences.finding_text import RECOGNISES, brief_statement, pairs_text
from privaudit.report.sentences.lines import compared_text, gate_notes, score_note
from privaudit.report.sentences.model_text import audited_text, header_lines, model_name, unmerged_line
from privaudit.report.sentences.overall import answer, headline, tone
from privaudit.report.sentences.verdict_text import exit_text, gate_reason, gates_outcome
from privaudit.results.audit_result import AuditResult


@dataclass(frozen=True)
class Proportion:
    """A number of images or pairs out of a hundred, in words and as a drawing.

    Attributes:
        before: Sentence up to the number.
        after: Rest of the sentence.
        estimate: Fraction in [0, 1] with its interval.
        interval: Interval in words, or why there is none.
        guess: Fraction that guessing reaches.
        guessing: The same in words.
        lower: Lower limit: that of the finding, which is corrected for the scores that were compared, if it has one for
            this number; else that of the interval; NaN without one.
    """

    before: str
    after: str
    estimate: Estimate | RateEstimate
    interval: str
    guess: float
    guessing: str
    lower: float

    @property
    def number(self) -> str:
        """The count per hundred."""
        return of_hundred(self.estimate.value)

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.before} {self.number} of 100 {self.after} ({self.limits})."

    @property
    def limits(self) -> str:
        """The interval, and how guessing compares with it."""
        inside = ", which the interval includes" if self.lower <= self.guess <= self.estimate.hi else ""
        return f"{self.interval}; {self.guessing}{inside}"

    @property
    def squares(self) -> tuple[Literal["sure", "maybe", "not"], ...]:
        """A hundred squares: up to the lower limit, from there to the upper limit, and the rest."""
        value, hi = self.estimate.value, self.estimate.hi
        ends = (value if math.isnan(end) else end for end in (self.lower, hi))
        # Rounded as in the sentence, so that both give the same numbers; a tenth of a square is drawn as a whole one.
        lower, upper = (float(of_hundred(end)) for end in ends)
        sure, maybe = round(lower), math.ceil(upper)
        return tuple("sure" if square < sure else "maybe" if square < maybe else "not" for square in range(100))

    @property
    def scale(self) -> float:
        """The end of the axis below the squares, as a fraction: small ones get an axis of their own."""
        hi = 0.0 if math.isnan(self.estimate.hi) else self.estimate.hi
        return 0.1 if max(self.estimate.value, self.guess, hi) <= 0.1 else 1.0


def proportion(result: AuditResult, score: Quoted) -> Proportion | None:
    """Say what a score reaches in images out of a hundred.

    Returns:
        The true-positive rate at 1 % false positives or, if that was not measured or shows nothing although a leak was
        found, the AUROC; None without either.
    """
    lay_positives = words_of(result.data).lay_positives
    rate, auroc = score.metrics.tpr_at_fpr.get("0.01"), score.metrics.auroc
    if rate is not None and shows_rate(result, score):
        return Proportion(
            RECOGNISES,
            lay_positives,
            rate,
            _interval(rate, result, score, "tpr"),
            0.01,
            "guessing would recognise 1",
            _lower_limit(rate, result, score, "tpr"),
        )
    if math.isnan(auroc.value):
        return None
    return Proportion(
        f"Shown one of the {lay_positives} and one other image, the attack tells which is which in",
        "such pairs",
        auroc,
        _interval(auroc, result, score, "auroc"),
        0.5,
        "guessing would be right in 50",
        _lower_limit(auroc, result, score, "auroc"),
    )


def _has_limit(result: AuditResult, score: Quoted, metric: str) -> bool:
    """Whether the finding rests on this number of this score."""
    finding = result.verdict.finding
    same = (finding.attack, finding.mask, finding.metric) == (score.report.name, score.mask, metric)
    return same and finding.limit is not None and not math.isnan(finding.limit)


def _lower_limit(estimate: Estimate | RateEstimate, result: AuditResult, score: Quoted, metric: str) -> float:
    limit = result.verdict.finding.limit
    return limit if limit is not None and _has_limit(result, score, metric) else estimate.lo


def _interval(estimate: Estimate | RateEstimate, result: AuditResult, score: Quoted, metric: str) -> str:
    """Write the interval; its lower end is the limit of the finding, if that rests on this number."""
    if math.isnan(estimate.lo) or math.isnan(estimate.hi):
        return reason_text(estimate.reason) or "no interval"
    confidence, hi = f"with {confidence_text(result)} confidence", of_hundred(estimate.hi)
    if _has_limit(result, score, metric):
        return f"at least {of_hundred(_lower_limit(estimate, result, score, metric))}, at most {hi} {confidence}"
    return f"{of_hundred(estimate.lo)} to {hi} {confidence}"


def first_screen(result: AuditResult) -> dict[str, Any]:
    """Collect what templates/first.html shows."""
    unclear, known, score = result.verdict.finding.level == "unclear", result.data.membership_known, quoted(result)
    reached = proportion(result, score) if known and not unclear else None
    return {
        "model": model_name(result.target),
        "audited": " ".join(filter(None, (audited_text(result), unmerged_line(result.target)))),
        "headers": header_lines(result.target.files),
        "tone": tone(result),
        "steps": {"low": 1, "medium": 2, "high": 3}.get(tone(result), 0),  # of the three bars of the gauge
        "headline": headline(result).capitalize(),
        "answer": answer(result),
        "tested": compared_text(result),
        "limits": tuple(filter(None, (rests_on(result), NEEDS, NOT_TESTED))),
        "statement": brief_statement(result),
        # The number to remember, at most one of the two; neither if no number can be relied on.
        "sure": reached,
        "chance": None if unclear else _chance(result),
        "single": base_rate(result) if reached is not None and measures_rate(result) else "",
        "pairs": _pairs(result, score) if reached is not None and reached.guess != 0.5 else "",
        "about": score_note(result) if reached is not None else "",
        "worst": worst_case(result) if reached is not None else "",
        "advice": advice(result),
        "gates": [(gate, sentence(gate_reason(gate, result))) for gate in result.verdict.gates],
        "outcome": f"{gates_outcome(result)} {exit_text(result)}" if result.verdict.gates else gates_outcome(result),
        "note": " ".join(gate_notes(result)),
    }


def _pairs(result: AuditResult, score: Quoted) -> str:
    return pairs_text(result, score, _interval(score.metrics.auroc, result, score, "auroc"))


def _chance(result: AuditResult) -> dict[str, str] | None:
    """Say how often suspects would score as high as these if none had been trained on; None for other designs."""
    report = result.suspects
    if report is None or result.data.membership_known or math.isnan(report.set_p):
        return None
    return {
        "number": set_p_of_hundred(report),
        "evidence": f"{100.0 * report.alpha:g} of 100 or fewer counts as evidence.",
        "flagged": sentence(f"{report.count} images, {flagged_text(report)}"),
    }
