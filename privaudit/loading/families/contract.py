"""What a family of pipelines is, and the registry of all of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from torch import Tensor

from privaudit.errors import ConfigError, TargetError
from privaudit.loading.components import PipelineFolder
from privaudit.loading.standalone import autoencoder_name, refuse_exported
from privaudit.loading.unsupported import UNSUPPORTED
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import Schedule
from privaudit.registry import Registry

CLIP_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")
T5_TOKENIZERS = ("T5Tokenizer", "T5TokenizerFast")
QWEN_TOKENIZERS = ("Qwen2Tokenizer", "Qwen2TokenizerFast")
GEMMA_TOKENIZERS = ("GemmaTokenizer", "GemmaTokenizerFast")
LLAMA_TOKENIZERS = ("LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend")


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


@dataclass(frozen=True)
class Setting:
    """Something about the condition that trainers of a family choose differently, and no file records.

    ``--override condition.NAME=VALUE`` sets it, and every report states it.

    Attributes:
        default: Value of the published training; its type is that of the setting.
        meaning: What it is, in a few words, for messages and documents.
        choices: Values that are allowed; empty for any number of the type.
    """

    default: float | str
    meaning: str
    choices: tuple[float | str, ...] = ()


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
        variants: Other pipelines with the same components whose denoiser was trained in the same way.
        kind: Kind of condition, as in reports.
        denoiser: Component name of the denoiser, such as ``unet`` or ``transformer``.
        networks: Supported classes of the denoiser.
        text_encoders: Text encoders, in the order of the pipeline.
        autoencoders: Supported classes of the autoencoder.
        unused: Components that have no effect on the predictions of the denoiser.
        flow: Whether it is a flow model; None if there are both.
        resolution: Height and width of the published training in pixels, where no configuration records them.
        one_size: Whether its networks are trained on images of one size alone, so that no other is read.
        packing: Denoiser channels per latent channel, 4 for 2x2 patches.
        still: Whether the autoencoder is one of videos, which encodes an image as a single frame.
        reads: Parts of a `Prompt` that `condition` reads; prompts with equal parts are embedded once.
        settings: What trainers choose differently, by name (see `Setting`).
    """

    pipeline: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[Literal["unconditional", "text-to-image", "class-conditional"]] = "text-to-image"
    denoiser: ClassVar[str] = "transformer"
    networks: ClassVar[tuple[str, ...]]
    text_encoders: ClassVar[tuple[TextEncoder, ...]] = ()
    autoencoders: ClassVar[tuple[str, ...]] = ("AutoencoderKL", "VQModel")
    unused: ClassVar[tuple[str, ...]] = ()
    flow: ClassVar[bool | None] = False
    resolution: ClassVar[tuple[int, int] | None] = None
    one_size: ClassVar[bool] = False
    packing: ClassVar[int] = 1
    still: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ("caption",)
    settings: ClassVar[Mapping[str, Setting]] = {}

    def __init__(self, chosen: Mapping[str, Any] | None = None) -> None:
        """Set what trainers choose differently.

        Args:
            chosen: Values of `settings`, by name; the others have their defaults.

        Raises:
            ConfigError: The family has no such setting, or a value is not allowed; all are named.
        """
        chosen = chosen or {}
        problems = [problem for name, value in chosen.items() for problem in self._wrong(name, value)]
        if problems:
            raise ConfigError(problems)
        self.chosen = frozenset(chosen)
        """Names of the settings that the user has chosen."""
        self.values = {name: chosen.get(name, setting.default) for name, setting in self.settings.items()}
        """Value of each setting."""
        self.image_size: tuple[int, int] = (0, 0)
        """Height and width of the target's images in pixels; `load_target` sets them before anything is conditioned."""

    @classmethod
    def for_folder(cls, folder: PipelineFolder) -> type[Family]:
        """Choose the class that reads a folder: the family, or a subclass for networks with other conditions."""
        del folder
        return cls

    def _wrong(self, name: str, value: object) -> list[str]:
        setting = self.settings.get(name)
        if setting is None:
            known = ", ".join(f"condition.{each}" for each in self.settings) or "no setting of the condition"
            return [f"expected {known} for {self.pipeline}, got condition.{name}"]
        kinds = (int, float) if isinstance(setting.default, float) else type(setting.default)
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if fits and not isinstance(value, str) and not isinstance(setting.default, str):
            # Lengths and numbers of levels start at 1, scales at 0; a default below that means "none".
            smallest = min(setting.default, 0.0 if isinstance(setting.default, float) else 1)
            fits = math.isfinite(value) and value >= smallest  # type: ignore[arg-type, operator]  # a number
        if not fits or (setting.choices and value not in setting.choices):
            allowed = " or ".join(map(str, setting.choices)) or f"a value such as {setting.default}"
            return [f"expected {allowed} for condition.{name} ({setting.meaning}), got {value}"]
        return []

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
            level: Index of the training schedule, or 1000 sigma of a flow model, ``(n,)``, int64; of a preconditioned
                (EDM) network the time that it receives, float32.
            condition: Output of `condition`, in the network's precision.

        Returns:
            The raw output, shaped like the latent, with twice the channels if the variance is learned.
        """

    def trained_levels(self, schedule: Schedule) -> Schedule:
        """Leave out noise levels that the network was not trained on; by default, none."""
        return schedule

    def problems(self, pipeline: Pipeline) -> list[str]:
        """List the parts of a pipeline that do not fit together or are not supported."""
        del pipeline
        return []

    def stand_ins(self) -> Mapping[str, Any]:
        """Return what the constructor of the pipeline insists on and no prediction depends on, by component name."""
        return {}

    def input_channels(self, latent_channels: int) -> tuple[int, ...]:
        """Return the numbers of input channels of the networks that the family reads.

        Args:
            latent_channels: Channels of the autoencoder's latents.

        Returns:
            The channels of the latent, packed, and any others with which the family concatenates conditions.
        """
        return (latent_channels * self.packing,)

    def configure(self, folder: PipelineFolder) -> None:
        """Read what the calls depend on and only a configuration file says, such as a time shift in the scheduler's.

        Called once, before the weights are loaded.
        """
        del folder


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
        The family, with the settings that the folder's overrides choose.

    Raises:
        TargetError: No family, or more than one, matches.
        ConfigError: The family has no such settings.
    """
    family = find_family_class(folder).for_folder(folder)(folder.overridden("condition"))
    family.configure(folder)
    return family


def find_family_class(folder: PipelineFolder) -> type[Family]:
    """Find the family of a pipeline by its index alone.

    Returns:
        The family as it is registered (see `Family.for_folder`).

    Raises:
        TargetError: No family, or more than one, matches.
    """
    name = folder.pipeline_class
    refuse_exported(folder)
    if name in FAMILIES:
        return FAMILIES[name]
    if name in UNSUPPORTED:
        raise TargetError(f"cannot audit {folder}: {name} {UNSUPPORTED[name]}")
    named = [kind for kind in FAMILIES.values() if name in kind.variants]
    # A pipeline of another class, such as one of a user's own, may still have the components of a known family. Where
    # families share them, one is the base of the others, and the others need to be named.
    fitting = [kind for kind in FAMILIES.values() if _has_components(folder, kind)]
    candidates = named or [kind for kind in fitting if not any(base in fitting for base in kind.__mro__[1:])]
    if len(candidates) == 1:
        return candidates[0]
    denoisers = [part for part in (folder.class_name("unet"), folder.class_name("transformer")) if part]
    raise TargetError(
        f"expected a pipeline of a known family ({', '.join(FAMILIES)}) in {folder}, got {name} with "
        f"{' and '.join(denoisers) or 'no denoiser'}; you can add a family, which is one class with two methods: see "
        "docs/guides/write-a-family.md"
    )


def _has_components(folder: PipelineFolder, kind: type[Family]) -> bool:
    encoders = {part for part in folder.index if part.startswith("text_encoder") and folder.class_name(part)}
    required = {part.encoder for part in kind.text_encoders if not part.optional}
    allowed = {part.encoder for part in kind.text_encoders if folder.class_name(part.encoder) in part.classes}
    fits = folder.class_name(kind.denoiser) in kind.networks and required <= allowed and encoders <= allowed
    return fits and folder.class_name(autoencoder_name(folder.index)) is not None


def captions(prompts: Sequence[Prompt]) -> list[str]:
    """Return the captions of prompts, with the empty text for a missing caption."""
    return [prompt.caption or "" for prompt in prompts]


def chat_problems(tokenizer: Any) -> list[str]:  # noqa: ANN401 - a tokenizer or processor of transformers
    """Check that the tokenizer of a chat model has the template with which captions are written."""
    if getattr(tokenizer, "chat_template", None):
        return []
    return ["expected a tokenizer with a chat template, got one without; copy its chat_template.jinja as well"]


def check_tokens(tokenizer: Any, texts: Sequence[str]) -> None:  # noqa: ANN401 - a tokenizer of transformers
    """Check that the empty caption has a token, without which its hidden states would be undefined.

    Raises:
        TargetError: There are captions without text, and the tokenizer makes no token of them.
    """
    if "" in texts and not tokenizer("").input_ids:
        raise TargetError(
            "expected a tokenizer that puts a special token in front of a caption, as that of the published model, got "
            "one that makes no token of the empty caption, so that there is no null condition; copy its files again"
        )


def position_problems(pipeline: Pipeline, image_size: tuple[int, int], positions: int) -> list[str]:
    """Check that a transformer has embeddings for the positions of all patches of an image.

    Args:
        pipeline: Pipeline with autoencoder and transformer.
        image_size: Height and width of the images.
        positions: Patches per axis of which the transformer has learned the positions.

    Returns:
        A problem, or none.
    """
    step = pipeline.vae_scale_factor * pipeline.transformer.config.patch_size
    if max(image_size) // step <= positions:
        return []
    return [
        f"expected images of at most {positions * step} pixels per side, for which the transformer has positions, got "
        f"{image_size[0]}x{image_size[1]}; pass a smaller resolution"
    ]


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
