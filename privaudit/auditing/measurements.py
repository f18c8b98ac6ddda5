"""Measurements of an audit for every image."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from privaudit.scorers import ErrorTable


@dataclass(frozen=True)
class PerImage:
    """Base class for arrays whose first axis is the images, in the order of the samples."""

    def rows(self, positions: NDArray[np.integer] | slice) -> Self:
        """Return the rows at these positions, in this order."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(self, **{k: values[positions] for k, values in arrays.items() if isinstance(values, np.ndarray)})


@dataclass(frozen=True)
class PixelFeatures(PerImage):
    """Pixel features of the blind baseline.

    Attributes:
        statistics: Statistics of the appearance of the images, ``(n, d)``.
        traces: Traces of editing and compression, ``(n, d)``.
    """

    statistics: NDArray[np.float64]
    traces: NDArray[np.float64]


@dataclass(frozen=True)
class Convergence(PerImage):
    """Convergence of the decoder inversion.

    Attributes:
        residual: Relative residual, ``(n,)``; NaN without inversion.
        evaluations: Number of evaluations of E(D(z)), ``(n,)``; 0 without inversion.
        diverged: Whether the inversion diverged and returned its best iterate, ``(n,)``, bool.
        tolerance: Residual at which an inversion counts as converged; NaN without inversion.
    """

    residual: NDArray[np.float64]
    evaluations: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    tolerance: float


@dataclass(frozen=True)
class GeometrySummary(PerImage):
    """Summary of the decoder's influence.

    Attributes:
        distortion: Hadamard's bound of log sqrt(det G), ``(n,)``.
        maps: Influence of each image by position, ``(n, height, width)`` (see `influence_maps` of the geometry).
        channels: Fraction of the influence in each channel, ``(n, channels)``.
    """

    distortion: NDArray[np.float64]
    maps: NDArray[np.float32]
    channels: NDArray[np.float32]


@dataclass(frozen=True)
class Measurements:
    """Results of the stages of an audit for every image, in the order of the samples.

    Attributes:
        tables: Scores of each attack under every mask.
        references: Scores of each attack on the reference model; empty without one.
        pixels: Pixel features of the blind baseline.
        convergence: Convergence of the decoder inversion.
        geometry: Summary of the decoder's influence.
        seconds: Duration of each stage.
    """

    tables: tuple[ErrorTable, ...]
    references: tuple[ErrorTable, ...]
    pixels: PixelFeatures
    convergence: Convergence
    geometry: GeometrySummary
    seconds: dict[str, float]

    def rows(self, positions: NDArray[np.integer] | slice) -> Measurements:
        """Return the rows at these positions, in this order."""
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
            self.seconds,
        )
