"""The engine: runs stages over the items of a run, shard by shard, and computes only what no earlier run has left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
        size = len(self.items) if self.folder is None else SHARD
        starts = range(0, len(self.items), max(1, size))
        found = [Shard(start, min(start + size, len(self.items))) for start in starts]
        return [Shard(s.start, s.stop, tuple(self._files(stage, s).values())) for s in found]

    def _files(self, stage: Stage[Item, Out], shard: Shard) -> dict[str, Path]:
        """File of each part of a stage; none where nothing is kept."""
        if self.folder is None or not isinstance(stage, ShardStage):
            return {}
        items = [stage.item_key(item) for item in self.items[shard.start : shard.stop]]
        return {
            part: self.folder
            / stage.folder
            / f"{part.replace(':', '-')}-{shard_key(key, items)}.safetensors".lstrip("-")
            for part, key in stage.keys().items()
        }

    def _shard(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Read a shard, or compute it."""
        if isinstance(stage, ShardStage) and (files := self._files(stage, shard)):
            return self._kept(stage, shard, files, inputs, on_batch)  # type: ignore[return-value]  # Out is Tensors
        return self._computed(stage, shard, inputs, on_batch)

    def _kept(
        self,
        stage: ShardStage[Item],
        shard: Shard,
        files: Mapping[str, Path],
        inputs: Mapping[str, Tensors],
        on_batch: OnBatch,
    ) -> Tensors:
        """Read the parts that there are, compute the others together, and write them."""
        stored = {part: read_shard(path) for part, path in files.items()}
        missing = [part for part, tensors in stored.items() if tensors is None]
        if missing:
            computed = self._computed(stage.only(missing), shard, inputs, on_batch)
            for part in missing:
                own = {name: values for name, values in computed.items() if not part or name.startswith(f"{part}/")}
                write_shard(files[part], own)
                stored[part] = own
        return {name: values for tensors in stored.values() if tensors for name, values in tensors.items()}

    def _computed(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Compute all batches of a shard, with what they need of other stages."""
        given = {
            name: {key: values[shard.start : shard.stop] for key, values in tensors.items()}
            for name, tensors in inputs.items()
        }
        if self.folder is not None and isinstance(stage, ShardStage):
            given |= {name: self._shard(other, shard, {}, _silent) for name, other in stage.needs().items()}
        rows = Rows(self.items[shard.start : shard.stop], given)
        if stage.name not in self._prepared:
            stage.prepare(rows)
            self._prepared.add(stage.name)
        return stage.compute_all(rows, on_batch)


def _silent(done: int) -> None:
    """Report nothing."""
