"""Checks that a decoder is a deterministic, differentiable function of each latent alone, as the geometry assumes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Decode
from privaudit.errors import DataError, TargetError
from privaudit.model.noise import generator_for
from privaudit.model.target import require_finite

MAX_RELATIVE_DIFFERENCE = 1e-3
"""Relative difference up to which two outputs count as equal. They come from the same kernels on the same shapes, so
they are usually identical to the bit, even in 16-bit precision; dropout, noise and batch statistics change far more."""


def check_decoder(
    decode: Decode, latents: Tensor, sample_ids: Sequence[str], *, latent_shape: Sequence[int] | None = None
) -> None:
    """Try a decoder on the first latents of a batch: three passes over two images, one pass and derivative of one.

    Without latents, nothing is run. The derivative is not compared with finite differences, because the
    straight-through derivative of a quantiser disagrees with them by design. The global generators of torch and all
    training flags are left unchanged; a decoder in training mode may itself update its running statistics.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``.
        sample_ids: One id per image.
        latent_shape: Expected shape of one latent, if it is known.

    Raises:
        DataError: The latents have the wrong shape or type, or their number differs from that of the ids.
        NonFiniteError: A latent, an image or a derivative is NaN or infinite; names the sample ids.
        TargetError: The decoder is random, depends on the other images of a batch, or has no derivative.
    """
    _check_latents(latents, sample_ids, latent_shape)
    if not len(latents):
        return
    require_finite(latents, "latent", sample_ids)
    latents = latents.detach()
    devices = [latents.device] if latents.device.type == "cuda" else []
    with torch.inference_mode(False), torch.random.fork_rng(devices):
        _check_function(decode, latents[:2].clone(), sample_ids[:2])
        _check_derivative(decode, latents[:1].clone(), sample_ids[:1])


def _check_latents(latents: Tensor, sample_ids: Sequence[str], latent_shape: Sequence[int] | None) -> None:
    shape = tuple(latents.shape)
    if latent_shape is not None and shape[1:] != tuple(latent_shape):
        wanted = ", ".join(map(str, ("n", *latent_shape)))
        raise DataError(f"expected latents of shape ({wanted}), got {shape}; encode the images with this target")
    if latents.ndim < 2:
        raise DataError(f"expected latents of shape (n, *latent), got {shape}; add the axis of the images")
    if len(sample_ids) != len(latents):
        raise DataError(f"expected one sample id per latent, got {len(sample_ids)} for {len(latents)}")
    if not latents.is_floating_point():
        raise DataError(f"expected floating-point latents, got {latents.dtype}; pass them before quantisation to codes")


def _check_function(decode: Decode, latents: Tensor, sample_ids: Sequence[str]) -> None:
    """Decode a pair of latents twice, and once more with a different second latent."""
    pair = latents if len(latents) == 2 else torch.cat([latents, _shifted(latents)])
    other_pair = torch.cat([pair[:1], _shifted(pair[1:])])
    with torch.no_grad():
        first, again, paired = decode(pair), decode(pair), decode(other_pair)
    if first.ndim < 2 or len(first) != len(pair) or not first.is_floating_point():
        raise TargetError(
            f"expected a decoder that returns one floating-point image per latent, got {first.dtype} of shape "
            f"{tuple(first.shape)} for {len(pair)} latents; leave rounding and reshaping to the caller"
        )
    require_finite(first[: len(latents)], "decoder output", sample_ids)
    count = len(latents)  # without the shifted latent of a single image, which may overflow
    if not _agree(first[:count], again[:count]):
        raise TargetError(
            "expected a deterministic decoder, got two different images from one latent: dropout in training mode, or "
            "injected noise? call .eval() on it, and switch the noise off"
        )
    if not _agree(first[0], paired[0]):
        raise TargetError(
            "expected a decoder that treats each latent alone, got an image that changes with the other latents of the "
            "batch: batch normalisation in training mode? call .eval() on it"
        )


def _check_derivative(decode: Decode, latents: Tensor, sample_ids: Sequence[str]) -> None:
    leaf = latents.requires_grad_(True)
    advice = (
        "hard quantisation, rounding or torch.no_grad()? use a straight-through estimator (z + (q(z) - z).detach()), "
        "or decode without no_grad"
    )
    with torch.enable_grad():
        images = decode(leaf)
        if not images.requires_grad:
            raise TargetError(
                f"expected a differentiable decoder, got an image that is cut off from the latent: {advice}"
            )
        try:
            (gradient,) = torch.autograd.grad(images, leaf, _random(images), allow_unused=True)
        except NotImplementedError as error:  # an operation without derivative
            reason = str(error).partition("\n")[0]
            raise TargetError(f"expected a differentiable decoder, but torch cannot: {reason}") from error
    if gradient is not None:
        require_finite(gradient, "derivative of the decoder", sample_ids)
    if gradient is None or not gradient.any():  # None if only the weights of the decoder have gradients
        raise TargetError(
            f"expected a differentiable decoder, got a derivative that is zero everywhere for the image "
            f"{sample_ids[0]}: {advice}"
        )


def _agree(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs are equal up to rounding; NaN is equal to nothing."""
    one, other = one.double(), other.double()
    return bool((one - other).norm() <= MAX_RELATIVE_DIFFERENCE * one.norm())


def _shifted(latents: Tensor) -> Tensor:
    """Latents shifted by noise of their own magnitude, which changes the statistics of a batch by half or more."""
    size = latents.double().square().mean().sqrt().clamp_min(1e-3)
    return latents + (_random(latents).double() * size).to(latents)


def _random(like: Tensor) -> Tensor:
    generator = generator_for(0, "check", "probe")
    return torch.randn(like.shape, generator=generator, dtype=torch.float32, device="cpu").to(like)
