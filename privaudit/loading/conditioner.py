"""Prompts to what a pipeline conditions its denoiser on; guidance is off."""

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
    """The text encoders of a pipeline, as its family uses them.

    Attributes:
        family: Says how.
        pipeline: The diffusers pipeline, with its text encoders and tokenizers.
    """

    family: Family
    pipeline: Any

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        """Embed prompts, without derivatives; those that are equal in what the family reads are embedded once."""
        read = [self._read(prompt) for prompt in prompts]
        distinct = sorted(set(read), key=lambda prompt: (prompt.caption or "", str(prompt)))
        with torch.no_grad(), quiet():  # diffusers warns of each caption that it cuts
            embedded = self.family.condition(self.pipeline, distinct)
        place = {prompt: row for row, prompt in enumerate(distinct)}
        tensors = {name: values.float() if values.is_floating_point() else values for name, values in embedded.items()}
        return Condition(tensors).rows([place[prompt] for prompt in read])

    def _read(self, prompt: Prompt) -> Prompt:
        return Prompt(**{name: value for name in self.family.reads if (value := getattr(prompt, name)) != ""})
