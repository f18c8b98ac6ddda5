"""A diffusers folder, or a hub id, becomes a `Target`."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from privaudit.errors import ConfigError, TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.conditioner import ClipConditioner
from privaudit.loading.denoiser import DiffusersUNet
from privaudit.loading.heads import PREDICTION_TYPES
from privaudit.target import Schedule, Target, TargetInfo

AUTOENCODERS = ("AutoencoderKL", "VQModel")
UNETS = ("UNet2DModel", "UNet2DConditionModel")
TEXT_ENCODERS = ("CLIPTextModel",)
TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cuda`` or ``cpu`` into a device; ``auto`` takes CUDA where there is one.

    Args:
        name: The option's value.

    Returns:
        The device.

    Raises:
        ConfigError: The name is not known, or CUDA is asked for and missing.
    """
    if name not in ("auto", "cuda", "cpu") and not re.fullmatch(r"cuda:\d+", name):
        raise ConfigError([f"expected --device auto, cuda or cpu, got {name}"])
    available = torch.cuda.is_available()
    if name.startswith("cuda") and not available:
        raise ConfigError(["expected a CUDA device, but torch finds none; pass --device cpu or install torch with CUDA"])
    if name == "auto":
        name = "cuda" if available else "cpu"
    return torch.device(name)


def resolve_dtype(name: str) -> torch.dtype:
    """Turn ``auto``, ``float32``, ``bfloat16`` or ``float16`` into a dtype; ``auto`` is float32.

    Membership shows in small differences of the prediction, so 16 bits are a choice, not a default.

    Args:
        name: The option's value.

    Returns:
        The dtype of the denoiser (and of an autoencoder that does not ask for float32).

    Raises:
        ConfigError: The name is not known.
    """
    if name == "auto":
        return torch.float32
    if name not in DTYPES:
        raise ConfigError([f"expected --dtype auto, {', '.join(DTYPES)}, got {name}"])
    return DTYPES[name]


def load_target(source: str | Path, *, device: str = "auto", dtype: str = "auto") -> Target:
    """Load the autoencoder, denoiser, schedule and text encoder of a latent diffusion pipeline.

    Reads folders with ``model_index.json`` as `LDMPipeline` (component ``vqvae``) and
    `StableDiffusionPipeline` (``vae``, ``text_encoder``, ``tokenizer``) write them. Only safetensors
    weights, only classes of diffusers and transformers, no code from the folder. A hub id is downloaded
    by huggingface_hub; a folder never touches the network.

    Args:
        source: A folder, or a hub id such as ``org/name``.
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.

    Returns:
        The target, in eval mode, frozen.

    Raises:
        TargetError: The folder is missing or is not a pipeline that privaudit reads.
        ConfigError: Device or dtype cannot be had.
    """
    chosen_device, chosen_dtype = resolve_device(device), resolve_dtype(dtype)
    folder = _find_folder(str(source))
    index = _read_json(folder / "model_index.json")
    vae_name = "vae" if "vae" in index else "vqvae"
    for component, allowed in ((vae_name, AUTOENCODERS), ("unet", UNETS)):
        found = (index.get(component) or [None, None])[1]
        if found not in allowed:
            raise TargetError(
                f"expected {component} of {folder} to be one of {', '.join(allowed)}, got {found}; "
                f"privaudit reads latent diffusion pipelines such as LDMPipeline and StableDiffusionPipeline"
            )
    autoencoder = wrap_autoencoder(_load(folder, index, vae_name), chosen_device, chosen_dtype)
    schedule, prediction_type = _load_schedule(folder)
    unet = _load(folder, index, "unet", chosen_dtype).to(chosen_device).eval().requires_grad_(False)
    conditioner = _load_conditioner(folder, index, chosen_device)
    if (index["unet"][1] == "UNet2DConditionModel") != (conditioner is not None):
        raise TargetError(f"expected text_encoder and tokenizer in {folder} exactly if its U-Net is conditional; "
                          "save the whole pipeline with save_pretrained")
    latent_shape, image_size = _shapes(unet, autoencoder, folder)
    info = TargetInfo(
        id=str(source), hash=hash_folder(folder), prediction_type=prediction_type,
        family="unconditional" if conditioner is None else "text-to-image",
        latent_shape=latent_shape, image_size=image_size,
    )
    denoiser = DiffusersUNet(unet, schedule, prediction_type, chosen_dtype)
    return Target(info, autoencoder, denoiser, schedule, chosen_device, conditioner)


def hash_folder(folder: Path) -> str:
    """Hash the configuration and weight files of a pipeline, by relative name and content.

    Args:
        folder: The diffusers folder.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    index = _read_json(folder / "model_index.json")
    components = [folder / name for name in sorted(index) if (folder / name).is_dir()]
    files = [folder / "model_index.json", *(p for part in components for p in sorted(part.rglob("*")) if p.is_file())]
    for path in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:32]


def _find_folder(source: str) -> Path:
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not HUB_ID.fullmatch(source):
        raise TargetError(f"expected a diffusers folder or a hub id (org/name), but {source} is neither; "
                          "check the path")
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
        return Path(snapshot_download(source, allow_patterns=patterns))
    except Exception as error:  # the hub client raises a dozen kinds; all mean that there is no folder
        raise TargetError(f"expected a folder or a hub id, but {source} is no folder and the hub answered: "
                          f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TargetError(f"expected {path.name} in {path.parent}, found none; "
                          "pass a folder that save_pretrained of a diffusers pipeline wrote")
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise TargetError(f"expected JSON in {path}: {error}") from error


def _load(
    folder: Path, index: dict[str, Any], component: str, dtype: torch.dtype = torch.float32
) -> Any:  # noqa: ANN401 - a diffusers or transformers object
    library, name = index[component]
    module = {"diffusers": diffusers, "transformers": transformers}.get(library)
    if module is None:
        raise TargetError(f"expected {component} of {folder} to come from diffusers or transformers, got {library}; "
                          "code inside a model folder is never run")
    options: dict[str, Any] = {} if "Tokenizer" in name else {"use_safetensors": True, "torch_dtype": dtype}
    if library == "transformers" and options:
        options["dtype"] = options.pop("torch_dtype")
    try:
        return getattr(module, name).from_pretrained(folder, subfolder=component, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TargetError(f"cannot load {component} ({name}) of {folder}: {reason}; "
                          "only complete safetensors weights are read") from error


def _load_schedule(folder: Path) -> tuple[Schedule, str]:
    config = _read_json(folder / "scheduler" / "scheduler_config.json")
    name = str(config.get("_class_name"))
    kind = getattr(diffusers, name, None)
    if kind is None:
        raise TargetError(f"expected a scheduler of diffusers in {folder}, got {name}")
    scheduler = kind.from_config(config)
    powers = getattr(scheduler, "alphas_cumprod", None)
    if powers is None:
        raise TargetError(f"expected a scheduler that gives alphas_cumprod in {folder}, got {name}; "
                          "flow-matching targets are not read yet")
    prediction_type = str(config.get("prediction_type", "epsilon"))
    if prediction_type not in PREDICTION_TYPES:
        raise TargetError(f"expected prediction_type of {folder} to be one of {', '.join(PREDICTION_TYPES)}, "
                          f"got {prediction_type}")
    return Schedule(tuple(float(power) for power in powers)), prediction_type


def _load_conditioner(folder: Path, index: dict[str, Any], device: torch.device) -> ClipConditioner | None:
    if not index.get("text_encoder") or not index.get("tokenizer"):
        return None
    for component, allowed in (("text_encoder", TEXT_ENCODERS), ("tokenizer", TOKENIZERS)):
        if index[component][1] not in allowed:
            raise TargetError(f"expected {component} of {folder} to be one of {', '.join(allowed)}, "
                              f"got {index[component][1]}")
    if index.get("text_encoder_2"):
        raise TargetError(f"expected one text encoder in {folder}, found two; such pipelines are not read yet")
    encoder = _load(folder, index, "text_encoder").to(device).eval().requires_grad_(False)
    return ClipConditioner(_load(folder, index, "tokenizer"), encoder, device)


def _shapes(unet: Any, autoencoder: DiffusersAutoencoder, folder: Path) -> tuple[tuple[int, ...], tuple[int, int]]:  # noqa: ANN401
    side = unet.config.sample_size
    if side is None:
        raise TargetError(f"expected sample_size in the U-Net configuration of {folder}; add it")
    height, width = (side, side) if isinstance(side, int) else tuple(side)
    config: Any = autoencoder.module.config
    shrink = 2 ** (len(config["block_out_channels"]) - 1)
    channels = int(config["latent_channels"])
    if unet.config.in_channels != channels:
        raise TargetError(f"expected the U-Net of {folder} to take the autoencoder's {channels} latent channels, "
                          f"got {unet.config.in_channels}; inpainting and concatenated conditions are not read")
    return (channels, height, width), (height * shrink, width * shrink)
