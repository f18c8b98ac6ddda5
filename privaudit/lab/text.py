"""The text family: `UNet2DConditionModel` and `CLIPTextModel`, trained together, in a `StableDiffusionPipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from privaudit.lab.diffusion import build_schedule, noise_latents, read_schedule
from privaudit.lab.family import Family
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.text_encoder import TOKENS, WIDTH, TokenisedCaptions, build_text_encoder, tokenise
from privaudit.model.target import Target


@dataclass(frozen=True)
class TextToImage(Family):
    """Predicts noise or v from the noisy latent and a caption.

    Attributes:
        network: Networks ``unet`` and ``text_encoder``, trained in place.
        scheduler: Scheduler with noise levels and prediction type.
        tokenizer: Tokenizer of the text encoder.
        captions: Captions of the training images.
        drop: Fraction of captions that are replaced by the empty one.
    """

    network: nn.ModuleDict
    scheduler: DDPMScheduler
    tokenizer: CLIPTokenizer
    captions: TokenisedCaptions
    drop: float

    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the predicted noise (or v) at uniform levels, under the caption or the empty one."""
        noised = noise_latents(latents, self.scheduler, generator)
        hidden = self.network["text_encoder"](self.captions.draw(rows, self.drop, generator))[0]
        prediction: Tensor = self.network["unet"](noised.latents, noised.levels, hidden).sample
        return (prediction - noised.prediction).square().mean()

    def pipeline(self, network: Any, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Make a `StableDiffusionPipeline` without a safety checker."""
        from diffusers import StableDiffusionPipeline  # slow, and warns if torchvision is not installed

        return StableDiffusionPipeline(
            vae=autoencoder,
            unet=network["unet"],
            text_encoder=network["text_encoder"],
            tokenizer=self.tokenizer,
            scheduler=self.scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def build_text(recipe: LabRecipe, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> TextToImage:
    """Make an untrained U-Net with two stages, cross-attention in the lower one and no middle, and its text encoder."""
    width = recipe.denoiser_width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 2)
        unet = UNet2DConditionModel(
            sample_size=recipe.resolution // 4,
            in_channels=recipe.latent_channels,
            out_channels=recipe.latent_channels,
            block_out_channels=[width, 2 * width],
            layers_per_block=recipe.denoiser_layers,
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"],
            mid_block_type=None,
            up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
            cross_attention_dim=WIDTH,
            attention_head_dim=8,
        )
        encoder = build_text_encoder(CLIPTextModel, tokenizer)
    network = nn.ModuleDict({"unet": unet, "text_encoder": encoder})
    return TextToImage(
        network, build_schedule(recipe), tokenizer, tokenise(tokenizer, captions, TOKENS), recipe.caption_drop
    )


def continue_text(recipe: LabRecipe, base: Target, folder: Path, captions: Sequence[str]) -> TextToImage:
    """Continue the training of a base that was loaded from a folder: U-Net, text encoder, tokenizer and schedule."""
    conditioner: Any = base.conditioner
    pipeline = conditioner.pipeline
    network = nn.ModuleDict({"unet": pipeline.unet, "text_encoder": pipeline.text_encoder})
    tokens = tokenise(pipeline.tokenizer, captions, pipeline.tokenizer.model_max_length)
    return TextToImage(network, read_schedule(folder), pipeline.tokenizer, tokens, recipe.caption_drop)
