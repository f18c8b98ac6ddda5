"""Pipelines of diffusers that cannot be audited, with the reason."""

from __future__ import annotations

_CONTROL = "is trained with a control image, such as edges or depth, which an image set does not have"
_CONTROLNET = "has a ControlNet, which needs a control image per prediction; audit the pipeline that it was added to"
_EDITS = "edits images that are part of its caption, which an image set does not have"
_GRIDS = "is trained on grids of example images with a task, which an image set does not have"
UNSUPPORTED: dict[str, str] = {
    # Flow-matching transformers
    "FluxControlPipeline": _CONTROL,
    "FluxControlImg2ImgPipeline": _CONTROL,
    "FluxControlInpaintPipeline": _CONTROL,
    "FluxControlNetPipeline": _CONTROLNET,
    "FluxControlNetImg2ImgPipeline": _CONTROLNET,
    "FluxControlNetInpaintPipeline": _CONTROLNET,
    "FluxPriorReduxPipeline": "turns images into embeddings for Flux and has no denoiser of latents",
    "VisualClozePipeline": _GRIDS,
    "VisualClozeGenerationPipeline": _GRIDS,
    "StableDiffusion3ControlNetPipeline": _CONTROLNET,
    "StableDiffusion3ControlNetInpaintingPipeline": _CONTROLNET,
    "CogView4ControlPipeline": _CONTROL,
    "QwenImageEditPipeline": _EDITS,
    "QwenImageEditInpaintPipeline": _EDITS,
    "QwenImageEditPlusPipeline": _EDITS,
    "QwenImageLayeredPipeline": "splits images into transparent layers, which an image set does not have",
    "QwenImageControlNetPipeline": _CONTROLNET,
    "QwenImageControlNetInpaintPipeline": _CONTROLNET,
    "ZImageControlNetPipeline": _CONTROLNET,
    "ZImageControlNetInpaintPipeline": _CONTROLNET,
    "ZImageOmniPipeline": "is conditioned on images in addition to the caption, which an image set does not have",
    "HunyuanImageRefinerPipeline": "refines an image that another pipeline made, which is part of its input",
}
"""The reason by class name, as it follows the name in a sentence: "makes videos, which are not supported yet"."""
