"""What an executor is: it hands out the shards of a stage, and says when all of them are done."""

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
        stop: Position after the last.
        files: Where its tensors are kept; none if they are not. It is done when all of them exist.
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

    No stage and no command knows how many processes there are. Every process runs the same stages in the same order
    and asks its executor which shards to compute; whatever another one has computed is then read from its files.
    """

    @abstractmethod
    def claim(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        """Hand out the shards that this process computes.

        Args:
            shards: All shards of a stage. One without files is nobody else's to compute, so that it is always handed
                out.

        Yields:
            Shards, each of which is done when the next one is asked for. The iterator ends when all shards are done,
            whoever computed them.
        """


EXECUTORS: KindRegistry[Executor] = KindRegistry("an executor", folder="privaudit.execution.executors")
