"""The engine runs stages over the items of a run, shard by shard, and reuses the shards of earlier runs."""

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

SHARD_SIZE = 256
"""Items per shard. It does not depend on the batch size, so a resumed run may use another batch size."""


@dataclass(frozen=True)
class Engine(Generic[Item]):
    """Runs one stage after the other over the same items.

    Attributes:
        items: Items of the run, one or more.
        on_progress: Called with (stage, completed items, all items) at the start of a stage and after each batch.
        folder: Folder of the shards; without one nothing is stored, and all items form one shard.
        executor: Executor, which decides what shards this process computes.
        seconds: Time by stage, for the stages that have run.
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
        """Run a stage over all items. A shard that exists in the folder is read instead of computed.

        Args:
            stage: The stage. Its inputs are read from the shards of other stages, which have run before.
            keep: Reduces the result of a shard to what the caller needs, so that memory does not grow with the
                rest; by default nothing is dropped.
            inputs: Further `Rows.inputs`, for all items.

        Returns:
            Reduced results of all shards, joined.
        """
        started, total, completed = time.perf_counter(), len(self.items), 0
        self.on_progress(stage.name, 0, total)
        shards = self._shards(stage)
        results: dict[Shard, Out] = {}
        # Shards of other processes are read last: a generator, so `results` is looked at only after all claimed shards.
        remaining = (shard for shard in shards if shard not in results)
        for shard in chain(self.executor.claim(shards), remaining):
            # `completed` as a default argument: its value now, not at the time of the call.
            def advance(within: int, before: int = completed) -> None:
                if before + within < total:  # the end is reported once, below
                    self.on_progress(stage.name, before + within, total)

            result = self._shard(stage, shard, inputs or {}, advance)
            results[shard] = result if keep is None else keep(result)
            completed += len(shard)
            self.on_progress(stage.name, completed, total)
        self.seconds[stage.name] = time.perf_counter() - started
        parts = [results[shard] for shard in shards]  # in the order of the items, not of the claims
        return parts[0] if len(parts) == 1 else stage.join(parts)

    def _shards(self, stage: Stage[Item, Out]) -> list[Shard]:
        total = len(self.items)
        size = total if self.folder is None else SHARD_SIZE
        return [self._cut(stage, start, min(start + size, total)) for start in range(0, total, size)]

    def _cut(self, stage: Stage[Item, Out], start: int, stop: int) -> Shard:
        """Make the shard of some items and name its files, one per part of the stage; none if nothing is stored."""
        if self.folder is None or not isinstance(stage, ShardStage):
            return Shard(start, stop)
        folder, items = self.folder / stage.folder, [stage.item_key(item) for item in self.items[start:stop]]
        # A part may be named by a specification, whose colons file systems such as NTFS do not allow; the part "" would
        # leave a leading dash.
        names = [f"{part.replace(':', '-')}-{shard_key(key, items)}" for part, key in stage.keys().items()]
        return Shard(start, stop, tuple(folder / f"{name.lstrip('-')}.safetensors" for name in names))

    def _shard(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Read the parts of a shard that exist, compute the missing ones together, and write them."""
        if not isinstance(stage, ShardStage) or not shard.files:
            return self._computed(stage, shard, inputs, on_batch)
        files = dict(zip(stage.keys(), shard.files, strict=True))
        stored = {part: read_shard(path) for part, path in files.items()}
        missing = [part for part, tensors in stored.items() if tensors is None]
        if missing:
            computed = self._computed(stage.only(missing), shard, inputs, on_batch)
            for part in missing:
                tensors = {name: values for name, values in computed.items() if not part or name.startswith(f"{part}/")}
                write_shard(files[part], tensors)
                stored[part] = tensors
        return _merged(stored.values())  # type: ignore[return-value]  # Out is Tensors here

    def _computed(self, stage: Stage[Item, Out], shard: Shard, inputs: Mapping[str, Tensors], on_batch: OnBatch) -> Out:
        """Compute all batches of a shard from its inputs and the tensors of other stages."""
        within = slice(shard.start, shard.stop)
        tensors_of = {name: {key: values[within] for key, values in rows.items()} for name, rows in inputs.items()}
        if self.folder is not None and isinstance(stage, ShardStage):
            # Normally a read: the other stage has run over the same items and left its shard.
            for name, other in stage.needs().items():
                tensors_of[name] = self._shard(other, self._cut(other, shard.start, shard.stop), {}, lambda count: None)
        rows = Rows(self.items[within], tensors_of)
        if stage.name not in self._prepared:
            stage.prepare(rows)
            self._prepared.add(stage.name)
        return stage.compute_all(rows, on_batch)


def _merged(parts: Iterable[Tensors | None]) -> Tensors:
    return {name: values for tensors in parts if tensors for name, values in tensors.items()}
