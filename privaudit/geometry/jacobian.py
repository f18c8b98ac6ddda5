"""Products with the decoder's Jacobian J = dD/dz, batched over images.

A decoder maps ``(n, *latent)`` to ``(n, *image)`` and treats each image of a batch alone, so one pass
with one tangent (or cotangent) an image gives one Jacobian product an image.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from privaudit.errors import TargetError

Decode = Callable[[Tensor], Tensor]


class _ContiguousGroupNorm(TorchFunctionMode):
    """Give group norm contiguous inputs: its forward derivative views them, which fails after attention."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own signature
        if func in (functional.group_norm, torch.group_norm):
            args = (args[0].contiguous(), *args[1:])
        return func(*args, **(kwargs or {}))


@contextmanager
def forward_mode() -> Generator[None]:
    """Run a decoder with the kernels that have forward-mode derivatives; all is restored on exit.

    Fused attention kernels have none, so the math kernel is taken; group norm gets contiguous inputs.
    """
    with sdpa_kernel(SDPBackend.MATH), _ContiguousGroupNorm():
        yield


def pushforward(decode: Decode, latents: Tensor, tangents: Tensor) -> Tensor:
    """J v by forward-mode differentiation.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, where J is taken.
        tangents: ``(n, *latent)``, one v an image.

    Returns:
        ``(n, *image)``.

    Raises:
        TargetError: The decoder has no forward-mode derivative; that of a `VQModel` has none.
    """
    try:
        with torch.no_grad(), forward_mode():
            product: Tensor = torch.func.jvp(decode, (latents,), (tangents,))[1]
    except NotImplementedError as error:
        raise TargetError(
            "expected a decoder with forward-mode derivatives, but torch has none for one of its operations; "
            "take the stochastic influence, which needs reverse mode only"
        ) from error
    return product.detach()


def pull_back(
    decode: Decode, latents: Tensor, cotangents: Callable[[torch.Size], Iterator[Tensor]]
) -> Iterator[Tensor]:
    """J^T v for several v by reverse-mode differentiation of one decoder pass.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``, where J is taken.
        cotangents: Given the shape ``(n, *image)`` of the output, gives the v, one tensor a product.

    Yields:
        ``(n, *latent)`` for each v.
    """
    with torch.enable_grad():
        leaf = latents.detach().clone().requires_grad_(True)
        images = decode(leaf)
    for cotangent in cotangents(images.shape):
        (product,) = torch.autograd.grad(images, leaf, cotangent.to(images), retain_graph=True)
        yield product.detach()


def columns(decode: Decode, latents: Tensor, chunk: int = 256) -> Iterator[Tensor]:
    """The columns dD/dz_i of J, in the order of the flattened latent.

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``.
        chunk: Pairs of image and column in one decoder pass.

    Yields:
        ``(columns, n, *image)`` for consecutive runs of columns.
    """
    count, size = len(latents), latents[0].numel()
    step = max(1, chunk // max(1, count))
    for start in range(0, size, step):
        stop = min(size, start + step)
        basis = torch.zeros(stop - start, size, device=latents.device, dtype=latents.dtype)
        basis[torch.arange(stop - start), torch.arange(start, stop)] = 1
        tangents = basis.repeat_interleave(count, dim=0).view(-1, *latents.shape[1:])
        points = latents.repeat(stop - start, *[1] * (latents.ndim - 1))
        product = pushforward(decode, points, tangents)
        yield product.view(stop - start, count, *product.shape[1:])
