"""What a stage is: one kind of computation over many items, batch by batch, its results perhaps kept in shards."""

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
    """Some of the items of a run, and what earlier stages gave for them.

    Attributes:
        items: Items, such as samples.
        inputs: Tensors of other stages, whose first axis is the items.
    """

    items: Sequence[Item]
    inputs: Mapping[str, Tensors] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def __getitem__(self, key: slice) -> Rows[Item]:
        """Return some of the rows, with copies of their tensors: aligned, and nobody else's."""
        inputs = {
            stage: {name: values[key].clone() for name, values in tensors.items()}
            for stage, tensors in self.inputs.items()
        }
        return Rows(self.items[key], inputs)


class Stage(ABC, Generic[Item, Out]):
    """A computation over items. It knows neither folders nor processes; the engine does.

    Attributes:
        name: In progress and in the time by stage.
        batcher: Size of a batch. A stage has one of its own, since each needs other memory.
    """

    name: str
    batcher: Batcher

    def prepare(self, rows: Rows[Item]) -> None:
        """Do what has to be done once, before the first batch that is really computed.

        Args:
            rows: Rows that will be computed first.
        """
        return

    @abstractmethod
    def compute(self, batch: Rows[Item]) -> Out:
        """Compute one batch.

        Args:
            batch: One or more items.

        Returns:
            Results of the batch.
        """

    @abstractmethod
    def join(self, parts: Sequence[Out]) -> Out:
        """Join the results of batches or shards.

        Args:
            parts: One or more, in the order of the items.

        Returns:
            Results of all of them.
        """

    def compute_all(self, rows: Rows[Item], on_batch: OnBatch) -> Out:
        """Compute batch by batch; a batch that does not fit into memory is halved.

        Args:
            rows: One or more items.
            on_batch: Progress.

        Returns:
            Results of all items.
        """
        return self.join(self.batcher.parts(rows, self.compute, on_batch))


@dataclass(frozen=True, eq=False)
class FunctionStage(Stage[Item, Out]):
    """A stage made of two functions, whose results are not kept.

    Attributes:
        name: In progress and in the time by stage.
        batcher: Size of a batch.
        function: Computes one batch.
        joiner: Joins the results of batches.
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
    """A stage whose tensors are kept in shards where the engine has a folder, and read by the stages after it.

    Attributes:
        folder: Folder of its shards, below the engine's.
    """

    folder: str

    def needs(self) -> Mapping[str, ShardStage[Item]]:
        """Return the stages whose tensors it takes, by the name under which `Rows.inputs` holds them."""
        return {}

    @abstractmethod
    def keys(self) -> Mapping[str, Mapping[str, object]]:
        """Say what decides the content of each of its files.

        Returns:
            Plain values by the name of a part: that part's tensors are called ``part/...`` and have a file of their
            own. A stage with one file per shard names its part ``""``; one that is not kept has no parts.
        """

    @abstractmethod
    def item_key(self, item: Item) -> str:
        """Say what of an item decides its row.

        Args:
            item: An item.

        Returns:
            Text, different for items whose rows may differ.
        """

    def only(self, parts: Sequence[str]) -> ShardStage[Item]:
        """Return the stage for some of its parts: the others have been read.

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
