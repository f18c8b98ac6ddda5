"""The first screen, for a reader who knows nothing: what was tested, what was found, how sure, what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from privaudit.evaluation.estimate import Estimate, RateEstimate
from privaudit.evaluation.verdict import GateOutcome
from privaudit.report.html.scores import confidence_text
from privaudit.report.numbers import of_hundred
from privaudit.report.quoted import Quoted, quoted
from privaudit.report.sentences.advice import Step, advice
from privaudit.report.sentences.attacker import NEEDS, NOT_TESTED, shows_rate, worst_case
from privaudit.report.sentences.design_text import flagged_text, set_p_of_hundred
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.lines import compared_text, score_note
from privaudit.report.sentences.overall import Tone, answer, answers_with_reach, headline, tone
from privaudit.report.sentences.verdict_text import gate_reason, gates_outcome, pass_meaning
from privaudit.results.audit_result import AuditResult

Square = Literal["sure", "maybe", "not"]


@dataclass(frozen=True)
class Proportion:
    """So many of a hundred.

    Attributes:
        before: The sentence up to the number.
        number: How many of a hundred, as it is written.
        after: The rest of the sentence.
        interval: In words; why there is none, if so.
        guessing: What guessing would reach, in words.
        share: Fraction, in [0, 1].
        lo: Lower limit, of one; NaN without an interval.
        hi: Upper limit.
        guess: What guessing reaches, of one.
        least: The lower limit that is corrected for the scores that were compared, of one; NaN if the finding has
            none of this number.
        least_text: What that limit is called.
    """

    before: str
    number: str
    after: str
    interval: str
    guessing: str
    share: float
    lo: float
    hi: float
    guess: float
    least: float
    least_text: str

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        return f"{self.before} {self.number} of 100 {self.after} ({self.limits})."

    @property
    def limits(self) -> str:
        """The interval, and how guessing compares with it."""
        inside = ", which the interval holds" if self.lo <= self.guess <= self.hi else ""
        return f"{self.interval}; {self.guessing}{inside}"

    @property
    def squares(self) -> tuple[Square, ...]:
        """A hundred squares: up to the least, up to the upper limit, and the others."""
        least = next((limit for limit in (self.least, self.lo) if not math.isnan(limit)), self.share)
        hi = self.share if math.isnan(self.hi) else self.hi
        sure, most = round(100.0 * least), math.ceil(round(100.0 * hi, 1))
        return tuple("sure" if place < sure else "maybe" if place < most else "not" for place in range(100))

    @property
    def scale(self) -> float:
        """Where the scale below the squares ends, of one: small shares get a scale of their own."""
        return 0.1 if max(self.share, self.guess, 0.0 if math.isnan(self.hi) else self.hi) <= 0.1 else 1.0


def proportion(result: AuditResult, score: Quoted) -> Proportion | None:
    """Say what a score reaches in images out of a hundred.

    Returns:
        Its true-positive rate at 1 % false positives or, where that was not measured or shows nothing although a leak
        was found, its AUROC; None without either.
    """
    confidence, seen = confidence_text(result), words_of(result.data).seen
    rate, area = score.metrics.tpr_at_fpr.get("0.01"), score.metrics.auroc
    if rate is not None and shows_rate(result, score):
        least, least_text = _least(result, score, "tpr")
        return Proportion(
            "An attacker who wrongly accuses 1 of 100 images that the model was not trained on recognises",
            of_hundred(rate.value),
            seen,
            _interval(rate, confidence),
            "guessing would recognise 1",
            rate.value,
            rate.lo,
            rate.hi,
            0.01,
            least,
            least_text,
        )
    if not math.isnan(area.value):
        least, least_text = _least(result, score, "auroc")
        return Proportion(
            f"Shown one of the {seen} and one image that the model was not trained on, the attack tells which is "
            f"which in",
            of_hundred(area.value),
            "such pairs",
            _interval(area, confidence),
            "guessing would be right in 50",
            area.value,
            area.lo,
            area.hi,
            0.5,
            least,
            least_text,
        )
    return None


def pairs_in_words(result: AuditResult, score: Quoted) -> str:
    """Say what the AUROC means, in pairs out of a hundred."""
    area = score.metrics.auroc
    if math.isnan(area.value):
        return f"Its AUROC could not be measured{'' if area.reason is None else f': {fact_text(area.reason)}'}."
    return (
        f"Of 100 pairs of one such image and one that the model was not trained on, it tells {of_hundred(area.value)} "
        f"apart ({_interval(area, confidence_text(result))}); guessing would be right in 50."
    )


def _least(result: AuditResult, score: Quoted, metric: str) -> tuple[float, str]:
    finding = result.verdict.finding
    own = (finding.attack, finding.mask, finding.metric) == (score.report.name, score.mask, metric)
    if not own or finding.limit is None or math.isnan(finding.limit):
        return math.nan, "lower end of the interval"
    return finding.limit, f"at least{f', allowing for {finding.scores} scores' if finding.scores > 1 else ''}"


def _interval(estimate: Estimate | RateEstimate, confidence: str) -> str:
    if math.isnan(estimate.lo) or math.isnan(estimate.hi):
        return "no interval" if estimate.reason is None else fact_text(estimate.reason)
    return f"{of_hundred(estimate.lo)} to {of_hundred(estimate.hi)} with {confidence} confidence"


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
    advice: tuple[Step, ...]
    gates: tuple[tuple[GateOutcome, str], ...]
    outcome: str
    note: str


def first_screen(result: AuditResult) -> FirstScreen:
    """Write the first screen."""
    finding, score = result.verdict.finding, quoted(result)
    known = result.data.membership_known
    reached = proportion(result, score) if finding.level != "unclear" and known else None
    return FirstScreen(
        model=result.target.id,
        tone=tone(result),
        steps={"low": 1, "medium": 2, "high": 3}.get(tone(result), 0),
        headline=headline(result).capitalize(),
        answer=answer(result),
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
        note=" ".join(pass_meaning(result, reach=not answers_with_reach(result))),
    )


def _chance(result: AuditResult) -> Chance | None:
    report = result.suspects
    if report is None or result.data.membership_known or math.isnan(report.set_p):
        return None
    evidence = f"We speak of evidence at {100.0 * report.alpha:g} of 100 or fewer."
    return Chance(set_p_of_hundred(report), evidence, sentence(f"{report.count} images, {flagged_text(report)}"))
