"""Base class of the stages over images."""

from __future__ import annotations

from dataclasses import dataclass

from privaudit.data import Sample
from privaudit.execution.batching import Batcher
from privaudit.execution.stage import Rows, ShardStage
from privaudit.model.target import Target


@dataclass(frozen=True, eq=False)
class ImageStage(ShardStage[Sample]):
    """A stage that computes something about images with a target.

    Attributes:
        target: The audited model.
        batcher: Batch size.
    """

    target: Target
    batcher: Batcher

    def item_key(self, item: Sample) -> str:
        """Return the sample id, which is a hash of the pixels."""
        return item.id


def ids_of(rows: Rows[Sample]) -> list[str]:
    """Return the sample id of each row."""
    return [sample.id for sample in rows.items]
