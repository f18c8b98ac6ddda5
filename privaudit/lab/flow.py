"""The flow family: `SD3Transformer2DModel` and two CLIP encoders, trained together, in a `StableDiffusion3Pipeline`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from privaudit.errors import ConfigError
from privaudit.lab.family import Family
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.text_encoder import TOKENS, WIDTH, TokenisedCaptions, build_text_encoder, tokenise
from privaudit.loading.json_files import read_json
from privaudit.model.condition import Condition
from privaudit.model.target import Target

STEPS = 1000
"""Time that the network receives at sigma = 1."""
HEAD_CHANNELS = 32
"""Channels per attention head."""
ENCODERS = ("text_encoder", "text_encoder_2")


@dataclass(frozen=True)
class Flow(Family):
    """Predicts the velocity eps - z_0 from the noisy latent and a caption.

    Attributes:
        network: Networks ``transformer``, ``text_encoder`` and ``text_encoder_2``, trained in place.
        scheduler: Scheduler of the sampler; training does not use it and draws sigma uniformly.
        tokenizer: Tokenizer of both text encoders.
        captions: Captions of the training images.
        drop: Fraction of captions that are replaced by the empty one.
    """

    network: nn.ModuleDict
    scheduler: FlowMatchEulerDiscreteScheduler
    tokenizer: CLIPTokenizer
    captions: TokenisedCaptions
    drop: float

    def loss(self, latents: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Rectified-flow matching: E ||v(z, 1000 s, c) - (eps - z_0)||^2 at z = (1 - s) z_0 + s eps, s ~ U(0, 1).

        Differs from Esser et al. 2024 (arXiv:2403.03206): s is uniform, not logit-normal, so that no level is favoured.

        Args:
            latents: Scaled latents z_0, ``(n, *latent)``.
            rows: Indices of their training images, ``(n,)``.
            generator: Generator of eps, s and dropped captions.

        Returns:
            Differentiable scalar.
        """
        noise = torch.randn(latents.shape, generator=generator)
        sigma = torch.rand(len(latents), generator=generator)
        scale = sigma.view(-1, *[1] * (latents.ndim - 1))
        condition = self.condition(self.captions.draw(rows, self.drop, generator))
        velocity: Tensor = self.network["transformer"](
            hidden_states=(1 - scale) * latents + scale * noise,
            timestep=STEPS * sigma,
            **condition,
        ).sample
        return (velocity - (noise - latents)).square().mean()

    def condition(self, tokens: Tensor) -> Condition:
        """Embed tokens ``(n, length)`` as `StableDiffusion3Pipeline.encode_prompt` does, but differentiably.

        The penultimate hidden states of both encoders are concatenated. Zeros take the place of T5, as many as a
        caption has tokens. The pooled vector holds the projections of both encoders.

        Returns:
            Hidden states ``(n, 2 length, width)`` and pooled vectors ``(n, width)``.
        """
        outputs = [self.network[name](tokens, output_hidden_states=True) for name in ENCODERS]
        hidden = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
        transformer: Any = self.network["transformer"]
        hidden = nn.functional.pad(hidden, (0, transformer.config["joint_attention_dim"] - hidden.shape[-1]))
        hidden = torch.cat([hidden, torch.zeros_like(hidden)], dim=1)  # the second half stands in for T5
        return Condition({"encoder_hidden_states": hidden, "pooled_projections": pooled})

    def pipeline(self, network: Any, autoencoder: Any) -> Any:  # noqa: ANN401 - diffusers' own types
        """Make a `StableDiffusion3Pipeline` without T5; its sampler needs a ``shift_factor``."""
        from diffusers import StableDiffusion3Pipeline  # slow, and warns if torchvision is not installed

        if autoencoder.config.get("shift_factor") is None:
            autoencoder.register_to_config(shift_factor=0.0)
        return StableDiffusion3Pipeline(
            transformer=network["transformer"],
            scheduler=self.scheduler,
            vae=autoencoder,
            text_encoder=network["text_encoder"],
            tokenizer=self.tokenizer,
            text_encoder_2=network["text_encoder_2"],
            tokenizer_2=self.tokenizer,
            text_encoder_3=None,
            tokenizer_3=None,
        )


def build_flow(recipe: LabRecipe, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Flow:
    """Make an untrained transformer over single latent positions, and its two text encoders."""
    width, side = recipe.denoiser_width, recipe.resolution // 4
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed * 2 + 2)
        transformer = SD3Transformer2DModel(
            sample_size=side,
            patch_size=1,
            in_channels=recipe.latent_channels,
            out_channels=recipe.latent_channels,
            num_layers=recipe.denoiser_layers,
            attention_head_dim=HEAD_CHANNELS,
            num_attention_heads=width // HEAD_CHANNELS,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=width,
            pooled_projection_dim=2 * WIDTH,
            pos_embed_max_size=side,
            qk_norm="rms_norm",
        )
        encoders = {name: build_text_encoder(CLIPTextModelWithProjection, tokenizer) for name in ENCODERS}
    network = nn.ModuleDict({"transformer": transformer, **encoders})
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=STEPS)
    return Flow(network, scheduler, tokenizer, tokenise(tokenizer, captions, TOKENS), recipe.caption_drop)


def continue_flow(recipe: LabRecipe, base: Target, folder: Path, captions: Sequence[str]) -> Flow:
    """Continue the training of a base that was loaded from a folder.

    Returns:
        The family, with transformer, text encoders, tokenizer and sampler of the base.

    Raises:
        ConfigError: The base has a T5 encoder, or its two tokenizers differ.
    """
    conditioner: Any = base.conditioner
    pipeline = conditioner.pipeline
    tokens = [
        tokenise(one, captions, pipeline.tokenizer_max_length) for one in (pipeline.tokenizer, pipeline.tokenizer_2)
    ]
    if pipeline.text_encoder_3 is not None or not torch.equal(tokens[0].rows, tokens[1].rows):
        raise ConfigError([
            f"expected a base with two CLIP encoders and one vocabulary in {folder}, got T5 or two vocabularies; "
            "pass a target that the lab trained"
        ])
    network = nn.ModuleDict({name: getattr(pipeline, name) for name in ("transformer", *ENCODERS)})
    config = read_json(folder / "scheduler" / "scheduler_config.json")
    scheduler = FlowMatchEulerDiscreteScheduler.from_config(config)
    return Flow(network, scheduler, pipeline.tokenizer, tokens[0], recipe.caption_drop)
