"""What a family of pipelines is, and the registry of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.standalone import autoencoder_name
from privaudit.model.prompt import Prompt
from privaudit.registry import Registry

CLIP_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")
T5_TOKENIZERS = ("T5Tokenizer", "T5TokenizerFast")
CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type", "time_cond_proj_dim")
"""Keys of a U-Net configuration that add a condition to the text."""


@dataclass(frozen=True)
class TextEncoder:
    """Names of a text encoder and its tokenizer in a pipeline.

    Attributes:
        encoder: Component name of the encoder.
        classes: Supported classes of the encoder.
        tokenizer: Component name of the tokenizer.
        tokenizers: Supported classes of the tokenizer.
        optional: Whether the pipeline can be saved without them.
    """

    encoder: str
    classes: tuple[str, ...]
    tokenizer: str
    tokenizers: tuple[str, ...] = CLIP_TOKENIZERS
    optional: bool = False


Pipeline: TypeAlias = Any
"""A pipeline of diffusers."""
Network: TypeAlias = Any
"""A denoiser of diffusers."""


class Family(ABC):
    """How a pipeline conditions its denoiser, and how it calls it.

    Everything else is shared by all families: safe loading, the pipeline object, freezing, precision, learned variance,
    the conversion of the output to noise, repeated prompts, the shape of the latents, and hashes.

    Attributes:
        pipeline: Diffusers class of the pipeline.
        kind: Kind of condition, as in reports.
        denoiser: Component name of the denoiser, ``unet`` or ``transformer``.
        networks: Supported classes of the denoiser.
        text_encoders: Text encoders, in the order of the pipeline.
        autoencoders: Supported classes of the autoencoder.
        flow: Whether it is a flow model.
        packing: Denoiser channels per latent channel, 4 for 2x2 patches.
        reads: Parts of a `Prompt` that `condition` reads; prompts with equal parts are embedded once.
    """

    pipeline: ClassVar[str]
    kind: ClassVar[Literal["unconditional", "text-to-image", "class-conditional"]] = "text-to-image"
    denoiser: ClassVar[Literal["unet", "transformer"]] = "transformer"
    networks: ClassVar[tuple[str, ...]]
    text_encoders: ClassVar[tuple[TextEncoder, ...]] = ()
    autoencoders: ClassVar[tuple[str, ...]] = ("AutoencoderKL", "VQModel")
    flow: ClassVar[bool] = False
    packing: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("caption",)

    @abstractmethod
    def condition(self, pipeline: Pipeline, prompts: Sequence[Prompt]) -> Mapping[str, Tensor]:
        """Turn prompts into the condition of the denoiser, without guidance.

        Args:
            pipeline: Instance of the class `pipeline`, with autoencoder, denoiser and text encoders.
            prompts: Distinct prompts; a caption is None or non-empty text.

        Returns:
            Tensors by name, each ``(n, ...)``, with one row per prompt.
        """

    @abstractmethod
    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the denoiser as the pipeline calls it.

        Args:
            network: The denoiser.
            noisy: ``(n, *latent)``, in the network's precision.
            level: Index of the training schedule, or 1000 sigma of a flow model, ``(n,)``, int64.
            condition: Output of `condition`, in the network's precision.

        Returns:
            The raw output, shaped like the latent, with twice the channels if the variance is learned.
        """

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List the parts of a pipeline that do not fit together or are not supported."""
        del pipeline
        return []


FAMILIES: Registry[type[Family]] = Registry("a family", folder="privaudit.loading.families")
"""Families by the class name of their pipeline."""


def register_family(kind: type[Family]) -> type[Family]:
    """Decorator that adds a family to the registry under the class name of its pipeline.

    Returns:
        The class.

    Raises:
        ConfigError: Another family reads this pipeline.
    """
    FAMILIES.add(kind.pipeline, kind)
    return kind


def find_family(folder: PipelineFolder) -> Family:
    """Find the family of a pipeline by its class name, or else by its components.

    Returns:
        The family.

    Raises:
        TargetError: No family, or more than one, matches.
    """
    name = str(folder.index.get("_class_name"))
    if name in FAMILIES:
        return FAMILIES[name]()
    # Variants such as image-to-image pipelines have a class of their own, but the components of a known family.
    candidates = [kind for kind in FAMILIES.values() if _has_components(folder, kind)]
    if len(candidates) == 1:
        return candidates[0]()
    denoisers = [part for part in (folder.class_name("unet"), folder.class_name("transformer")) if part]
    raise TargetError(
        f"expected a pipeline of a known family ({', '.join(FAMILIES)}) in {folder}, got {name} with "
        f"{' and '.join(denoisers) or 'no denoiser'}; you can add a family, which is one class with two methods: see "
        "docs/guides/write-a-family.md"
    )


def _has_components(folder: PipelineFolder, kind: type[Family]) -> bool:
    encoders = {part for part in folder.index if part.startswith("text_encoder") and folder.class_name(part)}
    required = {part.encoder for part in kind.text_encoders if not part.optional}
    allowed = {part.encoder for part in kind.text_encoders}
    fits = folder.class_name(kind.denoiser) in kind.networks and required <= encoders <= allowed
    return fits and folder.class_name(autoencoder_name(folder.index)) is not None


def captions(prompts: Sequence[Prompt]) -> list[str]:
    """Return the captions of prompts, with the empty text for a missing caption."""
    return [prompt.caption or "" for prompt in prompts]


def width_problems(what: str, expected: object, actual: int) -> list[str]:
    """Compare the width that a denoiser expects with the width that its text encoders produce."""
    widths = {expected} if isinstance(expected, int) else set(expected)  # type: ignore[call-overload]
    if widths == {actual}:
        return []
    listed = ", ".join(map(str, sorted(widths)))
    return [
        f"expected {what} of width {listed} for the denoiser, got {actual} from the text encoders; "
        "save the whole pipeline again"
    ]


def unsupported_conditions(config: Any, supported: str | None = None) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """List the conditions of a U-Net that would be ignored."""
    return [
        f"expected a U-Net without conditions or conditioned on text, got {key} = {config[key]}; "
        "other conditions, such as class labels, are not supported yet"
        for key in CONDITIONS
        if config.get(key) is not None and (key, config[key]) != ("addition_embed_type", supported)
    ]
