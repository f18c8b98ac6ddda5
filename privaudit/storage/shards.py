"""Tensors of a run in files that are written atomically: the cache that makes a run resumable.

The name of a shard is a hash of everything that determines its content. A changed configuration therefore never reads
an old file, and the same command reads its own files again.
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
"""Version of the content of shards: raise it when the code that computes them changes their values.

A new version of the package also invalidates all shards.
"""


def shard_key(config: Mapping[str, Any], sample_ids: Sequence[str]) -> str:
    """Hash everything that determines the content of a shard."""
    code = {"privaudit": privaudit.__version__, "format": FORMAT}
    text = json.dumps([code, dict(config), list(sample_ids)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_shard(path: Path) -> dict[str, Tensor] | None:
    """Read a shard; None if it does not exist or is damaged, so that it is computed again."""
    try:
        return load_file(path) if path.is_file() else None
    except SafetensorError:
        return None


def write_shard(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a shard atomically, so that an interrupted run leaves no partial file.

    Raises:
        OSError: The file cannot be written, for example because the disk is full.
        SafetensorError: The tensors cannot be stored.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    except SafetensorError as error:  # safetensors reports a full disk in its text alone
        temporary.unlink(missing_ok=True)
        if "os error" not in str(error):
            raise
        raise OSError(f"cannot write {path}: {error}") from error
    os.replace(temporary, path)
