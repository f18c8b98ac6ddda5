"""Reads the snapshots of `privaudit lab train`, each a whole pipeline."""

from __future__ import annotations

import json
from pathlib import Path

from privaudit.loading.checkpoints.training_output import Checkpoint


def find_snapshots(folder: Path) -> list[Checkpoint]:
    """List the snapshots of a lab training, by step; none if the folder is not that of one."""
    inside = [index.parent for index in folder.glob("snapshots/*/model_index.json")]
    steps = sorted((int(path.name), path) for path in inside if path.name.isascii() and path.name.isdigit())
    return [Checkpoint(f"snapshots/{path.name}", step, str(path)) for step, path in steps]


def last_step(folder: Path) -> int | None:
    """Read the step at which a lab training ended; None if the folder is not that of one."""
    try:
        step = json.loads((folder / "lab.json").read_text(encoding="utf-8"))["recipe"]["denoiser_steps"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return step if isinstance(step, int) else None
