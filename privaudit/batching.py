"""Batches that fit into memory: a size chosen from the image, halved when a GPU runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privaudit.data import Sample

LARGEST = 64
PIXELS = {"cpu": 2**18, "cuda": 2**22}
"""Pixels in an automatic batch: the decoder's backward pass keeps some kilobytes for each."""

Tensors = dict[str, Tensor]
OnBatch = Callable[[int], None]
"""Called with the number of images that are done, after each batch."""


def auto_batch_size(image_size: tuple[int, int], device: str) -> int:
    """Images a pass when the user leaves it open: 64 of 32x32, one of 512x512 on a CPU, 16 on a GPU."""
    height, width = image_size
    return max(1, min(LARGEST, PIXELS[device] // (height * width)))


@dataclass
class Batcher:
    """Runs a computation batch by batch.

    Attributes:
        size: Images a batch; halved, for good, when a batch does not fit into the GPU's memory.
    """

    size: int

    def run(
        self, samples: Sequence[Sample], compute: Callable[[Sequence[Sample]], Tensors], on_batch: OnBatch
    ) -> Tensors:
        """Compute all batches and join their tensors, on the CPU.

        Args:
            samples: One or more images.
            compute: Gives tensors whose first axis is the images of the batch.
            on_batch: Progress.

        Returns:
            The tensors of all images.

        Raises:
            OutOfMemoryError: A single image does not fit.
        """
        parts: list[Tensors] = []
        start = 0
        while start < len(samples):
            try:
                found = compute(samples[start : start + self.size])
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
                self.size //= 2
                torch.cuda.empty_cache()
            else:
                parts.append({key: value.cpu() for key, value in found.items()})
                start += self.size
                on_batch(min(start, len(samples)))
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
