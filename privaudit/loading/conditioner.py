"""Captions to what a text-to-image pipeline conditions its denoiser on; guidance is off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt


@dataclass(frozen=True)
class ClipConditioner:
    """Tokenizer and text encoder of a Stable Diffusion folder.

    Attributes:
        tokenizer: A transformers CLIP tokenizer.
        encoder: A transformers CLIP text model, in eval mode.
        device: Where the encoder is.
    """

    tokenizer: Any
    encoder: Any
    device: torch.device

    @property
    def length(self) -> int:
        """Tokens a caption, the shorter of what tokenizer and encoder take."""
        return caption_length(self.tokenizer, self.encoder)

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        """Embed captions, ``(n, tokens, width)``, float32; None is the empty caption, equal ones are embedded once."""
        return embed_distinct(prompts, self._embed)

    def _embed(self, texts: list[str]) -> Condition:
        tokens = self.tokenizer(
            texts, padding="max_length", max_length=self.length, truncation=True, return_tensors="pt"
        )
        hidden: Tensor = self.encoder(tokens.input_ids.to(self.device))[0].float()
        return Condition({"encoder_hidden_states": hidden})


@dataclass(frozen=True)
class StableDiffusion3Conditioner:
    """The text encoders of a Stable Diffusion 3 folder, through `StableDiffusion3Pipeline.encode_prompt`.

    Attributes:
        pipeline: With its tokenizers, text encoders (T5's may be missing: diffusers puts zeros in its place) and
            transformer; ``tokenizer_max_length`` is `length`.
        device: Where the encoders are.
        length: Tokens a caption, of each CLIP encoder and of T5 alike, as in training (77 of each; Esser et al. 2024,
            arXiv:2403.03206). Differs from the sampler of diffusers, which gives T5 256.
    """

    pipeline: Any
    device: torch.device
    length: int

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        """Embed captions, float32: ``(n, 2 length, width)`` and pooled ``(n, width)``; None is the empty caption."""
        return embed_distinct(prompts, self._embed)

    def _embed(self, texts: list[str]) -> Condition:
        hidden, _, pooled, _ = self.pipeline.encode_prompt(
            prompt=texts,
            prompt_2=None,
            prompt_3=None,
            device=self.device,
            do_classifier_free_guidance=False,
            max_sequence_length=self.length,
        )
        return Condition({"encoder_hidden_states": hidden.float(), "pooled_projections": pooled.float()})


def caption_length(tokenizer: Any, encoder: Any) -> int:  # noqa: ANN401 - transformers' own types
    """Tokens a caption: a tokenizer that names no length takes its CLIP encoder's."""
    return int(min(tokenizer.model_max_length, encoder.config.max_position_embeddings))


def embed_distinct(prompts: Sequence[Prompt], embed: Callable[[list[str]], Condition]) -> Condition:
    """Embed each distinct caption once, without derivatives.

    Args:
        prompts: No caption stands for the empty one.
        embed: Embeds some texts.

    Returns:
        One row per prompt, in their order.
    """
    texts = [prompt.caption or "" for prompt in prompts]
    distinct = sorted(set(texts))
    with torch.no_grad():
        condition = embed(distinct)
    place = {text: row for row, text in enumerate(distinct)}
    return condition.rows([place[text] for text in texts])
