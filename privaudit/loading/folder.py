"""A diffusers folder, or a hub id, becomes a `Target`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.components import check_class, class_name, load_component, load_schedule, read_json
from privaudit.loading.heads import FLOW
from privaudit.loading.model_source import ModelSource
from privaudit.loading.repository import find_folder
from privaudit.loading.stable_diffusion import UNETS, load_unet
from privaudit.loading.stable_diffusion_3 import TRANSFORMERS, load_transformer
from privaudit.loading.standalone import autoencoder_name
from privaudit.model.target import Target, TargetInfo

TARGET_AUTOENCODERS = ("AutoencoderKL", "VQModel")
"""Of targets; `load_autoencoder` reads more."""
COMPONENTS = (
    *("vae", "vqvae", "unet", "transformer", "scheduler"),
    *("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3"),
)
"""What is downloaded of a hub repository; checkpoints in one file and safety checkers are not read."""


def load_target(source: ModelSource | str | Path) -> Target:
    """Load the autoencoder, denoiser, schedule and text encoder of a latent diffusion pipeline.

    Reads folders with ``model_index.json`` as `LDMPipeline` (component ``vqvae``), `StableDiffusionPipeline` (``vae``,
    ``text_encoder``, ``tokenizer``) and `StableDiffusion3Pipeline` (a flow model: ``transformer``, two CLIP encoders,
    T5 or none) write them. A level is an index of a diffusion model's training schedule, and 1000 sigma of a flow
    model, what its network is told, never a timestep of its sampler, which ``shift`` warps. Only safetensors weights,
    only classes of diffusers and transformers, no code from the folder. A hub id is downloaded by huggingface_hub; a
    folder never touches the network.

    Args:
        source: What to load and how; a path or hub id alone is loaded with the defaults of `ModelSource`.

    Returns:
        The target, in eval mode, frozen.

    Raises:
        TargetError: The folder is missing or is not a pipeline that privaudit reads.
        ConfigError: The source asks for what is not available (see `ModelSource.resolve`).
    """
    source = ModelSource.of(source)
    device, dtype = source.resolve()
    folder = find_folder(source, COMPONENTS)
    index = read_json(folder / "model_index.json")
    schedule, prediction_type = load_schedule(folder)
    _check_kind(folder, index, prediction_type)
    vae_name = autoencoder_name(index)
    check_class(folder, index, vae_name, TARGET_AUTOENCODERS)
    autoencoder = wrap_autoencoder(load_component(folder, index, vae_name), device, dtype, upcast=source.upcast)
    load = load_transformer if prediction_type == FLOW else load_unet
    parts = load(folder, index, schedule, prediction_type, device, dtype)
    latent_shape, size = _shapes(parts.denoiser.module, autoencoder, folder)
    info = TargetInfo(
        id=source.id,
        hash=hash_folder(folder),
        autoencoder_hash=hash_folder(folder, [vae_name]),
        prediction_type=prediction_type,
        family="unconditional" if parts.conditioner is None else "text-to-image",
        latent_shape=latent_shape,
        sample_shape=(3, *size),
    )
    return Target(info, autoencoder, parts.denoiser, schedule, device, parts.conditioner)


def hash_folder(folder: Path, components: Sequence[str] | None = None) -> str:
    """Hash the configuration and weight files of a pipeline, by relative name and content.

    Args:
        folder: The diffusers folder.
        components: Folders to take; all that ``model_index.json`` names, and that file, by default.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    names = sorted(read_json(folder / "model_index.json")) if components is None else components
    parts = [folder / name for name in names if (folder / name).is_dir()]
    files = [path for part in parts for path in sorted(part.rglob("*")) if path.is_file()]
    for path in files if components is not None else [folder / "model_index.json", *files]:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:32]


def _shapes(network: Any, autoencoder: DiffusersAutoencoder, folder: Path) -> tuple[tuple[int, ...], tuple[int, int]]:  # noqa: ANN401
    name = "U-Net" if type(network).__name__ in UNETS else "transformer"
    side = network.config.sample_size
    if side is None:
        raise TargetError(f"expected sample_size in the {name} configuration of {folder}; add it")
    height, width = (side, side) if isinstance(side, int) else tuple(side)
    config: Any = autoencoder.module.config
    shrink = 2 ** (len(config["block_out_channels"]) - 1)
    channels = int(config.get("vq_embed_dim") or config["latent_channels"])
    if network.config.in_channels != channels:
        raise TargetError(
            f"expected the {name} of {folder} to take the autoencoder's {channels} latent channels, "
            f"got {network.config.in_channels}; inpainting and concatenated conditions are not read"
        )
    return (channels, height, width), (height * shrink, width * shrink)


def _check_kind(folder: Path, index: dict[str, Any], prediction_type: str) -> None:
    denoisers = [class_name(index, name) for name in ("unet", "transformer") if class_name(index, name)]
    if (prediction_type == FLOW) != (denoisers == list(TRANSFORMERS)) and denoisers:
        raise TargetError(
            f"expected a scheduler of flow matching exactly beside {' or '.join(TRANSFORMERS)} in {folder}, got "
            f"prediction type {prediction_type} and {' and '.join(map(str, denoisers))}; flow models are read as "
            "StableDiffusion3Pipeline saves them, diffusion models as LDMPipeline and StableDiffusionPipeline do"
        )
