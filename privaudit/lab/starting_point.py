"""Weights that a training takes from another target, and the images that those weights were trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from privaudit.errors import ConfigError, DataError
from privaudit.lab import demo_target
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.split import Split
from privaudit.loading import ModelSource, hash_folder, load_autoencoder, load_target
from privaudit.model.target import Target

FAMILIES = {
    "unconditional": "unconditional",
    "class": "class-conditional",
    "text": "text-to-image",
    "flow": "text-to-image",
}
"""Name of each recipe family in the loader."""
EARLIER_IMAGES = "given.csv"
"""Table in the folder of ``lab.json``: images (column id) that trained a part (column part) before."""


@dataclass(frozen=True)
class StartingPoint:
    """Parts of another target that a training starts from.

    Attributes:
        autoencoder: Autoencoder in eval mode; None if this training makes its own.
        base: Target whose denoiser this training continues; None unless it is a fine-tune.
        record: Entry of ``lab.json`` for ``autoencoder_from`` or ``base``: its path, its hash, and whether its training
            images were compared with members and held-out images.
        trained_on: Ids of the images that trained each part, where known.
    """

    autoencoder: Any = None
    base: Target | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    trained_on: Mapping[str, frozenset[str]] = field(default_factory=dict)


def load_starting_point(
    recipe: LabRecipe, split: Split, base: Path | None, autoencoder_from: Path | None
) -> StartingPoint:
    """Load the parts of another target, and reject them if a member or a held-out image trained them.

    Returns:
        The parts; none if both paths are None.

    Raises:
        ConfigError: Both paths are set, or the parts do not fit the recipe.
        DataError: A member or a held-out image trained a part.
        TargetError: The target cannot be loaded.
    """
    if recipe.lora_rank and base is None:
        raise ConfigError(["expected a base for a LoRA, got none; pass --base"])
    if base is not None and autoencoder_from is not None:
        raise ConfigError(["expected --base or --autoencoder-from, got both; a base includes its autoencoder"])
    folder = base or autoencoder_from
    if folder is None:
        return StartingPoint()
    name = "base" if base else "autoencoder_from"
    parts = ("autoencoder", "denoiser") if base else ("autoencoder",)
    images = {part: training_images(folder, part) for part in parts}
    known = {part: ids for part, ids in images.items() if ids is not None}
    for part, ids in known.items():
        _refuse_overlap(ids, split, f"the {part} of {folder}")
    record = {
        "target": str(folder),
        "hash": hash_folder(folder),
        "overlap": {part: "not checked" if ids is None else "none" for part, ids in images.items()},
    }
    if base is None:
        autoencoder = load_autoencoder(ModelSource(folder, device="cpu")).module
        _check_autoencoder(autoencoder, recipe, folder)
        return StartingPoint(autoencoder, None, {name: record}, known)
    target: Any = load_target(ModelSource(folder, device="cpu"))
    _check_base(target, recipe, folder)
    _check_autoencoder(target.autoencoder.module, recipe, folder)
    return StartingPoint(target.autoencoder.module, target, {name: record}, known)


def training_images(target: Path, part: str) -> frozenset[str] | None:
    """Find the ids of all images that trained a part of a target, including those of its own starting point.

    Returns:
        The ids; None if the folder does not record them.
    """
    # The shipped demo target has no lab.json of its own; its split is part of the package.
    if hash_folder(target) == json.loads(demo_target.RECORD.read_text())["target_hash"]:
        table = pd.read_csv(demo_target.SPLIT, dtype=str)
        return frozenset(table["id"][table["set"] == {"autoencoder": "auxiliary", "denoiser": "members"}[part]])
    home = target.resolve()
    home = home.parent.parent if home.parent.name == "snapshots" else home  # a snapshot shares the record of its run
    if not (home / "lab.json").is_file():
        return None
    saved = json.loads((home / "lab.json").read_text())
    earlier = saved.get("base", saved.get("autoencoder_from", {}) if part == "autoencoder" else {})
    if earlier.get("overlap", {}).get(part) == "not checked":
        return None
    ids: frozenset[str] = frozenset()
    if earlier:
        table = pd.read_csv(home / EARLIER_IMAGES, dtype=str)
        ids = frozenset(table["id"][table["part"] == part])
    # Every run trains its denoiser, but only a run without a starting point trains its autoencoder.
    if part == "denoiser" or not earlier:
        default = {"autoencoder": "auxiliary", "denoiser": "members"}[part]
        manifest = home / f"{saved['recipe'].get(f'{part}_images', default)}.csv"
        ids |= frozenset(pd.read_csv(manifest, dtype=str)["id"])
    return ids


def write_earlier_images(out: Path, start: StartingPoint) -> None:
    """Write the training images of a starting point, for targets that are made from this one."""
    rows = [(part, key) for part, ids in sorted(start.trained_on.items()) for key in sorted(ids)]
    if start.record:
        pd.DataFrame(rows, columns=["part", "id"]).to_csv(out / EARLIER_IMAGES, index=False)


def _refuse_overlap(ids: frozenset[str], split: Split, what: str) -> None:
    for name in ("members", "heldout"):
        shared = sum(sample.id in ids for sample in getattr(split, name))
        if shared:
            raise DataError(
                f"expected {what} not to be trained on the {name}, got {shared} images that trained it; "
                "pass another --seed, fewer --members or --heldout, or another target"
            )


def _check_autoencoder(autoencoder: Any, recipe: LabRecipe, folder: Path) -> None:  # noqa: ANN401 - a diffusers model
    kind, config = type(autoencoder).__name__, autoencoder.config
    supported = ("AutoencoderKL", "VQModel") if recipe.family == "unconditional" else ("AutoencoderKL",)
    problems = []
    if kind not in supported:
        problems.append(f"expected the autoencoder of {folder} to be {' or '.join(supported)}, got {kind}")
    elif (channels := config.get("vq_embed_dim") or config["latent_channels"]) != recipe.latent_channels:
        problems.append(
            f"expected {recipe.latent_channels} latent channels in {folder}, got {channels}; pass --latent-channels"
        )
    elif (factor := 2 ** (len(config["block_out_channels"]) - 1)) != 4:  # each stage but the first halves the sides
        problems.append(f"expected an autoencoder that downsamples each side by 4 in {folder}, got {factor}")
    if problems:
        raise ConfigError(problems)


def _check_base(target: Target, recipe: LabRecipe, folder: Path) -> None:
    info, size = target.info, (recipe.resolution, recipe.resolution)
    actual = {"family": info.family, "prediction type": info.prediction_type, "image size": info.image_size}
    expected = {"family": FAMILIES[recipe.family], "prediction type": recipe.prediction_type, "image size": size}
    problems = [
        f"expected a base with {name} {expected[name]}, got {actual[name]} in {folder}"
        for name in expected
        if actual[name] != expected[name]
    ]
    if problems:
        raise ConfigError([*problems, "pass --family, --prediction-type and --resolution of the base"])
