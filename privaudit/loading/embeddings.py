"""Adds textual-inversion embeddings (Gal et al. 2022, arXiv:2208.01618) to the text encoders of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.components import first_line, quiet
from privaudit.loading.families.contract import Family
from privaudit.loading.recognise import explain
from privaudit.loading.weight_files import is_embedding, read_header

ENCODER_OF = {
    "clip_l": "text_encoder",
    "clip_g": "text_encoder_2",
    "text_encoders_0": "text_encoder",
    "text_encoders_1": "text_encoder_2",
    "text_encoders_2": "text_encoder_3",
}
"""Component by the key of its vectors; files for several encoders name these instead of the word."""
ONE_ENCODER = ("emb_params", "string_to_param.*", "*", "t5")
"""Further keys of vectors that do not name the word; their width tells the encoder."""


def read_embedding(path: Path, word: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """Read an embedding from its safetensors file.

    Args:
        path: The file.
        word: Word that stands for it in captions; None for the one that the file names, or else the file's own name, as
            the trainers use it.

    Returns:
        The word, and the vectors by key, each ``(vectors, width)``.

    Raises:
        TargetError: The file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise TargetError(f"expected an embedding, but {path} is no file; check the path")
    keys = read_header(path)[0] if path.suffix == ".safetensors" else None
    if not keys or not is_embedding(keys):
        raise TargetError(explain(path, "the safetensors file of a textual-inversion embedding"))
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise TargetError(f"cannot read {path}: {first_line(error)}; copy it again") from error
    named = [key for key in tensors if key not in ENCODER_OF and key not in ONE_ENCODER]
    if len(named) > 1:
        raise TargetError(
            f"expected one word per embedding, got {', '.join(named)} in {path}; save each in its own file"
        )
    return word or (named[0] if named else path.stem), tensors


def add_embedding(pipeline: Any, family: Family, tensors: Mapping[str, Tensor], word: str, source: Path) -> None:  # noqa: ANN401 - of diffusers
    """Add an embedding to the text encoders of a pipeline and its word to their tokenizers.

    Args:
        pipeline: Pipeline, which is changed in place.
        family: Family of the pipeline.
        tensors: Vectors by key, each ``(vectors, width)`` or ``(width,)``.
        word: Word that stands for it in captions.
        source: Its file, for messages.

    Raises:
        TargetError: The pipeline has no place for it, or its tokenizer knows the word.
    """
    if not hasattr(pipeline, "load_textual_inversion"):
        raise TargetError(f"expected a pipeline that takes embeddings, got {family.pipeline}; leave {source} out")
    for key, values in tensors.items():
        name = _encoder_of(key, values, family, pipeline, source)
        text = next(each for each in family.text_encoders if each.encoder == name)
        try:
            with quiet():
                pipeline.load_textual_inversion(
                    {word: values.float()},
                    token=word,
                    text_encoder=getattr(pipeline, name),
                    tokenizer=getattr(pipeline, text.tokenizer),
                )
        except (ValueError, RuntimeError) as error:
            raise TargetError(f"cannot add {source} as {word}: {first_line(error)}") from error
        getattr(pipeline, name).requires_grad_(False)


def known_words(pipeline: Any, family: Family) -> frozenset[str]:  # noqa: ANN401 - of diffusers
    """List the words in angle brackets that a tokenizer of a pipeline knows, such as ``<cat-toy>``.

    Returns:
        The words; also that of an embedding that the pipeline was saved with, which no file names any more.
    """
    words: set[str] = set()
    for text in family.text_encoders:
        tokenizer = getattr(pipeline, text.tokenizer, None)
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # a processor of images and text has a tokenizer
        if tokenizer is not None and hasattr(tokenizer, "get_added_vocab"):  # not every tokenizer can be extended
            words |= {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}
    return frozenset(word for word in words if word.startswith("<") and word.endswith(">"))


def _encoder_of(key: str, values: Tensor, family: Family, pipeline: Any, source: Path) -> str:  # noqa: ANN401
    """Find the text encoder by the key of the vectors, or else by their width."""
    widths = {
        text.encoder: encoder.get_input_embeddings().weight.shape[1]
        for text in family.text_encoders
        if (encoder := getattr(pipeline, text.encoder)) is not None
    }
    width = values.shape[-1]
    fitting = [name for name, size in widths.items() if size == width and ENCODER_OF.get(key, name) == name]
    if len(fitting) != 1:
        listed = ", ".join(f"{size} in {name}" for name, size in widths.items())
        raise TargetError(
            f"expected vectors of {key} in {source} with the width of one text encoder ({listed}), got {width}; pass "
            "the base that it was trained on"
        )
    return fitting[0]
