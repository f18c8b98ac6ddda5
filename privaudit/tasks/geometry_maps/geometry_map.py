"""Result of `privaudit geometry`: the geometry of the decoder around every image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from privaudit.data import Sample
from privaudit.decoder_geometry import Distortion, Influence, expected_agreement
from privaudit.escape import encodable
from privaudit.evaluation import quartiles
from privaudit.inversion import Inversion
from privaudit.model.target import TargetInfo
from privaudit.tasks.geometry_maps.image_sets import ImageSet
from privaudit.tasks.geometry_options import GeometryOptions

EXTREMES = 5
"""Number of most distorted images, and of least distorted images, that are drawn together."""


@dataclass(frozen=True)
class GeometryMap:
    """The decoder's geometry around every image; arrays and tensors are in the order of `samples`, on the CPU.

    Attributes:
        options: Options of the run.
        info: Description of the target.
        dtype: Precision of the autoencoder.
        sets: Image sets that were read.
        latents: Latents at which the geometry was measured, ``(n, *latent)``.
        inversion: Inversion that found the latents; None if they are the encoder's.
        influence: Influence G_ii of every latent dimension, with standard errors and costs.
        distortion: Local distortion log sqrt(det G), or the part of it that the method measures. Standard errors are
            NaN where they are unknown; products do not include those of the influence.
        shown: Indices of the images whose decoded latent is stored: most and least distorted in turn, then the others,
            evenly spaced by distortion.
        decoded: Decoded latents D(z) of these images, rounded as in a file, ``(shown, height, width, 3)``, uint8.
        seconds: Duration of each stage.
    """

    options: GeometryOptions
    info: TargetInfo
    dtype: torch.dtype
    sets: tuple[ImageSet, ...]
    latents: Tensor
    inversion: Inversion | None
    influence: Influence
    distortion: Distortion
    shown: tuple[int, ...]
    decoded: NDArray[np.uint8]
    seconds: dict[str, float]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Samples of all images, set by set."""
        return tuple(sample for part in self.sets for sample in part.images.samples)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of the set of each image."""
        return tuple(part.label for part in self.sets for _ in part.images.samples)

    @property
    def quartile(self) -> NDArray[np.int64]:
        """Quarter of the distortion of each image over all sets together, 1 to 4, ``(n,)`` (see `quarters`)."""
        return quarters(self.distortion.values.numpy())

    @property
    def rank(self) -> NDArray[np.int64]:
        """Rank of each image by distortion, 1 for the most distorted, ``(n,)``; ties keep the order of the images."""
        ranks = np.empty(len(self.labels), np.int64)
        ranks[np.argsort(-self.distortion.values.numpy(), kind="stable")] = np.arange(1, len(ranks) + 1)
        return ranks

    @property
    def drawn(self) -> tuple[int, ...]:
        """Indices of the images that get a map of their own."""
        return self.shown if self.options.maps is None else self.shown[: self.options.maps]

    @property
    def folder(self) -> Path:
        """Output folder."""
        return self.options.out

    @property
    def table(self) -> pd.DataFrame:
        """One row per image.

        Columns: id, path, set, distortion, distortion_error, quartile, influence_total (the trace of G), half_share
        (see `half_share`), kept_agreement (see `privaudit.decoder_geometry.expected_agreement`), residual (of the
        inversion, if there was one), products (with J or J^T), and channel_0, channel_1, ... (fractions of the total
        influence).
        """
        values = self.influence.values.double()
        total = values.flatten(1).sum(dim=1)
        columns: dict[str, object] = {
            "id": [sample.id for sample in self.samples],
            "path": [encodable(str(sample.path)) for sample in self.samples],
            "set": [encodable(label) for label in self.labels],
            "distortion": self.distortion.values.numpy(),
            "distortion_error": self.distortion.standard_error.numpy(),
            # Int64 can hold missing values, so that the quarters stay integers in the file.
            "quartile": pd.Series(self.quartile, dtype="Int64").replace(0, pd.NA),
            "influence_total": total.numpy(),
            "half_share": half_share(self.influence.values).numpy(),
            "kept_agreement": expected_agreement(self.influence, self.options.drop).double().numpy(),
        }
        if self.inversion is not None:
            columns["residual"] = self.inversion.residual.double().numpy()
        columns["products"] = (self.influence.products + self.distortion.products).numpy()
        fractions = values.flatten(2).sum(dim=2) / total[:, None]
        columns |= {f"channel_{number}": fraction.numpy() for number, fraction in enumerate(fractions.T)}
        return pd.DataFrame(columns)


def quarters(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Assign values to quarters, as `privaudit.evaluation.by_quartile` does.

    Args:
        values: ``(n,)``; -inf is the smallest value.

    Returns:
        Quarters from 1 (lowest) to 4, ``(n,)``; all 0 for fewer than 4 values.
    """
    return quartiles(values) + 1 if len(values) >= 4 else np.zeros(len(values), np.int64)


def half_share(influence: Tensor) -> Tensor:
    """Smallest fraction of the latent dimensions that carries half of the influence of an image.

    Args:
        influence: ``(n, *latent)``, >= 0.

    Returns:
        ``(n,)``, float64, in (0, 1]; NaN where there is no influence.
    """
    ordered = influence.double().flatten(1).sort(dim=1, descending=True).values
    cumulative = ordered.cumsum(dim=1)
    # All dimensions that do not yet reach half, and the one that does.
    count = (cumulative < cumulative[:, -1:] / 2).sum(dim=1) + 1
    fraction: Tensor = torch.where(cumulative[:, -1] > 0, count.double() / ordered.shape[1], torch.nan)
    return fraction
