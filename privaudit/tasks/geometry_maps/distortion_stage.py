"""The stage that measures the distortion around latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privaudit.auditing.stages import ids_of
from privaudit.data import Sample
from privaudit.execution.batching import Batcher
from privaudit.execution.stage import Rows, Stage
from privaudit.geometry import Distortion, Method, measure_distortion
from privaudit.model.target import Target


@dataclass(frozen=True, eq=False)
class DistortionStage(Stage[Sample, Distortion]):
    """Distortion by a method, at ``inputs["latents"][at]``, ``(n, *latent)``.

    Attributes:
        target: Gives D.
        batcher: Size of a batch.
        at: ``encoded`` or ``inverted``: which latents.
        method: Measures the distortion.
        seed: Seed of random vectors.
    """

    target: Target
    batcher: Batcher
    at: str
    method: Method
    seed: int
    name = "distortion"

    def compute(self, batch: Rows[Sample]) -> Distortion:
        """Return the distortion of a batch, on the CPU."""
        return measure_distortion(
            self.target.decode,
            batch.inputs["latents"][self.at].to(self.target.device),
            ids_of(batch),
            self.method,
            seed=self.seed,
            channel_axis=self.target.channel_axis,
        ).to("cpu")

    def join(self, parts: Sequence[Distortion]) -> Distortion:
        """Join several distortions by the same method."""
        return Distortion.join(parts)
