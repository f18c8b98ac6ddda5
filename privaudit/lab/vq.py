"""The codebook of the lab's VQ autoencoder: straight-through quantisation, with unused codes replaced.

Plain VQ-VAE training (van den Oord et al. 2017, arXiv:1711.00937) moves a code only when it is the nearest one, so
codes that start far from the data are never used. Codes that were nearest to no latent are therefore replaced by
encoder outputs of the current batch, from the first step on. These are the random restarts of Jukebox (Dhariwal et al.
2020, arXiv:2005.00341, Sec. 3.1), which measures use by a moving average instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import VQModel
from torch import Tensor

from privaudit.lab.recipe import LabRecipe

REVIVE_EVERY = 25
"""Steps between two replacements of unused codes."""


def build_vq(recipe: LabRecipe) -> VQModel:
    """Make an untrained VQ autoencoder with the stages of the KL one; draws from torch's global generator."""
    width = recipe.autoencoder_width
    return VQModel(
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[width, 2 * width, 2 * width],
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        sample_size=recipe.resolution,
        num_vq_embeddings=recipe.codes,
        norm_num_groups=8,
        vq_embed_dim=recipe.latent_channels,
    )


@dataclass(frozen=True)
class Quantised:
    """Latents on the codebook.

    Attributes:
        latents: Quantised latents, shaped like the encoder output and with its derivative (straight-through).
        loss: Codebook and commitment loss, summed over the latent of an image and averaged over the batch.
    """

    latents: Tensor
    loss: Tensor


class Codebook:
    """Codebook of a model with a record of the codes in use, which is part of the checkpoint.

    Attributes:
        model: Model whose codebook is changed in place.
        used: Whether each code was used since the last replacement, ``(codes,)``, bool.
    """

    def __init__(self, model: VQModel) -> None:
        self.model = model
        self.used = torch.zeros(model.config["num_vq_embeddings"], dtype=torch.bool)

    def quantise(self, latents: Tensor, step: int, generator: torch.Generator) -> Quantised:
        """Replace unused codes every `REVIVE_EVERY` steps, then quantise.

        The loss is ||sg(e) - z||^2 + 0.25 ||e - sg(z)||^2, with the weights of diffusers (Oord et al. put 0.25 on the
        first term).

        Args:
            latents: Encoder output, ``(n, channels, h, w)``.
            step: Number of the training step, from 0.
            generator: Generator that selects the encoder outputs that become codes.

        Returns:
            The quantised latents and their loss.
        """
        if step % REVIVE_EVERY == 0:
            self._revive(latents, generator)
        quantised, loss, (_, _, indices) = self.model.quantize(latents)
        self.used[indices.flatten()] = True
        return Quantised(quantised, loss * latents[0].numel())

    def _revive(self, latents: Tensor, generator: torch.Generator) -> None:
        # At step 0 no code has been used yet, so that the codebook starts at encoder outputs.
        vectors = latents.detach().movedim(1, -1).flatten(0, -2)
        unused = (~self.used).nonzero().flatten()[: len(vectors)]
        drawn = torch.randperm(len(vectors), generator=generator)[: len(unused)]
        with torch.no_grad():
            self.model.quantize.embedding.weight[unused] = vectors[drawn]
        self.used = torch.zeros_like(self.used)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint."""
        return {"used": self.used}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Restore the state from a checkpoint."""
        self.used = state_dict["used"]
