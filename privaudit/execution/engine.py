"""The engine: runs stages over the items of a run, shard by shard, and computes only what no earlier run has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Generic

from privaudit.execution.batching import OnBatch, Tensors
from privaudit.execution.executor import EXECUTORS, Executor, Shard
from privaudit.execution.progress import OnProgress, no_progress
from privaudit.execution.stage import Item, Out, Rows, ShardStage, Stage
from privaudit.storage.shards import read_shard, shard_key, write_shard

SHARD = 256
"""Items per shard, whatever the batch size, so that a resumed run may use another one."""


@dataclass(frozen=True)
class Engine(Generic[Item]):
    """Runs one stage after the other over the same items.

    Attributes:
        items: One or more items.
        on_progress: Called with (stage, items done, items in all) at the start of a stage and after each batch.
        folder: Folder of the shards; without one nothing is kept, and all items are one shard.
        executor: Decides which shards this process computes.
        seconds: Time by stage, of those that have run.
    """

    items: Sequence[Item]
    on_progress: OnProgress = no_progress
    folder: Path | None = None
    executor: Executor = field(default_factory=lambda: EXECUTORS.build("serial"))
    seconds: dict[str, float] = field(default_factory=dict)
    _prepared: set[str] = field(default_factory=set)

    def run(
        self,
        stage: Stage[Item, Out],
        *,
        keep: Callable[[Out], Out] | None = None,
        inputs: Mapping[str, Tensors] | None = None,
    ) -> Out:
        """Run a stage over all items; a shard that lies in the folder is read and not computed.

        Args:
            stage: The stage. What it needs is read from the shards of other stages, which have run before.
            keep: What is held of a shard once it is done, so that memory does not grow with all of it; everything by
                default.
            inputs: Further `Rows.inputs`, of all items.

        Returns:
            What was kept of all shards, joined.
        """
        started, total, done = time.perf_counter(), len(self.items), 0
        self.on_progress(stage.name, 0, total)
        shards = self._shards(stage)
        kept: dict[Shard, Out] = {}
        others = (shard for shard in shards if shard not in kept)  # looked at when all that is claimed is done
        for shard in chain(self.executor.claim(shards), others):

            def advance(within: int, before: int = done) -> None:
                if before + within < total:  # the end is reported once, below
                    self.on_progress(stage.name, before + within, total)

            found = self._shard(stage, shard, inputs or {}, advance)
            kept[shard] = found if keep is None else keep(found)
            done += len(shard)
            self.on_progress(stage.name, done, total)
        self.seconds[stage.name] = time.perf_counter() - started
        parts = [kept[shard] for shard in shards]
        return parts[0] if len(parts) == 1 else stage.join(parts)

    def _shards(self, stage: Stage[Item, Out]) -> list[Shard]:
        total = len(self.items)
        size = total if self.folder is None else SHARD
        return [self._cut(stage, start, min(start + size, total)) for start in range(0, total, size)]

    def _cut(self, stage: Stage[Item, Out], start: int, stop: int) -> Shard:
        """Name the files of some items, one for each part of the stage; none where nothing is kept."""
        if self.folder is None or not isinstance(stage, ShardStage):
            return Shard(start, stop)
        folder, items = self.folder / stage.folder, [stage.item_key(item) for item in self.items[start:stop]]
        names = [f"{part.replace(':', '-')}-{shard_key(key, items)}" for part, key in stage.keys().items()]
        return Shard(start, stop, tuple(folder / f"{name.lstrip('-')}.safetensors" for name in names))

    def _shard(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Read the parts of a shard that there are, compute the others together, and write them."""
        if not isinstance(stage, ShardStage) or not shard.files:
            return self._computed(stage, shard, inputs, on_batch)
        files = dict(zip(stage.keys(), shard.files, strict=True))
        stored = {part: read_shard(path) for part, path in files.items()}
        missing = [part for part, tensors in stored.items() if tensors is None]
        if missing:
            computed = self._computed(stage.only(missing), shard, inputs, on_batch)
            for part in missing:
                own = {name: values for name, values in computed.items() if not part or name.startswith(f"{part}/")}
                write_shard(files[part], own)
                stored[part] = own
        return _merged(stored.values())  # type: ignore[return-value]  # Out is Tensors here

    def _computed(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Compute all batches of a shard, with what they need of other stages."""
        within = slice(shard.start, shard.stop)
        given = {name: {key: values[within] for key, values in tensors.items()} for name, tensors in inputs.items()}
        if self.folder is not None and isinstance(stage, ShardStage):
            for name, other in stage.needs().items():
                given[name] = self._shard(other, self._cut(other, shard.start, shard.stop), {}, lambda done: None)
        rows = Rows(self.items[within], given)
        if stage.name not in self._prepared:
            stage.prepare(rows)
            self._prepared.add(stage.name)
        return stage.compute_all(rows, on_batch)


def _merged(parts: Iterable[Tensors | None]) -> Tensors:
    return {name: values for tensors in parts if tensors for name, values in tensors.items()}
