"""Embeds prompts as the pipeline does, without guidance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from privaudit.loading.components import quiet
from privaudit.loading.families.contract import Family
from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt

NO_LIMIT = 10**9
"""Tokens of a text encoder whose family has no maximum length."""


@dataclass(frozen=True)
class PipelineConditioner:
    """The text encoders of a pipeline, called as its family defines.

    Attributes:
        family: Family of the pipeline.
        pipeline: Diffusers pipeline with its text encoders and tokenizers.
    """

    family: Family
    pipeline: Any

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        """Embed prompts without derivatives. Prompts that the family does not distinguish are embedded once."""
        reduced = [self._reduce(prompt) for prompt in prompts]
        # Sorted, so that the batch of the text encoder does not depend on the order of the images.
        distinct = sorted(set(reduced), key=lambda prompt: (prompt.caption or "", str(prompt)))
        with torch.no_grad(), quiet():  # diffusers warns about each caption that it truncates
            embedded = self.family.condition(self.pipeline, distinct)
        row_of = {prompt: row for row, prompt in enumerate(distinct)}
        tensors = {name: values.float() if values.is_floating_point() else values for name, values in embedded.items()}
        return Condition(tensors).rows([row_of[prompt] for prompt in reduced])

    def cut(self, captions: Sequence[str]) -> int:
        """Count the captions that no text encoder reads to the end.

        Returns:
            The number; an encoder without a limit reads everything.
        """
        tokenizers = self._tokenizers()
        length = int(self.family.values.get("text_length", NO_LIMIT))
        limits = [min(int(tokenizer.model_max_length), length) for tokenizer in tokenizers]

        def is_cut(caption: str) -> bool:
            lengths = (len(tokenizer(caption)["input_ids"]) for tokenizer in tokenizers)
            return all(tokens > limit for tokens, limit in zip(lengths, limits, strict=True))

        with quiet():  # transformers warns about long texts
            return sum(count for caption, count in Counter(captions).items() if tokenizers and is_cut(caption))

    def _tokenizers(self) -> list[Any]:
        loaded = [getattr(self.pipeline, text.tokenizer, None) for text in self.family.text_encoders]
        # A processor of images and text has a tokenizer.
        return [getattr(tokenizer, "tokenizer", tokenizer) for tokenizer in loaded if tokenizer is not None]

    def _reduce(self, prompt: Prompt) -> Prompt:
        """Drop the parts of a prompt that the family does not read; an empty caption becomes None."""
        return Prompt(**{name: value for name in self.family.reads if (value := getattr(prompt, name)) != ""})
