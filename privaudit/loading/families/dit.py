"""Diffusion transformers conditioned on classes (Peebles, Xie 2023, arXiv:2212.09748)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.families.contract import Family, Network, Pipeline, register_family
from privaudit.model.prompt import Prompt


@register_family
class DiT(Family):
    """A transformer conditioned on a class; the null condition is the class after the last one."""

    pipeline = "DiTPipeline"
    kind = "class-conditional"
    one_size = True
    networks = ("DiTTransformer2DModel", "Transformer2DModel")
    reads = ("class_label",)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Return the class of each image.

        Returns:
            ``class_labels``, ``(n,)``, int64.

        Raises:
            TargetError: A class does not exist.
        """
        null = pipeline.transformer.config.num_embeds_ada_norm
        labels = [null if prompt.class_label is None else prompt.class_label for prompt in prompts]
        # The null class has a number, too, which no image of a manifest may have.
        wrong = [label for prompt in prompts if (label := prompt.class_label) is not None and not 0 <= label < null]
        if wrong:
            raise TargetError(
                f"expected class labels from 0 to {null - 1} for this target, got {max(wrong)}; check the column "
                "class_label of the manifest"
            )
        return {"class_labels": torch.tensor(labels, device=pipeline.device)}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the transformer; channels of a learned variance may follow those of the prediction."""
        output: Tensor = network(noisy, timestep=level, **condition).sample
        return output
