"""A diffusers folder, or a hub id, becomes a `Target`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from privaudit.errors import TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.components import PipelineFolder, read_json
from privaudit.loading.conditioner import PipelineConditioner
from privaudit.loading.denoiser import PipelineDenoiser
from privaudit.loading.families.contract import FAMILIES, Family, find_family
from privaudit.loading.heads import FLOW
from privaudit.loading.model_source import ModelSource
from privaudit.loading.noise_levels import load_schedule
from privaudit.loading.pipeline import build_pipeline
from privaudit.loading.repository import find_folder
from privaudit.loading.standalone import NAMES, autoencoder_name
from privaudit.model.target import Target, TargetInfo

PROBE = 256
"""Side of the blank image that tells by how much an autoencoder shortens each side."""
SAMPLING = ("safety_checker", "feature_extractor", "image_encoder")
"""Components that change no prediction of the denoiser."""


def load_target(source: ModelSource | str | Path) -> Target:
    """Load the autoencoder, denoiser, schedule and text encoders of a latent diffusion pipeline.

    Reads folders with ``model_index.json`` as the pipelines of `privaudit.loading.families` write them. A level is an
    index of a diffusion model's training schedule, and 1000 sigma of a flow model, never a timestep of its sampler,
    which ``shift`` warps. Only safetensors weights, only classes of diffusers and transformers, no code from the
    folder. A hub id is downloaded by huggingface_hub; a folder never touches the network.

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
    folder = open_pipeline(source)
    family = find_family(folder)
    schedule, prediction_type = load_schedule(folder)
    vae_name = autoencoder_name(folder.index)
    _check_parts(folder, family, prediction_type, vae_name)
    autoencoder = wrap_autoencoder(folder.load(vae_name), device, dtype, upcast=source.upcast)
    network = folder.load(family.denoiser, dtype)
    # without accelerate, diffusers leaves some classes in the dtype of their files; their own to() warns at any other
    torch.nn.Module.to(network, device, dtype)
    sample_shape = measure_sample_shape(network, autoencoder, family, folder)
    pipeline = build_pipeline(folder, family, {vae_name: autoencoder.module, family.denoiser: network}, device)
    info = TargetInfo(
        id=source.id,
        hash=hash_folder(folder.path),
        autoencoder_hash=hash_folder(folder.path, [vae_name]),
        prediction_type=prediction_type,
        family=family.kind,
        latent_shape=autoencoder.latent_shape(sample_shape),
        sample_shape=sample_shape,
    )
    denoiser = PipelineDenoiser(family, network, schedule, prediction_type, dtype)
    conditioner = None if family.kind == "unconditional" else PipelineConditioner(family, pipeline)
    return Target(info, autoencoder, denoiser, schedule, device, conditioner)


def open_pipeline(source: ModelSource) -> PipelineFolder:
    """Find the folder of a pipeline, or download the components that any family reads.

    Returns:
        The folder.

    Raises:
        TargetError: There is none, or it has no weights of the variant.
    """
    components = {"scheduler", *NAMES}
    for kind in FAMILIES.values():
        components |= {kind.denoiser, *(name for text in kind.text_encoders for name in (text.encoder, text.tokenizer))}
    path = find_folder(source, sorted(components))
    folder = PipelineFolder(path, read_json(path / "model_index.json"), source.variant)
    folder.require_variant()
    return folder


def hash_folder(folder: Path, components: Sequence[str] | None = None) -> str:
    """Hash the configuration and weight files of a pipeline, by relative name and content."""
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


def measure_sample_shape(
    network: Any,  # noqa: ANN401 - a diffusers model
    autoencoder: DiffusersAutoencoder,
    family: Family,
    folder: PipelineFolder,
) -> tuple[int, ...]:
    """Find the shape of the images that a target was trained on.

    It is the denoiser's ``sample_size`` in latent positions, or the autoencoder's in pixels if the denoiser's
    configuration has no such key.

    Args:
        network: The denoiser.
        autoencoder: Encodes a blank image, which tells how many pixels a position stands for.
        family: Says how many channels the denoiser takes for each one of the autoencoder.
        folder: For messages.

    Returns:
        ``(channels, height, width)``.

    Raises:
        TargetError: No size is known, or the denoiser takes other latents than the autoencoder's.
    """
    name = "U-Net" if family.denoiser == "unet" else "transformer"
    config = network.config if "sample_size" in network.config else autoencoder.module.config
    side = config.get("sample_size")
    if side is None:
        raise TargetError(f"expected sample_size in the {name} configuration of {folder}; add it")
    channels, *positions = autoencoder.latent_shape((autoencoder.channels, PROBE, PROBE))
    wanted = channels * family.packing
    if network.config.in_channels != wanted:
        raise TargetError(
            f"expected the {name} of {folder} to take the autoencoder's {channels} latent channels"
            f"{f' in {wanted}' if wanted != channels else ''}, got {network.config.in_channels}; inpainting and "
            "concatenated conditions are not read"
        )
    sides = (side, side) if isinstance(side, int) else tuple(side)
    if config is network.config:
        sides = tuple(side * PROBE // count for side, count in zip(sides, positions, strict=True))
    return (autoencoder.channels, *sides)


def _check_parts(folder: PipelineFolder, family: Family, prediction_type: str, autoencoder: str) -> None:
    if (prediction_type == FLOW) != family.flow:
        wanted = "a scheduler of flow matching" if family.flow else "the scheduler of a diffusion model"
        raise TargetError(
            f"expected {wanted} for {family.pipeline} in {folder}, got prediction type {prediction_type}; "
            "save the whole pipeline again"
        )
    folder.check_class(autoencoder, family.autoencoders)
    folder.check_class(family.denoiser, family.networks)
    known = {family.denoiser, *(text.encoder for text in family.text_encoders)}
    unasked = {autoencoder, "scheduler", *SAMPLING, *(name for name in folder.index if name.startswith("tokenizer"))}
    extra = [name for name in folder.index if folder.class_name(name) and name not in known | unasked]
    if extra:  # such as a ControlNet: without what was trained, the model would look as if it leaked nothing
        raise TargetError(
            f"expected {' and '.join(sorted(known))} alone for {family.pipeline} in {folder}, found "
            f"{' and '.join(extra)}, too; such pipelines are not read yet"
        )
