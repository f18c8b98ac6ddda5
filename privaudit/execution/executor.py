"""What an executor is: it assigns the shards of a stage to processes and waits until all of them exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from privaudit.registry import KindRegistry, Named


@dataclass(frozen=True)
class Shard:
    """A run of consecutive items of a stage.

    Attributes:
        start: Position of the first item.
        stop: Position after the last item.
        files: Files of its tensors; empty if they are not stored. The shard is complete when all files exist.
    """

    start: int
    stop: int
    files: tuple[Path, ...] = ()

    def __len__(self) -> int:
        """Return the number of items."""
        return self.stop - self.start


@dataclass(frozen=True)
class Executor(Named, ABC):
    """Base of all executors: frozen dataclasses of parameters.

    No stage and no command knows the number of processes. Every process runs the same stages in the same order and
    computes the shards that its executor hands out. It then reads the shards of other processes from their files.
    """

    @abstractmethod
    def claim(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        """Hand out the shards that this process computes.

        Args:
            shards: All shards of a stage. A shard without files cannot be read from another process, so it is always
                handed out.

        Yields:
            Shards, each of which is complete when the next one is requested. The iterator ends when all shards of all
            processes are complete.
        """


EXECUTORS: KindRegistry[Executor] = KindRegistry("an executor", folder="privaudit.execution.executors")
