"""Batches that fit into memory: their size is chosen from the image size, and halved when a device runs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor

MAX_BATCH = 64
MAX_PIXELS = {"cpu": 2**18, "cuda": 2**22}
"""Maximum number of pixels in an automatic batch; the decoder's backward pass holds some kilobytes per pixel."""
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED")
"""Messages of the CPU allocator on Linux and Windows, and of cuBLAS and cuDNN. They raise a plain RuntimeError."""

Tensors = dict[str, Tensor]
OnBatch = Callable[[int], None]
"""Called after each batch, with the number of images completed so far."""
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
    """Images per batch by default: 64 of 32x32 pixels; of 512x512 pixels, one on a CPU and 16 on a GPU."""
    height, width = image_size
    return max(1, min(MAX_BATCH, MAX_PIXELS[device] // (height * width)))


@dataclass
class Batcher:
    """Runs one kind of computation batch by batch. Each kind has its own batcher, because memory needs differ.

    Attributes:
        size: Images per batch; halved permanently when a batch does not fit into memory.
    """

    size: int

    @staticmethod
    def of(size: int | None, image_size: tuple[int, int], device: torch.device) -> Batcher:
        """Return a batcher with a given size, or with one that suits the images (`auto_batch_size`)."""
        return Batcher(size or auto_batch_size(image_size, device.type))

    def parts(self, items: Sliceable[S], compute: Callable[[S], T], on_batch: OnBatch | None = None) -> list[T]:
        """Compute all batches.

        Returns:
            Results of each batch, in order.

        Raises:
            RuntimeError: A single item does not fit, or the computation fails for another reason.
            MemoryError: A single item does not fit, outside torch.
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
            # Not inside the except clause: until it ends, the traceback holds the tensors of the batch.
            torch.cuda.empty_cache()
        return parts

    def run(self, items: Sliceable[S], compute: Callable[[S], Tensors], on_batch: OnBatch) -> Tensors:
        """Compute all batches and join their tensors, on the CPU.

        Args:
            items: One or more images.
            compute: Function of a batch that returns tensors whose first axis is its images.
            on_batch: Progress callback.

        Returns:
            The tensors of all images.

        Raises:
            OutOfMemoryError: A single image does not fit.
        """

        # Off the device batch by batch, so that the results of a long run do not fill its memory.
        def on_cpu(batch: S) -> Tensors:
            return {key: value.cpu() for key, value in compute(batch).items()}

        parts = self.parts(items, on_cpu, on_batch)
        return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def _is_out_of_memory(error: Exception) -> bool:
    """Whether a device has run out of memory."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(phrase in text for phrase in OUT_OF_MEMORY)
