"""Small CLIP text encoders for the lab, and the tokens that they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTokenizer

TOKENS = 16
"""A caption, start and end included."""
WIDTH, LAYERS, HEADS = 64, 2, 4


@dataclass(frozen=True)
class TokenisedCaptions:
    """Captions of the training images.

    Attributes:
        rows: ``(n, tokens)``, int64.
        empty: ``(tokens,)``, of the empty caption, which is the model's null condition.
    """

    rows: Tensor
    empty: Tensor

    def draw(self, chosen: Tensor, drop: float, generator: torch.Generator) -> Tensor:
        """Take some images' tokens, each replaced by those of the empty caption with probability ``drop``."""
        dropped = torch.rand(len(chosen), generator=generator) < drop
        return torch.where(dropped[:, None], self.empty, self.rows[chosen])


def tokenise(tokenizer: Any, captions: Sequence[str], length: int) -> TokenisedCaptions:  # noqa: ANN401
    """Tokenise captions and the empty one with a transformers tokenizer, padded to a length and cut there."""
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
