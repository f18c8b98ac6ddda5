"""A model that the user names, with the options for loading it."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from privaudit.errors import ConfigError
from privaudit.loading.device import resolve_device, resolve_dtype

OVERRIDES = (
    "scheduler.KEY",
    "vae.scaling_factor",
    "vae.shift_factor",
    "vae.latents_mean",
    "vae.latents_std",
    "condition.KEY",
)
"""What may be overridden; ``vae`` stands for the autoencoder, whatever the pipeline calls it."""
LISTS = ("vae.latents_mean", "vae.latents_std")
UNITS = {
    "vae.scaling_factor": "a number above 0",
    "vae.shift_factor": "a number",
    "vae.latents_mean": "a list of numbers, one per channel",
    "vae.latents_std": "a list of numbers above 0, one per channel",
}
"""What the values of the autoencoder's latents have to be."""
OVERRIDABLE = r"scheduler\.\w+|vae\.(scaling_factor|shift_factor|latents_mean|latents_std)|condition\.\w+"


def wrong_overrides(overrides: Mapping[str, Any]) -> list[str]:
    """Say which keys cannot be overridden, and which values of the autoencoder's latents are none."""
    wrong = [key for key in overrides if not re.fullmatch(OVERRIDABLE, key)]
    problems = [
        f"expected an override of {', '.join(OVERRIDES)}, got {', '.join(wrong)}; other values decide the shape of the "
        "weights and cannot be replaced"
    ]
    return (problems if wrong else []) + [
        f"expected {UNITS[key]} for the override {key}, got {value}"
        for key, value in overrides.items()
        if key in UNITS and not _fits(key, value)
    ]


def _fits(key: str, value: object) -> bool:
    values = value if isinstance(value, (list, tuple)) and key in LISTS else [value] if key not in LISTS else []
    numbers = [float(each) for each in values if isinstance(each, (int, float)) and not isinstance(each, bool)]
    smallest = sys.float_info.min if key in ("vae.scaling_factor", "vae.latents_std") else -math.inf
    finite = all(math.isfinite(number) and number >= smallest for number in numbers)
    return bool(numbers) and len(numbers) == len(values) and finite


@dataclass(frozen=True)
class AdapterSource:
    """An adapter to merge into a model, such as a LoRA.

    Attributes:
        path: Its safetensors file, or the folder that holds it.
        scale: Factor on its change of the weights; 1 is the strength that its own alpha and rank state.
    """

    path: str
    scale: float = 1.0


@dataclass(frozen=True)
class ModelSource:
    """A model to load. A path alone, ``ModelSource("model")``, uses the defaults for all options.

    Attributes:
        path: Folder, hub id such as ``org/name``, or single-file checkpoint (see `config_from`).
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: Precision of the denoiser: ``auto`` (float32), ``float32``, ``bfloat16`` or ``float16``.
        upcast: Whether the autoencoder runs in float32 whatever ``dtype`` is; otherwise it follows ``dtype``.
        revision: Branch, tag or commit of a hub repository.
        variant: Variant of the weight files to prefer, such as ``fp16`` for ``*.fp16.safetensors``.
        adapters: Adapters to merge, in this order; a path alone is merged at full strength. Empty for the base alone,
            whatever lies in its folder; None if the user has not decided, so that a LoRA in the folder is an error.
        replaced: Folder to read a component from instead, by component; ``vae`` stands for the autoencoder.
        embeddings: Textual-inversion embeddings to add to the text encoders: file and word; None for the word that the
            file names.
        config_from: Folder or hub id with configurations, tokenizers and scheduler for a single-file checkpoint, and
            with the components that the file lacks.
        overrides: Configuration values to use instead of those in the files, by component and key, such as
            ``scheduler.prediction_type``; also what the network is told in addition to the caption, such as
            ``condition.guidance`` (see `OVERRIDABLE`).
        offload: Whether only the component that is at work is on the device (see `privaudit.loading.residence`).
        resolution: Height and width of the images, if it differs from the model's own; None for the model's own.
    """

    path: str | Path
    device: str = "auto"
    dtype: str = "auto"
    upcast: bool = True
    revision: str | None = None
    variant: str | None = None
    adapters: Sequence[AdapterSource | str] | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)
    embeddings: tuple[tuple[str, str | None], ...] = ()
    config_from: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    resolution: tuple[int, int] | None = None
    offload: bool = False

    def __post_init__(self) -> None:
        """Read the paths of adapters as adapters at full strength."""
        if self.adapters is not None:
            named = tuple(
                each if isinstance(each, AdapterSource) else AdapterSource(str(each)) for each in self.adapters
            )
            object.__setattr__(self, "adapters", named)

    @property
    def merged(self) -> tuple[AdapterSource, ...]:
        """The adapters to merge; none if there are none, or if nothing is decided."""
        return tuple(each for each in self.adapters or () if isinstance(each, AdapterSource))

    @classmethod
    def of(cls, source: ModelSource | str | Path) -> ModelSource:
        """Return a source unchanged, or make one from a path."""
        return source if isinstance(source, ModelSource) else cls(source)

    @property
    def id(self) -> str:
        """Path or hub id, as text."""
        return str(self.path)

    @property
    def base(self) -> ModelSource:
        """The same model without its adapters and embeddings."""
        return replace(self, adapters=(), embeddings=())

    def resolve(self) -> tuple[torch.device, torch.dtype]:
        """Check that the requested options are available, and return device and precision.

        Returns:
            Device of the model, and precision of its denoiser.

        Raises:
            ConfigError: The device or precision is not available, or an override names a value that cannot be replaced.
        """
        problems = wrong_overrides(self.overrides)
        if problems:
            raise ConfigError(problems)
        return resolve_device(self.device), resolve_dtype(self.dtype)
