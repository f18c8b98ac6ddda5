"""What an audit measures about every image."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from privaudit.evaluation.reading_checks import ModelFit
from privaudit.scorers import ErrorTable


@dataclass(frozen=True)
class PerImage:
    """Base of arrays whose first axis is the images, in the order of the samples."""

    def rows(self, positions: NDArray[np.integer] | slice) -> Self:
        """Return the rows of some images, in the order of their positions."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{k: values[positions] for k, values in arrays.items() if isinstance(values, np.ndarray)})


@dataclass(frozen=True)
class PixelFeatures(PerImage):
    """What the blind baseline looks at.

    Attributes:
        statistics: ``(n, d)``, what the images look like.
        traces: ``(n, d)``, what editing and compression left in them.
    """

    statistics: NDArray[np.float64]
    traces: NDArray[np.float64]


@dataclass(frozen=True)
class Convergence(PerImage):
    """How well the decoder was inverted.

    Attributes:
        residual: ``(n,)``, relative residual; NaN where no inversion was run.
        evaluations: ``(n,)``, evaluations of E(D(z)); 0 where none was run.
        diverged: ``(n,)``, bool, whether the inversion diverged and kept its best iterate.
        tolerance: Residual at which an inversion counts as converged; NaN where none was run.
    """

    residual: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    tolerance: float


@dataclass(frozen=True)
class GeometrySummary(PerImage):
    """Where the decoder's influence lies.

    Attributes:
        distortion: ``(n,)``, Hadamard's bound of log sqrt(det G).
        maps: ``(n, height, width)``, where the influence of each image lies (see `influence_maps` of the geometry).
        channels: ``(n, channels)``, which channels it falls to.
    """

    distortion: NDArray[np.float64]
    maps: NDArray[np.float32]
    channels: NDArray[np.float32]


@dataclass(frozen=True)
class Measurements:
    """What the stages of an audit say about every image, in the order of the samples.

    Attributes:
        tables: Scores of each attack, under every mask.
        references: The same on the reference model; empty without one.
        pixels: What the blind baseline looks at.
        convergence: How well the decoder was inverted.
        geometry: Where the decoder's influence lies.
        fit: How well the model, as it was read, predicts noise.
        seconds: Time by stage.
    """

    tables: tuple[ErrorTable, ...]
    references: tuple[ErrorTable, ...]
    pixels: PixelFeatures
    convergence: Convergence
    geometry: GeometrySummary
    fit: ModelFit
    seconds: dict[str, float]

    def rows(self, positions: NDArray[np.integer] | slice) -> Measurements:
        """Return the rows of some images, in the order of their positions."""
        tables, references = (
            tuple(
                replace(table, by_mask={mask: values[positions] for mask, values in table.by_mask.items()})
                for table in tables
            )
            for tables in (self.tables, self.references)
        )
        return Measurements(
            tables,
            references,
            self.pixels.rows(positions),
            self.convergence.rows(positions),
            self.geometry.rows(positions),
            self.fit,
            self.seconds,
        )
