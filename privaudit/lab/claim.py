"""Is a folder free for this training, or does it hold the same one?"""

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
"""Parameters that a resumed training may change: more steps only continue."""
GIVEN = ("base", "autoencoder_from")
"""Keys of ``lab.json`` that name another target, by path and hash."""


def claim_folder(out: Path, recipe: LabRecipe, split: Split, given: Mapping[str, Any]) -> None:
    """Write ``lab.json`` unless the folder holds another training.

    Raises:
        ConfigError: It holds a training with other parameters, more steps, other images or from another target.
    """
    record, images = out / "lab.json", _hash_split(split)
    if record.exists():
        saved = json.loads(record.read_text())
        wanted = asdict(recipe)
        earlier = asdict(LabRecipe()) | saved["recipe"]  # a parameter that is younger than the folder had its default
        problems = [
            f"{out} holds a training with {name} = {earlier[name]}, not {wanted[name]}"
            for name in wanted
            if name not in RESUMABLE and earlier[name] != wanted[name]
        ]
        if recipe.denoiser_steps < earlier["denoiser_steps"]:
            problems.append(
                f"{out} holds a training of {earlier['denoiser_steps']} denoiser_steps, "
                f"more than {recipe.denoiser_steps}"
            )
        if saved.get("images", images) != images:  # else the manifests would name images it was not trained on
            problems.append(f"{out} holds a training on other images")
        for name in GIVEN:
            one, other = (values.get(name, {}) for values in (saved, given))
            if one.get("hash") != other.get("hash"):
                before, now = (values.get("target", "nothing") for values in (one, other))
                problems.append(f"{out} holds a training with {name} = {before}, not {now} (or its weights changed)")
        if problems:
            raise ConfigError([*problems, "pass the same parameters to resume it, or another --out"])
    out.mkdir(parents=True, exist_ok=True)
    versions = {"privaudit": privaudit.__version__, "torch": str(torch.__version__)}
    values = {"recipe": asdict(recipe), **given, "images": images, "versions": versions}
    record.write_text(json.dumps(values, indent=2) + "\n")


def check_snapshots(out: Path, recipe: LabRecipe, snapshots: Collection[int]) -> None:
    """Check that every snapshot is still ahead of the training in a folder, or there already.

    Raises:
        ConfigError: One or more are not.
    """
    losses = out / "training" / "denoiser-loss.csv"
    trained = len(pd.read_csv(losses)) if losses.is_file() else 0
    problems = []
    for step in sorted(snapshots):
        if not 0 < step <= recipe.denoiser_steps:
            problems.append(f"expected snapshots from 1 to {recipe.denoiser_steps} denoiser steps, got {step}")
        elif step <= trained and not (out / "snapshots" / str(step)).is_dir():
            problems.append(f"expected snapshots after step {trained}, where the training in {out} stands, got {step}")
    if problems:
        raise ConfigError(problems)


def _hash_split(split: Split) -> str:
    parts = (split.members, split.heldout, split.auxiliary)
    ids = [sorted(sample.id for sample in part) for part in parts]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:32]
