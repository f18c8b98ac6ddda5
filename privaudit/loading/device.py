"""Device and precision of a target."""

from __future__ import annotations

import re

import torch

from privaudit.errors import ConfigError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cuda`` or ``cpu`` into a device; ``auto`` means CUDA if available.

    Returns:
        The device.

    Raises:
        ConfigError: The name is unknown, or CUDA is requested and not available.
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

    Membership shows in small differences between predictions, so 16 bits are an option and not the default.

    Returns:
        The dtype of the denoiser, and of the autoencoder unless it is upcast.

    Raises:
        ConfigError: The name is unknown.
    """
    if name == "auto":
        return torch.float32
    if name not in DTYPES:
        raise ConfigError([f"expected --dtype auto, {', '.join(DTYPES)}, got {name}"])
    return DTYPES[name]
