"""Flux.1 of Black Forest Labs, a flow model over 2x2 patches of the latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from privaudit.errors import ConfigError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import (
    T5_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.loading.units import read_units
from privaudit.model.prompt import Prompt

SCHNELL_TEXT_LENGTH = 256
FACTORS = (2, 4, 8, 16)
"""Pixels per latent position and axis for which the channels of a mask are recognised."""


@register_family
class Flux(Family):
    """A transformer conditioned on sigma, the hidden states of T5, a pooled CLIP vector, and a guidance scale.

    Flux.1 dev was distilled under guidance scales that it is told; fine-tuning scripts tell it 1 (kohya's sd-scripts,
    ai-toolkit, SimpleTuner) or 3.5 (default of those of diffusers), and the sampler about 3.5. Flux.1 schnell is told
    none. T5 encodes 512 tokens in the published dev, Kontext and Fill, and 256 in schnell; scripts of diffusers also
    train with 77.

    Kontext (Labs et al. 2025, arXiv:2506.15742) was trained on text alone, too, and is called without a reference
    image. Fill is called with everything masked: it receives an empty image and a mask of ones, of which nothing
    depends on the image. Differs from its training, which masks a part of most images.
    """

    pipeline = "FluxPipeline"
    variants = (
        "FluxImg2ImgPipeline",
        "FluxInpaintPipeline",
        "FluxKontextPipeline",
        "FluxKontextInpaintPipeline",
        "FluxFillPipeline",
    )
    networks = ("FluxTransformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer"),
        TextEncoder("text_encoder_2", ("T5EncoderModel",), "tokenizer_2", T5_TOKENIZERS),
    )
    autoencoders = ("AutoencoderKL",)
    flow = True
    packing = 4
    settings = {
        "guidance": Setting(1.0, "guidance scale that a guidance-distilled network is told"),
        "text_length": Setting(512, "tokens of T5 per caption; 256 for a network without guidance, such as schnell"),
    }

    def configure(self, folder: PipelineFolder) -> None:
        """Use the text length of schnell for networks without guidance, and see whether the network fills masks.

        Raises:
            ConfigError: A guidance scale is chosen for a network that is told none.
        """
        config = folder.config(self.denoiser)
        self._fills = _is_fill(config)
        configure_guidance(self, folder, default=False)
        if "guidance" not in self.values and "text_length" not in self.chosen:
            self.values["text_length"] = SCHNELL_TEXT_LENGTH

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        length = self.values["text_length"]
        hidden, pooled, _ = pipeline.encode_prompt(captions(prompts), max_sequence_length=length)
        embedded = {"encoder_hidden_states": hidden, "pooled_projections": pooled}
        if _is_fill(pipeline.transformer.config):
            embedded["masked_image"] = self._empty_image(pipeline).expand(len(prompts), -1, -1, -1)
        return embedded

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on packed patches, and unpack its output."""
        condition = dict(condition)
        patches = pixel_unshuffle(noisy, 2)
        height, width = patches.shape[-2:]
        if _is_fill(network.config):
            masked = pixel_unshuffle(condition.pop("masked_image"), 2)
            ones = network.config.in_channels - patches.shape[1] - masked.shape[1]  # pixels of the mask per patch
            patches = torch.cat([patches, masked, noisy.new_ones(len(noisy), ones, height, width)], dim=1)
        output: Tensor = network(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=level.to(noisy.dtype) / 1000,
            guidance=guidance_of(self, noisy),
            txt_ids=noisy.new_zeros(condition["encoder_hidden_states"].shape[1], 3),
            img_ids=patch_positions(height, width).to(noisy),
            **condition,
        ).sample
        return pixel_shuffle(output.transpose(1, 2).reshape(len(noisy), -1, height, width), 2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoders and transformer."""
        config, clip, t5 = pipeline.transformer.config, pipeline.text_encoder.config, pipeline.text_encoder_2.config
        problems = []
        if _is_fill(config):
            vae = pipeline.vae.config
            factor, packed = 2 ** (len(vae.block_out_channels) - 1), self.packing * vae.latent_channels
            inputs, outputs = 2 * packed + self.packing * factor**2, packed
            if (config.in_channels, config.out_channels) != (inputs, outputs):
                problems.append(
                    f"expected {inputs} input channels (noisy latent, masked image, and mask) and {outputs} output "
                    f"channels, got {config.in_channels} and {config.out_channels}; other conditions are not supported"
                )
        return [
            *problems,
            *width_problems("text embeddings of T5", config.joint_attention_dim, t5.d_model),
            *width_problems("pooled embeddings", config.pooled_projection_dim, clip.hidden_size),
        ]

    def input_channels(self, latent_channels: int) -> tuple[int, ...]:
        """Count the channels of packed latents; Fill receives those of the masked image and the pixels of a mask."""
        packed = latent_channels * self.packing
        return tuple(2 * packed + self.packing * factor**2 for factor in FACTORS) if self._fills else (packed,)

    def _empty_image(self, pipeline: Pipeline) -> Tensor:
        """Encode what a mask over the whole image leaves of it."""
        vae = pipeline.vae
        blank = torch.zeros(1, 3, *self.image_size, dtype=vae.dtype, device=vae.device)
        latent = read_units(vae, vae.device).scaled(vae.encode(blank).latent_dist.mode())
        return latent.to(pipeline.device)  # the autoencoder may wait in main memory


def _is_fill(config: Mapping[str, Any]) -> bool:
    return config.get("out_channels") not in (None, config.get("in_channels"))


def configure_guidance(family: Family, folder: PipelineFolder, *, default: bool) -> None:
    """Drop the setting ``guidance`` for a network that is told none.

    Args:
        family: Family with that setting.
        folder: Folder of the pipeline.
        default: Whether a network is told a guidance scale if its configuration does not say.

    Raises:
        ConfigError: A guidance scale is chosen for a network that is told none.
    """
    if folder.config(family.denoiser).get("guidance_embeds", default):
        return
    if "guidance" in family.chosen:
        raise ConfigError([
            f"expected no condition.guidance for {folder}, whose transformer is told no guidance scale "
            f"(guidance_embeds = false), got {family.values['guidance']}"
        ])
    family.values.pop("guidance")


def guidance_of(family: Family, noisy: Tensor) -> Tensor | None:
    """Return the guidance scale for each image; None if the network is told none."""
    if "guidance" not in family.values:
        return None
    return torch.full((len(noisy),), float(family.values["guidance"]), device=noisy.device)


def patch_positions(height: int, width: int) -> Tensor:
    """Number patches as (0, row, column), row by row.

    Args:
        height: Patches per column.
        width: Patches per row.

    Returns:
        ``(height * width, 3)``.
    """
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).flatten(0, 1)
