"""What the output folder of a training script holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from privaudit.loading.model_source import AdapterSource, ModelSource

Unit = Literal["step", "epoch"]


@dataclass(frozen=True)
class Checkpoint:
    """One state of a training.

    Attributes:
        name: Name in tables: that of its file or folder, or ``base``.
        step: Training step or epoch, as `TrainingOutput.unit` says; None for the last one, if nothing records it.
        model: Folder of its pipeline, or the base that the rest is applied to.
        adapter: Adapter to merge into ``model``.
        replaced: Folder of each component that the training saved.
        averages: Folders with averaged weights next to raw ones of which one was chosen; the folder that was not.
    """

    name: str
    step: int | None
    model: str
    adapter: str | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)
    averages: tuple[str, ...] = ()

    def source(self, common: ModelSource) -> ModelSource:
        """Return the source of this checkpoint, with the options of another source."""
        adapters = () if self.adapter is None else (AdapterSource(self.adapter),)
        # The revision is that of the base; a folder has none.
        revision = common.revision if self.model == common.id else None
        return replace(common, path=self.model, revision=revision, adapters=adapters, replaced=dict(self.replaced))


@dataclass(frozen=True)
class TrainingOutput:
    """Checkpoints of one training.

    Attributes:
        path: The output folder.
        unit: What the steps count.
        checkpoints: The checkpoints, by step; the base first, and the final weights last.
        averaged: Whether averaged weights were chosen where both are there.
    """

    path: str
    unit: Unit
    checkpoints: tuple[Checkpoint, ...]
    averaged: bool = False

    @property
    def averages(self) -> tuple[str, ...]:
        """Folders that were left out, since raw or averaged weights next to them were chosen."""
        return tuple(path for checkpoint in self.checkpoints for path in checkpoint.averages)
