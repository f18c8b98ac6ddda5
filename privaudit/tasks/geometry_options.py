"""What `run_geometry` measures and how, checked together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

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
"""Distortion by Hadamard's bound, which the influence gives at no further cost; the others are in `DISTORTIONS`."""
BOUND_SUMMARY = "Hadamard's upper bound 1/2 sum_i log G_ii, from the influence alone"
BOUND_REFERENCE = "Hadamard 1893"
BOUND_LEFT_OUT = "nothing, but is an upper bound: the distortion itself only where G is diagonal"


def read_distortion(given: Method | str | None) -> Method | None:
    """Read a method of measuring the distortion.

    Returns:
        The method; None for the bound.

    Raises:
        ConfigError: Names everything that is wrong, and what would be right.
    """
    from privaudit.decoder_geometry import DISTORTIONS

    if given == BOUND or not isinstance(given, str):
        return None if isinstance(given, str) else given
    name = given.split(":")[0]
    if name == BOUND:
        raise ConfigError([f"expected no parameters for {BOUND}, got {given}"])
    if name not in DISTORTIONS:
        known = ", ".join(sorted([BOUND, *DISTORTIONS]))
        raise ConfigError([f"expected a distortion of {known}, got {name}; see privaudit estimators"])
    return DISTORTIONS.build(given)


@dataclass(frozen=True)
class GeometryOptions(ModelOptions):
    """Whose geometry, and how it is measured; the defaults are those of `privaudit geometry`.

    The help of each field says what it is.
    """

    suffix: ClassVar[str] = "-geometry"
    images: tuple[Path, ...] = field(
        metadata=needed(
            argument=True, kind="paths", help="Folders or manifests of images, one a set: members held-out."
        )
    )
    out: Path = field(metadata=needed(kind="path", help="Folder to write."))
    geometry_latents: LatentSource = like(AuditOptions, "geometry_latents")
    solver: Solver = like(AuditOptions, "solver")
    influence: Estimator = like(AuditOptions, "influence")
    distortion: Method | None = option(
        parse=read_distortion,
        help="Method of measuring the distortion, with parameters if wanted: bound, exact, truncated:k=20. "
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
        help="Share of latent dimensions that the hard masks drop.",
    )
    maps: int | None = option(
        "100",
        metavar="all|N",
        parse=number_or("all", "--maps"),
        syntax=True,
        check=rule(lambda maps: maps is None or maps >= 0, "0 or more maps, or all"),
        help="Images to draw, the extremes first.",
    )
    device: str = like(AuditOptions, "device")
    dtype: str = like(InvertOptions, "dtype")
    batch_size: int | None = like(AuditOptions, "batch_size")
    seed: int = like(AuditOptions, "seed")
    strict: bool = like(AuditOptions, "strict")

    @property
    def distortion_spec(self) -> str:
        """Text of the method of measuring the distortion."""
        return BOUND if self.distortion is None else self.distortion.spec

    def problems(self, *, right: bool) -> list[Problem]:
        """Say what is wrong with the sets, and with an estimator that settles the cut of another mask."""
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
        problems.extend(
            f"expected a folder to write outside of the images, whose subfolders are read too, got {self.out} in "
            f"{source}; pass another --out"
            for source in self.images
            if source.is_dir() and self.out.resolve().is_relative_to(source.resolve())
        )
        return problems


class GeometryChoices(ModelChoices, total=False):
    """What `privaudit.geometry` takes for the options, as text or parsed; see the options for what each is."""

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
