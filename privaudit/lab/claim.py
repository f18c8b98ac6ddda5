"""Checks that a folder is free for a training, or holds the same training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import privaudit
from privaudit.errors import ConfigError
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.split import Split

RESUMABLE = frozenset({"denoiser_steps"})
"""Parameters that a resumed training may change: more steps continue the same training."""
SOURCES = ("base", "autoencoder_from")
"""Keys of ``lab.json`` that name another target, by path and hash."""


def claim_folder(out: Path, recipe: LabRecipe, split: Split, source: Mapping[str, Any]) -> None:
    """Write ``lab.json`` unless the folder holds a different training.

    Raises:
        ConfigError: The folder holds a training with different parameters, more steps, other images or from another
            target.
    """
    record, images = out / "lab.json", _hash_split(split)
    if record.exists():
        saved = json.loads(record.read_text())
        requested = asdict(recipe)
        # A parameter that was added after the folder was written had its default value.
        earlier = asdict(LabRecipe()) | saved["recipe"]
        problems = [
            f"{out} holds a training with {name} = {earlier[name]}, not {requested[name]}"
            for name in requested
            if name not in RESUMABLE and earlier[name] != requested[name]
        ]
        if recipe.denoiser_steps < earlier["denoiser_steps"]:
            problems.append(
                f"{out} holds a training of {earlier['denoiser_steps']} denoiser_steps, "
                f"more than {recipe.denoiser_steps}"
            )
        if saved.get("images", images) != images:  # the manifests would list images that did not train the target
            problems.append(f"{out} holds a training on other images")
        for name in SOURCES:
            before, now = (values.get(name, {}) for values in (saved, source))
            if before.get("hash") != now.get("hash"):
                old, new = (values.get("target", "nothing") for values in (before, now))
                problems.append(f"{out} holds a training with {name} = {old}, not {new} (or its weights changed)")
        if problems:
            raise ConfigError([*problems, "pass the same parameters to resume it, or another --out"])
    out.mkdir(parents=True, exist_ok=True)
    versions = {"privaudit": privaudit.__version__, "torch": str(torch.__version__)}
    values = {"recipe": asdict(recipe), **source, "images": images, "versions": versions}
    record.write_text(json.dumps(values, indent=2) + "\n")


def snapshot_folder(out: Path, recipe: LabRecipe, step: int) -> Path:
    """Return the folder of the model after a step; that of a LoRA is the checkpoint that diffusers would write."""
    return out / f"checkpoint-{step}" if recipe.lora_rank else out / "snapshots" / str(step)


def check_snapshots(out: Path, recipe: LabRecipe, snapshots: Collection[int]) -> None:
    """Check that the training in a folder has not passed the step of a snapshot without saving it.

    Raises:
        ConfigError: One or more snapshots can no longer be made.
    """
    losses = out / "training" / "denoiser-loss.csv"
    trained = len(pd.read_csv(losses)) if losses.is_file() else 0
    problems = []
    for step in sorted(snapshots):
        if not 0 < step <= recipe.denoiser_steps:
            problems.append(f"expected snapshots from 1 to {recipe.denoiser_steps} denoiser steps, got {step}")
        elif step <= trained and not snapshot_folder(out, recipe, step).is_dir():
            problems.append(f"expected snapshots after step {trained}, which {out} has already reached, got {step}")
    if problems:
        raise ConfigError(problems)


def _hash_split(split: Split) -> str:
    parts = (split.members, split.heldout, split.auxiliary)
    ids = [sorted(sample.id for sample in part) for part in parts]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:32]
