"""Options of `run_origin`, checked together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.image_options import PixelChoices, PixelOptions
from privaudit.auditing.model_options import ModelChoices, ModelOptions
from privaudit.auditing.option_table import like, needed, option, rule
from privaudit.auditing.options import AuditOptions

if TYPE_CHECKING:
    from privaudit.inversion import Solver

SOLVER = "anderson:evaluations=10:tolerance=0"
"""Default solver. With a tolerance of 0 no image stops early, so that all images get the same number of steps."""
MIN_GENERATIONS = 20
"""Minimum number of generations to compare with; the smallest possible p-value is 1 / (their number + 1)."""


@dataclass(frozen=True)
class OriginOptions(ModelOptions, PixelOptions):
    """Options of `run_origin`, with the defaults of `privaudit origin`.

    The help text of each field describes it.
    """

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
        help="Number of images that the model generates for comparison.",
    )
    steps: int = option(
        50,
        check=rule(lambda steps: steps >= 1, "1 or more DDIM steps"),
        help="DDIM steps per generation.",
    )
    prompt: str | None = option(help="Caption of the generations; none by default.")
    solver: Solver = like(AuditOptions, "solver", default=SOLVER)
    device: str = like(AuditOptions, "device")
    dtype: str = like(AuditOptions, "dtype")
    batch_size: int | None = like(AuditOptions, "batch_size")
    seed: int = like(AuditOptions, "seed")
    strict: bool = like(AuditOptions, "strict")
    confidence: float = like(AuditOptions, "confidence")


class OriginChoices(ModelChoices, PixelChoices, total=False):
    """Keyword arguments of `privaudit.origin`, as text or parsed; see `OriginOptions` for their meaning."""

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
