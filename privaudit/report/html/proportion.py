"""The one number of the first screen, counted in images out of a hundred, with its interval as a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from privaudit.report.html.numbers import Interval
from privaudit.report.html.scores import confidence_text, mask_text
from privaudit.report.quoted import Quoted
from privaudit.result import AuditResult

Square = Literal["sure", "maybe", "not"]
SEEN = {
    "members": "training images",
    "canaries": "canaries that were trained on",
    "suspects": "suspects",
}


@dataclass(frozen=True)
class Proportion:
    """So many of a hundred.

    Attributes:
        before: The sentence up to the number.
        number: Of a hundred, as it is written.
        after: The rest of the sentence.
        interval: In words; why there is none, if so.
        guessing: What guessing would reach, in words.
        share: Of one.
        lo: Lower limit, of one; NaN without an interval.
        hi: Upper limit.
        guess: What guessing reaches, of one.
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
        """A hundred squares: recognised even at the lower limit, up to the upper limit, and the others."""
        lo = self.share if math.isnan(self.lo) else self.lo
        hi = self.share if math.isnan(self.hi) else self.hi
        sure, most = math.floor(round(100.0 * lo, 1)), math.ceil(round(100.0 * hi, 1))
        return tuple("sure" if place < sure else "maybe" if place < most else "not" for place in range(100))

    @property
    def scale(self) -> float:
        """Where the scale below the squares ends, of one: small shares get a scale of their own."""
        return 0.1 if max(self.share, self.guess, 0.0 if math.isnan(self.hi) else self.hi) <= 0.1 else 1.0


def proportion(result: AuditResult, score: Quoted) -> Proportion | None:
    """Say what a score reaches in images out of a hundred.

    Args:
        result: Of an audit.
        score: One of its scores.

    Returns:
        Its true-positive rate at 1 % false positives or, where that could not be measured, its AUROC; None without
        either.
    """
    confidence, seen = confidence_text(result), SEEN[result.data.role]
    rate, area = score.metrics.tpr_at_fpr.get("0.01"), score.metrics.auroc
    if rate is not None and not math.isnan(rate.value):
        known = result.data.role != "suspects"  # of suspects nobody knows who is recognised and who wrongly accused
        return Proportion(
            f"An attacker who wrongly accuses 1 of 100 images that the model never saw "
            f"{'recognises' if known else 'accuses'}",
            _hundredths(rate.value),
            seen,
            _interval(rate, rate.reason, confidence),
            f"guessing would {'recognise' if known else 'accuse'} 1",
            rate.value,
            rate.lo,
            rate.hi,
            0.01,
        )
    if not math.isnan(area.value):
        return Proportion(
            f"Shown one of the {seen} and one image that the model never saw, the attack tells which is which in",
            _hundredths(area.value),
            "such pairs",
            _interval(area, area.reason, confidence),
            "guessing would be right in 50",
            area.value,
            area.lo,
            area.hi,
            0.5,
        )
    return None


def pairs_in_words(result: AuditResult, score: Quoted) -> str:
    """Say what the AUROC means, in pairs out of a hundred."""
    area = score.metrics.auroc
    if math.isnan(area.value):
        return f"Its AUROC could not be measured: {area.reason}."
    return (
        f"Of 100 pairs of one such image and one that the model never saw, it tells {_hundredths(area.value)} apart "
        f"({_interval(area, area.reason, confidence_text(result))}); guessing would be right in 50."
    )


def score_in_words(score: Quoted) -> str:
    """Name a score, such as ``sima, weighted mask``."""
    return f"{score.report.name}, {mask_text(score.mask)}" + ("" if score.mask == "none" else " mask")


def _hundredths(share: float) -> str:
    return f"{100.0 * share:.0f}" if share >= 0.095 else f"{100.0 * share:.1f}"


def _interval(estimate: Interval, reason: str | None, confidence: str) -> str:
    if math.isnan(estimate.lo) or math.isnan(estimate.hi):
        return f"interval n/a: {reason}" if reason else "interval n/a"
    return f"{_hundredths(estimate.lo)} to {_hundredths(estimate.hi)} with {confidence} confidence"
