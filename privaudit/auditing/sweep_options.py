"""Options of a sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from privaudit.auditing.option_table import like, needed, option, rule
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import Problem

DEFAULT_POINTS = 25
"""Default number of levels of a curve."""
NOT_SWEPT = {
    "suspects": "a sweep compares members with non-members",
    "canaries": "a sweep compares members with non-members",
    "reference": "a sweep measures the target alone",
    "fail_on": "a sweep has no verdict",
}
"""Options of an audit that a sweep refuses, and why."""


@dataclass(frozen=True)
class SweepOptions(AuditOptions):
    """Options of a sweep: those of an audit, and the number of levels.

    Suspects, canaries, a reference model, gates and several fractions to drop are refused, since a sweep ignores them.

    Attributes:
        out: Folder to write.
        drop: Fraction of latent dimensions that the hard masks drop.
        points: Number of levels of a curve, for attacks whose levels are not given.
    """

    suffix: ClassVar[str] = "-sweep"
    out: Path = field(
        metadata=needed(
            kind="path", decides=False, help="Folder to write; the folder of a scan reuses its latents and geometry."
        )
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
        DEFAULT_POINTS,
        check=rule(lambda points: points >= 2, f"at least 2 points ({DEFAULT_POINTS} is usual)"),
        help="Number of levels of a curve, denser where there is less noise.",
    )

    def problems(self, *, right: bool) -> list[Problem]:
        """List problems of the image sets, and options that a sweep refuses."""
        problems: list[Problem] = [
            (f"expected no {name}, since {reason}", (name,))
            for name, reason in NOT_SWEPT.items()
            if getattr(self, name)
        ]
        if len(self.drops) > 1:
            problems.append((
                f"expected one fraction to drop, since a sweep chooses nothing, got {self.drop}",
                ("drop",),
            ))
        return problems + super().problems(right=right and not problems)
