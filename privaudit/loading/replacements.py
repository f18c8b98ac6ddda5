"""Components that are read from another folder than that of the pipeline, such as a fine-tuned U-Net over its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError, did_you_mean
from privaudit.loading.json_files import read_json
from privaudit.loading.recognise import recognise

AVERAGED = "_ema"
"""End of the name of a folder with weights that were averaged over the training."""
CONFIGURATIONS = ("config.json", "scheduler_config.json", "tokenizer_config.json")
"""Files that tell the folder of a component; a tokenizer may have a model's configuration as well."""


def place_replacements(
    requested: Mapping[str, str], index: Mapping[str, Any], autoencoder: str
) -> tuple[dict[str, Path], dict[str, Any]]:
    """Find the folders of replaced components.

    Args:
        requested: Folder by component: that of the component itself, or one that has a folder with its name, such as a
            training checkpoint; ``vae`` stands for the autoencoder.
        index: Content of ``model_index.json`` of the pipeline.
        autoencoder: Name of the autoencoder in the pipeline.

    Returns:
        Folder of each replaced component, and the index with their classes.

    Raises:
        TargetError: The pipeline has no such component, a folder does not hold it, or it holds others as well.
    """
    places: dict[str, Path] = {}
    changed = dict(index)
    for alias, text in requested.items():
        name = autoencoder if alias == "vae" else alias
        known = [each for each, value in index.items() if isinstance(value, list) and value[-1]]
        if name not in known:
            raise TargetError(
                f"expected a component of the pipeline ({', '.join(known)}), got {alias}{did_you_mean(alias, known)}"
            )
        places[name] = _find(name, Path(text).expanduser())
        changed[name] = _class_in(places[name], index[name])
    _require_all(places, index)
    return places, changed


def _require_all(places: Mapping[str, Path], index: Mapping[str, Any]) -> None:
    """Refuse a part of a training checkpoint, such as its U-Net without the text encoder that was trained with it."""
    for name, place in places.items():
        folder = place.parent
        if (folder / "model_index.json").is_file():  # another pipeline, of which the user has chosen a part
            continue
        others = [each for each in index if each not in places and (folder / each / CONFIGURATIONS[0]).is_file()]
        if others:
            raise TargetError(
                f"expected all of {folder}, got {name} alone; pass --component {others[0]}={folder / others[0]}, too, "
                f"or name the folder of another {others[0]}"
            )


def _find(name: str, folder: Path) -> Path:
    if not folder.exists():
        raise TargetError(f"expected a folder with {name}, but {folder} does not exist; check the path")
    if folder.is_dir():
        # The folder of a checkpoint or pipeline may have a config.json of its own, so that the inner one counts first.
        for place in (folder / name, folder):
            if any((place / file).is_file() for file in CONFIGURATIONS):
                return place
        averaged = folder / f"{name}{AVERAGED}"
        if (averaged / CONFIGURATIONS[0]).is_file():
            raise TargetError(
                f"expected a folder {name} in {folder}, got {averaged.name} alone, whose weights are averaged over the "
                f"training; pass --component {name}={averaged} to audit them"
            )
    answer = recognise(folder)
    raise TargetError(
        f"expected the folder of {name}, with its config.json and safetensors weights, but {folder} is {answer.what}; "
        "pass a folder that save_pretrained wrote, or that of a checkpoint"
    )


def _class_in(folder: Path, stated: Any) -> list[Any]:  # noqa: ANN401 - entry of model_index.json
    """Read the class of a component from its configuration; that of the pipeline if it states none."""
    if "Tokenizer" in str(stated[-1]):  # next to which the configuration of a model may lie
        return list(stated)
    for file in CONFIGURATIONS:
        if (folder / file).is_file():
            config = read_json(folder / file)
            if "_class_name" in config:
                return [stated[0], str(config["_class_name"])]
            if architectures := config.get("architectures"):
                return [stated[0], str(architectures[0])]
    return list(stated)
