"""The decoder pullback metric G(z) = J_D(z)^T J_D(z), as an operator and dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Decode, Jacobian
from privaudit.errors import ConfigError


@dataclass(frozen=True)
class PullbackMetric:
    """G(z) = J_D(z)^T J_D(z) of each image   (Rao, Qu, Moyer 2026, arXiv:2511.20592), without the matrix.

    Symmetric, positive semi-definite. ``metric @ vectors`` costs one product with J and one with J^T per vector.

    Attributes:
        jacobian: Jacobian J at the latents.
    """

    jacobian: Jacobian

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, size, size)``: number of images, and G over the flattened latent."""
        return len(self.jacobian), self.jacobian.latent_size, self.jacobian.latent_size

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """G v.

        Args:
            vectors: ``(n, size)``, one vector per image, or ``(n, size, k)``, k vectors per image.

        Returns:
            G v, shaped like ``vectors``.

        Raises:
            ConfigError: The vectors have the wrong shape.
        """
        count, size, _ = self.shape
        if vectors.ndim not in (2, 3) or vectors.shape[:2] != (count, size):
            raise ConfigError([
                f"expected vectors of shape ({count}, {size}) or ({count}, {size}, k), got {tuple(vectors.shape)}"
            ])
        columns = vectors if vectors.ndim == 3 else vectors.unsqueeze(2)
        tangents = columns.permute(2, 0, 1).reshape(-1, *self.jacobian.latents.shape)
        product = self.jacobian.vjp(self.jacobian.jvp(tangents)).flatten(2).permute(1, 2, 0)
        return product if vectors.ndim == 3 else product.squeeze(2)

    def dense(self) -> Tensor:
        """Return G as a matrix, ``(n, size, size)``; only for small latents."""
        jacobian = dense_jacobian(self.jacobian)
        return jacobian.transpose(1, 2) @ jacobian

    def linear_operator(self) -> LinearOperator:
        """Wrap G for SciPy's iterative solvers.

        Returns:
            A symmetric operator of shape ``(n size, n size)``, block-diagonal over the images; for a single image, G
            itself. Vectors are NumPy arrays of the latents' dtype.
        """
        count, size, _ = self.shape
        latents = self.jacobian.latents

        def apply(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
            columns = torch.as_tensor(np.asarray(vectors), dtype=latents.dtype, device=latents.device)
            product = self @ columns.reshape(count, size, -1)
            array: NDArray[np.floating] = product.reshape(vectors.shape).cpu().numpy()
            return array

        dtype = torch.empty(0, dtype=latents.dtype).numpy().dtype
        return LinearOperator(
            (count * size, count * size), matvec=apply, rmatvec=apply, matmat=apply, rmatmat=apply, dtype=dtype
        )


def dense_jacobian(jacobian: Jacobian) -> Tensor:
    """Return J of each image as a matrix, computed column by column.

    Args:
        jacobian: Jacobian at few enough latents that n x latent size x image size values fit into memory.

    Returns:
        ``(n, image size, latent size)``, both flattened.
    """
    parts = [part.flatten(2) for part in jacobian.columns()]  # each (columns, n, image size)
    return torch.cat(parts).permute(1, 2, 0)


def pullback_metric(decode: Decode, latents: Tensor) -> Tensor:
    """Return G(z) as a dense matrix   (see `PullbackMetric`).

    Args:
        decode: The decoder.
        latents: ``(n, *latent)``.

    Returns:
        ``(n, latent size, latent size)``, symmetric, positive semi-definite.
    """
    return PullbackMetric(Jacobian(decode, latents)).dense()
