"""Peak memory of the tensors that are alive at the same time, on any device."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types here
    """Counts the bytes of every storage made inside the context until it is freed.

    Tensors that autograd keeps for the backward pass are storages like any other. Scratch memory inside a kernel,
    which a CUDA profiler would see, is not counted. Each operation costs some Python time: do not time inside.

    Attributes:
        peak: Most bytes at once.
    """

    def __init__(self) -> None:
        """Start counting at the entry into the context."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live, self.peak = 0, 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's own signature
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operation and take note of the storages it made."""
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, Tensor):
                self._skip(value.untyped_storage())
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        return result

    def _skip(self, storage: torch.UntypedStorage) -> None:
        """Leave out a storage that was there before, such as a weight, of which an operation may return a view."""
        address = storage._cdata
        if address not in self.known:
            self.known.add(address)
            weakref.finalize(storage, self.known.discard, address)

    def _note(self, storage: torch.UntypedStorage) -> None:
        address = storage._cdata
        if address in self.known:
            return
        self.known.add(address)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, address, size)

    def _forget(self, address: int, size: int) -> None:
        self.known.discard(address)
        self.live -= size
