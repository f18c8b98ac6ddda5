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

_CONTROL = (
    "was trained with a control image for every image, which an audit does not have; to audit its U-Net alone, pass "
    "the folder of the pipeline that it started from"
)
_OF_IMAGES = "is conditioned on an embedding of an image, which its folder or an audit cannot compute"
_STAGE = (
    "denoises the latents of one stage, which no part of its folder can compute from an image (an EfficientNet or CLIP "
    "did in training)"
)
_VIDEO = "makes videos, which are not supported"
_AUDIO = "makes audio, which is not supported"
_PIXELS = "denoises pixels, not latents; privaudit audits latent diffusion models"
_SMALL = "is conditioned on a small copy of the image to make, which an audit would have to degrade as its training did"
_LAYERS = "predicts a map of an image and not the image itself, so that no score of an audit applies"
_U_NETS = {
    _CONTROL: (
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline",
        "StableDiffusionControlNetPAGPipeline",
        "StableDiffusionControlNetPAGInpaintPipeline",
        "StableDiffusionControlNetXSPipeline",
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline",
        "StableDiffusionXLControlNetPAGPipeline",
        "StableDiffusionXLControlNetPAGImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionPipeline",
        "StableDiffusionXLControlNetUnionImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionInpaintPipeline",
        "StableDiffusionXLControlNetXSPipeline",
        "StableDiffusionAdapterPipeline",
        "StableDiffusionXLAdapterPipeline",
        "StableDiffusionGLIGENPipeline",
        "StableDiffusionGLIGENTextImagePipeline",
        "StableDiffusionDepth2ImgPipeline",
        "BlipDiffusionControlNetPipeline",
        "KandinskyV22ControlnetPipeline",
        "KandinskyV22ControlnetImg2ImgPipeline",
    ),
    _OF_IMAGES: (
        "StableDiffusionImageVariationPipeline",
        "StableUnCLIPPipeline",
        "StableUnCLIPImg2ImgPipeline",
        "PaintByExamplePipeline",
        "BlipDiffusionPipeline",
        "UniDiffuserPipeline",
        "KandinskyPipeline",
        "KandinskyImg2ImgPipeline",
        "KandinskyInpaintPipeline",
        "KandinskyCombinedPipeline",
        "KandinskyImg2ImgCombinedPipeline",
        "KandinskyInpaintCombinedPipeline",
        "KandinskyV22Pipeline",
        "KandinskyV22Img2ImgPipeline",
        "KandinskyV22InpaintPipeline",
        "KandinskyV22CombinedPipeline",
        "KandinskyV22Img2ImgCombinedPipeline",
        "KandinskyV22InpaintCombinedPipeline",
    ),
    "denoises CLIP embeddings of images, which no part of its folder decodes": (
        "KandinskyPriorPipeline",
        "KandinskyV22PriorPipeline",
        "KandinskyV22PriorEmb2EmbPipeline",
    ),
    _STAGE: (
        "StableCascadePriorPipeline",
        "WuerstchenPriorPipeline",
    ),
    "is conditioned on the latents of the stage before it, which no part of its folder can compute from an image": (
        "StableCascadeDecoderPipeline",
        "StableCascadeCombinedPipeline",
        "WuerstchenDecoderPipeline",
        "WuerstchenCombinedPipeline",
    ),
    _SMALL: (
        "StableDiffusionUpscalePipeline",
        "StableDiffusionLatentUpscalePipeline",
        "LDMSuperResolutionPipeline",
    ),
    _LAYERS: (
        "MarigoldDepthPipeline",
        "MarigoldNormalsPipeline",
        "MarigoldIntrinsicsPipeline",
    ),
    "makes images together with depth maps, which an audit does not have": ("StableDiffusionLDM3DPipeline",),
    _VIDEO: (
        "AnimateDiffPipeline",
        "AnimateDiffControlNetPipeline",
        "AnimateDiffPAGPipeline",
        "AnimateDiffSDXLPipeline",
        "AnimateDiffSparseControlNetPipeline",
        "AnimateDiffVideoToVideoPipeline",
        "AnimateDiffVideoToVideoControlNetPipeline",
        "I2VGenXLPipeline",
        "PIAPipeline",
        "StableVideoDiffusionPipeline",
        "TextToVideoSDPipeline",
        "VideoToVideoSDPipeline",
    ),
    _AUDIO: ("AudioLDMPipeline", "AudioLDM2Pipeline", "MusicLDMPipeline", "DanceDiffusionPipeline"),
    _PIXELS: (
        "DDPMPipeline",
        "DDIMPipeline",
        "PNDMPipeline",
        "RePaintPipeline",
        "KarrasVePipeline",
        "ScoreSdeVePipeline",
        "ConsistencyModelPipeline",
        "IFPipeline",
        "IFImg2ImgPipeline",
        "IFInpaintingPipeline",
        "IFSuperResolutionPipeline",
        "IFImg2ImgSuperResolutionPipeline",
        "IFInpaintingSuperResolutionPipeline",
        "UnCLIPPipeline",
        "UnCLIPImageVariationPipeline",
    ),
    "makes three-dimensional shapes, which are not supported": ("ShapEPipeline", "ShapEImg2ImgPipeline"),
}
UNSUPPORTED |= {name: reason for reason, names in _U_NETS.items() for name in names}
