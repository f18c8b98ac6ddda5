"""A batch of images to invert, and the evaluation of E and D at its iterates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.errors import TargetError
from privaudit.execution.batching import Batcher
from privaudit.inversion.mixing import lengths
from privaudit.inversion.solver import Evaluation, Invertible
from privaudit.model.target import require_finite

MIN_RMS = 1e-6
"""Minimum root mean square that errors are divided by; an image or latent below it counts as zero."""


class Problem:
    """A batch of images to invert. E(x) is computed once, E and D at the iterates in parts that fit into memory."""

    def __init__(
        self, autoencoder: Invertible, images: Tensor, sample_ids: Sequence[str], *, clip: bool = False
    ) -> None:
        """Encode the images.

        Args:
            autoencoder: Autoencoder with E and D.
            images: ``(n, *image)``, n >= 1, finite.
            sample_ids: One id per image, for messages.
            clip: Whether to clip the output of D to [-1, 1], as an image file does.

        Raises:
            NonFiniteError: E(x) is NaN or infinite.
        """
        self.autoencoder, self.clip = autoencoder, clip
        self.batcher = Batcher(len(images))
        images = images.float()
        with torch.no_grad():
            encoded = torch.cat(self.batcher.parts(images, autoencoder.encode))
        self.encoded = require_finite(encoded, "encoder output", sample_ids).float()
        self.images = images.detach().to(encoded.device)
        self.latent_scale, self.image_scale = _scale(self.encoded), _scale(self.images)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def evaluate(self, iterates: Tensor, rows: Tensor, *, by_gradient: bool = False) -> Evaluation:
        """Apply D and then E, or D and its gradient.

        Args:
            iterates: ``(a, *latent)``.
            rows: Indices of the images that the iterates belong to, ``(a,)``, int64.
            by_gradient: Whether to compute the gradient of ||D(z) - x||^2 by backpropagation instead of T(z).

        Returns:
            The pixel error, and T or the gradient, at the iterates.

        Raises:
            TargetError: The decoded image, or its latent, does not have the shape of the original.
        """
        compute = self._by_gradient if by_gradient else self._by_encoder
        # Indices are split into batches, so that iterates and rows are split alike.
        indices = torch.arange(len(iterates), device=iterates.device)
        parts = self.batcher.parts(indices, lambda part: compute(iterates[part], rows[part]))
        names = ("iterates", "reconstruction_errors", "residuals")
        return Evaluation(*(torch.cat([getattr(part, name) for part in parts]) for name in names))

    def _by_encoder(self, iterates: Tensor, rows: Tensor) -> Evaluation:
        with torch.no_grad():
            decoded = self._decode(iterates)
            encoded = self.autoencoder.encode(decoded)
            self._check("latent of a decoded image", encoded.shape[1:], iterates.shape[1:])
        return Evaluation(iterates, decoded.float() - self.images[rows], encoded.float() - self.encoded[rows])

    def _by_gradient(self, iterates: Tensor, rows: Tensor) -> Evaluation:
        # The caller may have disabled gradients. A tensor made in inference mode has none, so the leaf is a copy.
        with torch.inference_mode(False), torch.enable_grad():
            leaf = iterates.detach().clone().requires_grad_(True)
            decoded = self._decode(leaf)
            errors = decoded.float() - self.images[rows]
            # The sum over the batch gives each image its own gradient, because no error depends on another image.
            (gradient,) = torch.autograd.grad(errors.square().sum(), leaf)
        return Evaluation(iterates, errors.detach(), gradient)

    def _decode(self, iterates: Tensor) -> Tensor:
        decoded = self.autoencoder.decode(iterates)
        self._check("decoded image", decoded.shape[1:], self.images.shape[1:])
        return decoded.clamp(-1, 1) if self.clip else decoded

    def _check(self, what: str, actual: Sequence[int], expected: Sequence[int]) -> None:
        if tuple(actual) != tuple(expected):
            raise TargetError(
                f"expected a {what} of shape {_shape(expected)}, got {_shape(actual)}: the autoencoder does not "
                f"round-trip its shape; resize the images to a multiple of its downsampling factor"
            )


def _scale(values: Tensor) -> Tensor:
    """Norm of each image or latent, by which its residuals are divided, ``(n,)``."""
    return lengths(values).clamp_min(MIN_RMS * values[0].numel() ** 0.5)


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
