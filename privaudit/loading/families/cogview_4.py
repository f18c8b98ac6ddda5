"""CogView 4 of Zhipu AI (github.com/THUDM/CogView4), a flow model that is told sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import (
    LLAMA_TOKENIZERS,
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    check_tokens,
    register_family,
    width_problems,
)
from privaudit.model.prompt import Prompt

SHIFT = {"base_image_seq_len": 256, "base_shift": 0.25, "max_shift": 0.75}
"""Time shift of the pipeline where the scheduler's configuration has none."""


@register_family
class CogView4(Family):
    """A transformer conditioned on a time, the hidden states of GLM, and the original size, crop and target size.

    The time is not sigma: a uniform time t is shifted to sigma = m / (m + 1 / t - 1), with m of the scheduler's
    configuration and the number of patches, and the network is told t (as in its fine-tuning, CogKit, and in the
    pipeline). Captions have their own number of tokens, a multiple of 16, and are encoded and called each with its own:
    neither GLM nor the attention of diffusers masks the padding of a batch.
    """

    pipeline = "CogView4Pipeline"
    networks = ("CogView4Transformer2DModel",)
    text_encoders = (
        TextEncoder("text_encoder", ("GlmModel", "GlmForCausalLM"), "tokenizer", (*LLAMA_TOKENIZERS, "Qwen2Tokenizer")),
    )
    autoencoders = ("AutoencoderKL",)
    flow = True
    reads = ("caption", "original_size", "crop")
    settings = {
        "text_length": Setting(1024, "tokens of GLM per caption, at most"),
        "size_ids": Setting("original", "original size and crop that the network is told", ("original", "target")),
    }

    def configure(self, folder: PipelineFolder) -> None:
        """Read the time shift of the scheduler."""
        self.scheduler: Mapping[str, Any] = folder.config("scheduler", "scheduler_config.json")
        if self.scheduler.get("use_dynamic_shifting") and self.scheduler.get("time_shift_type") != "linear":
            raise TargetError(
                f"expected a linear time shift in the scheduler of {folder}, as in CogView 4, got "
                f"{self.scheduler.get('time_shift_type', 'exponential')}; save the pipeline with its scheduler"
            )

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions and sizes; an image of unknown size has the target size and no crop.

        Returns:
            Hidden states with their numbers of tokens, and sizes.

        Raises:
            TargetError: The tokenizer makes no token of the empty caption.
        """
        length, words = self.values["text_length"], captions(prompts)
        check_tokens(pipeline.tokenizer, words)
        texts = [
            pipeline.encode_prompt(caption, do_classifier_free_guidance=False, max_sequence_length=length)[0][0]
            for caption in words
        ]
        tokens = [len(text) for text in texts]
        hidden = torch.stack([pad(text, (0, 0, 0, max(tokens) - len(text))) for text in texts])
        target = self.image_size
        recorded = [(None, None) if self.values["size_ids"] == "target" else (p.original_size, p.crop) for p in prompts]
        sizes = {
            "original_size": [size or target for size, _ in recorded],
            "crop_coords": [crop or (0, 0) for _, crop in recorded],
            "target_size": [target] * len(prompts),
        }
        return {
            "encoder_hidden_states": hidden,
            "tokens": torch.tensor(tokens, device=hidden.device),
            **{name: torch.tensor(rows, dtype=hidden.dtype, device=hidden.device) for name, rows in sizes.items()},
        }

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer once per number of tokens."""
        inputs = {name: values for name, values in condition.items() if name != "tokens"}
        time = self._time(level, noisy, network.config.patch_size)
        output = torch.empty_like(noisy)
        for tokens in torch.unique(condition["tokens"]):
            rows = condition["tokens"] == tokens
            part = {name: values[rows] for name, values in inputs.items()}
            part["encoder_hidden_states"] = part["encoder_hidden_states"][:, : int(tokens)]
            output[rows] = network(hidden_states=noisy[rows], timestep=time[rows], **part).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Compare the widths of text encoder and transformer."""
        width = pipeline.text_encoder.config.hidden_size
        return width_problems("text embeddings", pipeline.transformer.config.text_embed_dim, width)

    def _time(self, level: Tensor, noisy: Tensor, patch: int) -> Tensor:
        """Invert the time shift: t = 1 / (1 + m (1 / sigma - 1)) = sigma / (sigma + m (1 - sigma))."""
        shift: float = self.scheduler.get("shift", 1.0)
        if self.scheduler.get("use_dynamic_shifting"):
            base, low, high = (self.scheduler.get(name, value) for name, value in SHIFT.items())
            patches = noisy.shape[-2] * noisy.shape[-1] // patch**2
            shift = (patches / base) ** 0.5 * high + low
        sigma = level.double() / 1000
        return (1000 * sigma / (sigma + shift * (1 - sigma))).float()
