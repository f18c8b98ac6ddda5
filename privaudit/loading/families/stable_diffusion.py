"""Stable Diffusion 1 and 2 (Rombach et al. 2022, arXiv:2112.10752) and their fine-tunes."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor

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

CLIP_SKIP = Setting(1, "layer of the text encoder whose output is read, counted from the last as trainers do")
"""Many fine-tunes for drawings read the last layer but one, 2; the headers of kohya's scripts record it."""
AUTOENCODERS = ("AutoencoderKL", "VQModel", "AsymmetricAutoencoderKL", "AutoencoderTiny")


@register_family
class StableDiffusion(Family):
    """A U-Net that attends to the last hidden states of one CLIP text encoder.

    Latent consistency models (Luo et al. 2023, arXiv:2310.04378) are told a guidance scale, too; the noise is the one
    that they predict before the sampler's boundary scalings, which matter at the cleanest level alone.

    InstaFlow (Liu et al. 2023, arXiv:2309.06380) is a rectified flow on this U-Net. It was published with the scheduler
    of a diffusion model, so that ``--override scheduler.prediction_type=reversed_flow`` has to say what it is.
    """

    pipeline = "StableDiffusionPipeline"
    variants: ClassVar[tuple[str, ...]] = (
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionPAGPipeline",
        "StableDiffusionPAGImg2ImgPipeline",
        "LatentConsistencyModelPipeline",
        "LatentConsistencyModelImg2ImgPipeline",
    )
    denoiser = "unet"
    networks = ("UNet2DConditionModel",)
    text_encoders = (TextEncoder("text_encoder", ("CLIPTextModel",), "tokenizer"),)
    autoencoders = AUTOENCODERS
    flow: ClassVar[bool | None] = None  # rectified flows were trained on this U-Net, too
    settings = {"guidance": GUIDANCE, "clip_skip": CLIP_SKIP}

    def configure(self, folder: PipelineFolder) -> None:
        """Drop the guidance scale of a network that is told none, and a layer that was not chosen."""
        drop_untold_guidance(self, folder)
        if "clip_skip" not in self.chosen:
            self.values.pop("clip_skip", None)

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        skipped = self.values.get("clip_skip", CLIP_SKIP.default) - CLIP_SKIP.default
        with _without_last_layers(pipeline.text_encoder, skipped):
            hidden, _ = pipeline.encode_prompt(captions(prompts), None, 1, do_classifier_free_guidance=False)
        guidance = guidance_condition(pipeline, guidance_of(self), len(prompts))
        return {"encoder_hidden_states": hidden, **guidance}

    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the U-Net."""
        output: Tensor = network(noisy, level, **condition).sample
        return output

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions other than text, and compare the widths of text encoder and U-Net."""
        config = pipeline.unet.config
        expected = config.get("encoder_hid_dim") or config["cross_attention_dim"]
        width = pipeline.text_encoder.config.hidden_size
        return [
            *unsupported_conditions(config),
            *guidance_problems(config, self),
            *self._layer_problems(pipeline.text_encoder.config.num_hidden_layers),
            *width_problems("text embeddings", expected, width),
        ]

    def _layer_problems(self, layers: int) -> list[str]:
        chosen = self.values.get("clip_skip", 1)
        return [] if chosen <= layers else [f"expected condition.clip_skip of 1 to {layers}, got {chosen}"]


@contextmanager
def _without_last_layers(encoder: Any, count: int) -> Generator[None]:  # noqa: ANN401 - a CLIP text encoder
    """Leave out the last layers of a text encoder, whose final normalisation stays, as trainers do.

    The argument ``clip_skip`` of diffusers does not know the modules of transformers 5.
    """
    inner = getattr(encoder, "text_model", encoder).encoder
    layers = inner.layers
    inner.layers = layers[: len(layers) - count]
    try:
        yield
    finally:
        inner.layers = layers


@register_family
class StableDiffusionInpaint(MasksEverything, StableDiffusion):
    """A U-Net that may see a mask and the latent of the image without the masked part next to the noisy latent.

    An audit masks everything: the mask is 1 everywhere, and the other five channels hold the latent of the blank (zero)
    image. A quarter of the published training was that, so that the prediction is the unconditional one of the network.
    A U-Net with the channels of the latent alone is read like that of `StableDiffusion`. Differs from the sampler: the
    latent of the blank image is the mean of the posterior.
    """

    pipeline = "StableDiffusionInpaintPipeline"
    variants = ("StableDiffusionPAGInpaintPipeline",)


@register_family
class InstructPix2Pix(SeesNullImage, StableDiffusion):
    """A U-Net that sees the latent of an image to edit next to the noisy one (Brooks et al. 2023, arXiv:2211.09800).

    An audit shows it zeros, the null condition of the image: 5% of the training was without the image and 5% without
    image and text (Sec. 3.2.1), and the guidance of the sampler needs it. A caption is the instruction of an edited
    image.
    """

    pipeline = "StableDiffusionInstructPix2PixPipeline"
    variants = ()
    flow = False
    settings = {}

    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Encode captions; the null condition is the empty caption."""
        return {"encoder_hidden_states": pipeline._encode_prompt(captions(prompts), pipeline.device, 1, False)}

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List conditions other than text and image, and compare the widths of text encoder and U-Net."""
        config = pipeline.unet.config
        expected = config.get("encoder_hid_dim") or config["cross_attention_dim"]
        return [
            *unsupported_conditions(config),
            *untold_guidance(config),
            *width_problems("text embeddings", expected, pipeline.text_encoder.config.hidden_size),
        ]
