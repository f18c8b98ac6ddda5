"""The audited model behind one signature: whatever its network predicts, the attacks receive a noise prediction.

`privaudit.loading` builds a `Target` from a diffusers folder. Inversion, geometry and attacks use the target and know
nothing of diffusers, scaling factors or prediction types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from privaudit.errors import NonFiniteError
from privaudit.model.condition import Condition
from privaudit.model.model_files import ModelFiles
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import Schedule

Component = Literal["autoencoder", "denoiser", "text encoders"]
"""Part of a model that is on its device while it works."""


class Autoencoder(Protocol):
    """Encoder and decoder in the denoiser's scaled latent units."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of its weights; inputs and outputs are float32."""

    @property
    def channel_axis(self) -> int:
        """Axis of the latent's channels, where the batch is axis 0; all other axes are positions."""

    def encode(self, images: Tensor) -> Tensor:
        """Map ``(n, 3, h, w)`` in [-1, 1] to scaled latents (the posterior mean)."""

    def decode(self, latents: Tensor) -> Tensor:
        """Map scaled latents to images. They are not clamped, because a clamp would zero derivatives."""


class Denoiser(Protocol):
    """A network whose output has been converted to a noise prediction."""

    @property
    def module(self) -> nn.Module:
        """The network itself, for attacks that differentiate with respect to its weights."""

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise in ``noisy`` at one level, or at one level per image; same shape, float32."""


class Residence(Protocol):
    """Keeps the components of a model on its device while they work (see `privaudit.loading.residence`)."""

    @property
    def components(self) -> Mapping[Component, tuple[nn.Module, ...]]:
        """Modules of each component."""

    def admit(self, name: Component) -> None:
        """Move a component to the device."""

    def release(self, name: Component) -> None:
        """Note that a component has done its work."""


class Conditioner(Protocol):
    """Turns prompts into the condition of the denoiser."""

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        """Embed prompts, one row per prompt; ``Prompt()`` is the null condition of the model."""

    def cut(self, captions: Sequence[str]) -> int:
        """Count the captions that no text encoder reads to the end."""


@dataclass(frozen=True)
class TargetInfo:
    """Description of the audited model in reports.

    Attributes:
        id: Folder or hub id that was loaded.
        hash: SHA-256 over the configuration and weight files that were read, 32 hexadecimal digits.
        autoencoder_hash: SHA-256 over the autoencoder alone, on which latents and geometry depend.
        family: ``unconditional``, ``text-to-image`` or ``class-conditional``; ``unknown`` for an autoencoder alone.
        prediction_type: Output of the network: ``epsilon``, ``v_prediction``, ``sample`` or ``flow``; ``unknown`` if
            it was not read.
        latent_shape: Shape of one latent.
        sample_shape: Shape of one decoded sample that the target was trained on: ``(3, height, width)`` of an image.
        components: Hash of each component that is read, by name.
        settings: What the network is told and no file records, by name (see `privaudit.loading.families.Setting`).
        files: Files that it was read from besides its own folder, and what was left out.
        known_words: Words in angle brackets that its tokenizers know, those of embeddings included.
    """

    id: str
    hash: str
    autoencoder_hash: str
    family: str
    prediction_type: str
    latent_shape: tuple[int, ...]
    sample_shape: tuple[int, ...]
    components: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, float | str] = field(default_factory=dict)
    files: ModelFiles = field(default_factory=ModelFiles)
    known_words: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of a sample."""
        height, width = self.sample_shape[-2:]
        return height, width


@dataclass(frozen=True)
class Target:
    """A latent diffusion model in eval mode, frozen.

    Attributes:
        info: Description of the model in reports.
        autoencoder: Encoder and decoder between images and scaled latents.
        denoiser: Network that predicts noise.
        schedule: Noise levels.
        device: Device of the weights.
        conditioner: Embedding of prompts; None for an unconditional model.
        residence: Moves components to the device and away from it; None for a model that stays where it is.
    """

    info: TargetInfo
    autoencoder: Autoencoder
    denoiser: Denoiser
    schedule: Schedule
    device: torch.device
    conditioner: Conditioner | None = None
    residence: Residence | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the autoencoder's weights."""
        return self.autoencoder.dtype

    @property
    def takes_captions(self) -> bool:
        """Whether captions condition the prediction."""
        return self.info.family == "text-to-image"

    @property
    def channel_axis(self) -> int:
        """Axis of the latent's channels (see `Autoencoder.channel_axis`)."""
        return self.autoencoder.channel_axis

    def encode(self, images: Tensor) -> Tensor:
        """Encode ``(n, 3, h, w)`` in [-1, 1] to ``(n, *latent)``, float32 (posterior mean, scaled)."""
        self._admit("autoencoder")
        return self.autoencoder.encode(images.to(self.device))

    def decode(self, latents: Tensor) -> Tensor:
        """Decode ``(n, *latent)`` to ``(n, 3, h, w)``, float32, not clamped."""
        self._admit("autoencoder")
        return self.autoencoder.decode(latents.to(self.device))

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Predict the noise in ``(n, *latent)`` at one level, or at one level per image; float32."""
        self._admit("denoiser")
        return self.denoiser.predict_noise(noisy.to(self.device), level, condition)

    def condition(self, prompts: Sequence[Prompt]) -> Condition | None:
        """Embed prompts for `predict_noise`; None for an unconditional model."""
        if self.conditioner is None:
            return None
        self._admit("text encoders")
        condition = self.conditioner(prompts)
        if self.residence is not None:
            self.residence.release("text encoders")
        return condition

    def _admit(self, component: Component) -> None:
        if self.residence is not None:
            self.residence.admit(component)

    def alpha_sigma(self, level: int) -> tuple[float, float]:
        """Scales of signal and noise at a level (see `Schedule.alpha_sigma`)."""
        return self.schedule.alpha_sigma(level)


def require_finite(values: Tensor, what: str, sample_ids: Sequence[str]) -> Tensor:
    """Return the values, or name the images for which they are NaN or infinite.

    Args:
        values: ``(n, ...)``.
        what: Name of the values in the message, such as "decoder output".
        sample_ids: One id per image.

    Returns:
        ``values``, unchanged.

    Raises:
        NonFiniteError: A value is NaN or infinite.
    """
    finite = torch.isfinite(values).flatten(1).all(dim=1).tolist() if values.numel() else []
    bad = [key for key, good in zip(sample_ids, finite, strict=True) if not good] if finite else []
    if bad:
        shown = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        raise NonFiniteError(
            f"expected a finite {what}, got NaN or infinity for the images {shown}; "
            "try --dtype float32, or remove these images",
            private=bad[:5],
        )
    return values
