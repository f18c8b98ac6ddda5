"""One training phase, seeded per step, so that a resumed training reaches the same weights."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from privaudit.errors import NonFiniteError

OnStep = Callable[[str, int, int, float], None]
"""Called after each step with (phase, step, all steps, loss)."""

CHECKPOINT_EVERY = 250


class Stateful(Protocol):
    """A part of a checkpoint: a module, an optimiser, an average."""

    def state_dict(self) -> Any:  # noqa: ANN401 - torch's own type
        """Return the state."""

    def load_state_dict(self, state_dict: Any) -> Any:  # noqa: ANN401
        """Restore the state."""


@dataclass(frozen=True)
class Phase:
    """Random numbers and files of one training phase.

    Attributes:
        name: ``autoencoder`` or ``denoiser``.
        folder: Folder of the checkpoint ``<name>.pt`` and of ``<name>-loss.csv`` (columns step, loss).
        seed: Seed of the training; a batch depends on (seed, name, step) alone.
    """

    name: str
    folder: Path
    seed: int

    def generator(self, step: int) -> torch.Generator:
        """Generator of one step, which does not depend on interruptions."""
        offset = {"autoencoder": 1, "denoiser": 2}[self.name]
        return torch.Generator().manual_seed((self.seed * 2 + offset) * 10_000_000 + step)

    def batch(self, step: int, size: int, count: int) -> Tensor:
        """Indices of the batch of one step; every epoch shuffles all indices once.

        Returns:
            ``(size,)``, int64.
        """
        # Positions of the batch in the endless sequence of epochs; a batch may span two or more of them.
        positions = torch.arange(step * size, (step + 1) * size)
        indices = torch.empty(size, dtype=torch.int64)
        for epoch in range(int(positions[0]) // count, int(positions[-1]) // count + 1):
            # Epochs draw from "steps" beyond 9,000,000, which no training reaches.
            order = torch.randperm(count, generator=self.generator(9_000_000 + epoch))
            in_epoch = positions // count == epoch
            indices[in_epoch] = order[positions[in_epoch] % count]
        return indices


def run_phase(
    phase: Phase,
    parts: Mapping[str, Stateful],
    steps: int,
    train_step: Callable[[int], Tensor],
    on_step: OnStep | None = None,
) -> None:
    """Train up to ``steps`` steps, starting from the checkpoint if there is one.

    Raises:
        NonFiniteError: The loss is NaN or infinite.
    """
    phase.folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = phase.folder / f"{phase.name}.pt", phase.folder / f"{phase.name}-loss.csv"
    start, losses = 0, []
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        start, losses = saved["step"], saved["losses"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    for step in range(start, steps):
        loss = float(train_step(step))
        if not math.isfinite(loss):
            raise NonFiniteError(
                f"expected a finite loss, got {loss} at step {step} of the {phase.name}; lower its learning rate"
            )
        losses.append(loss)
        if on_step is not None:
            on_step(phase.name, step + 1, steps, loss)
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == steps:
            state = {name: part.state_dict() for name, part in parts.items()}
            _save_checkpoint(checkpoint, {**state, "step": step + 1, "losses": losses})
            _write_losses(log, losses)


def _save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    torch.save(dict(state), temporary)
    os.replace(temporary, path)


def _write_losses(path: Path, losses: Sequence[float]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "loss"))
        writer.writerows(enumerate(losses, start=1))
    os.replace(temporary, path)
