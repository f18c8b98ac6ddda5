"""The codebook of the lab's VQ autoencoder: straight-through quantisation, and codes kept in use.

Plain VQ-VAE training (van den Oord et al. 2017, arXiv:1711.00937) moves a code only when it is the nearest one, so
that codes which start far from the data are never used. Codes that nothing was closest to are therefore replaced by
encoder outputs of the current batch, the first time at the first step (random restarts as in Jukebox, Dhariwal et
al. 2020, arXiv:2005.00341, Sec. 3.1, which judges use by a moving average instead).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import VQModel
from torch import Tensor

from privaudit.lab.recipe import LabRecipe

REVIVE_EVERY = 25
"""Steps between two checks of which codes are in use."""


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
        latents: Shaped like the encoder's output; their derivative is that of the encoder's output.
        loss: Codebook and commitment loss, summed over an image's latent and averaged over the batch.
    """

    latents: Tensor
    loss: Tensor


class Codebook:
    """Which codes of a model were used since the last check; part of the checkpoint.

    Attributes:
        model: Its codebook is changed in place.
        used: ``(codes,)``, bool.
    """

    def __init__(self, model: VQModel) -> None:
        self.model = model
        self.used = torch.zeros(model.config["num_vq_embeddings"], dtype=torch.bool)

    def quantise(self, latents: Tensor, step: int, generator: torch.Generator) -> Quantised:
        """Replace unused codes where a check is due, then quantise.

        ||sg(e) - z||^2 + .25 ||e - sg(z)||^2, diffusers' weights (Oord et al. put the .25 on the first term).

        Args:
            latents: ``(n, channels, h, w)``, the encoder's output.
            step: Number of the training step, from 0; a check is due every `REVIVE_EVERY` steps.
            generator: Picks the encoder outputs that become codes.

        Returns:
            The quantised latents and their loss.
        """
        if step % REVIVE_EVERY == 0:
            self._revive(latents, generator)
        quantised, loss, (_, _, indices) = self.model.quantize(latents)
        self.used[indices.flatten()] = True
        return Quantised(quantised, loss * latents[0].numel())

    def _revive(self, latents: Tensor, generator: torch.Generator) -> None:
        vectors = latents.detach().movedim(1, -1).flatten(0, -2)
        unused = (~self.used).nonzero().flatten()[: len(vectors)]
        picked = torch.randperm(len(vectors), generator=generator)[: len(unused)]
        with torch.no_grad():
            self.model.quantize.embedding.weight[unused] = vectors[picked]
        self.used = torch.zeros_like(self.used)

    def state_dict(self) -> dict[str, Tensor]:
        """Give what a checkpoint keeps."""
        return {"used": self.used}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Take up what a checkpoint kept."""
        self.used = state_dict["used"]
