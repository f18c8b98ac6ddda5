"""Base class and registry of the estimators of the decoder's influence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.registry import KindRegistry, Named


@dataclass(frozen=True)
class Influence:
    """Infl_i(z) = ||dD/dz_i||^2 = G_ii(z) of every latent dimension   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Attributes:
        values: ``(n, *latent)``, >= 0.
        standard_error: Standard error as estimated by the estimator, ``(n, *latent)``; 0 where values are exact.
        products: Number of products with J or J^T per image, ``(n,)``, int64.
    """

    values: Tensor
    standard_error: Tensor
    products: Tensor

    @staticmethod
    def join(parts: Sequence[Influence]) -> Influence:
        """Concatenate one or more batches."""
        return Influence(*(torch.cat([getattr(part, name.name) for part in parts]) for name in fields(Influence)))

    def to(self, device: torch.device | str) -> Influence:
        """Move to a device."""
        return Influence(self.values.to(device), self.standard_error.to(device), self.products.to(device))


@dataclass(frozen=True)
class Estimator(Named, ABC):
    """Base class of all estimators: frozen dataclasses of parameters, without state."""

    @property
    def memory(self) -> float:
        """Maximum memory per image, as a multiple of what one decoder pass keeps for its derivative."""
        return 2.0

    @abstractmethod
    def estimate(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Influence:
        """Estimate the diagonal of G = J^T J.

        Args:
            jacobian: Jacobian at the latents of a batch.
            sample_ids: One id per image; random vectors are drawn from seed and id.
            seed: Seed of the audit.

        Returns:
            The influence; values may be NaN or infinite where derivatives are (see `estimate_influence`).
        """


ESTIMATORS = KindRegistry[Estimator]("an influence estimator", folder="privaudit.decoder_geometry.influence")
register = ESTIMATORS.register
