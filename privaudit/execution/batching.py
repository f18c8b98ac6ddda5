"""Batches that fit into memory: a size chosen from the image, halved when a device runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

MAX_BATCH = 64
PIXELS = {"cpu": 2**18, "cuda": 2**22}
"""Pixels in an automatic batch: the decoder's backward pass keeps some kilobytes for each."""
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")
"""What the CPU's allocator says on Linux and on Windows, and cuBLAS and cuDNN: they have no exception of their own."""

Tensors = dict[str, Tensor]
OnBatch = Callable[[int], None]
"""Called with the number of images that are done, after each batch."""
S = TypeVar("S")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)


class Sliceable(Protocol[S_co]):
    """A sequence, or a tensor."""

    def __len__(self) -> int:
        """Return the number of items."""

    def __getitem__(self, key: slice, /) -> S_co:
        """Return some of them, as the same type."""


def auto_batch_size(image_size: tuple[int, int], device: str) -> int:
    """Images per pass when the user leaves it open: 64 of 32x32, one of 512x512 on a CPU, 16 on a GPU."""
    height, width = image_size
    return max(1, min(MAX_BATCH, PIXELS[device] // (height * width)))


@dataclass
class Batcher:
    """Runs one kind of computation batch by batch; another kind, which needs other memory, has a batcher of its own.

    Attributes:
        size: Images per batch; halved, for good, when a batch does not fit into memory.
    """

    size: int

    @staticmethod
    def of(size: int | None, image_size: tuple[int, int], device: torch.device) -> Batcher:
        """Return a batcher of a given size, or of one that suits the images (`auto_batch_size`)."""
        return Batcher(size or auto_batch_size(image_size, device.type))

    def parts(self, items: Sliceable[S], compute: Callable[[S], T], on_batch: OnBatch | None = None) -> list[T]:
        """Compute all batches.

        Returns:
            Results of each batch, in order.

        Raises:
            RuntimeError: A single item does not fit, or the computation fails in another way.
            MemoryError: The same, outside torch.
        """
        parts: list[T] = []
        start = 0
        while start < len(items):
            try:
                parts.append(compute(items[start : start + self.size]))
            except (RuntimeError, MemoryError) as error:
                if self.size == 1 or not _is_out_of_memory(error):
                    raise
            else:
                start += self.size
                if on_batch is not None:
                    on_batch(min(start, len(items)))
                continue
            self.size //= 2
            torch.cuda.empty_cache()  # only here is the error gone, and with its traceback the tensors of the batch
        return parts

    def run(self, items: Sliceable[S], compute: Callable[[S], Tensors], on_batch: OnBatch) -> Tensors:
        """Compute all batches and join their tensors, on the CPU.

        Args:
            items: One or more images.
            compute: Gives tensors whose first axis is the images of the batch.
            on_batch: Progress.

        Returns:
            The tensors of all images.

        Raises:
            OutOfMemoryError: A single image does not fit.
        """

        def on_cpu(batch: S) -> Tensors:
            return {key: value.cpu() for key, value in compute(batch).items()}

        parts = self.parts(items, on_cpu, on_batch)
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def _is_out_of_memory(error: Exception) -> bool:
    """Whether a device has run out of memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(known in text for known in OUT_OF_MEMORY)
