"""A diffusers folder, or a hub id, becomes a `Target`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.components import (
    check_class,
    load_component,
    load_conditioner,
    load_schedule,
    read_json,
)
from privaudit.loading.conditioner import ClipConditioner
from privaudit.loading.denoiser import DiffusersUNet
from privaudit.loading.device import resolve_device, resolve_dtype
from privaudit.loading.source import find_folder
from privaudit.loading.standalone import autoencoder_name
from privaudit.target import Target, TargetInfo

TARGET_AUTOENCODERS = ("AutoencoderKL", "VQModel")
"""Of targets; `load_autoencoder` reads more."""
UNETS = ("UNet2DModel", "UNet2DConditionModel")
COMPONENTS = ("vae", "vqvae", "unet", "scheduler", "text_encoder", "tokenizer")
"""What is downloaded of a hub repository; checkpoints in one file and safety checkers are not read."""


def load_target(source: str | Path, *, device: str = "auto", dtype: str = "auto", upcast: bool = True) -> Target:
    """Load the autoencoder, denoiser, schedule and text encoder of a latent diffusion pipeline.

    Reads folders with ``model_index.json`` as `LDMPipeline` (component ``vqvae``) and
    `StableDiffusionPipeline` (``vae``, ``text_encoder``, ``tokenizer``) write them. Only safetensors
    weights, only classes of diffusers and transformers, no code from the folder. A hub id is downloaded
    by huggingface_hub; a folder never touches the network.

    Args:
        source: A folder, or a hub id such as ``org/name``.
        device: ``auto``, ``cuda`` or ``cpu``.
        dtype: ``auto`` (float32), ``float32``, ``bfloat16`` or ``float16``, of the denoiser.
        upcast: Run the autoencoder in float32 all the same; otherwise in ``dtype``, too.

    Returns:
        The target, in eval mode, frozen.

    Raises:
        TargetError: The folder is missing or is not a pipeline that privaudit reads.
        ConfigError: Device or dtype cannot be had.
    """
    chosen_device, chosen_dtype = resolve_device(device), resolve_dtype(dtype)
    folder = find_folder(str(source), COMPONENTS)
    index = read_json(folder / "model_index.json")
    vae_name = autoencoder_name(index)
    for component, allowed in ((vae_name, TARGET_AUTOENCODERS), ("unet", UNETS)):
        check_class(folder, index, component, allowed)
    autoencoder = wrap_autoencoder(load_component(folder, index, vae_name), chosen_device, chosen_dtype, upcast=upcast)
    schedule, prediction_type = load_schedule(folder)
    unet = load_component(folder, index, "unet", chosen_dtype).to(chosen_device).eval().requires_grad_(False)
    conditioner = load_conditioner(folder, index, chosen_device)
    _check_conditions(unet, conditioner, folder)
    latent_shape, image_size = _shapes(unet, autoencoder, folder)
    info = TargetInfo(
        id=str(source),
        hash=hash_folder(folder),
        autoencoder_hash=hash_folder(folder, [vae_name]),
        prediction_type=prediction_type,
        family="unconditional" if conditioner is None else "text-to-image",
        latent_shape=latent_shape,
        image_size=image_size,
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
    names = sorted(read_json(folder / "model_index.json")) if components is None else components
    parts = [folder / name for name in names if (folder / name).is_dir()]
    files = [path for part in parts for path in sorted(part.rglob("*")) if path.is_file()]
    for path in files if components is not None else [folder / "model_index.json", *files]:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:32]


def _check_conditions(unet: Any, conditioner: ClipConditioner | None, folder: Path) -> None:  # noqa: ANN401
    conditional = isinstance(unet, diffusers.UNet2DConditionModel)
    if conditional != (conditioner is not None):
        raise TargetError(
            f"expected text_encoder and tokenizer in {folder} exactly if its U-Net is conditional; "
            "save the whole pipeline with save_pretrained"
        )
    for key in ("class_embed_type", "num_class_embeds", "addition_embed_type"):
        if unet.config.get(key) is not None:
            raise TargetError(
                f"expected a U-Net without conditions or conditioned on text in {folder}, "
                f"got {key} = {unet.config[key]}; class labels and the like are not read yet"
            )
    if conditioner is not None:
        encoder: Any = conditioner.encoder.config
        wanted = unet.config.get("encoder_hid_dim") or unet.config["cross_attention_dim"]
        widths = {wanted} if isinstance(wanted, int) else set(wanted)
        width = encoder.hidden_size
        if widths != {width}:
            raise TargetError(
                f"expected text embeddings of width {', '.join(map(str, sorted(widths)))} for the U-Net "
                f"of {folder}, but its text encoder gives {width}; save the whole pipeline again"
            )


def _shapes(unet: Any, autoencoder: DiffusersAutoencoder, folder: Path) -> tuple[tuple[int, ...], tuple[int, int]]:  # noqa: ANN401
    side = unet.config.sample_size
    if side is None:
        raise TargetError(f"expected sample_size in the U-Net configuration of {folder}; add it")
    height, width = (side, side) if isinstance(side, int) else tuple(side)
    config: Any = autoencoder.module.config
    shrink = 2 ** (len(config["block_out_channels"]) - 1)
    channels = int(config.get("vq_embed_dim") or config["latent_channels"])
    if unet.config.in_channels != channels:
        raise TargetError(
            f"expected the U-Net of {folder} to take the autoencoder's {channels} latent channels, "
            f"got {unet.config.in_channels}; inpainting and concatenated conditions are not read"
        )
    return (channels, height, width), (height * shrink, width * shrink)
