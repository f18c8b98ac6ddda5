"""Z-Image (Cai et al. 2025, arXiv:2511.22699), a flow model with a single stream of text and patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from privaudit.loading.families.contract import (
    QWEN_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    chat_problems,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt


@register_family
class ZImage(Family):
    """A transformer conditioned on 1 - sigma and the last hidden state but one of Qwen 3, without padding.

    The caption is written as a message of a chat. The output is z_0 - eps, the opposite of other flow models.
    """

    pipeline = "ZImagePipeline"
    variants = ("ZImageImg2ImgPipeline", "ZImageInpaintPipeline")
    networks = ("ZImageTransformer2DModel",)
    text_encoders = (TextEncoder("text_encoder", ("Qwen3Model", "Qwen3ForCausalLM"), "tokenizer", QWEN_TOKENIZERS),)
    autoencoders = ("AutoencoderKL",)
    flow = True
    settings = {"text_length": Setting(512, "tokens per caption, at most, with its template")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions, each with its own number of tokens; the null condition is the empty caption."""
        texts, _ = pipeline.encode_prompt(
            captions(prompts), do_classifier_free_guidance=False, max_sequence_length=self.values["text_length"]
        )
        mask = pad_sequence([text.new_ones(len(text)) for text in texts], batch_first=True)
        return {"caption": pad_sequence(list(texts), batch_first=True), "caption_mask": mask.bool()}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer on lists of latents and captions, and turn the sign of its output."""
        texts = [text[mask] for text, mask in zip(condition["caption"], condition["caption_mask"], strict=True)]
        outputs = network(list(noisy.unsqueeze(2)), (1000 - level.float()) / 1000, texts).sample
        return -torch.stack(list(outputs)).squeeze(2)

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported networks, and compare the widths of text encoder and transformer."""
        config, problems = pipeline.transformer.config, chat_problems(pipeline.tokenizer)
        if config.get("siglip_feat_dim") is not None:
            problems.append("expected a transformer without images as a condition, got siglip_feat_dim (Z-Image Omni)")
        if 2 not in config.all_patch_size or 1 not in config.all_f_patch_size:
            problems.append(f"expected a transformer of 2x2 patches, got all_patch_size {config.all_patch_size}")
        return [
            *problems,
            *width_problems("text embeddings", config.cap_feat_dim, pipeline.text_encoder.config.hidden_size),
        ]
