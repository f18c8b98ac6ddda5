"""Finds the checkpoints of a training by the names of files and folders; no weights and no pickles are opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from privaudit.errors import OptionNeededError, TargetError
from privaudit.loading.checkpoints.adapter_series import find_series
from privaudit.loading.checkpoints.base_name import recorded_base
from privaudit.loading.checkpoints.folders import in_folder, numbered_folders, require_merged
from privaudit.loading.checkpoints.snapshots import find_snapshots, last_step
from privaudit.loading.checkpoints.training_output import Checkpoint, TrainingOutput, Unit
from privaudit.loading.weight_files import DIFFUSERS_LORA, has_adapter

BASE = "base"
"""Name of the base among the checkpoints."""


def find_checkpoints(output: str | Path, base: str | None = None, *, ema: bool = False) -> TrainingOutput:
    """Find the checkpoints in the output folder of a training script.

    Read are ``checkpoint-N`` folders (a network, a LoRA or a whole pipeline), ``snapshots/N`` of `privaudit lab train`,
    and numbered adapter files such as ``style-000002.safetensors``. Optimizer states and other pickles are not opened.

    Args:
        output: The output folder.
        base: Folder or hub id of the model that the training started from; None if the output folder is that of a
            pipeline, whose other components are used.
        ema: Whether to choose averaged weights (``unet_ema``) where they are next to raw ones.

    Returns:
        The checkpoints, by step.

    Raises:
        TargetError: The folder does not exist, has no checkpoints, or one of them cannot be used.
        OptionNeededError: The base is needed and not named, or averaged weights are requested and there are none.
    """
    folder = Path(output).expanduser()
    if not folder.is_dir():
        raise TargetError(f"expected the output folder of a training, but {output} is no folder; check the path")
    unit, checkpoints = _numbered(folder, base or str(folder), ema=ema)
    start = _start(folder, base, adapters=any(checkpoint.adapter for checkpoint in checkpoints))
    checkpoints += _final(folder, start, checkpoints)
    if ema and not any(checkpoint.averages for checkpoint in checkpoints):
        raise OptionNeededError(
            f"expected no `ema`, since no checkpoint in {folder} has averaged weights next to raw ones; leave it out"
        )
    if base is not None or any(checkpoint.adapter for checkpoint in checkpoints):
        checkpoints.insert(0, Checkpoint(BASE, 0, start))
    return TrainingOutput(str(folder), unit, _named_apart(checkpoints), ema)


def _numbered(folder: Path, start: str, *, ema: bool) -> tuple[Unit, list[Checkpoint]]:
    """Find the checkpoints that were saved during the training, which belong to the base ``start``."""
    if folders := numbered_folders(folder):
        return "step", [in_folder(path, step, start, ema=ema) for step, path in folders]
    if series := find_series(folder):
        return series.unit, [Checkpoint(path.name, step, start, str(path)) for step, path in series.files]
    if snapshots := find_snapshots(folder):
        return "step", snapshots
    raise TargetError(
        f"expected checkpoints in {folder} (checkpoint-500, snapshots/500 or name-000001.safetensors), found none; "
        "pass the output folder of a training script, or audit a single model with privaudit scan"
    )


def _start(folder: Path, base: str | None, *, adapters: bool) -> str:
    """Find the model that the checkpoints belong to.

    Returns:
        Its folder or hub id.

    Raises:
        OptionNeededError: It is not named, and the output folder is not it.
    """
    if base is not None:
        return base
    if not _is_pipeline(folder):
        name = recorded_base(folder)
        hint = f"; its files name {name}" if name else ""
        reason = f"{folder} has no model_index.json{hint}"
    elif adapters and not any(has_adapter(path) for path in folder.glob("*.safetensors")):
        # It may be the base, or the result with the LoRA merged into it.
        reason = f"its checkpoints are LoRAs, and the pipeline in {folder} may be their base or the result"
    else:
        return str(folder)
    raise OptionNeededError(
        f"expected `base`, the model that the training started from, since {reason}; pass its folder or hub id"
    )


def _final(folder: Path, start: str, checkpoints: list[Checkpoint]) -> Iterator[Checkpoint]:
    """Find the weights that the training ended with."""
    adapters = [checkpoint.adapter for checkpoint in checkpoints if checkpoint.adapter]
    if adapters and (folder / DIFFUSERS_LORA).is_file():
        yield Checkpoint("final", last_step(folder), start, str(folder / DIFFUSERS_LORA))
    elif _is_pipeline(folder) and not (adapters and _same(folder, start)):
        if not adapters:
            require_merged(folder)
        step = last_step(folder)
        if step is None or step not in [checkpoint.step for checkpoint in checkpoints]:
            yield Checkpoint("final", step, str(folder))


def _is_pipeline(folder: Path) -> bool:
    return (folder / "model_index.json").is_file()


def _same(folder: Path, start: str) -> bool:
    return Path(start).expanduser().resolve() == folder.resolve()


def _named_apart(checkpoints: list[Checkpoint]) -> tuple[Checkpoint, ...]:
    names = [checkpoint.name for checkpoint in checkpoints]
    return tuple(
        replace(each, name=f"{each.name} ({place})") if names.count(each.name) > 1 else each
        for place, each in enumerate(checkpoints)
    )
