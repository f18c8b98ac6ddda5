"""Applies to a pipeline what a fine-tuning left behind: adapters and textual-inversion embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from privaudit.errors import TargetError
from privaudit.loading.adapters import merge_adapter, read_adapter, read_header_words
from privaudit.loading.components import PipelineFolder
from privaudit.loading.embeddings import add_embedding, read_embedding
from privaudit.loading.families.contract import Family
from privaudit.loading.left_out import find_left_out
from privaudit.loading.model_source import ModelSource
from privaudit.loading.standalone import autoencoder_name
from privaudit.model.model_files import MergedAdapter, ModelFiles


def apply_fine_tuning(source: ModelSource, folder: PipelineFolder, family: Family, pipeline: Any) -> ModelFiles:  # noqa: ANN401 - of diffusers
    """Merge the adapters of a source into a pipeline, and add its embeddings.

    Args:
        source: Source of the model.
        folder: Folder of the pipeline.
        family: Family of the pipeline.
        pipeline: Pipeline with its denoiser and text encoders, which are changed in place.

    Returns:
        Files that were read in addition to the folder, and what was left out.

    Raises:
        TargetError: A file cannot be used, or does not fit the pipeline.
    """
    encoders = [text.encoder for text in family.text_encoders if getattr(pipeline, text.encoder) is not None]
    parts: dict[str, nn.Module] = {name: getattr(pipeline, name) for name in (family.denoiser, *encoders)}
    embeddings: dict[str, str] = {}
    adapters, headers = [], [] if folder.single is None else [read_header_words(folder.single.path)]
    for path, word in source.embeddings:
        file = Path(path).expanduser()
        _add_embedding(embeddings, pipeline, family, file, *read_embedding(file, word))
    for requested in source.merged:
        adapter = read_adapter(Path(requested.path).expanduser())
        adapters.append(merge_adapter(adapter, parts, requested.scale))
        _require_together(adapters)
        headers.append(read_header_words(adapter.path))
        for word, tensors in adapter.embeddings.items():
            _add_embedding(embeddings, pipeline, family, adapter.path, word, tensors)
    names = (*parts, autoencoder_name(folder.index))
    return ModelFiles(
        adapters=tuple(adapters),
        sources=_sources(folder, names),
        embeddings=embeddings,
        left_out=find_left_out(source, folder, names),
        headers=tuple(words for words in headers if words.says_something),
    )


def _require_together(adapters: Sequence[MergedAdapter]) -> None:
    """Refuse the same adapter twice, and a DoRA with another one: what both are together depends on the tool."""
    *others, last = adapters
    for other in others:
        if other.hash == last.hash:
            raise TargetError(f"expected each adapter once, got {other.path} and {last.path}, which are the same file")
        shared = sorted(other.layers.keys() & last.layers.keys())
        if shared and "DoRA" in f"{other.kind} {last.kind}":
            raise TargetError(
                f"expected a DoRA without another adapter of the {shared[0]}, got {other.path} and {last.path}, and "
                "tools disagree about both together; merge them with the tool that samples, and pass the merged model"
            )


def _add_embedding(
    known: dict[str, str],
    pipeline: Any,  # noqa: ANN401 - of diffusers
    family: Family,
    file: Path,
    word: str,
    tensors: Mapping[str, Tensor],
) -> None:
    if word in known:
        raise TargetError(f"expected one embedding for {word}, got {known[word]} and {file}; leave one out")
    add_embedding(pipeline, family, tensors, word, file)
    known[word] = str(file)


def _sources(folder: PipelineFolder, names: tuple[str, ...]) -> dict[str, str]:
    """File or folder of each component that does not come from the folder of the pipeline."""
    sources = {name: str(place) for name, place in folder.replaced.items()}
    if folder.single is not None:  # what the file lacks comes from the folder of its configuration
        for name in names:
            sources[name] = str(folder.single.path if folder.in_single_file(name) else folder.place(name))
    return sources
