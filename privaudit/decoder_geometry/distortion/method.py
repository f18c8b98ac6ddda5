"""Base class and registry of the methods that measure the local distortion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Jacobian
from privaudit.errors import ConfigError
from privaudit.registry import KindRegistry, Named


@dataclass(frozen=True)
class Distortion:
    """log sqrt(det G(z)) = sum_i log sigma_i(J_D(z)) of each image   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Attributes:
        values: ``(n,)``, float64; -inf where J_D does not have full column rank.
        standard_error: Standard error as estimated by the method, ``(n,)``, float64; 0 where nothing is random.
        products: Number of products with J or J^T per image, ``(n,)``, int64.
        left_out: What the values leave out or add, as a phrase: "nothing", "all but the 20 largest of 256 ...".
    """

    values: Tensor
    standard_error: Tensor
    products: Tensor
    left_out: str

    @staticmethod
    def join(parts: Sequence[Distortion]) -> Distortion:
        """Concatenate several batches.

        Returns:
            The distortion of all images, in order.

        Raises:
            ConfigError: There is no batch, or the batches leave out different things, so that their values cannot be
                compared.
        """
        kinds = sorted({part.left_out for part in parts})
        if len(kinds) != 1:
            raise ConfigError([
                f"expected distortions that leave out the same, got {' / '.join(kinds) or 'none'}; "
                "measure all images by one method, on latents of one shape"
            ])
        return Distortion(
            torch.cat([part.values for part in parts]),
            torch.cat([part.standard_error for part in parts]),
            torch.cat([part.products for part in parts]),
            kinds[0],
        )

    def to(self, device: torch.device | str) -> Distortion:
        """Move to a device."""
        return Distortion(
            self.values.to(device), self.standard_error.to(device), self.products.to(device), self.left_out
        )


@dataclass(frozen=True)
class Method(Named, ABC):
    """Base class of all methods: frozen dataclasses of parameters, without state."""

    @abstractmethod
    def compute(self, jacobian: Jacobian, sample_ids: Sequence[str], seed: int) -> Distortion:
        """Compute or estimate the distortion.

        Args:
            jacobian: Jacobian at the latents of a batch.
            sample_ids: One id per image; random vectors are drawn from seed and id.
            seed: Seed of the audit.

        Returns:
            The distortion; values are NaN or +inf where derivatives are not finite (see `measure_distortion`).
        """


DISTORTIONS = KindRegistry[Method]("a distortion method", folder="privaudit.decoder_geometry.distortion")
register = DISTORTIONS.register
