"""All parameters that determine how much a lab target leaks, in one frozen dataclass."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from privaudit.errors import ConfigError

CHOICES = {
    "family": ("unconditional", "class", "text", "flow"),
    "autoencoder": ("kl", "vq"),
    "autoencoder_images": ("auxiliary", "members"),
    "denoiser_images": ("members", "auxiliary"),
}


@dataclass(frozen=True)
class LabRecipe:
    """Parameters of a small latent diffusion target with known members.

    Attributes:
        family: Kind of the denoiser: ``unconditional`` (an `LDMPipeline`), ``class`` (a `DiTPipeline`), ``text`` (a
            `StableDiffusionPipeline`) or ``flow`` (a `StableDiffusion3Pipeline`).
        seed: Seed of the split, the initial weights and every batch.
        members: Number of images whose latents train the denoiser.
        heldout: Number of images that train nothing; the other images of the folder train the autoencoder.
        resolution: Height and width of the images; a multiple of 8, at least 16.
        latent_channels: Channels of the latent, whose side is a quarter of the image side.
        autoencoder: ``kl`` (an `AutoencoderKL`) or ``vq`` (a `VQModel`).
        codes: Size of the codebook, at least 2; used only by ``vq``.
        autoencoder_images: Images that train the autoencoder: ``auxiliary``, or the ``members`` as in the experiments
            of Rao, Qu, Moyer 2026. With members, the geometry itself may carry membership.
        autoencoder_width: Channels of the first stage of the autoencoder; a multiple of 8.
        autoencoder_steps: Optimiser steps of the autoencoder.
        autoencoder_batch: Images per step.
        autoencoder_rate: Peak learning rate of AdamW for the autoencoder.
        kl_weight: Weight of the KL term relative to the squared error (both summed per image); used only by ``kl``.
        denoiser_images: Images that train the denoiser: the ``members``, or ``auxiliary`` images, which makes a base
            without members.
        denoiser_width: Channels of the first stage of the U-Net, or of the transformer's tokens; a multiple of 32. A
            fine-tune has the width of its base.
        denoiser_layers: Residual blocks per stage, or blocks of the transformer. A fine-tune has those of its base.
        denoiser_steps: Optimiser steps of the denoiser, which have the strongest effect on leakage.
        denoiser_batch: Latents per step.
        denoiser_rate: Learning rate of AdamW for the denoiser, after `warmup` steps.
        warmup: Steps of linear warm-up, in both trainings.
        ema_decay: Decay of the exponential moving average whose weights are saved; 0 saves the raw weights.
        flip: Whether the denoiser is also trained on mirror images of the members, which weakens memorisation.
        prediction_type: Output of the denoiser: ``epsilon`` or ``v_prediction``; ``flow`` for the family flow.
        caption_drop: Fraction of captions or classes that are dropped in training, so that the null condition is
            trained as well.
        lora_rank: Rank of a LoRA, which is trained in place of a base's own weights; 0 trains these.
    """

    family: str = "unconditional"
    seed: int = 0
    members: int = 1100
    heldout: int = 1100
    resolution: int = 32
    latent_channels: int = 4
    autoencoder: str = "kl"
    codes: int = 512
    autoencoder_images: str = "auxiliary"
    autoencoder_width: int = 32
    autoencoder_steps: int = 3000
    autoencoder_batch: int = 32
    autoencoder_rate: float = 5e-4
    kl_weight: float = 1e-4
    denoiser_images: str = "members"
    denoiser_width: int = 64
    denoiser_layers: int = 1
    denoiser_steps: int = 4500
    denoiser_batch: int = 64
    denoiser_rate: float = 2e-4
    warmup: int = 100
    ema_decay: float = 0.999
    flip: bool = False
    prediction_type: str = "epsilon"
    caption_drop: float = 0.1
    lora_rank: int = 0

    @property
    def captioned(self) -> bool:
        """Whether the denoiser is conditioned on text."""
        return self.family in ("text", "flow")

    def __post_init__(self) -> None:
        """Report all problems of the recipe at once.

        Raises:
            ConfigError: One or more parameters are invalid.
        """
        not_positive_numbers = {
            "family",
            "seed",
            "denoiser_images",
            "caption_drop",
            "autoencoder",
            "autoencoder_images",
            "codes",
            "warmup",
            "ema_decay",
            "flip",
            "prediction_type",
            "kl_weight",
            "lora_rank",
        }
        positive = {part.name for part in fields(self)} - not_positive_numbers
        problems = [
            f"expected {name} > 0, got {getattr(self, name)}"
            for name in sorted(positive)
            if not 0 < getattr(self, name) < math.inf
        ]
        for name, multiple in (("resolution", 8), ("autoencoder_width", 8), ("denoiser_width", 32)):
            if getattr(self, name) % multiple:
                problems.append(f"expected {name} to be a multiple of {multiple}, got {getattr(self, name)}")
        if 0 < self.resolution < 16:
            problems.append(f"expected resolution >= 16, got {self.resolution}")
        if not 0 <= self.ema_decay < 1:
            problems.append(f"expected 0 <= ema_decay < 1, got {self.ema_decay}")
        if not 0 <= self.seed < 2**32:
            problems.append(f"expected 0 <= seed < 2**32, got {self.seed}")
        if not 0 <= self.kl_weight < math.inf:
            problems.append(f"expected kl_weight >= 0, got {self.kl_weight}")
        if self.warmup < 0:
            problems.append(f"expected warmup >= 0, got {self.warmup}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                problems.append(f"expected {name} {' or '.join(allowed)}, got {getattr(self, name)}")
        if self.codes < 2:
            problems.append(f"expected codes >= 2, got {self.codes}")
        if not 0 <= self.caption_drop < 1:
            problems.append(f"expected 0 <= caption_drop < 1, got {self.caption_drop}")
        predicted = ("flow",) if self.family == "flow" else ("epsilon", "v_prediction")
        if self.prediction_type not in predicted:
            problems.append(
                f"expected prediction_type {' or '.join(predicted)} for the family {self.family}, "
                f"got {self.prediction_type}"
            )
        if self.family != "unconditional" and self.autoencoder == "vq":
            problems.append(f"expected autoencoder kl for the family {self.family}, got vq")
        if self.lora_rank < 0 or (self.lora_rank and not self.captioned):
            problems.append(f"expected lora_rank >= 0, and 0 unless the family is text or flow, got {self.lora_rank}")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True)
class FamilyChoice:
    """A family and its prediction type."""

    family: str
    prediction_type: str


def name_family(family: str, prediction_type: str | None = None) -> FamilyChoice:
    """Read the name of a family: one of `LabRecipe.family`, or ``v``, the unconditional one with v prediction.

    Returns:
        Family and prediction type, which `LabRecipe` checks.

    Raises:
        ConfigError: ``v`` is combined with another prediction type.
    """
    if family != "v":
        return FamilyChoice(family, prediction_type or ("flow" if family == "flow" else "epsilon"))
    if prediction_type not in (None, "v_prediction"):
        raise ConfigError([f"expected prediction_type v_prediction of the family v, got {prediction_type}"])
    return FamilyChoice("unconditional", "v_prediction")
