"""One process that computes everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from privaudit.execution.executor import EXECUTORS, Executor, Shard


@EXECUTORS.register
@dataclass(frozen=True)
class Serial(Executor):
    """Hands out every shard, in order."""

    name: ClassVar[str] = "serial"
    summary: ClassVar[str] = "this process computes every shard, one after the other"

    def claim(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        """Yield all shards."""
        return iter(shards)
