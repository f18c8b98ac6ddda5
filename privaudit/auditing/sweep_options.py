"""What a sweep measures and how, checked together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from privaudit.auditing.option_table import like, needed, option, rule
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import Problem

POINTS = 25
"""Levels of a curve."""
NOT_SWEPT = {
    "suspects": "a sweep compares members with non-members",
    "canaries": "a sweep compares members with non-members",
    "reference": "a sweep measures the target alone",
    "fail_on": "a sweep has no verdict",
}
"""Options of an audit that a sweep has no use for, and why."""


@dataclass(frozen=True)
class SweepOptions(AuditOptions):
    """What to sweep and how: the options of an audit, and the number of levels.

    Suspects, canaries, a reference model, gates and several fractions to drop are refused, since a sweep ignores them.

    Attributes:
        out: The folder to write.
        drop: Fraction of latent dimensions that the hard masks drop.
        points: Levels of a curve, of attacks without levels of their own.
    """

    suffix: ClassVar[str] = "-sweep"
    out: Path = field(
        metadata=needed(kind="path", decides=False, help="Folder to write; of a scan, to use its latents and geometry.")
    )
    drop: float | tuple[float, ...] = like(
        AuditOptions,
        "drop",
        default=0.4,
        unset=0.4,
        kind="number",
        metavar=None,
        syntax=False,
        help="Fraction of latent dimensions that the hard masks drop.",
    )
    points: int = option(
        POINTS,
        check=rule(lambda points: points >= 2, f"at least 2 points ({POINTS} is usual)"),
        help="Levels of a curve, finer where there is less noise.",
    )

    def problems(self, *, right: bool) -> list[Problem]:
        """Say what is wrong with the sets, and what a sweep has no use for."""
        found: list[Problem] = [
            (f"expected no {name}, since {reason}", (name,))
            for name, reason in NOT_SWEPT.items()
            if getattr(self, name)
        ]
        if len(self.drops) > 1:
            found.append((f"expected one fraction to drop, since a sweep chooses nothing, got {self.drop}", ("drop",)))
        return found + super().problems(right=right and not found)
