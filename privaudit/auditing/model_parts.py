"""Reads the files that an option adds to a model: adapters with scales, components, embeddings with words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from privaudit.errors import ConfigError

Named = tuple[tuple[str, str], ...]
Adapters = tuple[tuple[str, float], ...]
Embeddings = tuple[tuple[str, str | None], ...]
BASE_ALONE = "none"
"""Value of ``--lora`` that audits a base without the LoRA in its folder."""
SCALE = re.compile(r"(?P<path>.+)@(?P<scale>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)", re.IGNORECASE | re.ASCII)


def read_loras(value: str | Sequence[str | tuple[str, float]] | None) -> Adapters | None:
    """Read adapter files with their scales.

    Args:
        value: Texts such as ``style.safetensors`` or ``style.safetensors@0.8``; ``none`` for the base alone.

    Returns:
        Path and scale of each; empty for the base alone, and None if nothing is said.

    Raises:
        ConfigError: A scale is 0 or not finite, a file occurs twice, or ``none`` is combined with a file.
    """
    items = [value] if isinstance(value, str) else list(value) if value is not None else []
    if not items:
        return () if value == () else None
    if items == [BASE_ALONE]:
        return ()
    pairs = [item if isinstance(item, tuple) else _with_scale(str(item)) for item in items]
    problems = [
        f"expected a scale other than 0 for --lora, as in style.safetensors@0.8, got {path}@{scale:g}"
        for path, scale in pairs
        if scale == 0 or not math.isfinite(scale)
    ]
    paths = [path for path, _ in pairs]
    if BASE_ALONE in paths:
        problems.append(f"expected --lora {BASE_ALONE}, for the base alone, or files, got both; leave one of them out")
    problems += [f"expected each --lora once, got {path} twice" for path in sorted({*paths}) if paths.count(path) > 1]
    if problems:
        raise ConfigError(problems)
    return tuple(pairs)


def write_loras(value: Adapters | None) -> list[str] | None:
    """Write adapters as `read_loras` reads them."""
    if value is None:
        return None
    # A path may end like a scale itself.
    return [path if scale == 1 and _with_scale(path)[0] == path else f"{path}@{scale:g}" for path, scale in value] or [
        BASE_ALONE
    ]


def read_components(value: Mapping[str, str] | Sequence[str | tuple[str, str]] | None) -> Named:
    """Read folders of replaced components.

    Args:
        value: Texts such as ``unet=checkpoint-500/unet``; or a mapping.

    Returns:
        Component and folder, by component.

    Raises:
        ConfigError: A text has no ``=``, or a component occurs twice.
    """
    if isinstance(value, str):
        value = [value]
    pairs = list(value.items()) if isinstance(value, Mapping) else []
    problems = []
    for item in () if isinstance(value, Mapping) else value or ():
        name, equals, folder = item.partition("=") if isinstance(item, str) else (item[0], "=", item[1])
        if not (name and equals and folder):
            problems.append(f"expected --component as NAME=FOLDER, as in unet=checkpoint-500/unet, got {item}")
        pairs.append((name, str(folder)))
    names = [name for name, _ in pairs]
    problems += [
        f"expected each --component once, got {name} twice" for name in sorted({*names}) if names.count(name) > 1
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(sorted((name, str(folder)) for name, folder in pairs))


def read_embeddings(value: str | Sequence[str | tuple[str, str | None]] | None) -> Embeddings:
    """Read textual-inversion files with their words: ``cat.safetensors`` or ``cat.safetensors@<cat-toy>``.

    Returns:
        File and word of each; None for the word that the file names.
    """
    items = [value] if isinstance(value, str) else value or ()
    return tuple(item if isinstance(item, tuple) else _with_word(str(item)) for item in items)


def write_components(value: Named) -> list[str]:
    """Write components as `read_components` reads them."""
    return [f"{name}={folder}" for name, folder in value]


def write_embeddings(value: Embeddings) -> list[str]:
    """Write embeddings as `read_embeddings` reads them."""
    return [path if word is None else f"{path}@{word}" for path, word in value]


def _with_scale(text: str) -> tuple[str, float]:
    match = SCALE.fullmatch(text)
    return (match["path"], float(match["scale"])) if match else (text, 1.0)


def _with_word(text: str) -> tuple[str, str | None]:
    # From the last dot on, since folders may have an @ in their names.
    path, dot, ending = text.rpartition(".")
    suffix, at, word = ending.partition("@")
    return (f"{path}{dot}{suffix}", word) if at and word else (text, None)
