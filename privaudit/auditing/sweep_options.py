"""Options of a sweep."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import ClassVar

from privaudit.auditing.option_table import MODEL, like, needed, option, rule
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
PER_CHECKPOINT = {
    "lora": "the checkpoints are its adapters",
    "components": "the checkpoints are its components",
    "config_from": "checkpoints are folders or adapters",
    "points": "attacks keep their levels",
    "drop": "no mask is drawn",
    "gamma": "no mask is drawn",
    "mask_scope": "no mask is drawn",
}
"""Options of a sweep that have no effect with ``checkpoints``, and why."""


@dataclass(frozen=True)
class SweepOptions(AuditOptions):
    """Options of a sweep: those of an audit, and the number of levels.

    Suspects, canaries, a reference model, gates and several fractions to drop are refused, since a sweep ignores them.

    Attributes:
        out: Folder to write.
        drop: Fraction of latent dimensions that the hard masks drop.
        checkpoints: Whether ``target`` is the output folder of a training, of which every checkpoint is audited.
        base: Model that the training started from; None if the output folder is that of a pipeline.
        ema: Whether averaged weights are audited where they are next to raw ones.
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
    checkpoints: bool = option(
        False,
        panel=MODEL,
        help="Audit every checkpoint in the output folder of a training, which TARGET then names, and draw the leak "
        "against the training step.",
    )
    base: str | None = option(
        panel=MODEL,
        metavar="MODEL",
        help="With --checkpoints: model that the training started from, which is audited as step 0.",
    )
    ema: bool = option(
        False,
        panel=MODEL,
        help="With --checkpoints: audit averaged weights (unet_ema) where they are next to raw ones.",
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
        problems += self._wrong_with_checkpoints() if self.checkpoints else self._only_with_checkpoints()
        return problems + super().problems(right=right and not problems)

    def _wrong_with_checkpoints(self) -> list[Problem]:
        parts = {name: self.__dataclass_fields__[name] for name in PER_CHECKPOINT}
        default = {
            name: part.default if part.default_factory is MISSING else part.default_factory()
            for name, part in parts.items()
        }
        return [
            (f"expected no `{name}` with `checkpoints`, since {reason}; leave it out", (name, "checkpoints"))
            for name, reason in PER_CHECKPOINT.items()
            if getattr(self, name) != default[name]
        ]

    def _only_with_checkpoints(self) -> list[Problem]:
        return [
            (f"expected `{name}` only with `checkpoints`; pass both, or leave it out", (name, "checkpoints"))
            for name in ("base", "ema")
            if getattr(self, name)
        ]
