"""The condition of a denoiser, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor


class Condition(Mapping[str, Tensor]):
    """Named tensors whose first axis is the images of a batch."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Hold the tensors.

        Args:
            tensors: Tensors by name, each ``(n, ...)``; the model's family defines the names.
        """
        self._tensors = dict(tensors)

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor of a name."""
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Count the tensors."""
        return len(self._tensors)

    def rows(self, indices: Sequence[int]) -> Condition:
        """Select images by index, in any order and with repeats."""
        return Condition({name: values[torch.tensor(list(indices))] for name, values in self.items()})
