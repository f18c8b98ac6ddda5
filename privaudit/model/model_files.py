"""Which files a model was read from: adapters merged into it, parts from elsewhere, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LeftOutKind = Literal["adapter", "average", "variant", "checkpoint", "single file", "component"]
"""An adapter that was not merged; weights averaged over training (EMA) or the raw ones next to them; weights in another
precision; a checkpoint of the training; a single-file checkpoint next to the folders of components; a component in the
place of which another was read."""


@dataclass(frozen=True)
class MergedAdapter:
    """An adapter file that was merged into the model.

    Attributes:
        path: File or folder, as it was requested.
        hash: SHA-256 over the file, and the configuration next to it that was read with it; 32 hexadecimal digits.
        kind: ``LoRA``, ``DoRA``, ``LoHa``, ``LoKr`` and so on.
        style: Tool whose names its keys have.
        scale: Factor on its change of the weights.
        layers: Number of its layers by component.
        ranks: Smallest and largest rank; None if it has none.
    """

    path: str
    hash: str
    kind: str
    style: str
    scale: float
    layers: Mapping[str, int]
    ranks: tuple[int, int] | None = None


@dataclass(frozen=True)
class LeftOut:
    """Something next to the audited files that could have been audited, and was not.

    Attributes:
        path: Its file or folder.
        kind: What it is.
        audited: File or folder, or component, that was audited.
    """

    path: str
    kind: LeftOutKind
    audited: str


@dataclass(frozen=True)
class HeaderWords:
    """What the header of a weights file says about the training images; it is public wherever the file is.

    Attributes:
        path: The file.
        folders: Names of image folders.
        tags: Number of distinct words or phrases of captions.
        images: Number of training images; None if it is not stated.
        notes: Further texts, such as the name of the output or a comment, by key.
    """

    path: str
    folders: tuple[str, ...] = ()
    tags: int = 0
    images: int | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def says_something(self) -> bool:
        """Whether it says anything."""
        return bool(self.folders or self.tags or self.images or self.notes)


@dataclass(frozen=True)
class ModelFiles:
    """Files that a model was read from, other than the folder that the user named, and what was left out.

    Attributes:
        adapters: Adapters, in the order in which they were merged.
        sources: File or folder of each component that does not come from the model's own folder, by name.
        embeddings: Words that embeddings were added for, and the file of each.
        left_out: What was not audited.
        headers: What the headers of adapters and single files say about the training images.
    """

    adapters: tuple[MergedAdapter, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    embeddings: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    headers: tuple[HeaderWords, ...] = ()


def short_path(path: str) -> str:
    """Return the last part of a path, with separators of any operating system.

    The folder ``checkpoint-N`` of a training remains in front of it: its parts have the same names in every checkpoint.
    """
    parts = re.split(r"[/\\]", path.rstrip("/\\"))
    if len(parts) > 1 and re.fullmatch(r"checkpoint-\d+", parts[-2]):
        return f"{parts[-2]}/{parts[-1]}"
    return parts[-1] or path
