"""Latent diffusion (Rombach et al. 2022, arXiv:2112.10752) as LDM pipelines save it, with and without conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import (
    Family,
    Network,
    Pipeline,
    Setting,
    TextEncoder,
    captions,
    register_family,
    width_problems,
)
from privaudit.loading.families.unet import unsupported_conditions, untold_guidance
from privaudit.model.prompt import Prompt

NO_CLASS = -1.0
TOKENS = 77
"""Length of a caption, which the pipeline fixes."""


@register_family
class LatentDiffusion(Family):
    """A U-Net conditioned on the noise level alone, or on a class as well."""

    pipeline = "LDMPipeline"
    kind: ClassVar[Literal["unconditional", "text-to-image", "class-conditional"]] = "unconditional"
    denoiser = "unet"
    networks = ("UNet2DModel",)
    reads: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_folder(cls, folder: PipelineFolder) -> type[Family]:
        """Choose the class-conditional family if the U-Net embeds classes."""
        if folder.class_name("unet") not in cls.networks:
            return cls  # refused later, with the reason
        return ClassConditionalLatentDiffusion if folder.config("unet").get("num_class_embeds") else cls

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Return no tensors."""
        del pipeline, prompts
        return {}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        output: Tensor = network(noisy, level, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions of the U-Net, which are not supported."""
        return unsupported_conditions(pipeline.unet.config)


class ClassConditionalLatentDiffusion(LatentDiffusion):
    """A U-Net that embeds the class of an image. The pipeline of diffusers cannot sample from it; training scripts can.

    Nothing records whether the training left out classes at random, and which embedding then stood for none. So there
    is no null condition until ``--override condition.null_class=N`` names it; in the ImageNet model of the paper it was
    the last one, after the 1000 classes.
    """

    kind = "class-conditional"
    reads = ("class_label",)
    settings = {"null_class": Setting(NO_CLASS, "index of the class that stood for none in training; -1 if none did")}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Return the class of each image.

        Returns:
            ``class_labels``, ``(n,)``, int64.

        Raises:
            TargetError: A class does not exist, or an image has none and there is no null class.
        """
        last, null = pipeline.unet.config.num_class_embeds - 1, int(self.values["null_class"])
        labels = [null if prompt.class_label is None else prompt.class_label for prompt in prompts]
        if any(prompt.class_label is None for prompt in prompts) and null < 0:
            raise TargetError(
                "expected a class label for every image, because this network has no class that is known to stand for "
                "none; add the column class_label to the manifest, or pass --override condition.null_class=N"
            )
        if labels and not 0 <= max(labels) <= last:
            raise TargetError(
                f"expected class labels from 0 to {last} for this target, got {max(labels)}; check the column "
                "class_label of the manifest"
            )
        return {"class_labels": torch.tensor(labels, device=pipeline.device)}

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List other conditions of the U-Net, and a null class that it does not embed."""
        config = dict(pipeline.unet.config)
        count, null = config.pop("num_class_embeds"), self.values["null_class"]
        problems = unsupported_conditions(config)
        if null != NO_CLASS and null not in range(count):
            problems.append(f"expected condition.null_class from 0 to {count - 1}, got {null}")
        return problems


@register_family
class TextLatentDiffusion(Family):
    """A U-Net that attends to a transformer that was trained with it (LDM-BERT); no mask hides the padding."""

    pipeline = "LDMTextToImagePipeline"
    denoiser = "unet"
    networks = ("UNet2DConditionModel",)
    text_encoders = (TextEncoder("bert", ("LDMBertModel",), "tokenizer", ("BertTokenizer", "BertTokenizerFast")),)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions, cut or padded to 77 tokens; the null condition is the empty caption."""
        options = {"padding": "max_length", "max_length": TOKENS, "truncation": True, "return_tensors": "pt"}
        tokens = pipeline.tokenizer(captions(prompts), **options).input_ids
        return {"encoder_hidden_states": pipeline.bert(tokens.to(pipeline.device))[0]}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        output: Tensor = network(noisy, level, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions other than text, and compare the widths of text encoder and U-Net."""
        config, text = pipeline.unet.config, pipeline.bert.config
        problems = [*unsupported_conditions(config), *untold_guidance(config)]
        if text.max_position_embeddings < TOKENS:
            problems.append(f"expected a text encoder of {TOKENS} positions, got {text.max_position_embeddings}")
        return [*problems, *width_problems("text embeddings", config.cross_attention_dim, text.d_model)]
