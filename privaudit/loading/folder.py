"""Loads a diffusers folder, or a hub id, as a `Target`."""

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

PROBE_SIDE = 256
"""Side of the blank image that is encoded to measure the downsampling factor of an autoencoder."""
SAMPLING = ("safety_checker", "feature_extractor", "image_encoder")
"""Components without effect on the predictions of the denoiser."""


def load_target(source: ModelSource | str | Path) -> Target:
    """Load the autoencoder, denoiser, schedule and text encoders of a latent diffusion pipeline.

    Reads folders with a ``model_index.json`` that the pipelines of `privaudit.loading.families` have written. A level
    is an index of the training schedule of a diffusion model, or 1000 sigma of a flow model. It is never a timestep of
    the sampler, which ``shift`` distorts. Only safetensors weights and classes of diffusers and transformers are
    loaded, and no code from the folder runs. A hub id is downloaded by huggingface_hub; a folder needs no network.

    Args:
        source: Model to load, with its options; a path or hub id alone is loaded with the defaults of `ModelSource`.

    Returns:
        The target, in eval mode, frozen.

    Raises:
        TargetError: The folder is missing, or its pipeline is not supported.
        ConfigError: The source requests an option that is not available (see `ModelSource.resolve`).
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
    # Without accelerate, diffusers leaves some classes in the dtype of their files. Their own to() warns about a change
    # of dtype; that of torch does not.
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
        TargetError: The folder does not exist, or has no weights of the variant.
    """
    # The family is known only after model_index.json has been read, so the components of all families are requested.
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

    The size is the ``sample_size`` of the denoiser in latent positions, or that of the autoencoder in pixels if the
    configuration of the denoiser has none.

    Args:
        network: The denoiser.
        autoencoder: Autoencoder, which encodes a blank image to measure the pixels per latent position.
        family: Family, which defines the denoiser channels per latent channel.
        folder: Folder that messages name.

    Returns:
        ``(channels, height, width)``.

    Raises:
        TargetError: No size is known, or the denoiser does not fit the latents of the autoencoder.
    """
    name = "U-Net" if family.denoiser == "unet" else "transformer"
    config = network.config if "sample_size" in network.config else autoencoder.module.config
    side = config.get("sample_size")
    if side is None:
        raise TargetError(f"expected sample_size in the {name} configuration of {folder}; add it")
    channels, *positions = autoencoder.latent_shape((autoencoder.channels, PROBE_SIDE, PROBE_SIDE))
    packed = channels * family.packing
    if network.config.in_channels != packed:
        raise TargetError(
            f"expected the {name} of {folder} to take the autoencoder's {channels} latent channels"
            f"{f' in {packed}' if packed != channels else ''}, got {network.config.in_channels}; inpainting and "
            "concatenated conditions are not supported"
        )
    sides = (side, side) if isinstance(side, int) else tuple(side)
    if config is network.config:
        # From latent positions to pixels: the blank image has PROBE_SIDE pixels for `count` positions.
        sides = tuple(side * PROBE_SIDE // count for side, count in zip(sides, positions, strict=True))
    return (autoencoder.channels, *sides)


def _check_parts(folder: PipelineFolder, family: Family, prediction_type: str, autoencoder: str) -> None:
    if (prediction_type == FLOW) != family.flow:
        expected = "a scheduler of flow matching" if family.flow else "the scheduler of a diffusion model"
        raise TargetError(
            f"expected {expected} for {family.pipeline} in {folder}, got prediction type {prediction_type}; "
            "save the whole pipeline again"
        )
    folder.check_class(autoencoder, family.autoencoders)
    folder.check_class(family.denoiser, family.networks)
    supported = {family.denoiser, *(text.encoder for text in family.text_encoders)}
    harmless = {autoencoder, "scheduler", *SAMPLING, *(name for name in folder.index if name.startswith("tokenizer"))}
    extra = [name for name in folder.index if folder.class_name(name) and name not in supported | harmless]
    # Never ignore a component such as a ControlNet: without the part that was trained, no leak would show.
    if extra:
        raise TargetError(
            f"expected only {' and '.join(sorted(supported))} for {family.pipeline} in {folder}, but found "
            f"{' and '.join(extra)} as well; such pipelines are not supported yet"
        )
