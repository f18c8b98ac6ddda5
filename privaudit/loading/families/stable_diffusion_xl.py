"""Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952) and its fine-tunes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from privaudit.errors import ConfigError
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
from privaudit.loading.families.stable_diffusion import AUTOENCODERS
from privaudit.loading.families.unet import (
    GUIDANCE,
    MasksEverything,
    SeesNullImage,
    drop_untold_guidance,
    guidance_condition,
    guidance_of,
    guidance_problems,
    unsupported_conditions,
    untold_guidance,
)
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import DiffusionSchedule, Schedule

CLIP = TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer")
SIZE_IDS = Setting("original", "original size and crop that the network is told", ("original", "target"))
OPENCLIP = TextEncoder("text_encoder_2", ("CLIPTextModelWithProjection",), "tokenizer_2")


@register_family
class StableDiffusionXL(Family):
    """A U-Net that attends to two CLIP text encoders and is conditioned on a pooled vector and six sizes.

    The sizes are the original size and the crop of the image, then the target size, as in training. Some fine-tunes are
    told the target size and no crop for every image (``condition.size_ids=target``). The null condition
    is that of the pipeline: zeros if it was saved with ``force_zeros_for_empty_prompt``, otherwise the empty caption.
    Playground 2.5 (Li et al. 2024, arXiv:2402.17245) is this network under an EDM schedule.
    """

    pipeline = "StableDiffusionXLPipeline"
    denoiser = "unet"
    networks = ("UNet2DConditionModel",)
    text_encoders: ClassVar[tuple[TextEncoder, ...]] = (CLIP, OPENCLIP)
    autoencoders = AUTOENCODERS
    reads = ("caption", "original_size", "crop")
    settings = {"guidance": GUIDANCE, "size_ids": SIZE_IDS}
    ids: ClassVar[int] = 6
    """Numbers that condition the U-Net in addition to the pooled vector."""

    def configure(self, folder: PipelineFolder) -> None:
        """Drop the guidance scale of a network that is told none."""
        drop_untold_guidance(self, folder)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions and sizes; an image of unknown size has the target size and no crop."""
        hidden, _, pooled, _ = pipeline.encode_prompt(captions(prompts), do_classifier_free_guidance=False)
        if pipeline.config.force_zeros_for_empty_prompt:
            null = torch.tensor([prompt.caption is None for prompt in prompts], device=hidden.device)
            hidden, pooled = hidden.masked_fill(null[:, None, None], 0), pooled.masked_fill(null[:, None], 0)
        time_ids = torch.tensor(self._time_ids(prompts), dtype=hidden.dtype, device=hidden.device)
        text = {"encoder_hidden_states": hidden, "text_embeds": pooled, "time_ids": time_ids}
        return {**text, **self._guidance(pipeline, len(prompts))}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        added = {name: condition[name] for name in ("text_embeds", "time_ids")}
        others = {name: values for name, values in condition.items() if name not in added}
        output: Tensor = network(noisy, level, added_cond_kwargs=added, **others).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List unsupported conditions, and compare the widths of text encoders and U-Net."""
        config = pipeline.unet.config
        unsupported = unsupported_conditions(config, supported="text_time")
        if config.addition_embed_type != "text_time":
            return [
                *unsupported,
                f"expected addition_embed_type text_time of the U-Net, got {config.addition_embed_type}; copy its "
                "config.json again",
            ]
        texts = [text.config for text in (pipeline.text_encoder, pipeline.text_encoder_2) if text is not None]
        # The input of the added embedding is the pooled vector next to the embeddings of the sizes.
        pooled = config.projection_class_embeddings_input_dim - self.ids * config.addition_time_embed_dim
        return [
            *unsupported,
            *self._guidance_problems(pipeline),
            *width_problems("text embeddings", config.cross_attention_dim, sum(text.hidden_size for text in texts)),
            *width_problems("pooled embeddings", pooled, texts[-1].projection_dim),
        ]

    def _time_ids(self, prompts: Sequence[Prompt]) -> list[list[float]]:
        recorded = [(None, None) if self.values["size_ids"] == "target" else (p.original_size, p.crop) for p in prompts]
        return [[*(size or self.image_size), *(crop or (0, 0)), *self._last()] for size, crop in recorded]

    def _last(self) -> tuple[float, ...]:
        """Return the numbers after the original size and the crop."""
        return self.image_size

    def _guidance(self, pipeline: Pipeline, count: int) -> dict[str, Tensor]:
        return guidance_condition(pipeline, guidance_of(self), count)

    def _guidance_problems(self, pipeline: Pipeline) -> list[str]:
        return guidance_problems(pipeline.unet.config, self)


@register_family
class StableDiffusionXLImg2Img(StableDiffusionXL):
    """The network of `StableDiffusionXL`, or that of the refiner."""

    pipeline = "StableDiffusionXLImg2ImgPipeline"
    variants = ("StableDiffusionXLPAGImg2ImgPipeline",)

    @classmethod
    def for_folder(cls, folder: PipelineFolder) -> type[Family]:
        """Choose the refiner if the pipeline was saved as one that needs an aesthetic score."""
        return Refiner if folder.index.get("requires_aesthetics_score") else cls


class Refiner(StableDiffusionXLImg2Img):
    """A U-Net that attends to one text encoder and is told an aesthetic score in the place of the target size.

    It was trained on the cleanest 200 of 1000 noise levels (Sec. 2.5 of the paper), and is never asked at any other.
    The pipeline tells it another score (2.5) with its null caption; an audit tells it the same score with and without a
    caption, because the score is that of the image.
    """

    text_encoders = (
        TextEncoder(CLIP.encoder, CLIP.classes, CLIP.tokenizer, CLIP.tokenizers, optional=True),
        OPENCLIP,
    )
    settings = {
        "guidance": GUIDANCE,
        "size_ids": SIZE_IDS,
        "aesthetic_score": Setting(6.0, "aesthetic score of the image that the refiner is told"),
        "levels": Setting(200.0, "noise levels that the refiner was trained on, from the cleanest"),
    }
    ids = 5

    def trained_levels(self, schedule: Schedule) -> Schedule:
        """Leave out the levels that the refiner was not trained on.

        Returns:
            The cleanest levels.

        Raises:
            ConfigError: The user's number of levels is none of those of the schedule.
        """
        count = int(self.values["levels"])
        if not 1 <= count <= schedule.last + 1:
            raise ConfigError([f"expected condition.levels from 1 to {schedule.last + 1}, got {count}"])
        if not isinstance(schedule, DiffusionSchedule):
            return schedule
        return DiffusionSchedule(schedule.alphas_cumprod[:count])

    def _last(self) -> tuple[float, ...]:
        return (float(self.values["aesthetic_score"]),)


@register_family
class StableDiffusionXLInpaint(MasksEverything, StableDiffusionXL):
    """A U-Net that may see a mask and the latent of the image without the masked part next to the noisy latent.

    An audit masks everything, which a quarter of the published training was: see `StableDiffusionInpaint`.
    """

    pipeline = "StableDiffusionXLInpaintPipeline"
    variants = ("StableDiffusionXLPAGInpaintPipeline",)

    @classmethod
    def for_folder(cls, folder: PipelineFolder) -> type[Family]:
        """Choose the refiner if the pipeline was saved as one that needs an aesthetic score."""
        return Refiner if folder.index.get("requires_aesthetics_score") else cls


@register_family
class InstructPix2PixXL(SeesNullImage, StableDiffusionXL):
    """A U-Net that sees the latent of an image to edit next to the noisy one; an audit shows it zeros.

    Zeros are the null condition of the image, as for `InstructPix2Pix`.
    """

    pipeline = "StableDiffusionXLInstructPix2PixPipeline"
    settings = {"size_ids": SIZE_IDS}

    def _guidance(self, pipeline: Pipeline, count: int) -> dict[str, Tensor]:
        del pipeline, count
        return {}

    def _guidance_problems(self, pipeline: Pipeline) -> list[str]:
        return untold_guidance(pipeline.unet.config)
