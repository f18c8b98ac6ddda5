"""Autoencoders whose E(D(z)) is known, and a wrapper that writes down what they were asked."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch
from models import random_normal
from torch import Tensor

import privaudit
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder

Map = Callable[[Tensor], Tensor]
DEMO = Path(privaudit.__file__).parent / "lab" / "demo" / "target" / "vqvae"


@dataclass(frozen=True)
class Maps:
    """D and E by two functions, which compute in the type of what they get."""

    decode: Map
    encode: Map
    dtype: torch.dtype = torch.float32


def encoder_only(function: Map, dtype: torch.dtype = torch.float32) -> Maps:
    """D is the identity, so T(z) = f(z) - f(x) and x itself is the truth."""
    return Maps(lambda latents: latents, function, dtype)


def orthogonal(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(random_normal(size, size, seed=seed, dtype=torch.float64))[0]


def symmetric(spectrum: Sequence[float], seed: int = 2) -> Tensor:
    vectors = orthogonal(len(spectrum), seed)
    return vectors @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ vectors.T


def linear(matrix: Tensor, latent: Sequence[int] = (), image: Sequence[int] = (), seed: int = 1) -> Maps:
    """E(D(z)) = M z; D is an isometry. T is 1/L-cocoercive if M is symmetric with eigenvalues in (0, L]."""
    latent = tuple(latent) or (len(matrix),)
    image = tuple(image) or (len(matrix) + 4,)
    isometry = orthogonal(prod(image), seed)[:, : len(matrix)]
    forth, back = isometry.T, isometry @ matrix.T

    def decode(latents: Tensor) -> Tensor:
        return (latents.flatten(1) @ forth.to(latents.dtype)).view(-1, *image)

    def encode(images: Tensor) -> Tensor:
        return (images.flatten(1) @ back.to(images.dtype)).view(-1, *latent)

    return Maps(decode, encode)


def spread(low: float, high: float, count: int = 6) -> list[float]:
    return torch.linspace(low, high, count, dtype=torch.float64).tolist()


def curved(latent: Sequence[int] = (6,), image: Sequence[int] = (10,)) -> Maps:
    """A nonlinear decoder, and an encoder that inverts its linear part only, seven tenths of the way."""
    straight = linear(0.7 * torch.eye(prod(latent), dtype=torch.float64), latent, image)
    bent = linear(torch.eye(prod(latent), dtype=torch.float64), latent, image, seed=7)
    return Maps(lambda latents: straight.decode(latents) + 0.3 * bent.decode(latents).sin(), straight.encode)


def tagged(gains: Sequence[float]) -> Maps:
    """E(D(z)) = g z in all but the last coordinate, which never moves and chooses g from the list."""
    table = torch.tensor(gains)

    def encode(images: Tensor) -> Tensor:
        return torch.cat([images[:, :-1] * table[tags(images)].to(images.dtype)[:, None], images[:, -1:]], dim=1)

    return encoder_only(encode)


def tags(points: Tensor) -> Tensor:
    return (points[:, -1].nan_to_num() * 1000).round().long()


def tag(values: Tensor) -> Tensor:
    """Append to each row its number, so small that norms hardly show it."""
    return torch.cat([values, torch.arange(len(values))[:, None] / 1000], dim=1)


@dataclass
class Watched:
    """Writes down every call.

    Attributes:
        inner: The autoencoder.
        limit: Most images that fit into memory.
        count_at: At which calls of D to count what is in memory; nothing else is kept then.
        decoded: Images a call of D that succeeded.
        encoded: The same of E.
        points: What was decoded.
        gradients: Whether gradients were recorded, for each call of D and E.
        live: Elements of all large tensors in memory, at those calls.
    """

    inner: Any
    limit: int | None = None
    count_at: tuple[int, ...] = ()
    decoded: list[int] = field(default_factory=list)
    encoded: list[int] = field(default_factory=list)
    points: list[Tensor] = field(default_factory=list)
    gradients: list[bool] = field(default_factory=list)
    live: list[int] = field(default_factory=list)

    @property
    def dtype(self) -> torch.dtype:
        return self.inner.dtype

    def encode(self, images: Tensor) -> Tensor:
        self._allocate(images)
        self.encoded.append(len(images))
        self.gradients.append(torch.is_grad_enabled())
        return self.inner.encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        self._allocate(latents)
        if len(self.decoded) in self.count_at:
            self.live.append(_live_elements())
        if not self.count_at:
            self.points.append(latents.detach().clone())
        self.decoded.append(len(latents))
        self.gradients.append(torch.is_grad_enabled())
        return self.inner.decode(latents)

    def _allocate(self, batch: Tensor) -> None:
        if self.limit is not None and len(batch) > self.limit:
            raise torch.OutOfMemoryError("out of memory")


def _live_elements() -> int:
    return sum(each.numel() for each in gc.get_objects() if type(each) is Tensor and each.numel() > 100)


def trained(dtype: torch.dtype = torch.float32) -> DiffusersAutoencoder:
    """The autoencoder of the demo target, which shrinks images by four, in the type that is asked for."""
    from diffusers import AutoencoderKL

    module = AutoencoderKL.from_pretrained(DEMO)
    return wrap_autoencoder(module, torch.device("cpu"), dtype, upcast=False)


def generated(autoencoder: DiffusersAutoencoder, count: int) -> tuple[Tensor, Tensor]:
    """Images of 16x16 pixels that a decoder made, and the latents it made them from."""
    with torch.no_grad():
        latents = autoencoder.encode(autoencoder.decode(random_normal(count, 4, 4, 4, seed=9)).clamp(-1, 1))
        return autoencoder.decode(latents), latents


def gap(autoencoder: Any, points: Tensor, images: Tensor) -> Tensor:
    """T(z), from scratch."""
    return autoencoder.encode(autoencoder.decode(points)) - autoencoder.encode(images)


def relative_residual(autoencoder: Any, points: Tensor, images: Tensor) -> Tensor:
    encoded = autoencoder.encode(images)
    return gap(autoencoder, points, images).flatten(1).norm(dim=1) / encoded.flatten(1).norm(dim=1)


def relative_pixel_residual(autoencoder: Any, points: Tensor, images: Tensor) -> Tensor:
    return (autoencoder.decode(points) - images).flatten(1).norm(dim=1) / images.flatten(1).norm(dim=1)
