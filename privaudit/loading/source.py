"""Where a model lies: a folder, or the copy of a hub repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from privaudit.errors import TargetError
from privaudit.loading.components import first_line

VARIANTS = ("*.fp16.*", "*.bf16.*", "*.non_ema.*")
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_folder(source: str, components: Sequence[str], files: Sequence[str] = ("model_index.json",)) -> Path:
    """Find a folder, or download a hub repository's components; a folder never touches the network.

    Args:
        source: A folder, or a hub id such as ``org/name``.
        components: Folders to download: their configuration, vocabulary and safetensors weights.
        files: Patterns of files outside of them.

    Returns:
        The folder.

    Raises:
        TargetError: It is neither, or the hub has no such repository.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not HUB_ID.fullmatch(source):
        raise TargetError(
            f"expected a diffusers folder or a hub id (org/name), but {source} is neither; check the path"
        )
    from huggingface_hub import snapshot_download

    try:
        wanted = [f"{component}/*.{kind}" for component in components for kind in ("json", "txt", "safetensors")]
        return Path(snapshot_download(source, allow_patterns=[*files, *wanted], ignore_patterns=list(VARIANTS)))
    except Exception as error:  # the hub client raises a dozen kinds; all mean that there is no folder
        raise TargetError(
            f"expected a folder or a hub id, but {source} is no folder and the hub answered: {first_line(error)}"
        ) from error
