"""The images of a run by size: with aspect-ratio buckets, each size is run with the target at that size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.stages import AuditStages
from privaudit.data import Sample
from privaudit.execution.batching import Tensors
from privaudit.execution.engine import Engine
from privaudit.execution.progress import OnProgress
from privaudit.execution.stage import ShardStage
from privaudit.loading.image_sizes import at_size
from privaudit.model.target import Target

Size = tuple[int, int]
"""Height and width in pixels."""
Keep = Callable[[Tensors], Tensors]
"""Reduces the tensors of one shard to what is kept in memory."""


@dataclass(frozen=True)
class SizeRun:
    """The images of one size, and what runs over them.

    Attributes:
        positions: Positions of the images in the run.
        target: The audited model at this size.
        stages: Its stages.
        engine: Engine over the images; shards are those of a run with these images alone.
    """

    positions: tuple[int, ...]
    target: Target
    stages: AuditStages
    engine: Engine[Sample]

    @property
    def size(self) -> Size:
        """Size of the images."""
        return self.target.info.image_size


@dataclass(frozen=True)
class SizeRuns:
    """Runs over images of every size, one after the other within each stage.

    Attributes:
        runs: One run per size, in ascending order of the sizes.
        target: The audited model at its own size.
    """

    runs: tuple[SizeRun, ...]
    target: Target

    @staticmethod
    def of(
        target: Target, samples: Sequence[Sample], options: AuditOptions, on_progress: OnProgress, folder: Path | None
    ) -> SizeRuns:
        """Divide images by size.

        Args:
            target: The audited model.
            samples: One or more images.
            options: Options of the audit.
            on_progress: Called with (stage, completed images, all images), counted over all sizes.
            folder: Folder of the shards.

        Returns:
            The runs; a single one, with the target itself, if all images have its size.

        Raises:
            TargetError: The model does not take images of some size.
        """
        runs: list[SizeRun] = []
        done = 0
        for size, positions in by_size(samples, target.info.image_size).items():
            sized = at_size(target, size)
            of_size = [samples[position] for position in positions]
            engine = Engine(of_size, _counted(on_progress, done, len(samples)), folder)
            runs.append(SizeRun(positions, sized, AuditStages(sized, options), engine))
            done += len(positions)
        return SizeRuns(tuple(runs), target)

    def at_sizes(self, target: Target) -> Mapping[Size, Target]:
        """Read another target, such as a reference model, at every size (same errors as `of`)."""
        return {run.size: target if run.target is self.target else at_size(target, run.size) for run in self.runs}

    def dimensions(self, run: SizeRun) -> float:
        """Latent dimensions of the model's own size per dimension of the size of a run; 1 at its own size."""
        return prod(self.target.info.latent_shape) / prod(run.target.info.latent_shape)

    def run_each(self, stage: Callable[[SizeRun], ShardStage[Sample]], keep: Keep | None = None) -> list[Tensors]:
        """Run a stage over the images of each size.

        Args:
            stage: Function that returns the stage of a run.
            keep: Reduces the tensors of one shard.

        Returns:
            Tensors of each run.
        """
        return [run.engine.run(stage(run), keep=keep) for run in self.runs]

    def run(self, stage: Callable[[SizeRun], ShardStage[Sample]], keep: Keep | None = None) -> Tensors:
        """Run a stage over all images (arguments as in `run_each`).

        Returns:
            Tensors of all images, in the order of the samples.
        """
        return self.join(self.run_each(stage, keep))

    def join(self, results: Sequence[Tensors]) -> Tensors:
        """Join tensors of each run, whose first axis is its images, in the order of the samples."""
        if len(self.runs) == 1:
            return results[0]
        order = torch.tensor([position for run in self.runs for position in run.positions]).argsort()
        return {name: torch.cat([result[name] for result in results])[order] for name in results[0]}

    @property
    def seconds(self) -> dict[str, float]:
        """Time by stage, over all sizes."""
        total: dict[str, float] = {}
        for name, value in (item for run in self.runs for item in run.engine.seconds.items()):
            total[name] = total.get(name, 0.0) + value
        return total


def by_size(samples: Iterable[Sample], default: Size) -> Mapping[Size, tuple[int, ...]]:
    """Group images by the size of their pixels.

    Args:
        samples: Images.
        default: Size of an image whose size is unknown.

    Returns:
        Positions of the images by size, ascending.
    """
    groups: dict[Size, list[int]] = {}
    for position, sample in enumerate(samples):
        groups.setdefault(sample.size or default, []).append(position)
    return {size: tuple(groups[size]) for size in sorted(groups)}


def _counted(on_progress: OnProgress, before: int, total: int) -> OnProgress:
    """Count the images of one size among those of all sizes."""

    def count(stage: str, done: int, of_size: int) -> None:
        del of_size
        if done or not before:  # a stage begins once
            on_progress(stage, before + done, total)

    return count
