"""The components of a pipeline folder, through the real `from_pretrained`, and nothing but them."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from privaudit.errors import TargetError
from privaudit.loading.heads import FLOW, PREDICTION_TYPES
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule, Schedule

VOCABULARIES = ("tokenizer.json", "vocab.json")
CLIP_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")


@dataclass(frozen=True)
class EncoderNames:
    """What a pipeline calls a text encoder and its tokenizer.

    Attributes:
        encoder: Component.
        encoders: Its classes that are read.
        tokenizer: Component.
        tokenizers: Its classes that are read.
    """

    encoder: str
    encoders: tuple[str, ...]
    tokenizer: str
    tokenizers: tuple[str, ...] = CLIP_TOKENIZERS


@dataclass(frozen=True)
class TextEncoder:
    """A frozen text encoder in eval mode, and its tokenizer; transformers' own types."""

    encoder: Any
    tokenizer: Any


@contextmanager
def no_progress_bars() -> Generator[None]:
    """Keep the bars of diffusers and transformers out of the terminal; what was on is on again afterwards."""
    silenced = [log for log in (diffusers_logging, transformers_logging) if log.is_progress_bar_enabled()]
    for log in silenced:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in silenced:
            log.enable_progress_bar()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: Of the file.

    Returns:
        Its keys and values.

    Raises:
        TargetError: The file is missing or holds something else.
    """
    if not path.is_file():
        raise TargetError(
            f"expected {path.name} in {path.parent}, found none; "
            "pass a folder that save_pretrained of a diffusers pipeline wrote"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TargetError(f"expected JSON in {path}: {error}") from error
    if not isinstance(values, dict):
        raise TargetError(f"expected a JSON object in {path}, got {type(values).__name__}")
    return values


def class_name(index: dict[str, Any], component: str) -> str | None:
    """Name the class of a component in ``model_index.json``; None if the pipeline was saved without it."""
    match index.get(component):
        case [str(), str(name)]:
            return name
        case _:  # missing, or [null, null] for a component that the pipeline was saved without
            return None


def check_class(folder: Path, index: dict[str, Any], component: str, allowed: Sequence[str]) -> None:
    """Check the class of a component before it is loaded.

    Args:
        folder: Of the pipeline.
        index: Its ``model_index.json``.
        component: Name of the component.
        allowed: Names of the classes that are read.

    Raises:
        TargetError: It is of another class, or missing.
    """
    found = class_name(index, component)
    if found not in allowed:
        raise TargetError(
            f"expected {component} of {folder} to be one of {', '.join(allowed)}, got {found}; "
            "pass a folder that holds such a model"
        )


def first_line(error: Exception) -> str:
    """Shorten somebody else's error to its kind and first line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


def load_component(folder: Path, index: dict[str, Any], component: str, dtype: torch.dtype = torch.float32) -> Any:  # noqa: ANN401 - a diffusers or transformers object
    """Load one component with its own `from_pretrained`.

    Args:
        folder: Of the pipeline.
        index: Its ``model_index.json``.
        component: Name of the component.
        dtype: Of its weights.

    Returns:
        The diffusers or transformers object, in eval mode where it has one.

    Raises:
        TargetError: The class is foreign, or weights are missing or not safetensors.
    """
    library, name = index[component]
    module = {"diffusers": diffusers, "transformers": transformers}.get(library)
    kind = getattr(module, name, None)
    if kind is None:
        raise TargetError(
            f"expected {component} of {folder} to be a class of diffusers or transformers, "
            f"got {library}.{name}; code inside a model folder is never run"
        )
    options: dict[str, Any] = {}
    if "Tokenizer" not in name:
        options = {"use_safetensors": True, "output_loading_info": True}
        if library == "transformers":
            options["dtype"] = dtype
        else:  # low_cpu_mem_usage needs accelerate, and diffusers warns at length where it is missing
            options |= {"torch_dtype": dtype, "low_cpu_mem_usage": False}
    try:
        with no_progress_bars(), torch.random.fork_rng(devices=[]):  # weights are initialised before they are read
            loaded = kind.from_pretrained(folder, subfolder=component, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise TargetError(
            f"cannot load {component} ({name}) of {folder}: {first_line(error)}; "
            "only complete safetensors weights are read"
        ) from error
    if not options:
        return loaded
    model, report = loaded
    if report["missing_keys"]:  # both libraries would leave them random, and say so in a warning only
        missing = sorted(report["missing_keys"])
        raise TargetError(
            f"expected all weights of {component} in {folder}, but {len(missing)} are missing, "
            f"among them {missing[0]}; copy the folder again"
        )
    return model


def load_schedule(folder: Path) -> tuple[Schedule, str]:
    """Read noise levels and prediction type from the scheduler's configuration.

    Args:
        folder: Of the pipeline.

    Returns:
        The schedule, and one of `PREDICTION_TYPES` or `FLOW`.

    Raises:
        TargetError: It is no scheduler of diffusers, or has no alphas_cumprod.
    """
    config = read_json(folder / "scheduler" / "scheduler_config.json")
    name = str(config.get("_class_name"))
    kind: Any = getattr(diffusers, name, None)
    known = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    if not known:
        raise TargetError(f"expected a scheduler of diffusers in {folder}, got {name}")
    try:
        scheduler = kind.from_config(config)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise TargetError(f"cannot load the scheduler ({name}) of {folder}: {first_line(error)}") from error
    if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
        return FlowSchedule(int(scheduler.config["num_train_timesteps"])), FLOW
    powers = getattr(scheduler, "alphas_cumprod", None)
    if powers is None or len(powers) == 0:
        raise TargetError(
            f"expected a scheduler that gives alphas_cumprod in {folder}, or FlowMatchEulerDiscreteScheduler, "
            f"got {name}; other flow-matching schedulers are not read yet"
        )
    prediction_type = str(config.get("prediction_type", "epsilon"))
    if prediction_type not in PREDICTION_TYPES:
        raise TargetError(
            f"expected prediction_type of {folder} to be one of {', '.join(PREDICTION_TYPES)}, got {prediction_type}"
        )
    return DiffusionSchedule(tuple(float(power) for power in powers)), prediction_type


def load_text_encoder(folder: Path, index: dict[str, Any], names: EncoderNames, device: torch.device) -> TextEncoder:
    """Load a text encoder and its tokenizer.

    Args:
        folder: Of the pipeline.
        index: Its ``model_index.json``.
        names: What the pipeline calls them, and the classes that are read.
        device: Where the encoder runs.

    Returns:
        Both.

    Raises:
        TargetError: They are missing, incomplete, do not fit together, or are of a kind that is not read.
    """
    check_class(folder, index, names.encoder, names.encoders)
    check_class(folder, index, names.tokenizer, names.tokenizers)
    encoder = load_component(folder, index, names.encoder).to(device).eval().requires_grad_(False)
    if not any((folder / names.tokenizer / name).is_file() for name in VOCABULARIES):
        # transformers would make one without any words
        raise TargetError(
            f"expected tokenizer.json or vocab.json in {folder / names.tokenizer}, found neither; copy the folder again"
        )
    tokenizer = load_component(folder, index, names.tokenizer)
    if len(tokenizer) > encoder.config.vocab_size:
        raise TargetError(
            f"expected at most {encoder.config.vocab_size} words, which the {names.encoder} of {folder} "
            f"embeds, got a tokenizer of {len(tokenizer)}; save the whole pipeline again"
        )
    return TextEncoder(encoder, tokenizer)
