"""Freezes an autoencoder, and reads its units and what its class takes and gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.loading.autoencoder.diffusers_autoencoder import DiffusersAutoencoder, refuse_tiling
from privaudit.loading.autoencoder.kinds import (
    WRAPPERS,
    ContinuousAutoencoder,
    StillAutoencoder,
    StillFramesAutoencoder,
)
from privaudit.loading.autoencoder.layouts import (
    AUTOENCODERS,
    FRAMES,
    IMAGES,
    INPUT_CHANNELS,
    LATENT_CHANNELS,
    LAYOUTS,
    ONE_AT_A_TIME,
    PATCHED,
    PIXELS,
    UNREADABLE,
    VIDEOS,
)
from privaudit.loading.units import LatentUnits, read_units


def wrap_autoencoder(
    module: Any,  # noqa: ANN401 - a diffusers model
    device: torch.device,
    dtype: torch.dtype,
    *,
    upcast: bool = True,
    still: bool = False,
    continuous: bool = False,
) -> DiffusersAutoencoder:
    """Freeze an autoencoder and read its scale and shift.

    Args:
        module: Instance of a class in `AUTOENCODERS`, loaded as float32.
        device: Device of the autoencoder.
        dtype: Precision of the run.
        upcast: Whether the autoencoder runs in float32 whatever ``dtype`` says. In 16 bits the rounding error of
            latents and derivatives exceeds the differences that an audit measures, and the weights of some autoencoders
            overflow.
        still: Whether an autoencoder of videos encodes images, each as a video of one frame.
        continuous: Whether the latents of a VQ model are neither scaled nor quantised, as in Kandinsky. The
            ``scaling_factor`` that diffusers writes into its configuration is a default that the pipeline never reads.

    Returns:
        The autoencoder in eval mode. Slicing is off, which affects memory alone.

    Raises:
        TargetError: The class is not supported, tiling is on, or the decoder depends on more than the latent.
    """
    name, config = type(module).__name__, module.config
    if name in UNREADABLE:
        raise TargetError(f"cannot read an autoencoder of this class: {name} {UNREADABLE[name]}")
    if name not in LAYOUTS:
        raise TargetError(f"expected an autoencoder of a class among {', '.join(AUTOENCODERS)}, got {name}")
    if config.get("regularizer") == "fsq" or config.get("reshape_to_2d") is False:
        raise TargetError(
            f"expected {name} with continuous latents on a grid, got regularizer = {config.get('regularizer')} and "
            f"reshape_to_2d = {config.get('reshape_to_2d')}; codes and lists of tokens are not supported yet"
        )
    if config.get("timestep_conditioning") or any(config.get("decoder_inject_noise") or ()):
        raise TargetError(
            f"expected a decoder that is a function of the latent, got {name} with timestep_conditioning "
            "or decoder_inject_noise; such decoders are not supported yet"
        )
    refuse_tiling(module)
    if hasattr(module, "disable_slicing"):
        module.disable_slicing()
    dtype = torch.float32 if upcast else dtype
    module = module.to(device).eval().requires_grad_(False)
    units = read_units(module, device)
    check_units(units, name, _latent_channels(name, config))
    if continuous:
        units = LatentUnits(torch.ones(1, device=device), torch.zeros(1, device=device))
    if dtype != torch.float32:
        # All layers but the quantisation, which compares codes in float32 (see QuantisingAutoencoder).
        for part, child in module.named_children():
            if part != "quantize":
                child.to(dtype)
    wrapper, layout = WRAPPERS.get(name, DiffusersAutoencoder), LAYOUTS[name]
    if still and layout == VIDEOS:
        wrapper, layout, units = StillAutoencoder, IMAGES, units.of_one_frame()
    if still and layout == FRAMES:
        wrapper, layout = StillFramesAutoencoder, IMAGES
    if continuous:
        wrapper = ContinuousAutoencoder
    return wrapper(
        module,
        units,
        layout,
        channels=_input_channels(name, config),
        latent_channels=_latent_channels(name, config),
        dtype=dtype,
        pixels=_pixels(name, len(LAYOUTS[name])),
        one_at_a_time=name in ONE_AT_A_TIME,
    )


def _pixels(name: str, axes: int) -> tuple[Tensor, Tensor] | None:
    if name not in PIXELS:
        return None
    mean, deviation = (torch.tensor(values).view(-1, *[1] * (axes - 2)) for values in PIXELS[name])
    return mean, deviation


def check_units(units: LatentUnits, name: str, channels: int) -> None:
    """Check that means and standard deviations are one for all channels of the latents, or one per channel.

    Raises:
        TargetError: They are not.
    """
    for what, values in (("latents_std", units.scale), ("latents_mean", units.shift)):
        if values.ndim == 1 and len(values) not in (1, channels):
            raise TargetError(
                f"expected {what} of {name} for {channels} channels of the latents, got {len(values)} values; "
                "leave the override out, or copy config.json again"
            )


def _input_channels(name: str, config: Any) -> int:  # noqa: ANN401 - a diffusers configuration
    channels = int(config[INPUT_CHANNELS.get(name, "in_channels")])
    if name in PATCHED and config.get("patch_size"):
        return channels // int(config["patch_size"]) ** 2  # in_channels counts the pixels of a patch as channels
    return channels


def _latent_channels(name: str, config: Any) -> int:  # noqa: ANN401 - a diffusers configuration
    channels = int(config.get(LATENT_CHANNELS.get(name)) or config["latent_channels"])
    return 4 * channels if name == "AutoencoderKLFlux2" else channels
