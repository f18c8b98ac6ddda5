"""Finds what lies next to the audited files and could have been audited instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from privaudit.loading.adapters import adapter_path
from privaudit.loading.components import PipelineFolder
from privaudit.loading.model_source import ModelSource
from privaudit.loading.recognise import adapters_in
from privaudit.loading.replacements import AVERAGED
from privaudit.loading.weights import variants_in
from privaudit.model.model_files import LeftOut


def find_left_out(source: ModelSource, folder: PipelineFolder, read: tuple[str, ...]) -> tuple[LeftOut, ...]:
    """Find adapters, averaged weights, other variants, checkpoints and single files that were not audited.

    Args:
        source: Source of the model.
        folder: Folder of the pipeline.
        read: Names of the components that were read.

    Returns:
        What was left out, by path.
    """
    merged = {adapter_path(Path(adapter.path).expanduser()).resolve() for adapter in source.merged}
    items = [
        *_in_root(folder.path, merged),
        *(item for name in read for item in _next_to(folder, name)),
        *_of_single_file(folder, read),
    ]
    return tuple(sorted(items, key=lambda item: item.path))


def _in_root(root: Path, merged: set[Path]) -> Iterator[LeftOut]:
    adapters = adapters_in(root)
    for path in adapters:
        if path.resolve() not in merged:
            yield LeftOut(str(path), "adapter", str(root))
    for path in root.glob("*.safetensors"):
        if path not in adapters:
            yield LeftOut(str(path), "single file", str(root))
    for path in root.glob("checkpoint-*"):
        if path.is_dir() and not any(path.resolve() in (each, *each.parents) for each in merged):
            yield LeftOut(str(path), "checkpoint", str(root))


def _next_to(folder: PipelineFolder, name: str) -> Iterator[LeftOut]:
    place = folder.place(name)
    if folder.in_single_file(name):
        return
    # Either may be what a training script calls the result.
    base = place.name.removesuffix(AVERAGED)
    other = place.with_name(base if place.name != base else base + AVERAGED)
    if other.is_dir():
        yield LeftOut(str(other), "average", str(place))
    variants = variants_in(place, folder.variant)
    for path in variants[1:]:
        yield LeftOut(path, "variant", variants[0])
    if name in folder.replaced and (folder.path / name).is_dir():
        yield LeftOut(str(folder.path / name), "component", str(place))


def _of_single_file(folder: PipelineFolder, read: tuple[str, ...]) -> Iterator[LeftOut]:
    if folder.single is None:
        return
    if folder.single.has_average:
        yield LeftOut(f"{folder.single.path} (model_ema)", "average", f"{folder.single.path} (model)")
    for name in sorted(folder.single.parts):
        if name in folder.replaced:
            yield LeftOut(f"{folder.single.path} ({name})", "component", str(folder.replaced[name]))
        elif name in read and any((folder.path / name).glob("*.safetensors")):
            yield LeftOut(str(folder.path / name), "component", f"{folder.single.path} ({name})")
    for path in folder.single.path.parent.glob("*vae*.safetensors"):
        if path != folder.single.path and "vae" in folder.single.parts:
            yield LeftOut(str(path), "component", f"{folder.single.path} (vae)")
