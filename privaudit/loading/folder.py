"""A diffusers folder, or a hub id, becomes a `Target`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors import SafetensorError

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
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
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
        raise ConfigError(["expected a CUDA device, but torch finds none; pass --device cpu, or install CUDA's torch"])
    if name == "auto":
        name = "cuda" if available else "cpu"
    device = torch.device(name)
    if device.index is not None and device.index >= torch.cuda.device_count():
        raise ConfigError([f"expected a CUDA device below cuda:{torch.cuda.device_count()}, got {name}"])
    return device


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
        found = _class_name(index, component)
        if found not in allowed:
            raise TargetError(
                f"expected {component} of {folder} to be one of {', '.join(allowed)}, got {found}; "
                f"privaudit reads latent diffusion pipelines such as LDMPipeline and StableDiffusionPipeline"
            )
    autoencoder = wrap_autoencoder(_load(folder, index, vae_name), chosen_device, chosen_dtype)
    schedule, prediction_type = _load_schedule(folder)
    unet = _load(folder, index, "unet", chosen_dtype).to(chosen_device).eval().requires_grad_(False)
    conditioner = _load_conditioner(folder, index, chosen_device)
    _check_conditions(unet, conditioner, folder)
    latent_shape, image_size = _shapes(unet, autoencoder, folder)
    info = TargetInfo(
        id=str(source), hash=hash_folder(folder), autoencoder_hash=hash_folder(folder, [vae_name]),
        prediction_type=prediction_type,
        family="unconditional" if conditioner is None else "text-to-image",
        latent_shape=latent_shape, image_size=image_size,
    )
    denoiser = DiffusersUNet(unet, schedule, prediction_type, chosen_dtype)
    return Target(info, autoencoder, denoiser, schedule, chosen_device, conditioner)


def hash_folder(folder: Path, components: Sequence[str] | None = None) -> str:
    """Hash the configuration and weight files of a pipeline, by relative name and content.

    Args:
        folder: The diffusers folder.
        components: Folders to take; all that ``model_index.json`` names, and that file, by default.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    names = sorted(_read_json(folder / "model_index.json")) if components is None else components
    parts = [folder / name for name in names if (folder / name).is_dir()]
    files = [path for part in parts for path in sorted(part.rglob("*")) if path.is_file()]
    for path in files if components is not None else [folder / "model_index.json", *files]:
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
                          f"{_first_line(error)}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TargetError(f"expected {path.name} in {path.parent}, found none; "
                          "pass a folder that save_pretrained of a diffusers pipeline wrote")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TargetError(f"expected JSON in {path}: {error}") from error
    if not isinstance(values, dict):
        raise TargetError(f"expected a JSON object in {path}, got {type(values).__name__}")
    return values


def _class_name(index: dict[str, Any], component: str) -> str | None:
    match index.get(component):
        case [str(), str(name)]:
            return name
        case _:  # missing, or [null, null] for a component that the pipeline was saved without
            return None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]


def _load(
    folder: Path, index: dict[str, Any], component: str, dtype: torch.dtype = torch.float32
) -> Any:  # noqa: ANN401 - a diffusers or transformers object
    library, name = index[component]
    module = {"diffusers": diffusers, "transformers": transformers}.get(library)
    kind = getattr(module, name, None)
    if kind is None:
        raise TargetError(f"expected {component} of {folder} to be a class of diffusers or transformers, "
                          f"got {library}.{name}; code inside a model folder is never run")
    options: dict[str, Any] = {}
    if "Tokenizer" not in name:
        options = {"use_safetensors": True, "output_loading_info": True}
        options["dtype" if library == "transformers" else "torch_dtype"] = dtype
    try:
        loaded = kind.from_pretrained(folder, subfolder=component, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError) as error:
        raise TargetError(f"cannot load {component} ({name}) of {folder}: {_first_line(error)}; "
                          "only complete safetensors weights are read") from error
    if not options:
        return loaded
    model, report = loaded
    if report["missing_keys"]:  # both libraries would leave them random, and say so in a warning only
        missing = sorted(report["missing_keys"])
        raise TargetError(f"expected all weights of {component} in {folder}, but {len(missing)} are missing, "
                          f"among them {missing[0]}; copy the folder again")
    return model


def _load_schedule(folder: Path) -> tuple[Schedule, str]:
    config = _read_json(folder / "scheduler" / "scheduler_config.json")
    name = str(config.get("_class_name"))
    kind: Any = getattr(diffusers, name, None)
    known = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    if not known:
        raise TargetError(f"expected a scheduler of diffusers in {folder}, got {name}")
    try:
        scheduler = kind.from_config(config)
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        raise TargetError(f"cannot load the scheduler ({name}) of {folder}: {_first_line(error)}") from error
    powers = getattr(scheduler, "alphas_cumprod", None)
    if powers is None or len(powers) == 0:
        raise TargetError(f"expected a scheduler that gives alphas_cumprod in {folder}, got {name}; "
                          "flow-matching targets are not read yet")
    prediction_type = str(config.get("prediction_type", "epsilon"))
    if prediction_type not in PREDICTION_TYPES:
        raise TargetError(f"expected prediction_type of {folder} to be one of {', '.join(PREDICTION_TYPES)}, "
                          f"got {prediction_type}")
    return Schedule(tuple(float(power) for power in powers)), prediction_type


def _load_conditioner(folder: Path, index: dict[str, Any], device: torch.device) -> ClipConditioner | None:
    found = {component: _class_name(index, component) for component in ("text_encoder", "tokenizer")}
    if None in found.values():
        return None
    for component, allowed in (("text_encoder", TEXT_ENCODERS), ("tokenizer", TOKENIZERS)):
        if found[component] not in allowed:
            raise TargetError(f"expected {component} of {folder} to be one of {', '.join(allowed)}, "
                              f"got {found[component]}")
    if _class_name(index, "text_encoder_2"):
        raise TargetError(f"expected one text encoder in {folder}, found two; such pipelines are not read yet")
    encoder = _load(folder, index, "text_encoder").to(device).eval().requires_grad_(False)
    if not any((folder / "tokenizer" / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        # transformers would make one without any words
        raise TargetError(f"expected tokenizer.json or vocab.json in {folder / 'tokenizer'}, found neither")
    tokenizer = _load(folder, index, "tokenizer")
    if len(tokenizer) > encoder.config.vocab_size:
        raise TargetError(f"expected at most {encoder.config.vocab_size} words, which the text encoder of {folder} "
                          f"embeds, got a tokenizer of {len(tokenizer)}")
    return ClipConditioner(tokenizer, encoder, device)


def _check_conditions(unet: Any, conditioner: ClipConditioner | None, folder: Path) -> None:  # noqa: ANN401
    conditional = isinstance(unet, diffusers.UNet2DConditionModel)
    if conditional != (conditioner is not None):
        raise TargetError(f"expected text_encoder and tokenizer in {folder} exactly if its U-Net is conditional; "
                          "save the whole pipeline with save_pretrained")
    for key in ("class_embed_type", "num_class_embeds", "addition_embed_type"):
        if unet.config.get(key) is not None:
            raise TargetError(f"expected a U-Net without conditions or conditioned on text in {folder}, "
                              f"got {key} = {unet.config[key]}; class labels and the like are not read yet")
    if conditioner is not None:
        encoder: Any = conditioner.encoder.config
        wanted = unet.config.get("encoder_hid_dim") or unet.config["cross_attention_dim"]
        widths = {wanted} if isinstance(wanted, int) else set(wanted)
        width = encoder.hidden_size
        if widths != {width}:
            raise TargetError(f"expected text embeddings of width {', '.join(map(str, sorted(widths)))} for the U-Net "
                              f"of {folder}, but its text encoder gives {width}; save the whole pipeline again")


def _shapes(unet: Any, autoencoder: DiffusersAutoencoder, folder: Path) -> tuple[tuple[int, ...], tuple[int, int]]:  # noqa: ANN401
    side = unet.config.sample_size
    if side is None:
        raise TargetError(f"expected sample_size in the U-Net configuration of {folder}; add it")
    height, width = (side, side) if isinstance(side, int) else tuple(side)
    config: Any = autoencoder.module.config
    shrink = 2 ** (len(config["block_out_channels"]) - 1)
    channels = int(config.get("vq_embed_dim") or config["latent_channels"])
    if unet.config.in_channels != channels:
        raise TargetError(f"expected the U-Net of {folder} to take the autoencoder's {channels} latent channels, "
                          f"got {unet.config.in_channels}; inpainting and concatenated conditions are not read")
    return (channels, height, width), (height * shrink, width * shrink)
