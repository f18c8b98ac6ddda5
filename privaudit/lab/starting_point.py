"""What another target gives to this one, its autoencoder or all of its weights, and which images they have seen."""

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

FAMILIES = {"unconditional": "unconditional", "text": "text-to-image", "flow": "text-to-image"}
"""What the loader calls each family of a recipe."""
GIVEN = "given.csv"
"""Beside ``lab.json``: images (column id) that a given part (column part) was trained on before."""


@dataclass(frozen=True)
class Given:
    """Parts of another target.

    Attributes:
        autoencoder: In eval mode; None if this training makes its own.
        base: Whose denoiser this training continues, if it is a fine-tune.
        record: For ``lab.json``: of ``autoencoder_from`` or ``base`` the path, the hash, and whether the images that
            trained it were compared with members and held-out images.
        seen: Of each part the ids of the images that trained it, where known.
    """

    autoencoder: Any = None
    base: Target | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)


def read_given(recipe: LabRecipe, split: Split, base: Path | None, autoencoder_from: Path | None) -> Given:
    """Load what another target gives, and refuse it if it has seen a member or a held-out image.

    Returns:
        The parts; nothing if both are None.

    Raises:
        ConfigError: Both are given, or they do not fit the recipe.
        DataError: They were trained on a member or a held-out image.
        TargetError: They cannot be loaded.
    """
    if base is not None and autoencoder_from is not None:
        raise ConfigError(["expected --base or --autoencoder-from, got both; a base brings its autoencoder"])
    folder = base or autoencoder_from
    if folder is None:
        return Given()
    name = "base" if base else "autoencoder_from"
    found = {part: seen_images(folder, part) for part in (("autoencoder", "denoiser") if base else ("autoencoder",))}
    seen = {part: ids for part, ids in found.items() if ids is not None}
    for part, ids in seen.items():
        _refuse_overlap(ids, split, f"the {part} of {folder}")
    record = {
        "target": str(folder),
        "hash": hash_folder(folder),
        "overlap": {part: "not checked" if ids is None else "none" for part, ids in found.items()},
    }
    if base is None:
        autoencoder = load_autoencoder(ModelSource(folder, device="cpu")).module
        _check_autoencoder(autoencoder, recipe, folder)
        return Given(autoencoder, None, {name: record}, seen)
    target: Any = load_target(ModelSource(folder, device="cpu"))
    _check_base(target, recipe, folder)
    _check_autoencoder(target.autoencoder.module, recipe, folder)
    return Given(target.autoencoder.module, target, {name: record}, seen)


def seen_images(target: Path, part: str) -> frozenset[str] | None:
    """Find the ids of the images that trained a part of a target, whoever trained it first.

    Returns:
        The ids; None for a folder that does not say.
    """
    if hash_folder(target) == json.loads(demo_target.RECORD.read_text())["target_hash"]:
        table = pd.read_csv(demo_target.SPLIT, dtype=str)
        return frozenset(table["id"][table["set"] == {"autoencoder": "auxiliary", "denoiser": "members"}[part]])
    home = target.resolve()
    home = home.parent.parent if home.parent.name == "snapshots" else home
    if not (home / "lab.json").is_file():
        return None
    saved = json.loads((home / "lab.json").read_text())
    earlier = saved.get("base", saved.get("autoencoder_from", {}) if part == "autoencoder" else {})
    if earlier.get("overlap", {}).get(part) == "not checked":
        return None
    ids: frozenset[str] = frozenset()
    if earlier:
        table = pd.read_csv(home / GIVEN, dtype=str)
        ids = frozenset(table["id"][table["part"] == part])
    if part == "denoiser" or not earlier:
        default = {"autoencoder": "auxiliary", "denoiser": "members"}[part]
        manifest = home / f"{saved['recipe'].get(f'{part}_images', default)}.csv"
        ids |= frozenset(pd.read_csv(manifest, dtype=str)["id"])
    return ids


def write_seen(out: Path, given: Given) -> None:
    """Write which images the given parts have seen, for targets that are made from this one."""
    rows = [(part, key) for part, ids in sorted(given.seen.items()) for key in sorted(ids)]
    if given.record:
        pd.DataFrame(rows, columns=["part", "id"]).to_csv(out / GIVEN, index=False)


def _refuse_overlap(ids: frozenset[str], split: Split, what: str) -> None:
    for name in ("members", "heldout"):
        shared = sum(sample.id in ids for sample in getattr(split, name))
        if shared:
            raise DataError(
                f"expected {what} to have seen no image of the {name}, got {shared} that trained it; "
                "pass another --seed, fewer --members or --heldout, or another target"
            )


def _check_autoencoder(autoencoder: Any, recipe: LabRecipe, folder: Path) -> None:  # noqa: ANN401 - a diffusers model
    kind, config = type(autoencoder).__name__, autoencoder.config
    wanted = ("AutoencoderKL",) if recipe.captioned else ("AutoencoderKL", "VQModel")
    problems = []
    if kind not in wanted:
        problems.append(f"expected the autoencoder of {folder} to be {' or '.join(wanted)}, got {kind}")
    elif (channels := config.get("vq_embed_dim") or config["latent_channels"]) != recipe.latent_channels:
        problems.append(
            f"expected {recipe.latent_channels} latent channels of {folder}, got {channels}; pass --latent-channels"
        )
    elif (shrink := 2 ** (len(config["block_out_channels"]) - 1)) != 4:
        problems.append(f"expected an autoencoder that shortens each side to a quarter in {folder}, got 1/{shrink}")
    if problems:
        raise ConfigError(problems)


def _check_base(target: Target, recipe: LabRecipe, folder: Path) -> None:
    info, size = target.info, (recipe.resolution, recipe.resolution)
    found = {"family": info.family, "prediction type": info.prediction_type, "image size": info.image_size}
    wanted = {"family": FAMILIES[recipe.family], "prediction type": recipe.prediction_type, "image size": size}
    problems = [
        f"expected a base of {name} {wanted[name]}, got {found[name]} in {folder}"
        for name in wanted
        if found[name] != wanted[name]
    ]
    if problems:
        raise ConfigError([*problems, "pass the base's own --family, --prediction-type and --resolution"])
