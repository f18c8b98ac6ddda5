"""Names what a path is that is not the folder of a pipeline, and what to pass instead.

Weight files are never unpickled: only names, sizes and the headers of safetensors and GGUF files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.loading.autoencoder_layouts import AUTOENCODERS
from privaudit.loading.weights import PICKLED, POINTER

MAX_HEADER = 100_000_000
"""Bytes of the longest header that safetensors itself accepts."""
MAX_POINTER = 1024
WEIGHTS = (".safetensors", ".gguf", ".onnx", *PICKLED)
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
DENOISERS = ("unet", "transformer", "unet_ema", "transformer_ema")
"""Folders in which the training scripts of diffusers save a network that was trained as a whole."""
ADAPTER = "pytorch_lora_weights.safetensors"
"""File in which the training scripts of diffusers save a LoRA."""

LORA_PARTS = re.compile(
    r"lora_(down|up|A|B|mid)\b|\.lora\.|lora_linear_layer|hada_w[12]|lokr_w[12]|dora_scale|lora_magnitude_vector"
)
LORA_STYLES = {
    "lora_unet_": "kohya",
    "lora_te": "kohya",
    "lora_transformer_": "kohya",
    "diffusion_model.": "ai-toolkit or ComfyUI",
}
"""Tools that write a LoRA, by the start of its keys; all others are those of diffusers and peft."""
CHECKPOINT_KEYS = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.embedders.")
NETWORK_KEYS = ("double_blocks.", "joint_blocks.", "input_blocks.", "single_blocks.", "x_embedder.", "img_in.")
"""Starts of the keys of single-file checkpoints: a whole model, or its denoiser alone."""

MERGE = (
    "merge it into its base in diffusers (load_lora_weights, fuse_lora, unload_lora_weights, save_pretrained), and "
    "pass the folder that this writes"
)
CONVERT = (
    "convert it in diffusers (from_single_file of its pipeline class, save_pretrained), and pass the folder that this "
    "writes"
)
INSERT = (
    "put it into its base in diffusers (from_pretrained of the base with this {part}, save_pretrained), and pass the "
    "folder that this writes"
)


@dataclass(frozen=True)
class Recognised:
    """What a path is.

    Attributes:
        what: What it is, as it follows "is" in a sentence.
        advice: What to pass instead.
    """

    what: str
    advice: str


def recognise(path: Path) -> Recognised:
    """Name what a file or folder is that is not the folder of a pipeline.

    Args:
        path: File or folder that exists.

    Returns:
        What it is, and what to pass instead.
    """
    return _folder(path) if path.is_dir() else _file(path)


def explain(path: Path, expected: str = "the folder of a diffusers pipeline") -> str:
    """Say in one line what was expected, what a path is, and what to pass instead."""
    recognised = recognise(path)
    return f"expected {expected}, but {path} is {recognised.what}; {recognised.advice}"


def _has_adapter(path: Path) -> bool:
    return any(map(LORA_PARTS.search, read_header(path)[0] or ()))


def no_index(repository: str) -> str:
    """Say that a repository of the hub is not that of a pipeline; the files that would tell were not downloaded."""
    return (
        f"expected model_index.json in {repository} on the hub, found none: it may hold a LoRA, a single-file "
        "checkpoint or another kind of model; download it, and pass its path to learn what it is"
    )


def pipeline_problem(folder: Path, index: Mapping[str, Any]) -> str | None:
    """Say why the folder of a pipeline cannot be read as it is.

    Args:
        folder: Folder with a ``model_index.json``.
        index: Content of that file.

    Returns:
        A sentence; None if nothing stands in the way.
    """
    classes = [entry[1] for entry in index.values() if isinstance(entry, list) and len(entry) == 2]
    if any(str(name).startswith(("Onnx", "ORT")) for name in classes):
        what, advice = _onnx()
        return f"expected the folder of a diffusers pipeline, but {folder} holds {what}; {advice}"
    # The base alone would be read, and nothing of the fine-tuning would show.
    adapters = [path.name for path in sorted(folder.glob("*.safetensors")) if _has_adapter(path)]
    if adapters:
        return (
            f"expected a pipeline with its fine-tuning merged, but {folder} holds a base and {' and '.join(adapters)}, "
            f"a LoRA that is not applied to it; {MERGE}, or move the file away to use the base alone"
        )
    for path in sorted(folder.glob("*/*.safetensors")):
        if any(".base_layer." in key for key in read_header(path)[0] or ()):
            return (
                f"expected merged weights in {path.parent}, got those of a network with an adapter that was loaded and "
                "not merged; call fuse_lora, unload_lora_weights and save_pretrained in diffusers, and pass the folder "
                "that this writes"
            )
    return None


# ------------------------------------------------------------------------------- files


def _file(path: Path) -> Recognised:
    suffix = path.suffix.lower()
    if _is_pointer(path):
        return Recognised("a pointer of Git LFS and not the file itself", "run 'git lfs pull' in its folder")
    if path.name in ("model_index.json", "modular_model_index.json", "config.json", "adapter_config.json"):
        return Recognised("a file of a folder", f"pass the folder, {path.parent}")
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix == ".gguf" or _starts_with(path, b"GGUF"):
        return Recognised(
            "a GGUF file with quantised weights",
            "pass the folder of the pipeline that it was made from, with its original weights",
        )
    if suffix == ".onnx":
        return Recognised(*_onnx())
    if suffix in PICKLED:
        return _pickle(path)
    if suffix in ARCHIVES:
        return Recognised("an archive", "unpack it, and pass the folder")
    if suffix in PICTURES:
        return Recognised("an image", "pass images with --members and --nonmembers, and here the model")
    return Recognised("a file that holds no model that privaudit knows", "pass the folder of a model")


def _pickle(path: Path) -> Recognised:
    """Pickles can run code when they are read, so that only the name counts."""
    if "learned_embeds" in path.name:
        return _embedding()
    if "lora" in path.name.lower():
        return Recognised("a LoRA file (by its name) in pickle format, which is never opened", MERGE)
    if (path.parent / "config.json").is_file():
        return Recognised(
            "the weights of one component in pickle format, which is never opened",
            "save the pipeline with save_pretrained(folder, safe_serialization=True), and pass the folder",
        )
    return Recognised("a single-file checkpoint in pickle format, which is never opened", f"if you trust it, {CONVERT}")


def _safetensors(path: Path) -> Recognised:
    keys, metadata = read_header(path)
    if keys is None:
        return Recognised("a damaged safetensors file", "copy it again")
    if _has_adapter(path):
        return _lora(keys)
    if _has_start(keys, CHECKPOINT_KEYS):
        return Recognised("a single-file checkpoint", CONVERT)
    if _is_embedding(keys):
        return _embedding()
    if (path.parent / "config.json").is_file():
        return Recognised("the weights file of a component", f"pass the folder of the pipeline, not {path.parent.name}")
    if _has_start(keys, NETWORK_KEYS):
        return Recognised("a single-file checkpoint of a denoiser alone", CONVERT)
    title = metadata.get("modelspec.architecture")
    named = f" of {title}" if isinstance(title, str) else ""
    return Recognised(f"a safetensors file{named} with keys that privaudit does not know", CONVERT)


def _lora(keys: Iterable[str]) -> Recognised:
    names = {LORA_STYLES[start] for start in LORA_STYLES if any(key.startswith(start) for key in keys)}
    style = names.pop() if len(names) == 1 else "diffusers or peft"
    return Recognised(f"a {_variant(keys)} file ({style})", MERGE)


def _variant(keys: Iterable[str]) -> str:
    parts = {"hada_": "LoHa", "lokr_": "LoKr", "dora_scale": "DoRA", "magnitude_vector": "DoRA"}
    return next((name for part, name in parts.items() if any(part in key for key in keys)), "LoRA")


def _is_embedding(keys: Mapping[str, Any]) -> bool:
    """Embeddings have one tensor of few rows per text encoder, named by a token, ``emb_params`` or the encoder."""
    shapes = [entry.get("shape", ()) if isinstance(entry, dict) else () for entry in keys.values()]
    named = all(re.fullmatch(r"<.*>|emb_params|clip_[lg]|t5|string_to_param.*", key) for key in keys)
    return bool(keys) and len(keys) <= 4 and named and all(len(shape) <= 2 for shape in shapes)


def _embedding() -> Recognised:
    return Recognised(
        "a textual-inversion embedding, which holds a word and no network",
        "load it into its base in diffusers (load_textual_inversion, save_pretrained), and pass the folder that this "
        "writes",
    )


def _onnx() -> tuple[str, str]:
    return (
        "a network exported to ONNX, which has no derivatives",
        "pass the folder of the pipeline that it was exported from",
    )


def read_header(path: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Read names and shapes of a safetensors file: 8 bytes of length, then JSON.

    Returns:
        Entries by key, None if the file is damaged, and the metadata.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER, path.stat().st_size):
                return None, {}
            entries = json.loads(file.read(length))
    except (OSError, ValueError):
        return None, {}
    if not isinstance(entries, dict):
        return None, {}
    metadata = entries.pop("__metadata__", {})
    return entries, metadata if isinstance(metadata, dict) else {}


def _has_start(keys: Iterable[str], starts: tuple[str, ...]) -> bool:
    return any(key.startswith(starts) for key in keys)


def _starts_with(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _is_pointer(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= MAX_POINTER and _starts_with(path, POINTER)


# ------------------------------------------------------------------------------- folders


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
    if "adapter_config.json" in names:
        return Recognised("a LoRA folder (peft)", MERGE)
    files = [name for name in (ADAPTER, "pytorch_lora_weights.bin") if name in names]
    if not files:
        return None
    keys = read_header(path / files[0])[0] or {} if files[0] == ADAPTER else {}
    place = "in a training checkpoint" if _is_checkpoint(path, names) else "in a folder"
    return Recognised(f"a {_variant(keys)} {place} ({files[0]})", MERGE)


def _is_checkpoint(path: Path, names: set[str]) -> bool:
    states = {"optimizer.bin", "optimizer.pt", "scheduler.bin", "trainer_state.json", "random_states_0.pkl"}
    return re.fullmatch(r"(checkpoint|epoch|step)[-_]?\d+", path.resolve().name) is not None or bool(states & names)


def _training(path: Path, names: set[str]) -> Recognised | None:
    trained = [part for part in DENOISERS if (path / part).is_dir()]
    if _is_checkpoint(path, names):
        if trained:
            return Recognised(
                f"a training checkpoint with {' and '.join(trained)}", INSERT.format(part=trained[0].split("_")[0])
            )
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
        f"let the training finish, or take {last.name}: {inside.advice}",
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
        names_of = {"unet": "UNet", "transformer": "Transformer"}
        part = next((part for part, word in names_of.items() if word in kind), "component")
        advice = INSERT.format(part="vae" if kind in AUTOENCODERS else part)
    if kind in AUTOENCODERS:
        return Recognised(f"an autoencoder alone ({kind}), which 'privaudit invert' and 'geometry' read", advice)
    return Recognised(f"one component of a pipeline ({kind})", advice)


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
        return Recognised(*_onnx()) if exported else None
    trained = [part for part in parts if part in DENOISERS]
    if parts == trained:
        return Recognised(
            f"a folder with {' and '.join(parts)} of a pipeline alone, and no model_index.json",
            INSERT.format(part=trained[0].split("_")[0]),
        )
    return Recognised(
        f"a folder with {', '.join(parts)} and no model_index.json, which names the class of the pipeline",
        "copy that file from the base, or save the whole pipeline with save_pretrained",
    )


def _files(path: Path, names: set[str]) -> Recognised | None:
    """Weight files without a folder of their own, or images."""
    weights = sorted(name for name in names if Path(name).suffix.lower() in WEIGHTS)
    if weights:
        inside = _file(path / weights[0])
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
