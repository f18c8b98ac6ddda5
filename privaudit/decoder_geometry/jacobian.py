"""Products with the decoder's Jacobian J = dD/dz, matrix-free, batched over images and vectors.

A decoder maps ``(n, *latent)`` to ``(n, *image)`` and treats each image of a batch alone. So J is block-diagonal with
one block per image, and one pass with one vector per image gives one product per image.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from privaudit.errors import ConfigError

Decode = Callable[[Tensor], Tensor]
"""A decoder D, from ``(n, *latent)`` to ``(n, *image)``."""
DEFAULT_PAIRS_PER_PASS = {"cpu": 1, "cuda": 64}
"""Default number of pairs of image and vector per pass, by device type; fewer leave the device idle."""
MIN_PASSES_TO_TRACE = 64
"""Minimum number of passes for which tracing the linear map once is cheaper than forward mode in every pass."""
MAX_TRACE_ERROR = 1e-3
"""Maximum relative difference between a traced and an untraced product that is explained by rounding."""


class _ContiguousGroupNorm(TorchFunctionMode):
    """Makes inputs of group norm contiguous: its forward-mode derivative views them, which fails after attention."""

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
    """Select kernels that have forward-mode derivatives; the previous ones are restored on exit.

    Fused attention kernels have none, so the math kernel is used. Group norm gets contiguous inputs.
    """
    with sdpa_kernel(SDPBackend.MATH), _ContiguousGroupNorm():
        yield


class Jacobian:
    """The Jacobian J at the latents of a batch: products with several vectors per image, without forming the matrix.

    Keeps the decoder pass of reverse mode, which all products with J^T share. After many products with J it also keeps
    their linear map, traced by `torch.func.linearize`. A product with J^T costs about one more decoder pass; a product
    with J costs little more than that if it is traced, and several passes if not (see `benchmarks/geometry.py`).

    Attributes:
        decode: The decoder, in eval mode.
        latents: Latents at which J is evaluated, ``(n, *latent)``.
        channel_axis: Channel axis of the latents, with the batch as axis 0; the other axes are positions.
        pairs_per_pass: Pairs of image and vector per pass; by default `DEFAULT_PAIRS_PER_PASS` of the device.
    """

    def __init__(
        self, decode: Decode, latents: Tensor, channel_axis: int = 1, pairs_per_pass: int | None = None
    ) -> None:
        self.decode = decode
        with torch.inference_mode(False):  # an inference tensor cannot take part in autograd
            self.latents = latents.detach().clone()
        self.channel_axis = channel_axis
        self.pairs_per_pass = (
            DEFAULT_PAIRS_PER_PASS.get(latents.device.type, 1) if pairs_per_pass is None else pairs_per_pass
        )
        self._forward_mode_fails = False
        self._passes = 0
        self._untraceable = False
        self._traced: tuple[int, Decode] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.latents)

    def subset(self, is_selected: Tensor) -> Jacobian:
        """Return J of the images flagged in ``(n,)``; it runs a decoder pass of its own."""
        return Jacobian(self.decode, self.latents[is_selected], self.channel_axis, self.pairs_per_pass)

    @property
    def latent_size(self) -> int:
        """Number of dimensions of one latent, the columns of J."""
        return math.prod(self.latents.shape[1:])

    @property
    def image_shape(self) -> torch.Size:
        """Shape of one decoded image; runs the decoder if it has not run yet."""
        return self._images.shape[1:]

    @property
    def image_size(self) -> int:
        """Number of values of one decoded image, the rows of J."""
        return math.prod(self.image_shape)

    def jvp(self, tangents: Tensor) -> Tensor:
        """Compute J v for k vectors per image, by forward mode, or by reverse mode applied twice where torch has none.

        Args:
            tangents: ``(k, n, *latent)``.

        Returns:
            ``(k, n, *image)``.

        Raises:
            ConfigError: The vectors have the wrong shape.
        """
        self._expect(tangents, self.latents.shape[1:])
        if not len(tangents):
            return self._images.new_empty(0, *self._images.shape)
        # a trace is valid for one batch size, so that size is kept once there is a trace
        per_pass = self._traced[0] if self._traced else min(len(tangents), self._vectors_per_pass)
        self._passes += -(-len(tangents) // per_pass)
        self._trace_if_worth(self._passes, per_pass)
        products = []
        for start in range(0, len(tangents), per_pass):
            group = tangents[start : start + per_pass]
            missing = per_pass - len(group)  # zeros fill up the last group to the batch size of the trace
            full = torch.cat([group, group.new_zeros(missing, *group.shape[1:])]) if missing else group
            product = self._jvp_batch(full.flatten(0, 1), per_pass)
            products.append(product.view(per_pass, len(self), *product.shape[1:])[: len(group)])
        return torch.cat(products)

    def vjp(self, cotangents: Tensor) -> Tensor:
        """Compute J^T v for k vectors per image, by reverse mode.

        Args:
            cotangents: ``(k, n, *image)``.

        Returns:
            ``(k, n, *latent)``.

        Raises:
            ConfigError: The vectors have the wrong shape.
        """
        self._expect(cotangents, self.image_shape)
        if not len(cotangents):
            return self.latents.new_empty(0, *self.latents.shape)
        images, vjp = self._reverse
        cotangents = cotangents.to(images.dtype)
        if self._vectors_per_pass == 1:
            return torch.stack([vjp(vector) for vector in cotangents])
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            # torch warns of operations that it loops over, because they have no batching rule
            warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
            products: Tensor = torch.func.vmap(vjp, chunk_size=self._vectors_per_pass)(cotangents.clone())
        return products

    def columns(self, chunk: int = 256) -> Iterator[Tensor]:
        """Iterate over the columns dD/dz_i of J, in the order of the flattened latent.

        Args:
            chunk: Pairs of image and column computed at once.

        Yields:
            Consecutive columns, ``(columns, n, *image)``.
        """
        step = max(1, chunk // max(1, len(self)))
        per_pass = min(step, self._vectors_per_pass)
        if self._traced is None:  # the number of passes is known in advance, so the trace need not wait for them
            self._trace_if_worth(-(-self.latent_size // per_pass), per_pass)
        for basis in _unit_vectors(self.latent_size, step, self.latents):
            yield self.jvp(basis.view(-1, 1, *self.latents.shape[1:]).expand(-1, *self.latents.shape))

    def rows(self, chunk: int = 256) -> Iterator[Tensor]:
        """Iterate over the rows of J, in the order of the flattened image.

        Args:
            chunk: Pairs of image and row computed at once.

        Yields:
            Consecutive rows, ``(rows, n, *latent)``.
        """
        step = max(1, chunk // max(1, len(self)))
        for basis in _unit_vectors(self.image_size, step, self._images):
            yield self.vjp(basis.view(-1, 1, *self.image_shape).expand(-1, *self._images.shape))

    @property
    def _vectors_per_pass(self) -> int:
        """Vectors per image in one pass."""
        return max(1, self.pairs_per_pass // max(1, len(self)))

    @cached_property
    def _reverse(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The decoded images and the function from v to J^T v."""
        if self._vectors_per_pass > 1:  # mapped over vectors, which needs torch.func and the unfused kernels
            try:
                with torch.inference_mode(False), torch.enable_grad(), forward_mode():
                    mapped, vjp = torch.func.vjp(self.decode, self.latents)[:2]
            except RuntimeError as error:
                self._give_up_forward_mode(error)
                self.pairs_per_pass = 1  # plain autograd, one vector at a time
            else:
                return mapped.detach(), lambda vector: vjp(vector)[0]
        with torch.inference_mode(False), torch.enable_grad():
            leaf = self.latents.clone().requires_grad_(True)
            images = self.decode(leaf)

        def vjp_one(vector: Tensor) -> Tensor:
            with torch.inference_mode(False):
                return torch.autograd.grad(images, leaf, vector.clone(), retain_graph=True)[0]

        return images.detach(), vjp_one

    @property
    def _images(self) -> Tensor:
        return self._reverse[0]

    def _trace_if_worth(self, passes: int, per_pass: int) -> None:
        """Trace the linear map v -> J v if ``passes``, counted over the object's life, are enough to pay for it."""
        if passes >= MIN_PASSES_TO_TRACE and not (self._traced or self._forward_mode_fails or self._untraceable):
            try:
                traced = _linearise(self.decode, self._repeated_latents(per_pass))
                self._traced = None if traced is None else (per_pass, traced)
                self._untraceable = traced is None
            except (NotImplementedError, RuntimeError) as error:
                self._give_up_forward_mode(error)

    def _jvp_batch(self, tangents: Tensor, per_pass: int) -> Tensor:
        """J v for ``per_pass`` vectors per image, as one batch."""
        if self._traced is not None:
            with torch.inference_mode(False), torch.no_grad():
                return self._traced[1](tangents)
        if not self._forward_mode_fails:
            try:
                with torch.inference_mode(False), torch.no_grad(), forward_mode():
                    product: Tensor = torch.func.jvp(self.decode, (self._repeated_latents(per_pass),), (tangents,))[1]
                return product
            except (NotImplementedError, RuntimeError) as error:
                self._give_up_forward_mode(error)
        return jvp_by_reverse(self.decode, self._repeated_latents(per_pass), tangents)

    def _give_up_forward_mode(self, error: Exception) -> None:
        """Use reverse mode from now on if an operation has no forward-mode derivative; raise any other error."""
        # a custom autograd.Function that torch.func cannot handle raises a RuntimeError about its setup_context
        if not isinstance(error, NotImplementedError) and "setup_context" not in str(error):
            raise error
        self._forward_mode_fails = True

    def _repeated_latents(self, times: int) -> Tensor:
        return self.latents.repeat(times, *[1] * (self.latents.ndim - 1))

    def _expect(self, vectors: Tensor, shape: torch.Size) -> None:
        if vectors.ndim != len(shape) + 2 or vectors.shape[1:] != (len(self), *shape):
            wanted = ", ".join(map(str, ("k", len(self), *shape)))
            raise ConfigError([f"expected vectors of shape ({wanted}), got {tuple(vectors.shape)}"])


def jvp_by_reverse(decode: Decode, latents: Tensor, tangents: Tensor) -> Tensor:
    """Compute J v by reverse mode alone, as the derivative of u -> J^T u, which is linear in u, applied to v.

    Args:
        decode: The decoder, whose operations must have second derivatives.
        latents: ``(n, *latent)``.
        tangents: ``(n, *latent)``.

    Returns:
        ``(n, *image)``.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        forward_mode(),
    ):  # fused attention kernels have no second derivatives either
        leaf = latents.detach().clone().requires_grad_(True)
        images = decode(leaf)
        dual = torch.zeros_like(images, requires_grad=True)
        (vjp_of_dual,) = torch.autograd.grad(images, leaf, dual, create_graph=True)
        (product,) = torch.autograd.grad(vjp_of_dual, dual, tangents.clone())
    return product.detach()


def _linearise(decode: Decode, latents: Tensor) -> Decode | None:
    """Trace v -> J v; None if the trace is a different map, as for a decoder that draws from a generator of its own."""
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(latents.shape, generator=generator, dtype=torch.float32, device="cpu").to(latents)
    with (
        torch.inference_mode(False),
        warnings.catch_warnings(),
        torch.no_grad(),
        forward_mode(),
    ):
        warnings.filterwarnings("ignore", message="Attempted to insert a get_attr Node", category=UserWarning)
        expected = torch.func.jvp(decode, (latents,), (probe,))[1].flatten(1)
        traced: Decode = torch.func.linearize(decode, latents)[1]
        error = torch.linalg.vector_norm(traced(probe).flatten(1) - expected, dim=1)
    size = torch.linalg.vector_norm(expected, dim=1)
    agrees = (error <= MAX_TRACE_ERROR * size) | ~size.isfinite()  # callers check that products are finite
    return traced if bool(agrees.all()) else None


def _unit_vectors(size: int, step: int, like: Tensor) -> Iterator[Tensor]:
    """All unit vectors, in blocks of ``(step, size)``; the last block may be shorter."""
    for start in range(0, size, step):
        stop = min(size, start + step)
        basis = torch.zeros(stop - start, size, device=like.device, dtype=like.dtype)
        basis[torch.arange(stop - start), torch.arange(start, stop)] = 1
        yield basis
