"""Names what a file is by its name, size and first bytes, and what to pass instead. Nothing is unpickled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.loading.weights import PICKLED, POINTER, quantised

MAX_HEADER = 100_000_000
"""Bytes of the longest header that safetensors itself accepts."""
MAX_POINTER = 1024
WEIGHTS = (".safetensors", ".gguf", ".onnx", *PICKLED)
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")

DIFFUSERS_LORA = "pytorch_lora_weights.safetensors"
PEFT_LORA, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""Files of a LoRA, as the training scripts of diffusers and as peft name them."""
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
CHECKPOINT_KEYS = (
    "model.diffusion_model.",
    "diffusion_model.",
    "first_stage_model.",
    "cond_stage_model.",
    "conditioner.embedders.",
)
NETWORK_KEYS = ("double_blocks.", "joint_blocks.", "input_blocks.", "single_blocks.", "x_embedder.", "img_in.")
"""Starts of the keys of single-file checkpoints: a whole model, or its denoiser alone."""

CONVERT_LORA = (
    "if you trust it, load it in diffusers (load_lora_weights), save it as safetensors (save_lora_weights), and pass "
    "the base with --lora FILE"
)
CONVERT_CHECKPOINT = (
    "if you trust it, convert it in diffusers (from_single_file of its pipeline class, save_pretrained), and pass the "
    "folder that this writes"
)
CONVERT_EMBEDDING = (
    "if you trust it, read it with torch.load, save its tensors with safetensors.torch.save_file, and pass the base "
    "with --embedding FILE"
)
"""What to do with pickles."""


def merge(path: Path) -> str:
    """Say how a LoRA is audited."""
    return f"pass its base as the model, and --lora {path}"


def insert(path: Path, part: str | None = None) -> str:
    """Say how a component is audited."""
    name = part or path.name.removesuffix("_ema")
    return f"pass its base as the model, and --component {name}={path}"


def with_configuration(path: Path) -> str:
    """Say how a single-file checkpoint is audited."""
    return f"pass {path} with --config-from FOLDER, the folder of a pipeline of the same kind"


def embed(path: Path) -> str:
    """Say how an embedding is audited."""
    return f"pass its base as the model, and --embedding {path}"


@dataclass(frozen=True)
class Recognised:
    """What a path is.

    Attributes:
        what: What it is, as it follows "is" in a sentence.
        advice: What to pass instead.
    """

    what: str
    advice: str


def recognise_file(path: Path) -> Recognised:
    """Name what a file is and what to pass instead."""
    suffix = path.suffix.lower()
    if _is_pointer(path):
        return Recognised("a pointer of Git LFS and not the file itself", "run 'git lfs pull' in its folder")
    if path.name in ("model_index.json", "modular_model_index.json", "config.json", PEFT_CONFIG):
        return Recognised("a file of a folder", f"pass the folder, {path.parent}")
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix == ".gguf" or _starts_with(path, b"GGUF"):
        return Recognised(
            "a GGUF file with quantised weights",
            "pass the folder of the pipeline that it was made from, with its original weights",
        )
    if suffix == ".onnx":
        return onnx()
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
        return Recognised("a textual-inversion embedding in pickle format, which is never opened", CONVERT_EMBEDDING)
    if "lora" in path.name.lower() or path.name == "adapter_model.bin":
        return Recognised("a LoRA file (by its name) in pickle format, which is never opened", CONVERT_LORA)
    if (path.parent / "config.json").is_file():
        return Recognised(
            "the weights of one component in pickle format, which is never opened",
            "save the pipeline with save_pretrained(folder, safe_serialization=True), and pass the folder",
        )
    return Recognised("a single-file checkpoint in pickle format, which is never opened", CONVERT_CHECKPOINT)


def _safetensors(path: Path) -> Recognised:
    keys, metadata = read_header(path)
    if keys is None:
        return Recognised("a damaged safetensors file", "copy it again")
    if kind := quantised(keys):
        return Recognised(
            f"a safetensors file with quantised weights ({kind}), which round away what an audit measures",
            "pass the model with its original weights, in float32, bfloat16 or float16",
        )
    if has_adapter(path):
        return _lora(keys, path)
    if _has_start(keys, CHECKPOINT_KEYS):
        return Recognised("a single-file checkpoint", with_configuration(path))
    if is_embedding(keys):
        return Recognised("a textual-inversion embedding, which holds a word and no network", embed(path))
    if (path.parent / "config.json").is_file():
        return Recognised("the weights file of a component", f"pass the folder of the pipeline, not {path.parent.name}")
    if starts_a_network(keys):
        return Recognised("a single-file checkpoint of a denoiser alone", with_configuration(path))
    title = metadata.get("modelspec.architecture")
    named = f" of {title}" if isinstance(title, str) else ""
    return Recognised(f"a safetensors file{named} with keys that privaudit does not know", with_configuration(path))


def _lora(keys: Iterable[str], path: Path) -> Recognised:
    names = {LORA_STYLES[start] for start in LORA_STYLES if any(key.startswith(start) for key in keys)}
    style = names.pop() if len(names) == 1 else "diffusers or peft"
    return Recognised(f"a {adapter_kind(keys)} file ({style})", merge(path))


def adapter_kind(keys: Iterable[str]) -> str:
    """Tell LoRA, LoHa, LoKr and DoRA apart by their keys."""
    parts = {"hada_": "LoHa", "lokr_": "LoKr", "dora_scale": "DoRA", "magnitude_vector": "DoRA"}
    return next((name for part, name in parts.items() if any(part in key for key in keys)), "LoRA")


def is_embedding(keys: Mapping[str, Any]) -> bool:
    """Tell a textual-inversion embedding by its header.

    Embeddings have one tensor of few rows per text encoder, named by a word, ``emb_params`` or the encoder.

    Args:
        keys: Entries of the header, by key.

    Returns:
        Whether it is one.
    """
    shapes = [entry.get("shape", ()) if isinstance(entry, dict) else () for entry in keys.values()]
    known = all(re.fullmatch(r"<.*>|emb_params|clip_[lg]|t5|text_encoders_\d|string_to_param.*", key) for key in keys)
    named = known or (len(keys) == 1 and "." not in next(iter(keys)))
    return bool(keys) and len(keys) <= 4 and named and all(len(shape) <= 2 for shape in shapes)


def onnx() -> Recognised:
    """What a network exported to ONNX is."""
    return Recognised(
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


def starts_a_network(keys: Iterable[str]) -> bool:
    """Tell the keys of a denoiser alone, in the names of the code that published it."""
    return _has_start(keys, NETWORK_KEYS)


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


def has_adapter(path: Path) -> bool:
    """Find the keys of a LoRA in a safetensors file."""
    return any(map(LORA_PARTS.search, read_header(path)[0] or ()))
