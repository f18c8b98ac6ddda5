"""Names what a path is that is not the folder of a pipeline, and what to pass instead.

Weight files are never unpickled: only names, sizes and the headers of safetensors and GGUF files are read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from privaudit.loading.autoencoder.layouts import AUTOENCODERS, OF_AUDIO
from privaudit.loading.weight_files import (
    DIFFUSERS_LORA,
    PEFT_CONFIG,
    PICTURES,
    WEIGHTS,
    Recognised,
    adapter_kind,
    has_adapter,
    insert,
    merge,
    onnx,
    read_header,
    recognise_file,
)
from privaudit.loading.weights import NAME as WEIGHTS_NAME

DENOISERS = ("unet", "transformer", "unet_ema", "transformer_ema")
"""Folders in which the training scripts of diffusers save a network that was trained as a whole."""
ADAPTERS = (DIFFUSERS_LORA, "pytorch_lora_weights.bin")
"""Files in which the training scripts of diffusers save a LoRA."""


def recognise(path: Path) -> Recognised:
    """Name what a file or folder is that is not the folder of a pipeline.

    Args:
        path: File or folder that exists.

    Returns:
        What it is, and what to pass instead.
    """
    return _folder(path) if path.is_dir() else recognise_file(path)


def explain(path: Path, expected: str = "the folder of a diffusers pipeline") -> str:
    """Say in one line what was expected, what a path is, and what to pass instead."""
    recognised = recognise(path)
    return f"expected {expected}, but {path} is {recognised.what}; {recognised.advice}"


def no_index(repository: str) -> str:
    """Say that a repository of the hub is not that of a pipeline; the files that would tell were not downloaded."""
    return (
        f"expected model_index.json in {repository} on the hub, found none: it may hold a LoRA, a single-file "
        "checkpoint or another kind of model; download it, and pass its path to learn what it is"
    )


def adapter_problem(folder: Path, *, decided: bool) -> str | None:
    """Say that an adapter of a pipeline is not merged into it.

    Args:
        folder: Folder with a ``model_index.json``.
        decided: Whether the user has said which adapters to merge.

    Returns:
        A sentence; None if nothing stands in the way.
    """
    for path in sorted(folder.glob("*/*.safetensors")):
        if any(".base_layer." in key for key in read_header(path)[0] or ()):
            return (
                f"expected merged weights in {path.parent}, got those of a network with an adapter that was loaded and "
                "not merged; call fuse_lora, unload_lora_weights and save_pretrained in diffusers, and pass the folder "
                "that this writes"
            )
    # The base alone would be read, and nothing of the fine-tuning would show.
    adapters = adapters_in(folder)
    if adapters and not decided:
        names = " and ".join(str(path.relative_to(folder)) for path in adapters)
        return (
            f"expected one model, but {folder} holds a base and {names}, a LoRA; pass --lora "
            f"{adapters[0]} to audit the base with it, or --lora none to audit the base alone"
        )
    return None


def adapters_in(folder: Path) -> list[Path]:
    """List the adapters in the folder of a pipeline and in those of its components, which nothing else reads.

    Those in checkpoints of a training are left to `privaudit.loading.checkpoints`.

    Returns:
        Their files.
    """
    # The weights of a component itself are checked when they are loaded.
    inner = [
        path
        for path in folder.glob("*/*")
        if not path.parent.name.startswith("checkpoint") and not WEIGHTS_NAME.fullmatch(path.name)
    ]
    return [
        path
        for path in (*sorted(folder.iterdir()), *sorted(inner))
        if path.name in ADAPTERS or (path.suffix == ".safetensors" and path.is_file() and has_adapter(path))
    ]


def _folder(path: Path) -> Recognised:
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    if not names:
        return Recognised("an empty folder", "check the path, or copy the model again")
    if "modular_model_index.json" in names:
        return Recognised(
            "a modular pipeline of diffusers",
            "load its components into the ordinary pipeline class in diffusers, save_pretrained, and pass the folder "
            "that this writes",
        )
    return (
        _adapter_folder(path, names)
        or _training(path, names)
        or _component(path, names)
        or _parts(path)
        or _files(path, names)
        or _nested(path)
        or Recognised("a folder without a model", "pass a folder that save_pretrained of a diffusers pipeline wrote")
    )


def _adapter_folder(path: Path, names: set[str]) -> Recognised | None:
    if PEFT_CONFIG in names:
        return Recognised("a LoRA folder (peft)", merge(path))
    files = [name for name in ADAPTERS if name in names]
    if not files:
        return None
    if not files[0].endswith(".safetensors"):
        inside = recognise_file(path / files[0])
        return Recognised(f"a folder with {files[0]}, {inside.what}", inside.advice)
    keys = read_header(path / files[0])[0] or {}
    place = "in a training checkpoint" if _is_checkpoint(path, names) else "in a folder"
    return Recognised(f"a {adapter_kind(keys)} {place} ({files[0]})", merge(path / files[0]))


def _is_checkpoint(path: Path, names: set[str]) -> bool:
    states = {"optimizer.bin", "optimizer.pt", "scheduler.bin", "trainer_state.json", "random_states_0.pkl"}
    return re.fullmatch(r"(checkpoint|epoch|step)[-_]?\d+", path.resolve().name) is not None or bool(states & names)


def _training(path: Path, names: set[str]) -> Recognised | None:
    trained = [part for part in DENOISERS if (path / part).is_dir()]
    if _is_checkpoint(path, names):
        if trained:
            return Recognised(f"a training checkpoint with {' and '.join(trained)}", insert(path / trained[0]))
        return Recognised(
            "a training checkpoint without a folder of its network",
            "let the training finish, or export its network with the script that trained it",
        )
    checkpoints = [entry for entry in path.glob("checkpoint-*") if entry.is_dir()]
    if not checkpoints or trained:
        return None
    last = max(checkpoints, key=lambda entry: (int((re.findall(r"\d+", entry.name) or ["0"])[-1]), entry.name))
    inside = recognise(last)
    count = f"{len(checkpoints)} checkpoint{'s' if len(checkpoints) > 1 else ''}"
    return Recognised(
        f"the output folder of a training that did not finish: it has {count} and no model_index.json (the last, "
        f"{last.name}, is {inside.what})",
        f"audit all of them with privaudit sweep {path} --checkpoints, or {last.name}, {inside.advice}",
    )


def _component(path: Path, names: set[str]) -> Recognised | None:
    if "config.json" not in names:
        return None
    kind = _class_in(path / "config.json")
    if kind is None:
        return None
    parent = path.resolve().parent
    if (parent / "model_index.json").is_file():
        advice = f"pass the folder of the whole pipeline, {parent}"
    else:
        advice = insert(path, _part_of(path, kind))
    if kind in AUTOENCODERS and kind not in OF_AUDIO:
        return Recognised(f"an autoencoder alone ({kind}), which 'privaudit invert' and 'geometry' read", advice)
    return Recognised(f"one component of a pipeline ({kind})", advice)


def _part_of(path: Path, kind: str) -> str:
    """Name the component that a class is, by its folder if that has a name of a component."""
    name = path.resolve().name.removesuffix("_ema")
    if name in ("unet", "transformer", "vae") or re.fullmatch(r"text_encoder(_\d)?", name):
        return name
    if kind in AUTOENCODERS:
        return "vae"
    words = {"UNet": "unet", "Transformer": "transformer", "TextModel": "text_encoder", "Encoder": "text_encoder"}
    return next((part for word, part in words.items() if word in kind), "NAME")


def _class_in(path: Path) -> str | None:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    if "_class_name" in config:
        return str(config["_class_name"])
    architectures = config.get("architectures")
    return str(architectures[0]) if isinstance(architectures, list) and architectures else None


def _parts(path: Path) -> Recognised | None:
    """Folders of components without the file that names them."""
    parts = [entry.name for entry in sorted(path.iterdir()) if (entry / "config.json").is_file()]
    if not parts:
        exported = [*path.glob("*.onnx"), *path.glob("*/*.onnx")]
        return onnx() if exported else None
    trained = [part for part in parts if part in DENOISERS]
    if parts == trained:
        return Recognised(
            f"a folder with {' and '.join(parts)} of a pipeline alone, and no model_index.json",
            insert(path / trained[0]),
        )
    return Recognised(
        f"a folder with {', '.join(parts)} and no model_index.json, which names the class of the pipeline",
        "copy that file from the base, or save the whole pipeline with save_pretrained",
    )


def _files(path: Path, names: set[str]) -> Recognised | None:
    """Weight files without a folder of their own, or images."""
    weights = sorted(name for name in names if Path(name).suffix.lower() in WEIGHTS)
    if weights:
        inside = recognise_file(path / weights[0])
        more = f" and {len(weights) - 1} more" if len(weights) > 1 else ""
        return Recognised(f"a folder that holds {weights[0]}{more}, {inside.what}", inside.advice)
    pictures = sum(Path(name).suffix.lower() in PICTURES for name in names)
    if pictures:
        return Recognised(
            f"a folder of images ({pictures})", "pass images with --members and --nonmembers, and here the model"
        )
    return None


def _nested(path: Path) -> Recognised | None:
    """A folder around the one that is meant, such as that of a download."""
    inside = [index.parent for depth in ("*", "*/*") for index in sorted(path.glob(f"{depth}/model_index.json"))]
    return Recognised("a folder around a pipeline", f"pass {inside[0]}") if inside else None
