"""Loads a diffusers folder, or a hub id, as a `Target`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from privaudit.errors import TargetError
from privaudit.loading.adapters import adapter_path
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.components import PipelineFolder
from privaudit.loading.conditioner import PipelineConditioner
from privaudit.loading.denoiser import PipelineDenoiser
from privaudit.loading.embeddings import known_words
from privaudit.loading.families.contract import FAMILIES, Family, find_family
from privaudit.loading.fine_tuning import apply_fine_tuning
from privaudit.loading.hashes import hash_components
from privaudit.loading.model_source import ModelSource
from privaudit.loading.noise_levels import load_schedule
from privaudit.loading.pipeline import build_pipeline
from privaudit.loading.recognise import adapter_problem, explain, no_index
from privaudit.loading.repository import find_folder
from privaudit.loading.residence import MAIN_MEMORY, Residence
from privaudit.loading.standalone import CONTINUOUS, NAMES, autoencoder_name, pipeline_folder
from privaudit.loading.statements import check_clip_skip, check_statements
from privaudit.model.schedule import FlowSchedule, Schedule
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
    stating = _stating_files(source, folder)
    check_statements(stating, folder, prediction_type)
    check_clip_skip(stating, family)
    schedule = family.trained_levels(schedule)
    vae_name = autoencoder_name(folder.index)
    _check_parts(folder, family, schedule, vae_name)
    autoencoder = wrap_autoencoder(
        folder.load(vae_name),
        device,
        dtype,
        upcast=source.upcast,
        still=family.still,
        continuous=vae_name == CONTINUOUS,
    )
    network = folder.load(family.denoiser, dtype)
    # Without accelerate, diffusers leaves some classes in the dtype of their files. Their own to() warns about a change
    # of dtype; that of torch does not.
    home = MAIN_MEMORY if source.offload else device
    torch.nn.Module.to(network, home, dtype)
    autoencoder.module.to(home)
    sample_shape = measure_sample_shape(network.config, autoencoder, family, folder, source.resolution)
    family.image_size = (sample_shape[-2], sample_shape[-1])
    pipeline = build_pipeline(folder, family, {vae_name: autoencoder.module, family.denoiser: network}, device)
    residence = Residence(
        device,
        {
            "autoencoder": (autoencoder.module,),
            "denoiser": (network,),
            "text encoders": tuple(
                encoder for text in family.text_encoders if (encoder := getattr(pipeline, text.encoder)) is not None
            ),
        },
        source.offload,
    )
    files = apply_fine_tuning(source, folder, family, pipeline)
    hashes = hash_components(folder, files)
    info = TargetInfo(
        id=source.id,
        hash=hashes.whole,
        autoencoder_hash=hashes.components[vae_name],
        prediction_type=prediction_type,
        family=family.kind,
        latent_shape=autoencoder.latent_shape(sample_shape),
        sample_shape=sample_shape,
        components=hashes.components,
        settings=family.values,
        files=files,
        known_words=known_words(pipeline, family),
    )
    denoiser = PipelineDenoiser(family, network, schedule, prediction_type, dtype)
    conditioner = None if family.kind == "unconditional" else PipelineConditioner(family, pipeline)
    return Target(info, autoencoder, denoiser, schedule, device, conditioner, residence)


def _stating_files(source: ModelSource, folder: PipelineFolder) -> list[Path]:
    """List the files whose header may say how they were trained; a missing one is an error before the long part."""
    adapters = [adapter_path(Path(adapter.path).expanduser()) for adapter in source.merged]
    return adapters if folder.single is None else [*adapters, folder.single.path]


def open_pipeline(source: ModelSource) -> PipelineFolder:
    """Find the folder of a pipeline, or download the components that any family reads.

    Returns:
        The folder.

    Raises:
        TargetError: The folder does not exist, is not that of a pipeline, or has no weights of the variant.
    """
    # The family is known only after model_index.json has been read, so the components of all families are requested.
    components = {"scheduler", *NAMES}
    for kind in FAMILIES.values():
        components |= {kind.denoiser, *(name for text in kind.text_encoders for name in (text.encoder, text.tokenizer))}
    path = find_folder(source, sorted(components))
    if not (path / "model_index.json").is_file():
        raise TargetError(explain(path) if Path(source.path).expanduser().is_dir() else no_index(source.id))
    problem = adapter_problem(path, decided=source.adapters is not None)
    if problem is not None:
        raise TargetError(problem)
    folder = pipeline_folder(source, path)
    folder.require_variant()
    return folder


def measure_sample_shape(
    config: Mapping[str, Any],
    autoencoder: DiffusersAutoencoder,
    family: Family,
    folder: PipelineFolder,
    resolution: tuple[int, int] | None = None,
) -> tuple[int, ...]:
    """Find the shape of the images that a target was trained on.

    The size is that of `trained_size`, unless the user names a resolution.

    Args:
        config: Configuration of the denoiser, with the defaults of its class.
        autoencoder: Autoencoder, which encodes a blank image to measure the pixels per latent position.
        family: Family, which defines the denoiser channels per latent channel.
        folder: Folder that messages name.
        resolution: Height and width in pixels to use instead; None for the model's own.

    Returns:
        ``(channels, height, width)``.

    Raises:
        TargetError: No size is known, or the denoiser does not fit the latents of the autoencoder.
    """
    name = "U-Net" if family.denoiser == "unet" else "transformer"
    channels, *positions = autoencoder.latent_shape((autoencoder.channels, PROBE_SIDE, PROBE_SIDE))
    sides = resolution or trained_size(config, autoencoder.module.config, family, positions)
    if sides is None:
        raise TargetError(
            f"expected sample_size in the configuration of {folder}, which does not say for which size the model was "
            "trained; pass it, as in --resolution 1024"
        )
    allowed = family.input_channels(channels)
    if config["in_channels"] not in allowed:
        packed = " or ".join(map(str, allowed))
        raise TargetError(
            f"expected the {name} of {folder} to take the autoencoder's {channels} latent channels"
            f"{f' in {packed}' if allowed != (channels,) else ''}, got {config['in_channels']}; inpainting and "
            f"concatenated conditions are not supported for {folder.pipeline_class}"
        )
    step = pixel_step(config, positions, family)
    if resolution is not None and any(pixels % step for pixels in sides):
        raise TargetError(f"expected a resolution of multiples of {step} for {folder}, got {sides[0]}x{sides[1]}")
    return (autoencoder.channels, *sides)


def trained_size(
    config: Mapping[str, Any],
    autoencoder_config: Mapping[str, Any],
    family: Family | type[Family],
    positions: Sequence[int],
) -> tuple[int, int] | None:
    """Read the size of the images that a pipeline was trained on from configurations alone.

    It is the ``sample_size`` of the denoiser in latent positions, or that of the autoencoder in pixels if denoisers of
    the class have none, unless the family has a resolution.

    Args:
        config: Configuration of the denoiser, with the defaults of its class.
        autoencoder_config: Configuration of the autoencoder, with the defaults of its class.
        family: Family of the pipeline.
        positions: Latent positions per axis of an image of `PROBE_SIDE` pixels per side.

    Returns:
        Height and width in pixels; None if nothing records them.
    """
    if family.resolution is not None:
        return family.resolution
    in_positions = "sample_size" in config
    recording = config if in_positions else autoencoder_config
    if "sample_size" in recording.get("_use_default_values", ()):  # diffusers fills in 32 where a file has none
        return None
    side = recording.get("sample_size")
    if side is None:
        return None
    height, width = (side, side) if isinstance(side, int) else side
    if in_positions:
        height, width = (side * PROBE_SIDE // count for side, count in zip((height, width), positions, strict=True))
    return height, width


def pixel_step(config: Mapping[str, Any], positions: Sequence[int], family: Family) -> int:
    """Count the pixels per axis of which the sides of an image are multiples: those under one token of the denoiser.

    Args:
        config: Configuration of the denoiser.
        positions: Latent positions per axis of an image of `PROBE_SIDE` pixels per side.
        family: Family, which packs patches itself or leaves that to the denoiser.

    Returns:
        Pixels, at least 1.
    """
    return PROBE_SIDE // positions[0] * patch_side(config, family)


def patch_side(config: Mapping[str, Any], family: Family) -> int:
    """Count the latent positions per axis that one token of a denoiser stands for.

    Args:
        config: Configuration of the denoiser.
        family: Family, which packs patches itself or leaves that to the denoiser.

    Returns:
        The side of a patch; 1 for a U-Net.
    """
    if family.packing > 1:  # some configurations state the size of the packed patches once more
        return math.isqrt(family.packing)
    patch = config.get("patch_size") or config.get("all_patch_size") or 1
    return int(patch) if isinstance(patch, int) else int(patch[-1])


def _check_parts(folder: PipelineFolder, family: Family, schedule: Schedule, autoencoder: str) -> None:
    if family.flow is not None and isinstance(schedule, FlowSchedule) != family.flow:
        expected, got = "flow-matching scheduler", "scheduler of a diffusion model"
        if not family.flow:
            expected, got = got, expected
        raise TargetError(
            f"expected a {expected} for {family.pipeline} in {folder}, got a {got}; save the pipeline with the "
            "scheduler of its training"
        )
    folder.check_class(autoencoder, family.autoencoders)
    folder.check_class(family.denoiser, family.networks)
    supported = {family.denoiser, *(text.encoder for text in family.text_encoders)}
    tokenizers = {name for name in folder.index if name.startswith("tokenizer")}
    harmless = {autoencoder, "scheduler", *SAMPLING, *family.unused, *tokenizers}
    extra = [
        name
        for name in folder.index
        if folder.class_name(name) and not name.startswith("_") and name not in supported | harmless
    ]
    # Never ignore a component such as a ControlNet: without the part that was trained, no leak would show.
    if extra:
        raise TargetError(
            f"expected only {' and '.join(sorted(supported))} for {family.pipeline} in {folder}, but found "
            f"{' and '.join(extra)} as well; such pipelines are not supported yet"
        )
