"""Stage that computes the pixel features of the blind baseline, which need no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from privaudit.auditing.stages.image_stage import ImageStage
from privaudit.data import Sample, load_images
from privaudit.evaluation.blind import compression_traces, image_features
from privaudit.execution.batching import Tensors
from privaudit.execution.stage import Rows


@dataclass(frozen=True, eq=False)
class PixelStatistics(ImageStage):
    """Computes statistics of the pixels, and traces of editing and compression."""

    name = folder = "pixels"

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return one key for all models and solvers: the features depend on the pixels alone."""
        return {"": {}}

    def compute(self, batch: Rows[Sample]) -> Tensors:
        """Return ``features`` and ``traces``, each ``(n, columns)``, float64."""
        pixels = load_images(batch.items, self.target.info.image_size)
        return {
            "features": torch.from_numpy(image_features(pixels)),
            "traces": torch.from_numpy(compression_traces(pixels)),
        }
