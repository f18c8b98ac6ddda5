"""Which components of a model are on its device: with offloading, only the one that is at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from privaudit.model.target import Component

MAIN_MEMORY = torch.device("cpu")


@dataclass
class Residence:
    """Moves components of a model between its device and main memory.

    Text encoders are on the device only while they embed prompts: T5-XXL alone has 19 GB in float32. Autoencoder and
    denoiser stay there, unless they are offloaded as well, which leaves room for one of them at a time.

    Attributes:
        device: Device of the model.
        components: Modules of each component; loaded into main memory, except for those that stay on the device.
        offload: Whether autoencoder and denoiser take turns.
    """

    device: torch.device
    components: Mapping[Component, tuple[nn.Module, ...]]
    offload: bool = False
    _admitted: Component | None = field(default=None, init=False)

    def admit(self, name: Component) -> None:
        """Move a component to the device, after those that must leave it.

        Args:
            name: Component that is about to run.
        """
        if name == self._admitted or self.device == MAIN_MEMORY:
            return
        leaving = [other for other in self.components if other != name and (self.offload or other == "text encoders")]
        self._move(leaving, MAIN_MEMORY)
        self._move([name], self.device)
        self._admitted = name

    def release(self, name: Component) -> None:
        """Move a component to main memory after its work, if it does not stay on the device."""
        if self.device != MAIN_MEMORY and (self.offload or name == "text encoders"):
            self._move([name], MAIN_MEMORY)
            self._admitted = None

    def _move(self, names: Iterable[Component], device: torch.device) -> None:
        for module in (module for name in names for module in self.components[name]):
            module.to(device)


def parameter_bytes(modules: Iterable[nn.Module]) -> int:
    """Count the bytes of weights and buffers of some modules, shared ones once."""
    tensors = {
        tensor.data_ptr(): tensor.nbytes for module in modules for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(tensors.values())
