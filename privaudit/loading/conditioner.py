"""Captions to CLIP hidden states, as Stable Diffusion is conditioned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from privaudit.target import Condition


@dataclass(frozen=True)
class ClipConditioner:
    """Tokenizer and text encoder of a Stable Diffusion folder.

    Classifier-free guidance is off; the null condition is the empty caption.

    Attributes:
        tokenizer: A transformers CLIP tokenizer.
        encoder: A transformers CLIP text model, in eval mode.
        device: Where the encoder is.
    """

    tokenizer: Any
    encoder: nn.Module
    device: torch.device

    def __call__(self, captions: Sequence[str | None]) -> Condition:
        """Embed captions, ``(n, tokens, width)``, float32; equal captions are embedded once."""
        texts = [caption or "" for caption in captions]
        distinct = sorted(set(texts))
        config: Any = self.encoder.config
        length = min(self.tokenizer.model_max_length, config.max_position_embeddings)
        tokens = self.tokenizer(distinct, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        with torch.no_grad():
            hidden: Tensor = self.encoder(tokens.input_ids.to(self.device))[0].float()
        place = {text: row for row, text in enumerate(distinct)}
        return Condition(hidden).rows([place[text] for text in texts])
