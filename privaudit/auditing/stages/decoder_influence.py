"""Stage that computes the decoder's influence G_ii(z) at the latents of each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from torch import Tensor

from privaudit.auditing.stages.image_stage import ImageStage, ids_of
from privaudit.auditing.stages.latents import Latents
from privaudit.data import Sample
from privaudit.decoder_geometry import Estimator, Influence, estimate_influence, images_at_once
from privaudit.execution.batching import Tensors
from privaudit.execution.stage import Rows, ShardStage


@dataclass(frozen=True, eq=False)
class DecoderInfluence(ImageStage):
    """Estimates the influence, in batches that fit into a memory budget.

    Attributes:
        latents: Stage of the latents.
        at: Latents at which the influence is taken, ``encoded`` or ``inverted``.
        estimator: Estimator of the influence.
        seed: Seed of the audit.
        budget: Memory of a batch on the target's device, in bytes; None means half of the free memory.
        errors: Whether to also return the standard errors and the cost of each image.
    """

    latents: Latents
    at: str
    estimator: Estimator
    seed: int
    budget: int | None = None
    errors: bool = False
    name = folder = "influence"

    def needs(self) -> Mapping[str, ShardStage[Sample]]:
        """Return the stage of the latents."""
        return {"latents": self.latents}

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return what determines the influence: latents, estimator and seed."""
        return {"": self.key}

    @property
    def key(self) -> dict[str, object]:
        """What determines the influence, as plain values for the key of a shard."""
        return {
            "latents": {"at": self.at, **self.latents.key(inverted=self.at == "inverted")},
            "estimator": {"name": self.estimator.name, **asdict(self.estimator)},
            "seed": self.seed,
        }

    def prepare(self, rows: Rows[Sample]) -> None:
        """Check the decoder, and choose a batch size that fits into the budget."""
        self.batcher.size = images_at_once(
            self.target.decode,
            self._latents(rows)[:2],
            ids_of(rows)[:2],
            self.estimator,
            self.batcher.size,
            latent_shape=self.target.info.latent_shape,
            budget=self.budget,
        )

    def compute(self, batch: Rows[Sample]) -> Tensors:
        """Return ``values`` and, if wanted, ``standard_error`` and ``products`` (see `Influence`)."""
        influence = estimate_influence(
            self.target.decode,
            self._latents(batch),
            ids_of(batch),
            self.estimator,
            seed=self.seed,
            channel_axis=self.target.channel_axis,
            at_once=self.batcher.size,
            check=False,  # `prepare` has checked the decoder
        )
        names = [part.name for part in fields(Influence) if self.errors or part.name == "values"]
        return {name: getattr(influence, name) for name in names}

    def _latents(self, rows: Rows[Sample]) -> Tensor:
        return rows.inputs["latents"][self.at].to(self.target.device)
