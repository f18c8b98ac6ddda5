"""Options of every command that loads a model: which files are read, and what is read otherwise than they say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from privaudit.auditing.model_parts import (
    Adapters,
    Embeddings,
    Named,
    read_components,
    read_embeddings,
    read_loras,
    write_components,
    write_embeddings,
    write_loras,
)
from privaudit.auditing.option_table import MODEL, option
from privaudit.auditing.parsed_options import Options
from privaudit.errors import ConfigError

if TYPE_CHECKING:
    from privaudit.loading.model_source import ModelSource

Overrides = tuple[tuple[str, Any], ...]
_model = partial(option, panel=MODEL)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
PYTHON = {"True": True, "False": False, "None": None}


def read_resolution(value: str | int | Sequence[int] | None) -> tuple[int, int] | None:
    """Read height and width in pixels.

    Args:
        value: ``1024``, ``768x1024`` (height x width), or numbers; None for the model's own.

    Returns:
        Height and width, or None.

    Raises:
        ConfigError: It is something else.
    """
    if value is None:
        return None
    parts = [str(part) for part in value] if isinstance(value, (tuple, list)) else str(value).lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError([f"expected --resolution in pixels, as in 1024 or 768x1024 (height x width), got {value}"])
    return int(parts[0]), int(parts[-1])


def write_resolution(value: tuple[int, int] | None) -> str | None:
    """Write height and width as `read_resolution` reads them."""
    return None if value is None else f"{value[0]}x{value[1]}"


def read_overrides(value: Mapping[str, Any] | Sequence[str | tuple[str, Any]] | None) -> Overrides:
    """Read configuration values that replace those of the model's files.

    Args:
        value: Texts such as ``scheduler.prediction_type=v_prediction``, whose values are read as JSON if they are JSON,
            as numbers and constants of Python if they are such, and as text otherwise; or a mapping.

    Returns:
        Keys and values, by key.

    Raises:
        ConfigError: A text has no ``=``, or a key occurs twice.
    """
    if isinstance(value, Mapping):
        return tuple(sorted(value.items()))
    if isinstance(value, str):
        raise ConfigError([f"expected overrides as several texts or a mapping, got the text {value!r}"])
    problems, pairs = [], []
    for item in value or ():
        if not isinstance(item, str):
            pairs.append(item)
            continue
        key, equals, text = item.partition("=")
        if not equals or not key:
            problems.append(f"expected --override as KEY=VALUE, as in vae.scaling_factor=0.18215, got {item}")
        pairs.append((key, _json_or_text(text)))
    keys = [key for key, _ in pairs]
    problems += [f"expected each --override once, got {key} twice" for key in sorted({*keys}) if keys.count(key) > 1]
    if problems:
        raise ConfigError(problems)
    return tuple(sorted(pairs))


def write_overrides(value: Overrides) -> list[str]:
    """Write overrides as `read_overrides` reads them."""
    return [f"{key}={item if isinstance(item, str) else json.dumps(item)}" for key, item in value]


def wrong_values(value: Overrides) -> Sequence[str]:
    """Say which keys cannot be overridden, and which values do not fit."""
    from privaudit.loading.model_source import wrong_overrides

    return wrong_overrides(dict(value))


def _json_or_text(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except ValueError:
        # Values as Python writes them: as text, "False" would count as true, and ".5" would be no number.
        return float(text) if NUMBER.fullmatch(text) else PYTHON.get(text, text)


@dataclass(frozen=True)
class ModelOptions(Options):
    """How the model is read.

    Attributes:
        revision: Branch, tag or commit of a hub repository.
        variant: Variant of the weight files to prefer, such as ``fp16``.
        offload: Whether only the component that is at work is on the device.
        resolution: Height and width of the images in pixels; None for the model's own.
        components: Folders to read components from instead, by component.
        config_from: Folder with the configurations of a single-file checkpoint.
        overrides: Configuration values that replace those of the model's files (see `ModelSource`).
    """

    _: KW_ONLY
    revision: str | None = _model(
        quantity="setting", help="Branch, tag or commit of a hub repository; the default branch otherwise."
    )
    variant: str | None = _model(
        metavar="NAME", quantity="setting", help="Variant of the weight files to prefer: fp16 reads *.fp16.safetensors."
    )
    components: Named = _model(
        (),
        flag="--component",
        metavar="NAME=FOLDER",
        parse=read_components,
        write=write_components,
        quantity="setting",
        help="Folder to read a component from instead, repeatable: unet=checkpoint-500/unet, vae=FOLDER.",
    )
    config_from: str | None = _model(
        metavar="FOLDER",
        quantity="setting",
        help="Folder or hub id with the configuration, tokenizers and scheduler for a single-file checkpoint; "
        "components that the file lacks are read from it, too.",
    )
    offload: bool = _model(
        False,
        decides=False,
        help="Keep only the component that is at work on the device, to save memory: autoencoder and denoiser take "
        "turns.",
    )
    resolution: tuple[int, int] | None = _model(
        metavar="PIXELS",
        parse=read_resolution,
        write=write_resolution,
        quantity="latents",
        help="Size of the images, 1024 or 768x1024 (height x width), if it is not the model's own.",
    )
    overrides: Overrides = _model(
        (),
        flag="--override",
        metavar="KEY=VALUE",
        parse=read_overrides,
        write=write_overrides,
        check=wrong_values,
        quantity="setting",
        help="Configuration value to use instead of that of the model's files, repeatable: "
        "scheduler.prediction_type=v_prediction, vae.scaling_factor=0.18215, condition.guidance=3.5.",
    )

    def source(self, **options: Any) -> ModelSource:  # noqa: ANN401 - fields of ModelSource
        """Make the source of the model, with further options of loading."""
        from privaudit.loading.model_source import ModelSource

        return ModelSource(
            self.target,
            revision=self.revision,
            variant=self.variant,
            resolution=self.resolution,
            offload=self.offload,
            overrides=dict(self.overrides),
            replaced=dict(self.components),
            config_from=self.config_from,
            **options,
        )


class ModelChoices(TypedDict, total=False):
    """How the model is read, as text or parsed; see `ModelOptions`."""

    revision: str | None
    variant: str | None
    components: Mapping[str, str] | Sequence[str]
    config_from: str | None
    offload: bool
    resolution: str | int | Sequence[int] | None
    overrides: Mapping[str, Any] | Sequence[str]


@dataclass(frozen=True)
class FineTuneOptions(ModelOptions):
    """How a model with its denoiser and text encoders is read; an autoencoder alone takes none of this.

    Attributes:
        lora: Adapters to merge into the model, each with a scale; empty for the base alone, None if not decided.
        embeddings: Textual-inversion embeddings to add, each with its word.
    """

    _: KW_ONLY
    lora: Adapters | None = _model(
        kind="texts",
        metavar="FILE[@SCALE]",
        after="variant",
        parse=read_loras,
        write=write_loras,
        quantity="setting",
        help="LoRA, DoRA, LoHa or LoKr to merge into the model, repeatable: style.safetensors or "
        "style.safetensors@0.8. In a scan, the model without it is the reference, unless --reference names another. "
        "none: the base alone, whatever lies next to it.",
    )
    embeddings: Embeddings = _model(
        (),
        flag="--embedding",
        metavar="FILE[@WORD]",
        after="components",
        parse=read_embeddings,
        write=write_embeddings,
        quantity="setting",
        help="Textual-inversion embedding to add, repeatable, with the word that stands for it in captions, unless the "
        "file names it: cat.safetensors@<cat-toy>.",
    )

    def source(self, **options: Any) -> ModelSource:  # noqa: ANN401 - fields of ModelSource
        """Make the source of the model, with further options of loading."""
        from privaudit.loading.model_source import AdapterSource

        adapters = None if self.lora is None else tuple(AdapterSource(*adapter) for adapter in self.lora)
        return super().source(adapters=adapters, embeddings=self.embeddings, **options)


class FineTuneChoices(ModelChoices, total=False):
    """How a model with its denoiser and text encoders is read; see `FineTuneOptions`."""

    lora: str | Sequence[str] | None
    embeddings: Sequence[str]
