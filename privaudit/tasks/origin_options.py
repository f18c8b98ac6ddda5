"""What `run_origin` compares, checked together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.model_options import ModelChoices, ModelOptions
from privaudit.auditing.option_table import like, needed, option, rule
from privaudit.auditing.options import AuditOptions

if TYPE_CHECKING:
    from privaudit.inversion import Solver

SOLVER = "anderson:evaluations=10:tolerance=0"
"""The default solver: nothing stops early, so that all images are treated alike."""
MIN_GENERATIONS = 20
"""Minimum of generations to compare with; the smallest p-value is 1 / (their number + 1)."""


@dataclass(frozen=True)
class OriginOptions(ModelOptions):
    """What to compare; the defaults are those of `privaudit origin`. The help of each field says what it is."""

    suffix: ClassVar[str] = "-origin"
    images: Path = field(
        metadata=needed(argument=True, kind="path", help="Folder or manifest of the images in question.")
    )
    out: Path = field(metadata=needed(kind="path", help="Folder to write."))
    generated: int = option(
        200,
        check=rule(
            lambda count: count >= MIN_GENERATIONS,
            f"{MIN_GENERATIONS} or more generated images, so that p can fall below .05",
        ),
        help="Images that the model generates to compare with.",
    )
    steps: int = option(
        50,
        check=rule(lambda steps: steps >= 1, "1 or more DDIM steps"),
        help="DDIM steps of a generation.",
    )
    prompt: str | None = option(help="Caption of the generations; without it, none.")
    solver: Solver = like(AuditOptions, "solver", default=SOLVER)
    device: str = like(AuditOptions, "device")
    dtype: str = like(AuditOptions, "dtype")
    batch_size: int | None = like(AuditOptions, "batch_size")
    seed: int = like(AuditOptions, "seed")
    strict: bool = like(AuditOptions, "strict")
    confidence: float = like(AuditOptions, "confidence")


class OriginChoices(ModelChoices, total=False):
    """What `privaudit.origin` takes for the options, as text or parsed; see the options for what each is."""

    generated: int
    steps: int
    prompt: str | None
    solver: str | Solver
    device: str
    dtype: str
    batch_size: int | None
    seed: int
    strict: bool
    confidence: float
