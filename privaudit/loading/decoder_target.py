"""Loads the autoencoder of a model as a `Target` without a denoiser, which is all that inversion and geometry need."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from privaudit.errors import DataError, TargetError
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.autoencoder.layouts import IMAGES, LAYOUTS, OF_AUDIO
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families.contract import FAMILIES, Family, find_family_class
from privaudit.loading.folder import PROBE_SIDE, trained_size
from privaudit.loading.hashes import hash_component
from privaudit.loading.model_source import ModelSource
from privaudit.loading.noise_levels import load_schedule
from privaudit.loading.standalone import CONTINUOUS, FILES, find_autoencoder
from privaudit.model.condition import Condition
from privaudit.model.schedule import Schedule
from privaudit.model.target import Target, TargetInfo

UNKNOWN = "unknown"
"""Family and prediction type of a target whose pipeline is not known."""
STEPS = tuple(2**power for power in range(9))
"""Multiples of pixels among which a message names the smallest that an autoencoder decodes to the same size."""


@dataclass(frozen=True)
class AbsentDenoiser:
    """The denoiser of a target that was loaded without it.

    Attributes:
        id: Folder or hub id of the target, for messages.
    """

    id: str

    @property
    def module(self) -> nn.Module:
        """Raise `TargetError`, because there is no network."""
        raise self._error()

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        """Raise `TargetError`, because there is no network."""
        raise self._error()

    def _error(self) -> TargetError:
        return TargetError(
            f"expected a target with a denoiser, but {self.id} was loaded without its denoiser; use load_target"
        )


@dataclass(frozen=True)
class AbsentSchedule(Schedule):
    """The noise levels of a target that was loaded without its denoiser: there are none."""

    @property
    def last(self) -> int:
        """-1, because there is no level."""
        return -1

    def scales(self, level: int) -> tuple[float, float]:
        """Raise `TargetError`, because there is no level."""
        raise TargetError(
            f"expected a target with noise levels, got level {level} of one without its denoiser; use load_target"
        )


def load_decoder_target(source: ModelSource | str | Path) -> Target:
    """Load the autoencoder of a pipeline, or one that lies alone in a folder, as a target of inversion and geometry.

    Denoiser and text encoders are neither loaded nor checked, so that any pipeline with an autoencoder of images or
    videos will do. An autoencoder of videos reads each image as a video of one frame. The size of the images is the
    requested resolution, or that which `load_target` would find, read from the configurations alone; for an autoencoder
    alone, or in a pipeline of an unknown family, the size that its own configuration records.

    Args:
        source: Model to load, with its options. Its ``dtype`` takes effect only with ``upcast=False``; otherwise the
            autoencoder runs in float32. A path or hub id alone is loaded with the defaults of `ModelSource`.

    Returns:
        The target, in eval mode, frozen. Its hash is that of the autoencoder, and its denoiser raises `TargetError`.

    Raises:
        TargetError: The folder is missing or holds no supported autoencoder of images, or the size is unknown or is not
            that of the decoded image.
        ConfigError: The source requests an option that is not available (see `ModelSource.resolve`).
    """
    source = ModelSource.of(source)
    device, dtype = source.resolve()
    denoisers = sorted({kind.denoiser for kind in FAMILIES.values()})
    files = (*FILES, "scheduler/*.json", *(f"{name}/config.json" for name in denoisers))
    folder, component = find_autoencoder(source, files)
    name = str(folder.class_name(component))
    if name in OF_AUDIO:
        raise TargetError(
            f"expected an autoencoder of images or videos in {source.id}, got {name}, which encodes sound; its decoder "
            "makes no image that could be inverted"
        )
    family = _known_family(folder)
    autoencoder = wrap_autoencoder(
        folder.load(component),
        device,
        dtype,
        upcast=source.upcast,
        still=True,
        continuous=component == CONTINUOUS,
    )
    if autoencoder.channels != 3:
        count = autoencoder.channels
        reason = "images with transparency are not supported yet" if count == 4 else "pass an autoencoder of images"
        raise TargetError(
            f"expected an autoencoder of 3 channels (RGB images) in {source.id}, got {name} of {count}; {reason}"
        )
    size = source.resolution or _image_size(folder, component, autoencoder, family)
    if size is None:
        raise TargetError(
            f"expected the size of the images in the configuration of {source.id}, which records none that is known to "
            "be that of its training; pass it, as in --resolution 512"
        )
    sample_shape = (autoencoder.channels, *size)
    latent_shape = _round_trip(autoencoder, sample_shape, source.id)
    digest = hash_component(folder, component)
    info = TargetInfo(
        id=source.id,
        hash=digest,
        autoencoder_hash=digest,
        prediction_type=UNKNOWN if family is None else _prediction_type(folder),
        family=UNKNOWN if family is None else family.kind,
        latent_shape=latent_shape,
        sample_shape=sample_shape,
        components={component: digest},
    )
    return Target(info, autoencoder, AbsentDenoiser(source.id), AbsentSchedule(), device)


def _known_family(folder: PipelineFolder) -> type[Family] | None:
    """Find the family of a pipeline; None for an autoencoder alone and for pipelines that no family reads."""
    if "_class_name" not in folder.index:
        return None
    try:
        kind = find_family_class(folder)
    except TargetError:
        return None
    with suppress(TargetError):  # a configuration is missing
        kind = kind.for_folder(folder)
    kind(folder.overridden("condition"))  # refuses overrides that the family does not have
    return kind


def _prediction_type(folder: PipelineFolder) -> str:
    try:
        return load_schedule(folder)[1]
    except TargetError:
        return UNKNOWN


def _image_size(
    folder: PipelineFolder, component: str, autoencoder: DiffusersAutoencoder, family: type[Family] | None
) -> tuple[int, int] | None:
    """Find the size of the images that `load_target` would find, or else the one that the autoencoder records."""
    if family is not None:
        positions = autoencoder.latent_shape((autoencoder.channels, PROBE_SIDE, PROBE_SIDE))[1:]
        try:
            config = folder.config_with_defaults(family.denoiser)
        except TargetError:  # the denoiser is missing, or is of a class that no family reads
            config = {}
        size = trained_size(config, autoencoder.module.config, family, positions)
        if size is not None:
            return size
    # The released models of Kandinsky have the default of diffusers, 32, in the file.
    return None if component == CONTINUOUS else autoencoder.recorded_size


def _round_trip(autoencoder: DiffusersAutoencoder, sample_shape: tuple[int, ...], source: str) -> tuple[int, ...]:
    """Check that an autoencoder decodes images to their own size, without computing values.

    Returns:
        The shape of a latent.

    Raises:
        TargetError: It does not; the message says which sizes it does, if there are any.
    """
    blank, name = autoencoder.without_values(), type(autoencoder.module).__name__
    latent_shape = same_size(blank, sample_shape)
    if latent_shape is not None:
        return latent_shape
    channels, height, width = sample_shape
    got = f"got {height}x{width}"
    recorded = autoencoder.recorded_size
    # An odd multiple near the probe's side, so that no larger step passes as a smaller one.
    sides = {step: step * (PROBE_SIDE // step | 1) for step in STEPS}
    step = next((step for step, side in sides.items() if same_size(blank, (channels, side, side))), None)
    if step is not None:
        raise TargetError(
            f"expected a resolution of multiples of {step} for {source}, {got}: {name} decodes other images to "
            f"another size; pass --resolution {max(step, height // step * step)}x{max(step, width // step * step)}"
        )
    if recorded is not None and same_size(blank, (channels, *recorded)) is not None:
        raise TargetError(
            f"expected a resolution of {recorded[0]}x{recorded[1]} for {source}, {got}: {name} decodes no other size"
        )
    videos = "" if LAYOUTS[name] == IMAGES else ", which cannot encode and decode a video of one frame"
    raise TargetError(
        f"expected an autoencoder that decodes images to their own size in {source}, got {name}{videos}; pass "
        "another autoencoder"
    )


def same_size(blank: DiffusersAutoencoder, sample_shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of the latent of a blank sample that is decoded to its own shape; None for other samples."""
    try:
        with torch.no_grad():
            latents = blank.encode(torch.empty(1, *sample_shape, device="meta"))
            decoded = blank.decode(latents)
    except (RuntimeError, ValueError, IndexError, TypeError, DataError):  # of whatever a class does with odd sizes
        return None
    return tuple(latents.shape[1:]) if decoded.shape[1:] == sample_shape else None
