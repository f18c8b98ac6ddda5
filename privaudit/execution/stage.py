"""What a stage is: one kind of computation over many items, batch by batch, with results that may be stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from privaudit.execution.batching import Batcher, OnBatch, Tensors

Item = TypeVar("Item")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Rows(Generic[Item]):
    """Some of the items of a run, and the tensors of earlier stages for them.

    Attributes:
        items: Items, such as samples.
        inputs: Tensors by stage and name; their first axis is the items.
    """

    items: Sequence[Item]
    inputs: Mapping[str, Tensors] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def __getitem__(self, key: slice) -> Rows[Item]:
        """Return some of the rows, with copies of their tensors.

        A copy is aligned in memory and independent of the whole, as results must not depend on the split into batches.
        """
        inputs = {
            stage: {name: values[key].clone() for name, values in tensors.items()}
            for stage, tensors in self.inputs.items()
        }
        return Rows(self.items[key], inputs)


class Stage(ABC, Generic[Item, Out]):
    """A computation over items. Only the engine knows about folders and processes.

    Attributes:
        name: Name in progress and in the time by stage.
        batcher: Batch size; each stage has its own, because memory needs differ.
    """

    name: str
    batcher: Batcher

    def prepare(self, rows: Rows[Item]) -> None:
        """Prepare the stage, once, before the first batch that is computed and not read.

        Args:
            rows: Rows that will be computed first.
        """
        return

    @abstractmethod
    def compute(self, batch: Rows[Item]) -> Out:
        """Compute one batch.

        Args:
            batch: Rows of one or more items.

        Returns:
            Results of the batch.
        """

    @abstractmethod
    def join(self, parts: Sequence[Out]) -> Out:
        """Join the results of batches or shards.

        Args:
            parts: Results of one or more batches, in the order of the items.

        Returns:
            Results of all items.
        """

    def compute_all(self, rows: Rows[Item], on_batch: OnBatch) -> Out:
        """Compute batch by batch; a batch that does not fit into memory is halved.

        Args:
            rows: Rows of one or more items.
            on_batch: Progress callback.

        Returns:
            Results of all items.
        """
        return self.join(self.batcher.parts(rows, self.compute, on_batch))


@dataclass(frozen=True, eq=False)
class FunctionStage(Stage[Item, Out]):
    """A stage made of two functions, whose results are not stored.

    Attributes:
        name: Name in progress and in the time by stage.
        batcher: Batch size.
        function: Function that computes one batch.
        joiner: Function that joins the results of batches.
    """

    name: str
    batcher: Batcher
    function: Callable[[Rows[Item]], Out]
    joiner: Callable[[Sequence[Out]], Out]

    def compute(self, batch: Rows[Item]) -> Out:
        """Compute one batch."""
        return self.function(batch)

    def join(self, parts: Sequence[Out]) -> Out:
        """Join the results of batches."""
        return self.joiner(parts)


class ShardStage(Stage[Item, Tensors]):
    """A stage whose tensors are stored in shards, if the engine has a folder, for later stages and runs to read.

    Attributes:
        folder: Folder of its shards, inside that of the engine.
    """

    folder: str

    def needs(self) -> Mapping[str, ShardStage[Item]]:
        """Return the stages whose tensors this one needs, by their name in `Rows.inputs`."""
        return {}

    @abstractmethod
    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Return everything that determines the content of its files.

        Returns:
            Plain values by the name of a part. Each part has a file of its own, with the tensors called ``part/...``. A
            stage with one file per shard names its part ``""``; a stage that is not stored has no parts.
        """

    @abstractmethod
    def item_key(self, item: Item) -> str:
        """Return everything about an item that determines its row.

        Args:
            item: An item.

        Returns:
            Text that differs between items whose rows may differ.
        """

    def only(self, parts: Sequence[str]) -> ShardStage[Item]:
        """Return the stage for some of its parts; the others have been read.

        Args:
            parts: Names of one or more parts.

        Returns:
            A stage with the same batcher.
        """
        return self

    def join(self, parts: Sequence[Tensors]) -> Tensors:
        """Join along the first axis."""
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def compute_all(self, rows: Rows[Item], on_batch: OnBatch) -> Tensors:
        """Compute batch by batch, each moved to the CPU before the next."""
        return self.batcher.run(rows, self.compute, on_batch)
