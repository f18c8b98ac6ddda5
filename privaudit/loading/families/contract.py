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
"""Keys of a U-Net's configuration that name a condition next to text."""


@dataclass(frozen=True)
class TextEncoder:
    """A text encoder and its tokenizer, as a pipeline calls them.

    Attributes:
        encoder: Component.
        classes: Classes of the encoder that are read.
        tokenizer: Component.
        tokenizers: Classes of the tokenizer that are read.
        optional: Whether the pipeline can be saved without it.
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

    Everything else is the same for all families and not written here: safe loading, the pipeline object, freezing,
    precision, learned variance, the conversion of the output to noise, equal prompts, the shape of the latents, hashes.

    Attributes:
        pipeline: Class of diffusers.
        kind: What it is conditioned on, as reports say it.
        denoiser: Component, ``unet`` or ``transformer``.
        networks: Classes of the denoiser that are read.
        text_encoders: In the order of the pipeline.
        autoencoders: Classes of the autoencoder that are read.
        flow: Whether it is a flow model.
        packing: Latent channels that the denoiser takes for each one of the autoencoder, 4 for 2x2 patches.
        reads: Parts of a `Prompt` that `condition` reads; equal ones are conditioned on once.
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
        """Turn prompts into what the denoiser is conditioned on, without guidance.

        Args:
            pipeline: An object of the class `pipeline`, with autoencoder, denoiser and text encoders.
            prompts: Distinct; a caption is None or holds text.

        Returns:
            Name to ``(n, ...)``, one row per prompt.
        """

    @abstractmethod
    def predict(self, network: Network, noisy: Tensor, level: Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        """Call the denoiser as the pipeline calls it.

        Args:
            network: The denoiser.
            noisy: ``(n, *latent)``, in the network's precision.
            level: ``(n,)``, int64: index of the training schedule, or 1000 sigma of a flow model.
            condition: From `condition`, in the network's precision.

        Returns:
            The output as it is, shaped like the latent, with twice the channels if the variance is learned.
        """

    def problems(self, pipeline: Pipeline) -> list[str]:
        """Say which parts of a pipeline do not fit together, or are not read."""
        del pipeline
        return []


FAMILIES: Registry[type[Family]] = Registry("a family", folder="privaudit.loading.families")
"""Families by the class of their pipeline."""


def register_family(kind: type[Family]) -> type[Family]:
    """Add a family to the registry under the class of its pipeline; a decorator.

    Returns:
        The class.

    Raises:
        ConfigError: Another family reads this pipeline.
    """
    FAMILIES.add(kind.pipeline, kind)
    return kind


def find_family(folder: PipelineFolder) -> Family:
    """Find the family of a pipeline: that of its class, else the one whose components it has.

    Returns:
        The family.

    Raises:
        TargetError: There is none.
    """
    name = str(folder.index.get("_class_name"))
    if name in FAMILIES:
        return FAMILIES[name]()
    alike = [kind for kind in FAMILIES.values() if _has_components(folder, kind)]
    if len(alike) == 1:
        return alike[0]()
    denoisers = [part for part in (folder.class_name("unet"), folder.class_name("transformer")) if part]
    raise TargetError(
        f"expected a pipeline of a known family ({', '.join(FAMILIES)}) in {folder}, got {name} with "
        f"{' and '.join(denoisers) or 'no denoiser'}; a family is one class with two methods, which you can write: see "
        "docs/guides/write-a-family.md"
    )


def _has_components(folder: PipelineFolder, kind: type[Family]) -> bool:
    encoders = {part for part in folder.index if part.startswith("text_encoder") and folder.class_name(part)}
    needed = {part.encoder for part in kind.text_encoders if not part.optional}
    known = {part.encoder for part in kind.text_encoders}
    fits = folder.class_name(kind.denoiser) in kind.networks and needed <= encoders <= known
    return fits and folder.class_name(autoencoder_name(folder.index)) is not None


def captions(prompts: Sequence[Prompt]) -> list[str]:
    """Return the captions of prompts; the empty text where there is none."""
    return [prompt.caption or "" for prompt in prompts]


def width_problems(what: str, wanted: object, found: int) -> list[str]:
    """Compare the width that a denoiser takes with the one that its text encoders give."""
    widths = {wanted} if isinstance(wanted, int) else set(wanted)  # type: ignore[call-overload]
    if widths == {found}:
        return []
    shown = ", ".join(map(str, sorted(widths)))
    return [
        f"expected {what} of width {shown} for the denoiser, got {found} from the text encoders; "
        "save the whole pipeline again"
    ]


def unread_conditions(config: Any, read: str | None = None) -> list[str]:  # noqa: ANN401 - a diffusers configuration
    """Name the conditions of a U-Net that would be left out."""
    return [
        f"expected a U-Net without conditions or conditioned on text, got {key} = {config[key]}; "
        "class labels and the like are not read yet"
        for key in CONDITIONS
        if config.get(key) is not None and (key, config[key]) != ("addition_embed_type", read)
    ]
