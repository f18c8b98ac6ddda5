"""Products with the decoder's Jacobian J = dD/dz, matrix-free, batched over images and vectors.

A decoder maps ``(n, *latent)`` to ``(n, *image)`` and treats each image of a batch alone, so J is one block an
image, and one pass with one vector per image gives one product per image.
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
"""D, ``(n, *latent)`` to ``(n, *image)``."""
LANES = {"cpu": 1, "cuda": 64}
"""Pairs of image and vector that one pass should have, by device: fewer leave it idle."""
LINEARISE_FROM = 64
"""Passes from which tracing the linear map once is cheaper than forward mode each time."""

TRACE_ERROR = 1e-3
"""Relative difference of a traced product from an untraced one that is still rounding."""


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


class Jacobian:
    """J at the latents of a batch: products with several vectors per image, without the matrix.

    Holds the decoder pass of the reverse mode, so that all products with J^T share it, and once there are many
    products with J, their linear map, traced by `torch.func.linearize`. A product with J^T costs about one further
    decoder pass, one with J little more if it is traced and several if not (`benchmarks/geometry.py` measures them).

    Attributes:
        decode: The decoder, in eval mode.
        latents: ``(n, *latent)``, where J is taken.
        channel_axis: Channel axis of the latents, the batch being axis 0; the other axes are positions.
        lanes: Pairs of image and vector that one pass should have; by default what `LANES` says of the device.
    """

    def __init__(self, decode: Decode, latents: Tensor, channel_axis: int = 1, lanes: int | None = None) -> None:
        self.decode = decode
        with torch.inference_mode(False):  # tensors that are made for inference alone have no derivatives
            self.latents = latents.detach().clone()
        self.channel_axis = channel_axis
        self.lanes = LANES.get(latents.device.type, 1) if lanes is None else lanes
        self._forward_mode_fails = False
        self._passes = 0
        self._untraceable = False
        self._traced: tuple[int, Decode] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.latents)

    def of(self, images: Tensor) -> Jacobian:
        """Return J of some of the images, by flags ``(n,)``, from a decoder pass of its own."""
        return Jacobian(self.decode, self.latents[images], self.channel_axis, self.lanes)

    @property
    def latent_size(self) -> int:
        """Dimensions of one latent: columns of J."""
        return math.prod(self.latents.shape[1:])

    @property
    def image_shape(self) -> torch.Size:
        """Shape of one decoded image; runs the decoder if it has not run yet."""
        return self._images.shape[1:]

    @property
    def image_size(self) -> int:
        """Values of one decoded image: rows of J."""
        return math.prod(self.image_shape)

    def jvp(self, tangents: Tensor) -> Tensor:
        """J v for k vectors per image, by forward mode, or by reverse mode twice where torch has no forward mode.

        Args:
            tangents: ``(k, n, *latent)``.

        Returns:
            ``(k, n, *image)``.

        Raises:
            ConfigError: The vectors have another shape.
        """
        self._expect(tangents, self.latents.shape[1:])
        if not len(tangents):
            return self._images.new_empty(0, *self._images.shape)
        # once traced the batch stays as large as the trace: another size would need another trace
        together = self._traced[0] if self._traced else min(len(tangents), self._together)
        self._passes += -(-len(tangents) // together)
        self._trace_if_worth(self._passes, together)
        found = []
        for start in range(0, len(tangents), together):
            group = tangents[start : start + together]
            missing = together - len(group)  # the last group is filled up, since a trace has one batch size
            full = torch.cat([group, group.new_zeros(missing, *group.shape[1:])]) if missing else group
            product = self._jvp_batch(full.flatten(0, 1), together)
            found.append(product.view(together, len(self), *product.shape[1:])[: len(group)])
        return torch.cat(found)

    def vjp(self, cotangents: Tensor) -> Tensor:
        """J^T v for k vectors per image, by reverse mode.

        Args:
            cotangents: ``(k, n, *image)``.

        Returns:
            ``(k, n, *latent)``.

        Raises:
            ConfigError: The vectors have another shape.
        """
        self._expect(cotangents, self.image_shape)
        if not len(cotangents):
            return self.latents.new_empty(0, *self.latents.shape)
        images, vjp = self._reverse
        cotangents = cotangents.to(images.dtype)
        if self._together == 1:
            return torch.stack([vjp(vector) for vector in cotangents])
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            # of an operation that torch loops over, because it has no batching rule for it
            warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
            products: Tensor = torch.func.vmap(vjp, chunk_size=self._together)(cotangents.clone())
        return products

    def columns(self, chunk: int = 256) -> Iterator[Tensor]:
        """The columns dD/dz_i of J, in the order of the flattened latent.

        Yields:
            ``(columns, n, *image)`` for consecutive runs of columns.
        """
        step = max(1, chunk // max(1, len(self)))
        together = min(step, self._together)
        if self._traced is None:
            self._trace_if_worth(-(-self.latent_size // together), together)
        for basis in _unit_vectors(self.latent_size, step, self.latents):
            yield self.jvp(basis.view(-1, 1, *self.latents.shape[1:]).expand(-1, *self.latents.shape))

    def rows(self, chunk: int = 256) -> Iterator[Tensor]:
        """The rows of J, in the order of the flattened image.

        Yields:
            ``(rows, n, *latent)`` for consecutive runs of rows.
        """
        step = max(1, chunk // max(1, len(self)))
        for basis in _unit_vectors(self.image_size, step, self._images):
            yield self.vjp(basis.view(-1, 1, *self.image_shape).expand(-1, *self._images.shape))

    @property
    def _together(self) -> int:
        """Vectors per image that one pass takes."""
        return max(1, self.lanes // max(1, len(self)))

    @cached_property
    def _reverse(self) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The decoded images and the function from v to J^T v."""
        if self._together > 1:  # mapped over vectors, for which torch.func and the unfused kernels are needed
            try:
                with torch.inference_mode(False), torch.enable_grad(), forward_mode():
                    mapped, vjp = torch.func.vjp(self.decode, self.latents)[:2]
            except RuntimeError as error:
                self._give_up_forward_mode(error)
                self.lanes = 1  # plain autograd, one vector at a time
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

    def _trace_if_worth(self, passes: int, together: int) -> None:
        """Trace the linear map v -> J v for many passes, over the life of the object."""
        if passes >= LINEARISE_FROM and not (self._traced or self._forward_mode_fails or self._untraceable):
            try:
                traced = _linearise(self.decode, self._points(together))
                self._traced = None if traced is None else (together, traced)
                self._untraceable = traced is None
            except (NotImplementedError, RuntimeError) as error:
                self._give_up_forward_mode(error)

    def _jvp_batch(self, tangents: Tensor, together: int) -> Tensor:
        """J v for ``together`` vectors per image, as one batch."""
        if self._traced is not None:
            with torch.inference_mode(False), torch.no_grad():
                return self._traced[1](tangents)
        if not self._forward_mode_fails:
            try:
                with torch.inference_mode(False), torch.no_grad(), forward_mode():
                    product: Tensor = torch.func.jvp(self.decode, (self._points(together),), (tangents,))[1]
                return product
            except (NotImplementedError, RuntimeError) as error:
                self._give_up_forward_mode(error)
        return jvp_by_reverse(self.decode, self._points(together), tangents)

    def _give_up_forward_mode(self, error: Exception) -> None:
        """Go on without it if torch has no forward-mode derivative for an operation; raise what is another error."""
        if not isinstance(error, NotImplementedError) and "setup_context" not in str(error):  # of own operations
            raise error
        self._forward_mode_fails = True

    def _points(self, together: int) -> Tensor:
        return self.latents.repeat(together, *[1] * (self.latents.ndim - 1))

    def _expect(self, vectors: Tensor, shape: torch.Size) -> None:
        if vectors.ndim != len(shape) + 2 or vectors.shape[1:] != (len(self), *shape):
            wanted = ", ".join(map(str, ("k", len(self), *shape)))
            raise ConfigError([f"expected vectors of shape ({wanted}), got {tuple(vectors.shape)}"])


def jvp_by_reverse(decode: Decode, latents: Tensor, tangents: Tensor) -> Tensor:
    """J v by reverse mode alone: the derivative, along v, of u -> J^T u, which is linear in u.

    Args:
        decode: The decoder; its operations need second derivatives.
        latents: ``(n, *latent)``.
        tangents: ``(n, *latent)``.

    Returns:
        ``(n, *image)``.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        forward_mode(),
    ):  # the fused attention kernels have no second derivatives either
        leaf = latents.detach().clone().requires_grad_(True)
        images = decode(leaf)
        dual = torch.zeros_like(images, requires_grad=True)
        (pulled,) = torch.autograd.grad(images, leaf, dual, create_graph=True)
        (product,) = torch.autograd.grad(pulled, dual, tangents.clone())
    return product.detach()


def _linearise(decode: Decode, latents: Tensor) -> Decode | None:
    """Trace v -> J v; None if the trace is another map, as of a decoder that draws from a generator of its own."""
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(latents.shape, generator=generator, dtype=torch.float32, device="cpu").to(latents)
    with (
        torch.inference_mode(False),
        warnings.catch_warnings(),
        torch.no_grad(),
        forward_mode(),
    ):
        warnings.filterwarnings("ignore", message="Attempted to insert a get_attr Node", category=UserWarning)
        wanted = torch.func.jvp(decode, (latents,), (probe,))[1].flatten(1)
        traced: Decode = torch.func.linearize(decode, latents)[1]
        error = torch.linalg.vector_norm(traced(probe).flatten(1) - wanted, dim=1)
    size = torch.linalg.vector_norm(wanted, dim=1)
    right = (error <= TRACE_ERROR * size) | ~size.isfinite()  # what is not finite is found by whoever asked
    return traced if bool(right.all()) else None


def _unit_vectors(size: int, step: int, like: Tensor) -> Iterator[Tensor]:
    """Unit vectors ``(step, size)``, the last run shorter."""
    for start in range(0, size, step):
        stop = min(size, start + step)
        basis = torch.zeros(stop - start, size, device=like.device, dtype=like.dtype)
        basis[torch.arange(stop - start), torch.arange(start, stop)] = 1
        yield basis
