"""Checks the weight files of a component before they are loaded, so that one line says what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError

NAME = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(?P<variant>\w+))??(?:-\d{5}-of-\d{5}(?:\.(?P<of_shard>\w+))?)?\.safetensors"
)
"""Weight files of diffusers and transformers: ``model.fp16.safetensors``, ``model-00001-of-00002.fp16.safetensors``."""
PICKLED = (".bin", ".ckpt", ".pt", ".pth")
POINTER = b"version https://git-lfs"
QUANTISED = {
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
    "F4": "fp4",
    "I8": "int8",
    "U8": "8-bit codes, as of int8 or nf4",
}
"""Types of tensors in which weights are quantised, as the headers of safetensors files name them."""


def choose_variant(folder: Path, requested: str | None) -> str | None:
    """Choose among the variants of the weight files in a folder.

    Args:
        folder: Folder of the component.
        requested: Variant to prefer, such as ``fp16``.

    Returns:
        The requested variant if there is one, else None (the default files) if there are any, else the only variant.

    Raises:
        TargetError: There are several variants and no default files.
    """
    variants = _variants(folder)
    if requested in variants:
        return requested
    if None in variants or not variants:
        return None
    if len(variants) > 1:
        raise TargetError(
            f"expected weights without a variant in {folder}, found only {' and '.join(sorted(map(str, variants)))}; "
            "choose one, as in --variant fp16"
        )
    return variants.pop()


def variants_in(folder: Path, requested: str | None) -> list[str]:
    """List the variants of the weight files in a folder, the one that `choose_variant` chooses first.

    Returns:
        Names as in messages; empty if there are no weights.

    Raises:
        TargetError: See `choose_variant`.
    """
    variants = _variants(folder)
    chosen = choose_variant(folder, requested)
    return [_pattern(folder, each) for each in (chosen, *sorted(variants - {chosen}, key=str)) if each in variants]


def is_choice(folder: Path, requested: str | None) -> bool:
    """Whether a requested variant decides which weights of a folder are read: it is there, and others are."""
    variants = _variants(folder)
    return requested is not None and requested in variants and len(variants) > 1


def _variants(folder: Path) -> set[str | None]:
    matches = [match for path in folder.glob("*.safetensors") if (match := NAME.fullmatch(path.name))]
    return {match["variant"] or match["of_shard"] for match in matches}


def _pattern(folder: Path, variant: str | None) -> str:
    return f"{folder / '*'}{'' if variant is None else '.' + variant}.safetensors"


def quantised(entries: Mapping[str, Any]) -> str | None:
    """Name the type in which weights are quantised.

    Args:
        entries: Entries of the header of a safetensors file, by key.

    Returns:
        The type; None if no weights are quantised.
    """
    # Vectors of integers may be position ids or counters.
    types = {
        str(entry.get("dtype"))
        for entry in entries.values()
        if isinstance(entry, dict) and (len(entry.get("shape", ())) > 1 or str(entry.get("dtype")).startswith("F8"))
    }
    return next((QUANTISED[each] for each in sorted(types) if each in QUANTISED), None)


def check_weights(folder: Path, config: Mapping[str, Any]) -> None:
    """Check that the weight files of a component are complete safetensors files.

    Args:
        folder: Folder of the component.
        config: Its configuration.

    Raises:
        TargetError: The folder is missing, the weights are quantised, pickled, missing, incomplete, or a pointer of Git
            LFS.
    """
    quantised = config.get("quantization_config")
    if quantised:
        method = quantised.get("quant_method", "a quantisation") if isinstance(quantised, dict) else "a quantisation"
        raise TargetError(
            f"cannot load {folder}: its weights are quantised ({method}), which rounds away the small differences that "
            "an audit measures; pass the model with its original weights"
        )
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        check_file(path)
    _check_shards(folder)
    if not files:
        pickled = [path.name for path in sorted(folder.glob("*")) if path.suffix in PICKLED]
        if pickled:
            raise TargetError(
                f"cannot load {folder}: only complete safetensors weights are supported, and it has {pickled[0]}, "
                "which can run code when it is read; load it in diffusers if you trust it, and save it with "
                "save_pretrained(folder, safe_serialization=True)"
            )
        raise TargetError(
            f"cannot load {folder}: only complete safetensors weights are supported, and it has none; copy the "
            "folder again"
        )


def check_file(path: Path) -> None:
    """Compare the size of a safetensors file with that in its header: 8 bytes of length, then JSON with offsets.

    Raises:
        TargetError: It is incomplete, a pointer of Git LFS, or no safetensors file.
    """  # noqa: DOC501 - a ValueError is caught here
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(POINTER))
        if start == POINTER:
            raise TargetError(
                f"cannot load {path}: it is a pointer of Git LFS and not the weights; install git-lfs "
                "and run git lfs pull in the repository, or download the model again"
            )
        length = int.from_bytes(start[:8], "little")
        file.seek(8)
        try:
            if length > size:
                raise ValueError
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TargetError(
                f"cannot load {path}: it is no safetensors file, or only its beginning; copy or download it again"
            ) from None
    if kind := quantised(header):
        raise TargetError(
            f"cannot load {path}: its weights are quantised ({kind}), which rounds away the "
            "small differences that an audit measures; pass the model with its original weights"
        )
    expected = 8 + length + max(ends, default=0)
    if size < expected:
        raise TargetError(f"cannot load {path}: it has {size} of {expected} bytes; copy or download it again")


def _check_shards(folder: Path) -> None:
    for index in sorted(folder.glob("*.safetensors.index*.json")):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TargetError(
                f"cannot load {folder}: {index.name} does not list its weight files; copy it again"
            ) from None
        missing = sorted(name for name in shards if not (folder / name).is_file())
        if missing:
            raise TargetError(
                f"cannot load {folder}: {len(missing)} of its {len(shards)} weight files are missing, among them "
                f"{missing[0]}; copy or download the folder again"
            )
