"""Small CLIP text encoders for the lab, and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTokenizer

TOKENS = 16
"""Tokens per caption, including start and end."""
WIDTH, LAYERS, HEADS = 64, 2, 4


@dataclass(frozen=True)
class TokenisedCaptions:
    """Captions of the training images.

    Attributes:
        rows: Tokens of each caption, ``(n, tokens)``, int64.
        empty: Tokens of the empty caption, which is the null condition of the model, ``(tokens,)``.
    """

    rows: Tensor
    empty: Tensor

    def draw(self, indices: Tensor, drop: float, generator: torch.Generator) -> Tensor:
        """Select captions by index, each replaced by the empty caption with probability ``drop``."""
        dropped = torch.rand(len(indices), generator=generator) < drop
        return torch.where(dropped[:, None], self.empty, self.rows[indices])


def tokenise(tokenizer: Any, captions: Sequence[str], length: int) -> TokenisedCaptions:  # noqa: ANN401
    """Tokenise captions and the empty caption with a transformers tokenizer, padded or truncated to a length."""
    tokens = tokenizer(
        [*captions, ""], padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return TokenisedCaptions(tokens[:-1], tokens[-1])


def build_text_encoder(kind: Any, tokenizer: CLIPTokenizer) -> Any:  # noqa: ANN401 - transformers models
    """Make an untrained encoder of two layers; draws from torch's global generator."""
    return kind(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            projection_dim=WIDTH,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
