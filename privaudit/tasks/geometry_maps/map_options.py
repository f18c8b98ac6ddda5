"""What `run_geometry` measures and how, checked together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from privaudit.errors import ConfigError
from privaudit.geometry import DISTORTIONS, ESTIMATORS, Method, wrong_cut
from privaudit.geometry.influence import DEFAULT as DEFAULT_ESTIMATOR
from privaudit.inversion import DEFAULT as DEFAULT_SOLVER
from privaudit.inversion import SOLVERS

BOUND = "bound"
"""Distortion by Hadamard's bound, which the influence gives at no further cost; the others are in `DISTORTIONS`."""
BOUND_SUMMARY = "Hadamard's upper bound 1/2 sum_i log G_ii, from the influence alone"
BOUND_REFERENCE = "Hadamard 1893"
BOUND_LEFT_OUT = "nothing, but is an upper bound: the distortion itself only where G is diagonal"


@dataclass(frozen=True)
class GeometryOptions:
    """Whose geometry, and how it is measured; the defaults are those of `privaudit geometry`.

    Attributes:
        target: A diffusers folder or hub id.
        images: Folders or manifests, one a set, such as members and held-out.
        out: Folder to write.
        geometry_latents: Where the geometry is taken.
        solver: Inversion solver (see `privaudit.inversion.SOLVERS`).
        influence: Estimator (see `privaudit.geometry.ESTIMATORS`).
        distortion: ``bound``, or a method (see `privaudit.geometry.DISTORTIONS`).
        drop: Share of latent dimensions that a hard mask would drop; marked in the maps.
        maps: Images to draw, those of most and least distortion first; None is all, whose decoded pictures are
            held in memory.
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``, even where the autoencoder's configuration prefers
            float32.
        batch_size: Images a pass; None chooses.
        seed: Of random probes.
        strict: Stop at an unreadable image instead of skipping it.
    """

    target: str
    images: tuple[Path, ...]
    out: Path
    geometry_latents: Literal["inversion", "encoder"] = "inversion"
    solver: str = DEFAULT_SOLVER
    influence: str = DEFAULT_ESTIMATOR
    distortion: str = BOUND
    drop: float = 0.4
    maps: int | None = 100
    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | None = None
    seed: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            ConfigError: One or more options are wrong.
        """
        problems = self._set_problems()
        parsers: tuple[tuple[Callable[[str], object], str], ...] = (
            (SOLVERS.build, self.solver),
            (ESTIMATORS.build, self.influence),
            (distortion_method, self.distortion),
        )
        for parse, spec in parsers:
            try:
                parse(spec)
            except ConfigError as error:
                problems.extend(error.problems)
        if self.geometry_latents not in ("inversion", "encoder"):
            problems.append(f"expected geometry_latents to be inversion or encoder, got {self.geometry_latents}")
        if not 0 <= self.drop < 1:
            problems.append(f"expected 0 <= drop < 1, got {self.drop}")
        if self.maps is not None and self.maps < 0:
            problems.append(f"expected 0 or more maps, or all, got {self.maps}")
        if self.batch_size is not None and self.batch_size < 1:
            problems.append(f"expected a batch size >= 1 or auto, got {self.batch_size}")
        if not 0 <= self.seed < 2**32:
            problems.append(f"expected 0 <= seed < 2^32, got {self.seed}")
        if not problems:
            problems += wrong_cut(ESTIMATORS.build(self.influence), self.drop)
        if problems:
            raise ConfigError(problems)

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


def distortion_method(spec: str) -> Method | None:
    """Make the distortion method that a specification names.

    Args:
        spec: ``bound``, or a name of `DISTORTIONS` with parameters if wanted.

    Returns:
        The method; None for the bound.

    Raises:
        ConfigError: Names everything that is wrong, and what would be right.
    """
    name = spec.split(":")[0]
    if spec == BOUND:
        return None
    if name == BOUND:
        raise ConfigError([f"expected no parameters for {BOUND}, got {spec}"])
    if name not in DISTORTIONS:
        known = ", ".join(sorted([BOUND, *DISTORTIONS]))
        raise ConfigError([f"expected a distortion of {known}, got {name}; see privaudit estimators"])
    return DISTORTIONS.build(spec)
