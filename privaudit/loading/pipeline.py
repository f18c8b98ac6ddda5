"""The diffusers pipeline of a folder, built from components that were loaded safely."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import diffusers
import torch

from privaudit.errors import TargetError
from privaudit.loading.components import PipelineFolder, quiet
from privaudit.loading.families.contract import Family, TextEncoder

VOCABULARIES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


def build_pipeline(folder: PipelineFolder, family: Family, parts: Mapping[str, Any], device: torch.device) -> Any:  # noqa: ANN401
    """Build the pipeline of a family, whose `encode_prompt` gives the conditions.

    Returns:
        The pipeline, with its scheduler and without safety checkers and the like.

    Raises:
        TargetError: A text encoder is missing, incomplete or of a kind that is not read, or the parts do not fit
            together.
    """
    with quiet():  # importing a pipeline warns of packages that it could use
        kind: Any = getattr(diffusers, family.pipeline, None)
    if kind is None:
        raise TargetError(
            f"expected diffusers to have the class {family.pipeline}, which this family names, but version "
            f"{diffusers.__version__} has not; install another version"
        )
    parts = dict(parts)
    for text in family.text_encoders:
        parts |= load_text_encoder(folder, text, device)
    accepted = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    parameters = {name: folder.index[name] for name in accepted if not isinstance(folder.index.get(name, []), list)}
    with quiet(), warnings.catch_warnings(action="ignore"):  # of what matters to sampling alone
        pipeline = kind(**{name: parts.get(name) for name in _components(kind)} | parameters)
    lengths = [parts[text.tokenizer].model_max_length for text in family.text_encoders if _is_clip(parts[text.encoder])]
    if hasattr(pipeline, "tokenizer_max_length"):
        pipeline.tokenizer_max_length = min(lengths)
    problems = family.problems(pipeline)
    if problems:
        raise TargetError(*(f"cannot load {folder}: {problem}" for problem in problems))
    return pipeline


def load_text_encoder(folder: PipelineFolder, names: TextEncoder, device: torch.device) -> dict[str, Any]:
    """Load a text encoder and its tokenizer.

    Args:
        folder: The pipeline.
        names: What the pipeline calls them, and the classes that are read.
        device: Where the encoder runs.

    Returns:
        Both, by component; None for an optional encoder that is missing.

    Raises:
        TargetError: They are missing, incomplete, do not fit together, or are of a kind that is not read.
    """
    if names.optional and not any(map(folder.class_name, (names.encoder, names.tokenizer))):
        return {names.encoder: None, names.tokenizer: None}
    folder.check_class(names.encoder, names.classes)
    folder.check_class(names.tokenizer, names.tokenizers)
    encoder = folder.load(names.encoder).to(device)
    if not any((folder.path / names.tokenizer / name).is_file() for name in VOCABULARIES):
        # transformers would make one without any words
        raise TargetError(
            f"expected tokenizer.json or vocab.json in {folder.path / names.tokenizer}, found neither; "
            "copy the folder again"
        )
    tokenizer = folder.load(names.tokenizer)
    if len(tokenizer) > encoder.config.vocab_size:
        raise TargetError(
            f"expected at most {encoder.config.vocab_size} words, which the {names.encoder} of {folder} "
            f"embeds, got a tokenizer of {len(tokenizer)}; save the whole pipeline again"
        )
    if _is_clip(encoder):  # a tokenizer that names no length takes its encoder's
        tokenizer.model_max_length = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    return {names.encoder: encoder, names.tokenizer: tokenizer}


def _components(kind: Any) -> list[str]:  # noqa: ANN401 - a class of diffusers
    required = inspect.signature(kind.__init__).parameters.values()
    return [p.name for p in required if p.name != "self" and p.default is inspect.Parameter.empty]


def _is_clip(encoder: Any) -> bool:  # noqa: ANN401 - a transformers model
    return hasattr(getattr(encoder, "config", None), "max_position_embeddings")
