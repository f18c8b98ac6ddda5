"""Hashes of the files that a model is read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.loading.components import PipelineFolder
from privaudit.loading.json_files import read_json
from privaudit.loading.weights import is_choice
from privaudit.model.model_files import ModelFiles


@dataclass(frozen=True)
class ModelHashes:
    """Hashes of a model, each of 32 hexadecimal digits.

    Attributes:
        whole: Hash of ``model_index.json``, all components that it names, and what was merged.
        components: Hash of each component, by name.
    """

    whole: str
    components: Mapping[str, str]


def hash_folder(folder: Path) -> str:
    """Hash the configuration and weight files of a pipeline, by relative name and content (see `hash_components`)."""
    return hash_components(PipelineFolder(folder, read_json(folder / "model_index.json"))).whole


def hash_components(folder: PipelineFolder, files: ModelFiles | None = None) -> ModelHashes:
    """Hash the files of a pipeline, reading each once.

    A component that is read from elsewhere has the hash that it would have in the folder of the pipeline. Overrides,
    adapters, embeddings and the variant of the weights, where there are several, change the model, so they change its
    hashes.

    Args:
        folder: Folder of the pipeline.
        files: Adapters that were merged into it, and embeddings that were added.

    Returns:
        The hashes.
    """
    whole, parts = hashlib.sha256(), {}
    _add_file(folder.path / "model_index.json", "model_index.json", whole)
    for name in sorted(folder.index):
        if folder.place(name).is_dir():
            parts[name] = hashlib.sha256()
            _add_component(folder, name, whole, parts[name])
    if folder.single is not None:
        _add_file(
            folder.single.path, "single file", whole, *(parts[name] for name in folder.single.parts if name in parts)
        )
    files = files or ModelFiles()
    for word, file in files.embeddings.items():
        _add_file(Path(file), f"embedding {word}", whole, *(parts[name] for name in parts if "text_encoder" in name))
    _add_overrides(folder.overrides, whole)
    for name, digest in parts.items():
        _add_overrides(folder.overrides_of(name), digest)
    for adapter in files.adapters:
        merged = f"{adapter.hash}\0{adapter.scale}\0".encode()
        for digest in (whole, *(parts[name] for name in adapter.layers)):
            digest.update(merged)
    return ModelHashes(_short(whole), {name: _short(digest) for name, digest in parts.items()})


def hash_component(folder: PipelineFolder, name: str) -> str:
    """Hash one component as `hash_components` does; the folder need not be that of a pipeline."""
    digest = hashlib.sha256()
    _add_component(folder, name, digest)
    if folder.single is not None and name in folder.single.parts:
        _add_file(folder.single.path, "single file", digest)
    _add_overrides(folder.overrides_of(name), digest)
    return _short(digest)


def hash_files(*paths: Path) -> str:
    """Hash the contents of files, whatever their names."""
    digest = hashlib.sha256()
    for path in paths:
        _add_file(path, "", digest)
    return _short(digest)


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:32]


def _add_component(folder: PipelineFolder, name: str, *digests: hashlib._Hash) -> None:
    place = folder.place(name)
    for path in sorted(place.rglob("*")):
        if path.is_file():
            _add_file(path, f"{name}/{path.relative_to(place).as_posix()}", *digests)
    if is_choice(place, folder.variant):  # all variants are hashed, and only one of them is read
        for digest in digests:
            digest.update(f"variant\0{folder.variant}\0".encode())


def _add_file(path: Path, name: str, *digests: hashlib._Hash) -> None:
    heading = f"{name}\0{path.stat().st_size}\0".encode()
    for digest in digests:
        digest.update(heading)
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            for digest in digests:
                digest.update(block)


def _add_overrides(overrides: Mapping[str, Any], digest: hashlib._Hash) -> None:
    if overrides:
        digest.update(json.dumps(dict(overrides), sort_keys=True, default=str).encode())
