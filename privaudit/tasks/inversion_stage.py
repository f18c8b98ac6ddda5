"""Stage that inverts the decoder for image files and returns the residual history of each image."""

from __future__ import annotations

import torch

from privaudit.auditing.stages import ids_of
from privaudit.data import Sample, load_images
from privaudit.execution.batching import Batcher
from privaudit.execution.stage import FunctionStage, Rows
from privaudit.inversion import Inversion, Solver, invert
from privaudit.model.target import Target


def inversion_stage(
    target: Target, batcher: Batcher, solver: Solver, *, with_cocoercivity: bool = False
) -> FunctionStage[Sample, Inversion]:
    """Make the inversion stage. Decoded images are clipped to the range of a file before they are compared.

    Returns:
        A stage that computes inversions on the CPU. If the true latents are known, it reads them from
        ``inputs["truth"]["latents"]``.
    """

    def compute(batch: Rows[Sample]) -> Inversion:
        return invert(
            target,
            torch.from_numpy(load_images(batch.items, target.info.image_size)),
            solver,
            clip=True,
            sample_ids=ids_of(batch),
            truth=batch.inputs["truth"]["latents"] if "truth" in batch.inputs else None,
            with_cocoercivity=with_cocoercivity,
        ).to("cpu")  # results of all batches are joined, and GPU memory would fill up with them

    return FunctionStage("inversion", batcher, compute, Inversion.join)
