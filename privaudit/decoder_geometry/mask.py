"""Masks and weights over latent dimensions, one per image, from its decoder influence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.model.noise import generator_for

MASKS = ("none", "random", "influence", "weighted")
"""Every attack is scored under each of these, in this order."""
HARD = ("random", "influence")
"""Those that drop a fraction of the dimensions."""
DECILES = tuple(f"band{number}" for number in range(10))
"""Deciles of the dimensions, from least to most influence: what a learned combination weighs for itself."""


def kept_count(size: int, drop: float) -> int:
    """How many of ``size`` dimensions a hard mask keeps: the same for every image.

    Returns:
        size - round(drop * size), at least 1.

    Raises:
        ConfigError: ``drop`` is not in [0, 1).
    """
    if not 0 <= drop < 1:
        raise ConfigError([f"expected 0 <= drop < 1, got {drop}"])
    return max(1, size - round(drop * size))


def influence_mask(influence: Tensor, drop: float) -> Tensor:
    """Keep the dimensions of most influence   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Args:
        influence: ``(n, *latent)``.
        drop: Fraction of dimensions to drop; the paper drops 0.4.

    Returns:
        ``(n, *latent)`` of 0 and 1, the same count of ones in every image; ties go to the lower index.
    """
    flat = influence.flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    kept = order[:, : kept_count(flat.shape[1], drop)]
    return torch.zeros_like(flat).scatter_(1, kept, 1.0).view_as(influence)


def anti_influence_mask(influence: Tensor, drop: float) -> Tensor:
    """Keep the dimensions of least influence: the control that should lose if influence carries the signal.

    Args:
        influence: ``(n, *latent)``.
        drop: Fraction of dimensions to drop, those of most influence.

    Returns:
        ``(n, *latent)`` of 0 and 1, the same count of ones as `influence_mask`; ties are dropped by lower index.
    """
    return influence_mask(-influence, drop)


def random_mask(influence: Tensor, sample_ids: Sequence[str], drop: float, seed: int) -> Tensor:
    """Keep as many dimensions as `influence_mask` does, drawn at random for each image: the control.

    Args:
        influence: ``(n, *latent)``; only its shape is used.
        sample_ids: One id per image.
        drop: Fraction of dimensions to drop.
        seed: Seed of the audit.

    Returns:
        ``(n, *latent)`` of 0 and 1.
    """
    flat = torch.zeros_like(influence).flatten(1)
    kept = kept_count(flat.shape[1], drop)
    for row, key in zip(flat, sample_ids, strict=True):
        order = torch.randperm(len(row), generator=generator_for(seed, key, "mask"), device="cpu")
        row[order[:kept].to(row.device)] = 1.0
    return flat.view_as(influence)


def influence_weights(influence: Tensor, gamma: float = 1.0) -> Tensor:
    """Weigh each dimension by a power of its influence: w_i = G_ii^gamma / sum_j G_jj^gamma.

    Normalised per image, or images with a large total influence would score high whatever the error. Not in the
    paper, whose mask is all or nothing.

    Args:
        influence: ``(n, *latent)``, >= 0.
        gamma: 0 weighs all alike, 1 by influence, more by the most influential alone.

    Returns:
        ``(n, *latent)``, summing to 1 for each image; uniform where the influence is zero throughout, NaN where any is.

    Raises:
        ConfigError: ``gamma`` is negative or not finite.
    """
    if not 0 <= gamma < float("inf"):
        raise ConfigError([f"expected 0 <= gamma < infinity, got {gamma}"])
    flat = influence.flatten(1)
    most = flat.amax(dim=1, keepdim=True)
    powers = torch.where(most == 0, 1.0, flat / most.clamp_min(torch.finfo(flat.dtype).tiny)).pow(gamma)
    return (powers / powers.sum(dim=1, keepdim=True)).view_as(influence)


def pooled_influence(influence: Tensor) -> Tensor:
    """Average the influence over a data set, for one mask that serves all of its images.

    Args:
        influence: ``(n, *latent)``, n >= 1.

    Returns:
        ``(1, *latent)``, the mean of each image's `influence_weights`, so that every image counts alike.
    """
    return influence_weights(influence).mean(dim=0, keepdim=True)


def hard_mask(name: str, drop: float, drops: Sequence[float]) -> str:
    """Name a hard mask among others of its kind: ``influence``, or ``influence@0.2`` if several fractions are compared.

    Returns:
        The name.
    """
    return name if len(drops) == 1 else f"{name}@{drop}"


def mask_names(drops: Sequence[float]) -> tuple[str, ...]:
    """All masks that an attack is scored under: `MASKS`, with a hard mask for each fraction to drop.

    Args:
        drops: Fractions of dimensions that the hard masks drop, at least one.

    Returns:
        Names, in the order of `MASKS`.
    """
    named = {name: [hard_mask(name, drop, drops) for drop in drops] if name in HARD else [name] for name in MASKS}
    return tuple(name for names in named.values() for name in names)


def build_masks(
    influence: Tensor, sample_ids: Sequence[str], drops: float | Sequence[float], seed: int, gamma: float = 1.0
) -> dict[str, Tensor]:
    """All masks of a batch, by the names in `mask_names`.

    Args:
        influence: ``(n, *latent)``.
        sample_ids: One id per image.
        drops: Fractions of dimensions that the hard masks drop, or a single one.
        seed: Seed of the random masks, of which those that drop more keep part of what those that drop less do.
        gamma: Exponent of the weights (see `influence_weights`).

    Returns:
        Name to ``(n, *latent)``.
    """
    shares = (drops,) if isinstance(drops, (int, float)) else tuple(drops)
    return {
        "none": torch.ones_like(influence),
        **{hard_mask("random", share, shares): random_mask(influence, sample_ids, share, seed) for share in shares},
        **{hard_mask("influence", share, shares): influence_mask(influence, share) for share in shares},
        "weighted": influence_weights(influence, gamma),
    }


def decile_masks(influence: Tensor) -> dict[str, Tensor]:
    """Cut the dimensions of each image into deciles by their influence, by the names in `DECILES`.

    Args:
        influence: ``(n, *latent)``.

    Returns:
        Name to ``(n, *latent)`` of 0 and 1, which add up to 1 everywhere; ties go to the lower index first. A latent of
        fewer than ten dimensions leaves some deciles empty.
    """
    flat = influence.flatten(1)
    ranks = flat.argsort(dim=1, stable=True).argsort(dim=1)
    decile = (ranks * len(DECILES)).div(flat.shape[1], rounding_mode="floor")
    return {name: (decile == number).to(influence.dtype).view_as(influence) for number, name in enumerate(DECILES)}
