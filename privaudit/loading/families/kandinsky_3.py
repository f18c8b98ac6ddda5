"""Kandinsky 3 (Arkhipkin et al. 2023, arXiv:2312.03511), latent diffusion in the continuous latents of MoVQ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from privaudit.loading.families.contract import (
    T5_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class Kandinsky3(Family):
    """A U-Net that attends to the hidden states of a T5 encoder (Flan-UL2) of at most 128 tokens.

    The network averages over all tokens that it is shown, so their number counts: each prompt has its own and one of
    padding, as in the pipeline for a single prompt. (Several prompts in one call of the pipeline are padded to the
    longest.) The null condition is that of the pipeline, zeros that are masked. Latents are used as they are: the
    ``scaling_factor`` of MoVQ, a default of diffusers, has no part in text-to-image. The published model was trained
    for 1024x1024 pixels, which no file records.
    """

    pipeline = "Kandinsky3Pipeline"
    variants = ("Kandinsky3Img2ImgPipeline",)
    denoiser = "unet"
    networks = ("Kandinsky3UNet",)
    text_encoders = (TextEncoder("text_encoder", ("T5EncoderModel",), "tokenizer", T5_TOKENIZERS),)
    autoencoders = ("VQModel",)
    resolution = (1024, 1024)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions."""
        hidden, _, mask, _ = pipeline.encode_prompt(captions(prompts), do_classifier_free_guidance=False)
        null = torch.tensor([prompt.caption is None for prompt in prompts], device=hidden.device)[:, None]
        return {
            "encoder_hidden_states": hidden.masked_fill(null[..., None], 0),
            "encoder_attention_mask": mask.masked_fill(null, 0),
        }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net once for each number of tokens."""
        lengths = condition["encoder_attention_mask"].sum(dim=1) + 1
        output = torch.empty_like(noisy)
        for length in sorted(set(lengths.tolist())):
            (rows,) = torch.where(lengths == length)
            text = {name: values[rows, :length] for name, values in condition.items()}
            output = output.index_copy(0, rows, network(noisy[rows], level[rows], **text).sample)
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and U-Net, and check that the U-Net can halve the latent as often."""
        config, movq = pipeline.unet.config, pipeline.movq.config
        # Both halve the image between their blocks; unlike other U-Nets, this one does not pad odd sides.
        step = 2 ** (len(config.block_out_channels) + len(movq.block_out_channels) - 2)
        problems = width_problems("text embeddings of T5", config.encoder_hid_dim, pipeline.text_encoder.config.d_model)
        if any(side % step for side in self.image_size):
            height, width = self.image_size
            problems.append(f"expected a resolution of multiples of {step} for this U-Net, got {height}x{width}")
        return problems
