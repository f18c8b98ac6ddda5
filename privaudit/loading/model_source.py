"""What the user points at: a model, and how it is to be loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from privaudit.errors import ConfigError
from privaudit.loading.device import resolve_device, resolve_dtype


@dataclass(frozen=True)
class ModelSource:
    """A model to load; a path alone, ``ModelSource("model")``, takes the defaults for the rest.

    Attributes:
        path: Folder, or hub id such as ``org/name``.
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: ``auto`` (float32), ``float32``, ``bfloat16`` or ``float16``, of the denoiser.
        upcast: Whether the autoencoder runs in float32 all the same; otherwise in ``dtype``, too.
        revision: Branch, tag or commit of a hub repository.
        variant: Weight files to prefer, such as ``fp16`` for ``*.fp16.safetensors``.
        adapters: Files to apply to the model.
        replaced: Component names to the folders that replace them.
        overrides: Configuration values that replace those of the files.
    """

    path: str | Path
    device: str = "auto"
    dtype: str = "auto"
    upcast: bool = True
    revision: str | None = None
    variant: str | None = None
    adapters: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: ModelSource | str | Path) -> ModelSource:
        """Return a source as it is, and turn a path into one."""
        return source if isinstance(source, ModelSource) else cls(source)

    @property
    def id(self) -> str:
        """Path or hub id, as text."""
        return str(self.path)

    def resolve(self) -> tuple[torch.device, torch.dtype]:
        """Return device and precision, after checking that everything asked for can be done.

        Returns:
            Where the model runs, and the precision of its denoiser.

        Raises:
            ConfigError: The device or precision is not available, or adapters, replaced components or overrides are
                given, which are not supported yet.
        """
        problems = [
            f"expected a model without {what}, got {', '.join(given)} for {self.id}; {what} are not supported yet: "
            "merge them into the model and save it with save_pretrained"
            for what, given in (
                ("adapters", self.adapters),
                ("replaced components", self.replaced),
                ("overrides", self.overrides),
            )
            if given
        ]
        if problems:
            raise ConfigError(problems)
        return resolve_device(self.device), resolve_dtype(self.dtype)
