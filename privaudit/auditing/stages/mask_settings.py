"""Settings that determine the masks of an audit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from privaudit.decoder_geometry import MaskRule, build_masks, control_of, decile_masks, mask_names, rule_masks
from privaudit.execution.batching import Tensors


@dataclass(frozen=True)
class MaskSettings:
    """Settings that turn influence into masks.

    Attributes:
        drops: Fractions to drop.
        gamma: Exponent of the weights.
        pooled: Influence of the whole set, ``(1, *latent)``, for one mask shared by all images; None for a mask per
            image.
        rules: Custom masks by name, each with its control (see `rule_masks` of the geometry). Scores under them are
            not stored, because a name does not determine what a function does.
    """

    drops: tuple[float, ...]
    gamma: float
    pooled: Tensor | None = None
    rules: Mapping[str, MaskRule] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the masks under which every attack is scored."""
        custom = (name for rule in self.rules for name in (rule, control_of(rule)))
        return (*mask_names(self.drops), *custom)

    @property
    def key(self) -> dict[str, object]:
        """What determines the masks in addition to influence and seed, as plain values for the key of a shard."""
        pooled = None if self.pooled is None else hashlib.sha256(self.pooled.numpy().tobytes()).hexdigest()
        return {"drop": self.drops, "gamma": self.gamma, "pooled": pooled}

    def build(self, influence: Tensor, ids: Sequence[str], seed: int) -> Tensors:
        """Build the masks of a batch, and those of the influence deciles.

        Args:
            influence: ``(n, *latent)``.
            ids: One id per image.
            seed: Seed of the audit.

        Returns:
            Masks by name, each ``(n, *latent)``.
        """
        drawn_by = list(ids)
        if self.pooled is not None:
            influence = self.pooled.expand(len(ids), *self.pooled.shape[1:])
            # the same key for all images: the random control, too, is one mask for the whole set
            drawn_by = ["the whole set"] * len(ids)
        masks = build_masks(influence, drawn_by, self.drops, seed, self.gamma)
        return masks | decile_masks(influence) | rule_masks(self.rules, influence, drawn_by, seed)
