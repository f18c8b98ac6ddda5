"""Builds the diffusers pipeline of a folder from components that were loaded safely."""

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

VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
OF_BYTES = ("ByT5Tokenizer",)
"""Tokenizers whose tokens are bytes, without a vocabulary file."""


def build_pipeline(folder: PipelineFolder, family: Family, parts: Mapping[str, Any], device: torch.device) -> Any:  # noqa: ANN401
    """Build the pipeline of a family, whose `encode_prompt` computes the conditions.

    Returns:
        The pipeline, with its scheduler and without components such as safety checkers.

    Raises:
        TargetError: A text encoder is missing, incomplete or not supported, or the parts do not fit together.
    """
    with quiet():  # importing a pipeline warns about optional packages
        kind: Any = getattr(diffusers, family.pipeline, None)
    if kind is None:
        raise TargetError(
            f"expected diffusers to have the class {family.pipeline}, which this family needs, but version "
            f"{diffusers.__version__} does not; install another version"
        )
    parts = {**family.stand_ins(), **parts}
    for text in family.text_encoders:
        parts |= load_text_encoder(folder, text)
    # In model_index.json, lists are components and plain values are parameters of the pipeline.
    accepted = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    parameters = {name: folder.index[name] for name in accepted if not isinstance(folder.index.get(name, []), list)}
    with quiet(), warnings.catch_warnings(action="ignore"):  # the warnings concern sampling, which an audit never does
        components = {name: parts.get(name) for name in [*_components(kind, parts), *family.stand_ins()]}
        pipeline = kind(**components | parameters)
        pipeline.register_modules(**dict.fromkeys(family.stand_ins()))  # the constructor was their only use
    # Diffusers takes the device of the first component for that of all, and some wait in main memory.
    where = property(lambda self: device)
    pipeline.__class__ = type(kind.__name__, (kind,), {"device": where, "_execution_device": where})
    bounded = [text for text in family.text_encoders if _has_positions(parts[text.encoder])]
    lengths = [parts[text.tokenizer].model_max_length for text in bounded]
    if lengths and hasattr(pipeline, "tokenizer_max_length"):
        pipeline.tokenizer_max_length = min(lengths)
    problems = family.problems(pipeline)
    if problems:
        raise TargetError(*(f"cannot load {folder}: {problem}" for problem in problems))
    return pipeline


def load_text_encoder(folder: PipelineFolder, names: TextEncoder) -> dict[str, Any]:
    """Load a text encoder and its tokenizer.

    Args:
        folder: Folder of the pipeline.
        names: Names of both components, and the supported classes.

    Returns:
        Encoder and tokenizer by component name; None for an optional encoder that is missing.

    Raises:
        TargetError: One of them is missing, incomplete or not supported, or they do not fit together.
    """
    if names.optional and not any(map(folder.class_name, (names.encoder, names.tokenizer))):
        return {names.encoder: None, names.tokenizer: None}
    folder.check_class(names.encoder, names.classes)
    folder.check_class(names.tokenizer, names.tokenizers)
    encoder = folder.load(names.encoder)  # in main memory; it is on the device while it works
    has_vocabulary = any((folder.place(names.tokenizer) / name).is_file() for name in VOCABULARIES)
    if not has_vocabulary and folder.class_name(names.tokenizer) not in OF_BYTES:
        # transformers would silently make a tokenizer with an empty vocabulary
        raise TargetError(
            f"expected tokenizer.json or vocab.json in {folder.place(names.tokenizer)}, found neither; "
            "copy the folder again"
        )
    tokenizer = folder.load(names.tokenizer)
    # A processor of images and text has a tokenizer.
    tokens = len(tokenizer if hasattr(tokenizer, "__len__") else tokenizer.tokenizer)
    embedded = encoder.config.get_text_config().vocab_size
    if tokens > embedded:
        raise TargetError(
            f"expected at most {embedded} tokens, which the {names.encoder} of {folder} "
            f"embeds, got a tokenizer with {tokens}; save the whole pipeline again"
        )
    if _has_positions(encoder):  # a tokenizer without a length of its own uses that of the encoder
        tokenizer.model_max_length = min(tokenizer.model_max_length, encoder.config.max_position_embeddings)
    return {names.encoder: encoder, names.tokenizer: tokenizer}


def _components(kind: Any, parts: Mapping[str, Any]) -> list[str]:  # noqa: ANN401 - a class of diffusers
    """Name the components that a pipeline requires, and those that were loaded and that it takes."""
    accepted = [p for p in inspect.signature(kind.__init__).parameters.values() if p.name != "self"]
    return [p.name for p in accepted if p.default is inspect.Parameter.empty or p.name in parts]


def _has_positions(encoder: Any) -> bool:  # noqa: ANN401 - a transformers model
    return type(encoder).__name__.startswith(("CLIP", "Bert"))
