"""Stable Diffusion 3 (Esser et al. 2024, arXiv:2403.03206), a flow model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

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
from privaudit.model.prompt import Prompt


@register_family
class StableDiffusion3(Family):
    """A transformer conditioned on 1000 sigma, the hidden states of two CLIP encoders and T5, and a pooled vector.

    T5 may be missing; diffusers then puts zeros in its place. It has as many tokens as CLIP, 77, as in training.
    Differs from the sampler of diffusers, which uses 256 tokens for T5.
    """

    pipeline = "StableDiffusion3Pipeline"
    variants = (
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3InpaintPipeline",
        "StableDiffusion3PAGPipeline",
        "StableDiffusion3PAGImg2ImgPipeline",
    )
    networks = ("SD3Transformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("CLIPTextModelWithProjection",), "tokenizer"),
        TextEncoder("text_encoder_2", ("CLIPTextModelWithProjection",), "tokenizer_2"),
        TextEncoder("text_encoder_3", ("T5EncoderModel",), "tokenizer_3", T5_TOKENIZERS, optional=True),
    )
    autoencoders = ("AutoencoderKL",)
    flow = True
    settings = {"text_length": Setting(77, "tokens of T5 per caption; 256 in the sampler of diffusers")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        hidden, _, pooled, _ = pipeline.encode_prompt(
            prompt=captions(prompts),
            prompt_2=None,
            prompt_3=None,
            do_classifier_free_guidance=False,
            max_sequence_length=self.values["text_length"],
        )
        return {"encoder_hidden_states": hidden, "pooled_projections": pooled}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer."""
        output: Tensor = network(hidden_states=noisy, timestep=level.float(), **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare channels, patches and widths of transformer and text encoders."""
        if "text_length" not in self.chosen:
            # As many tokens as CLIP, unless the user names a number: 77 in the published models, fewer in small ones.
            self.values["text_length"] = min(int(self.values["text_length"]), pipeline.tokenizer_max_length)
        config, t5 = pipeline.transformer.config, pipeline.text_encoder_3
        texts = [pipeline.text_encoder.config, pipeline.text_encoder_2.config]
        sides = [pixels // pipeline.vae_scale_factor for pixels in self.image_size]
        patch, width = config.patch_size, sum(text.hidden_size for text in texts)
        problems = []
        if config.out_channels not in (None, config.in_channels):
            problems.append(
                f"expected the transformer to have as many output as input channels, {config.in_channels}, got "
                f"{config.out_channels}; tasks such as inpainting are not supported"
            )
        if any(side % patch or side // patch > config.pos_embed_max_size for side in sides):
            problems.append(
                f"expected latents of a size that is a multiple of patch_size = {patch} and at most "
                f"{config.pos_embed_max_size} patches, got {sides[0]}x{sides[1]}; copy config.json of the transformer "
                "again, or pass another resolution"
            )
        if width > config.joint_attention_dim:  # diffusers would silently truncate the embeddings
            problems.append(
                f"expected text embeddings of width {config.joint_attention_dim} or less for the transformer, but its "
                f"two CLIP encoders give {width}; save the whole pipeline again"
            )
        if t5 is not None:
            problems += width_problems("text embeddings of T5", config.joint_attention_dim, t5.config.d_model)
        pooled = sum(text.projection_dim for text in texts)
        return [*problems, *width_problems("pooled embeddings", config.pooled_projection_dim, pooled)]
