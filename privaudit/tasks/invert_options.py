"""What `run_inversion` inverts and how, checked together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.model_options import ModelChoices, ModelOptions
from privaudit.auditing.option_table import like, needed, option
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import Problem

if TYPE_CHECKING:
    from privaudit.inversion import Solver


@dataclass(frozen=True)
class InvertOptions(ModelOptions):
    """What to invert and how; the defaults are those of `privaudit invert`. The help of each field says what it is."""

    suffix: ClassVar[str] = "-inversion"
    images: Path = field(metadata=needed(argument=True, kind="path", help="Folder or manifest of images."))
    out: Path = field(metadata=needed(kind="path", help="Folder to write."))
    solver: Solver = like(AuditOptions, "solver")
    truth: Path | None = option(
        kind="path",
        help="Safetensors file of the latents that the images were decoded from, in the denoiser's scaled units, "
        "by sample id, manifest id or file stem: prints the error against them.",
    )
    cocoercivity: bool = option(
        False, help="Check the assumption of the convergence theorems: 600 further evaluations."
    )
    device: str = like(AuditOptions, "device")
    dtype: str = like(
        AuditOptions,
        "dtype",
        metavar=None,
        panel=None,
        help="auto, float32, bfloat16 or float16, of the autoencoder, even if its configuration says float32.",
    )
    batch_size: int | None = like(AuditOptions, "batch_size")
    strict: bool = like(AuditOptions, "strict")

    def problems(self, *, right: bool) -> list[Problem]:
        """Say why the assumption of the theorems cannot be checked."""
        from privaudit.inversion.cocoercivity import not_along_t

        del right
        problems = not_along_t(self.solver) if self.cocoercivity else []
        return [(problem, ("cocoercivity", "solver")) for problem in problems]


class InvertChoices(ModelChoices, total=False):
    """What `privaudit.invert` takes for the options, as text or parsed; see the options for what each is."""

    solver: str | Solver
    truth: str | Path | None
    cocoercivity: bool
    device: str
    dtype: str
    batch_size: int | None
    strict: bool
