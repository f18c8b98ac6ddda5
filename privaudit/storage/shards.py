"""Tensors of a run, in files that are whole or absent: the cache that makes a run resumable.

A shard is named by a hash of everything that decided its content, so a changed configuration never
meets an old file, and the same command again finds its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import privaudit

FORMAT = 5
"""Raised whenever the code that fills a shard changes what it holds; a new version of the package does it too."""


def shard_key(config: Mapping[str, Any], sample_ids: Sequence[str]) -> str:
    """Hash what decides a shard's content."""
    code = {"privaudit": privaudit.__version__, "format": FORMAT}
    text = json.dumps([code, dict(config), list(sample_ids)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_shard(path: Path) -> dict[str, Tensor] | None:
    """Read a shard, or None where there is none that can be read: a damaged one is computed again."""
    try:
        return load_file(path) if path.is_file() else None
    except SafetensorError:
        return None


def write_shard(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a shard under a temporary name and rename it, so that an interrupted run leaves no half file.

    Raises:
        OSError: It cannot be written, such as on a disk that is full.
        SafetensorError: The tensors cannot be.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    except SafetensorError as error:  # its only word for a disk that is full
        temporary.unlink(missing_ok=True)
        if "os error" not in str(error):
            raise
        raise OSError(f"cannot write {path}: {error}") from error
    os.replace(temporary, path)
