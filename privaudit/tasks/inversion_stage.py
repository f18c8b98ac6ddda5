"""The stage that inverts the decoder for image files, with the whole history of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from privaudit.auditing.stages import ids_of
from privaudit.data import Sample, load_images
from privaudit.execution.batching import Batcher
from privaudit.execution.stage import Rows, Stage
from privaudit.inversion import Inversion, Solver, invert
from privaudit.model.target import Target


@dataclass(frozen=True, eq=False)
class InversionStage(Stage[Sample, Inversion]):
    """Inversion of image files; saturated pixels are compared as files show them (``clip``).

    Where the true latents are known, they are ``inputs["truth"]["latents"]``, ``(n, *latent)``.

    Attributes:
        target: Gives E and D.
        batcher: Size of a batch.
        solver: Inverts the decoder.
        with_cocoercivity: Also check the assumption of the convergence theorems (see `invert`).
    """

    target: Target
    batcher: Batcher
    solver: Solver
    with_cocoercivity: bool = False
    name = "inversion"

    def compute(self, batch: Rows[Sample]) -> Inversion:
        """Return the inversion of a batch, on the CPU."""
        found = invert(
            self.target,
            torch.from_numpy(load_images(batch.items, self.target.info.image_size)),
            self.solver,
            clip=True,
            sample_ids=ids_of(batch),
            truth=batch.inputs["truth"]["latents"] if "truth" in batch.inputs else None,
            with_cocoercivity=self.with_cocoercivity,
        )
        return found.to("cpu")

    def join(self, parts: Sequence[Inversion]) -> Inversion:
        """Join several inversions by the same solver."""
        return Inversion.join(parts)
