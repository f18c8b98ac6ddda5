"""Where a model lies: a folder, or the copy of a hub repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from privaudit.errors import TargetError
from privaudit.loading.components import first_line
from privaudit.loading.model_source import ModelSource

VARIANTS = ("fp16", "bf16", "non_ema")
"""Weight files that are downloaded only if they are asked for."""
KINDS = ("*.json", "*.txt", "*.safetensors", "spiece.model", "tokenizer.model")
"""Files of a component: configuration, vocabulary and weights."""
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(source: ModelSource, components: Sequence[str], files: Sequence[str] = ("model_index.json",)) -> Path:
    """Find a folder, or download a hub repository's components; a folder never touches the network.

    Args:
        source: Names a folder, or a hub id such as ``org/name`` and its revision.
        components: Folders to download: their configuration, vocabulary and safetensors weights.
        files: Patterns of files outside of them.

    Returns:
        The folder.

    Raises:
        TargetError: It is neither, a revision of a folder is asked for, or the hub has no such repository.
    """
    folder = Path(source.path).expanduser()
    if folder.is_dir():
        if source.revision is not None:
            raise TargetError(
                f"expected a revision with a hub id alone, got {source.revision} with the folder {folder}; "
                "leave it out, or pass the hub id"
            )
        return folder
    if folder.exists() or not HUB_ID.fullmatch(source.id):
        raise TargetError(
            f"expected a diffusers folder or a hub id (org/name), but {source.id} is neither; check the path"
        )
    from huggingface_hub import snapshot_download

    wanted = [*files, *(f"{component}/{kind}" for component in components for kind in KINDS)]
    ignored = [f"*.{variant}.*" for variant in VARIANTS if variant != source.variant]
    try:
        copy = snapshot_download(source.id, revision=source.revision, allow_patterns=wanted, ignore_patterns=ignored)
        return Path(copy)
    except Exception as error:  # the hub client raises a dozen kinds; all mean that there is no folder
        raise TargetError(
            f"expected a folder or a hub id, but {source.id} is no folder and the hub answered: {first_line(error)}"
        ) from error
