"""Options of `run_inversion`, checked together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.image_options import PixelChoices, PixelOptions
from privaudit.auditing.model_options import ModelChoices, ModelOptions
from privaudit.auditing.option_table import like, needed, option
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import Problem

if TYPE_CHECKING:
    from privaudit.inversion import Solver


@dataclass(frozen=True)
class InvertOptions(ModelOptions, PixelOptions):
    """Options of `run_inversion`, with the defaults of `privaudit invert`.

    The help text of each field describes it.
    """

    suffix: ClassVar[str] = "-inversion"
    images: Path = field(metadata=needed(argument=True, kind="path", help="Images: a folder, table or archive."))
    out: Path = field(metadata=needed(kind="path", help="Folder to write."))
    solver: Solver = like(AuditOptions, "solver")
    truth: Path | None = option(
        kind="path",
        help="Safetensors file of the latents that the images were decoded from, in the denoiser's scaled units, "
        "by sample id, manifest id or file stem. The error against them is printed.",
    )
    cocoercivity: bool = option(
        False, help="Check the assumption of the convergence theorems, in about 600 more evaluations."
    )
    device: str = like(AuditOptions, "device")
    dtype: str = like(
        AuditOptions,
        "dtype",
        metavar=None,
        panel=None,
        help="Type of the autoencoder: auto, float32, bfloat16 or float16, even if its configuration says float32.",
    )
    batch_size: int | None = like(AuditOptions, "batch_size")
    strict: bool = like(AuditOptions, "strict")

    def problems(self, *, right: bool) -> list[Problem]:
        """Explain why the assumption of the convergence theorems cannot be checked with this solver."""
        from privaudit.inversion.cocoercivity import not_along_t

        del right
        problems = not_along_t(self.solver) if self.cocoercivity else []
        return [(problem, ("cocoercivity", "solver")) for problem in problems]


class InvertChoices(ModelChoices, PixelChoices, total=False):
    """Keyword arguments of `privaudit.invert`, as text or parsed; see `InvertOptions` for their meaning."""

    solver: str | Solver
    truth: str | Path | None
    cocoercivity: bool
    device: str
    dtype: str
    batch_size: int | None
    strict: bool
