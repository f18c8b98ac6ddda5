"""Options of `run_geometry`, checked together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from privaudit.auditing.image_options import PixelChoices, PixelOptions
from privaudit.auditing.model_options import ModelChoices, ModelOptions
from privaudit.auditing.option_table import like, needed, option, rule
from privaudit.auditing.option_values import number_or
from privaudit.auditing.options import AuditOptions, LatentSource
from privaudit.auditing.parsed_options import Problem
from privaudit.errors import ConfigError
from privaudit.tasks.invert_options import InvertOptions

if TYPE_CHECKING:
    from privaudit.decoder_geometry import Estimator, Method
    from privaudit.inversion import Solver

BOUND = "bound"
"""Name of Hadamard's bound on the distortion. It needs only the influence; all other methods are in `DISTORTIONS`."""
BOUND_SUMMARY = "Hadamard's upper bound 1/2 sum_i log G_ii, from the influence alone"
BOUND_REFERENCE = "Hadamard 1893"
BOUND_LEFT_OUT = "nothing, but is an upper bound: the distortion itself only where G is diagonal"


def read_distortion(method: Method | str | None) -> Method | None:
    """Parse the specification of a distortion method; a parsed method is returned unchanged.

    Returns:
        The method; None for the bound.

    Raises:
        ConfigError: The specification is wrong; the message names everything that is wrong with it.
    """
    from privaudit.decoder_geometry import DISTORTIONS

    if method == BOUND:
        return None
    if not isinstance(method, str):
        return method
    name = method.split(":")[0]
    if name == BOUND:
        raise ConfigError([f"expected no parameters for {BOUND}, got {method}"])
    if name not in DISTORTIONS:
        known = ", ".join(sorted([BOUND, *DISTORTIONS]))
        raise ConfigError([f"expected a distortion, one of {known}, got {name}; see privaudit estimators"])
    return DISTORTIONS.build(method)


@dataclass(frozen=True)
class GeometryOptions(ModelOptions, PixelOptions):
    """Options of `run_geometry`, with the defaults of `privaudit geometry`.

    The help text of each field describes it.
    """

    suffix: ClassVar[str] = "-geometry"
    images: tuple[Path, ...] = field(
        metadata=needed(
            argument=True, kind="paths", help="Images, one folder, table or archive per set: members held-out."
        )
    )
    out: Path = field(metadata=needed(kind="path", help="Folder to write."))
    geometry_latents: LatentSource = like(AuditOptions, "geometry_latents")
    solver: Solver = like(AuditOptions, "solver")
    influence: Estimator = like(AuditOptions, "influence")
    distortion: Method | None = option(
        parse=read_distortion,
        help="Method that measures the distortion, with optional parameters: bound, exact, truncated:k=20. "
        "privaudit estimators lists them.",
    )
    drop: float = like(
        AuditOptions,
        "drop",
        default=0.4,
        unset=0.4,
        kind="number",
        metavar=None,
        syntax=False,
        help="Fraction of latent dimensions that the hard masks drop.",
    )
    maps: int | None = option(
        "100",
        metavar="all|N",
        parse=number_or("all", "--maps"),
        syntax=True,
        check=rule(lambda maps: maps is None or maps >= 0, "0 or more maps, or all"),
        help="Number of images to draw, the extremes first.",
    )
    device: str = like(AuditOptions, "device")
    dtype: str = like(InvertOptions, "dtype")
    batch_size: int | None = like(AuditOptions, "batch_size")
    seed: int = like(AuditOptions, "seed")
    strict: bool = like(AuditOptions, "strict")

    @property
    def distortion_spec(self) -> str:
        """Specification of the distortion method, as text."""
        return BOUND if self.distortion is None else self.distortion.spec

    def problems(self, *, right: bool) -> list[Problem]:
        """Check the sets, and that the influence estimator is tuned to the fraction that the masks drop."""
        from privaudit.decoder_geometry import wrong_cut

        problems: list[Problem] = [(problem, ("images",)) for problem in self._set_problems()]
        if right and not problems:
            problems = [(problem, ("drop", "influence")) for problem in wrong_cut(self.influence, self.drop)]
        return problems

    def _set_problems(self) -> list[str]:
        if isinstance(self.images, (str, Path)) or not self.images:
            return [f"expected a tuple of one or more folders or manifests for images, got {self.images!r}"]
        places = Counter(source.resolve() for source in self.images)
        problems = [f"expected every set of images once, got {place} {n} times" for place, n in places.items() if n > 1]
        # A later run reads image folders recursively, and would take the figures of this run for images.
        problems.extend(
            f"expected an output folder outside of the images, whose subfolders are also read, got {self.out} in "
            f"{source}; pass another --out"
            for source in self.images
            if source.is_dir() and self.out.resolve().is_relative_to(source.resolve())
        )
        return problems


class GeometryChoices(ModelChoices, PixelChoices, total=False):
    """Keyword arguments of `privaudit.geometry`, as text or parsed; see `GeometryOptions` for their meaning."""

    geometry_latents: LatentSource
    solver: str | Solver
    influence: str | Estimator
    distortion: str | Method
    drop: float
    maps: int | str | None
    device: str
    dtype: str
    batch_size: int | None
    seed: int
    strict: bool
