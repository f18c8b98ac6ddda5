"""Stage that computes the latents of each image: those of the encoder, and those that the decoder maps to the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch

from privaudit.auditing.stages.image_stage import ImageStage, ids_of
from privaudit.data import Sample, load_images
from privaudit.execution.batching import Tensors
from privaudit.execution.stage import Rows
from privaudit.inversion import Solver, invert
from privaudit.model.target import require_finite


@dataclass(frozen=True, eq=False)
class Latents(ImageStage):
    """Computes E(x) and, with a solver, z with D(z) = x and the convergence of the solver.

    Attributes:
        solver: Inversion solver; None for the encoder's latents alone.
        name: Name in progress and in the time by stage.
    """

    solver: Solver | None
    name: str = "latents"
    folder = "latents"

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return what determines the latents: the autoencoder and the solver."""
        return {"": self.key(inverted=True)}

    def key(self, *, inverted: bool) -> dict[str, object]:
        """Return what determines the encoder's or the inverted latents; the encoder's do not depend on the solver."""
        solver = self.solver if inverted else None
        return {
            "autoencoder": self.target.info.autoencoder_hash,
            "autoencoder_dtype": str(self.target.dtype),
            "solver": None if solver is None else {"name": solver.name, **asdict(solver)},
        }

    def compute(self, batch: Rows[Sample]) -> Tensors:
        """Return ``encoded`` and, with a solver, ``inverted``, ``residual``, ``evaluations`` and ``diverged``."""
        images = torch.from_numpy(load_images(batch.items, self.target.info.image_size)).to(self.target.device)
        if self.solver is None:
            with torch.no_grad():
                return {"encoded": require_finite(self.target.encode(images), "encoder output", ids_of(batch))}
        inversion = invert(self.target, images, self.solver, clip=True, sample_ids=ids_of(batch))
        return {
            "encoded": inversion.encoded,
            "inverted": inversion.latents,
            "residual": inversion.residual,
            "evaluations": inversion.evaluations,
            "diverged": inversion.diverged,
        }
