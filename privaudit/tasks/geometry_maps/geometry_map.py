"""The geometry of the decoder around every image, and what follows from it."""

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
"""Images of most, and of least distortion that are shown together."""


@dataclass(frozen=True)
class GeometryMap:
    """The decoder's geometry around every image; arrays and tensors are in the order of `samples`, on the CPU.

    Attributes:
        options: As asked for.
        info: What is known about the target.
        dtype: That the autoencoder ran in.
        sets: What was read.
        latents: ``(n, *latent)``, where the geometry was taken.
        inversion: How they were found; None for the encoder's.
        influence: G_ii of every latent dimension, with standard errors and costs.
        distortion: log sqrt(det G), or what of it the method gives; standard errors are NaN where none is known, and
            products are those beside the influence's.
        shown: Images whose decoded latent is kept: most and least distorted in turn, then the rest evenly.
        decoded: ``(shown, height, width, 3)``, uint8, D(z) as a file would hold it.
        seconds: Time by stage.
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
        """All images, set after set."""
        return tuple(sample for part in self.sets for sample in part.images.samples)

    @property
    def labels(self) -> tuple[str, ...]:
        """The set of each image."""
        return tuple(part.label for part in self.sets for _ in part.images.samples)

    @property
    def quartile(self) -> NDArray[np.int64]:
        """``(n,)``: quarter of each image's distortion, 1 to 4, with edges over all sets together (see `quarters`)."""
        return quarters(self.distortion.values.numpy())

    @property
    def rank(self) -> NDArray[np.int64]:
        """``(n,)``: place of each image by distortion, 1 for the most distorted; ties go by order."""
        places = np.empty(len(self.labels), np.int64)
        places[np.argsort(-self.distortion.values.numpy(), kind="stable")] = np.arange(1, len(places) + 1)
        return places

    @property
    def drawn(self) -> tuple[int, ...]:
        """Images that get a map of their own."""
        return self.shown if self.options.maps is None else self.shown[: self.options.maps]

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return self.options.out

    @property
    def table(self) -> pd.DataFrame:
        """One row per image.

        Columns: id, path, set, distortion, distortion_error, quartile, influence_total (the trace of G), half_share
        (see `half_share`), kept_agreement (see `expected_agreement` of the geometry), residual (of the inversion,
        if there was one), products (with J or J^T), and channel_0, channel_1, ... (shares of the total influence).
        """
        values = self.influence.values.double()
        total = values.flatten(1).sum(dim=1)
        columns: dict[str, object] = {
            "id": [sample.id for sample in self.samples],
            "path": [encodable(str(sample.path)) for sample in self.samples],
            "set": [encodable(label) for label in self.labels],
            "distortion": self.distortion.values.numpy(),
            "distortion_error": self.distortion.standard_error.numpy(),
            "quartile": pd.Series(self.quartile, dtype="Int64").replace(0, pd.NA),
            "influence_total": total.numpy(),
            "half_share": half_share(self.influence.values).numpy(),
            "kept_agreement": expected_agreement(self.influence, self.options.drop).double().numpy(),
        }
        if self.inversion is not None:
            columns["residual"] = self.inversion.residual.double().numpy()
        columns["products"] = (self.influence.products + self.distortion.products).numpy()
        shares = values.flatten(2).sum(dim=2) / total[:, None]
        columns |= {f"channel_{number}": share.numpy() for number, share in enumerate(shares.T)}
        return pd.DataFrame(columns)


def quarters(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Put each value into a quarter, as `privaudit.evaluation.by_quartile` does.

    Args:
        values: ``(n,)``; -inf is less than every other.

    Returns:
        ``(n,)``, from 1 (lowest) to 4; 0 for fewer than 4 values, which have no quarters.
    """
    return quartiles(values) + 1 if len(values) >= 4 else np.zeros(len(values), np.int64)


def half_share(influence: Tensor) -> Tensor:
    """Compute the least share of the dimensions that carries half of the influence of an image.

    Args:
        influence: ``(n, *latent)``, >= 0.

    Returns:
        ``(n,)``, float64, in (0, 1]; NaN where there is no influence.
    """
    ordered = influence.double().flatten(1).sort(dim=1, descending=True).values
    carried = ordered.cumsum(dim=1)
    count = (carried < carried[:, -1:] / 2).sum(dim=1) + 1
    share: Tensor = torch.where(carried[:, -1] > 0, count.double() / ordered.shape[1], torch.nan)
    return share
