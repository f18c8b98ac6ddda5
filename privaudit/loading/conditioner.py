"""Embeds prompts as the pipeline does, without guidance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from privaudit.loading.components import quiet
from privaudit.loading.families.contract import Family
from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt


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

    def _reduce(self, prompt: Prompt) -> Prompt:
        """Drop the parts of a prompt that the family does not read; an empty caption becomes None."""
        return Prompt(**{name: value for name in self.family.reads if (value := getattr(prompt, name)) != ""})
