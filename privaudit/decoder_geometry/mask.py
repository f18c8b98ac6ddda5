"""Masks and weights over latent dimensions, computed for each image from its decoder influence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from privaudit.errors import ConfigError
from privaudit.model.noise import generator_for

MASKS = ("none", "random", "influence", "weighted")
"""Masks under which every attack is scored, in this order."""
HARD = ("random", "influence")
"""Masks that drop a fraction of the dimensions."""
DECILES = tuple(f"band{number}" for number in range(10))
"""Masks of single influence deciles, from the lowest to the highest; a learned combination weights each one."""


def kept_count(size: int, drop: float) -> int:
    """Number of dimensions, of ``size``, that a hard mask keeps; the same for every image.

    Returns:
        size - round(drop * size), at least 1.

    Raises:
        ConfigError: ``drop`` is not in [0, 1).
    """
    if not 0 <= drop < 1:
        raise ConfigError([f"expected 0 <= drop < 1, got {drop}"])
    return max(1, size - round(drop * size))


def influence_mask(influence: Tensor, drop: float) -> Tensor:
    """Keep the dimensions with the largest influence   (Rao, Qu, Moyer 2026, arXiv:2511.20592).

    Args:
        influence: ``(n, *latent)``.
        drop: Fraction of dimensions to drop; 0.4 in the paper.

    Returns:
        ``(n, *latent)`` of 0 and 1, with the same number of ones per image; of equal values, the lower index is kept.
    """
    flat = influence.flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    kept_indices = order[:, : kept_count(flat.shape[1], drop)]
    return torch.zeros_like(flat).scatter_(1, kept_indices, 1.0).view_as(influence)


def anti_influence_mask(influence: Tensor, drop: float) -> Tensor:
    """Keep the dimensions with the smallest influence: a control that should do worse if influence carries the signal.

    Args:
        influence: ``(n, *latent)``.
        drop: Fraction of dimensions to drop, those with the largest influence.

    Returns:
        ``(n, *latent)`` of 0 and 1, with as many ones as in `influence_mask`; of equal values, the lower index is kept.
    """
    return influence_mask(-influence, drop)


def random_mask(influence: Tensor, sample_ids: Sequence[str], drop: float, seed: int) -> Tensor:
    """Keep as many dimensions as `influence_mask`, drawn at random for each image, as a control.

    Args:
        influence: ``(n, *latent)``; only its shape is used.
        sample_ids: One id per image.
        drop: Fraction of dimensions to drop.
        seed: Seed of the audit.

    Returns:
        ``(n, *latent)`` of 0 and 1.
    """
    flat = torch.zeros_like(influence).flatten(1)
    count = kept_count(flat.shape[1], drop)
    for row, key in zip(flat, sample_ids, strict=True):
        order = torch.randperm(len(row), generator=generator_for(seed, key, "mask"), device="cpu")
        row[order[:count].to(row.device)] = 1.0  # `row` is a view of `flat`
    return flat.view_as(influence)


def influence_weights(influence: Tensor, gamma: float = 1.0) -> Tensor:
    """Weight each dimension by a power of its influence: w_i = G_ii^gamma / sum_j G_jj^gamma.

    Normalised per image; otherwise images with a large total influence would score high whatever the error. Not in
    the paper, whose mask is binary.

    Args:
        influence: ``(n, *latent)``, >= 0.
        gamma: Exponent: 0 gives equal weights, 1 the influence itself, larger values favour the largest influences.

    Returns:
        ``(n, *latent)``, summing to 1 per image. Uniform for an image without any influence; NaN for an image with a
        NaN.

    Raises:
        ConfigError: ``gamma`` is negative or not finite.
    """
    if not 0 <= gamma < float("inf"):
        raise ConfigError([f"expected 0 <= gamma < infinity, got {gamma}"])
    flat = influence.flatten(1)
    largest = flat.amax(dim=1, keepdim=True)
    # relative to the largest influence, so that a large gamma cannot overflow
    relative = flat / largest.clamp_min(torch.finfo(flat.dtype).tiny)
    powers = torch.where(largest == 0, 1.0, relative).pow(gamma)
    return (powers / powers.sum(dim=1, keepdim=True)).view_as(influence)


def pooled_influence(influence: Tensor) -> Tensor:
    """Average the influence over a data set, for a single mask shared by all of its images.

    Args:
        influence: ``(n, *latent)``, n >= 1.

    Returns:
        ``(1, *latent)``, the mean of the `influence_weights` of the images, so that all images count equally.
    """
    return influence_weights(influence).mean(dim=0, keepdim=True)


def hard_mask(name: str, drop: float, drops: Sequence[float]) -> str:
    """Return the full name of a hard mask: ``influence``, or ``influence@0.2`` if several fractions are compared."""
    return name if len(drops) == 1 else f"{name}@{drop}"


def mask_names(drops: Sequence[float]) -> tuple[str, ...]:
    """Names of all masks that an attack is scored under: `MASKS`, with a hard mask per fraction to drop.

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
    """Build all masks of a batch, by the names in `mask_names`.

    Args:
        influence: ``(n, *latent)``.
        sample_ids: One id per image.
        drops: Fraction or fractions of dimensions that the hard masks drop.
        seed: Seed of the random masks. These are nested: a mask that drops more keeps a subset of what a mask that
            drops less keeps.
        gamma: Exponent of the weights (see `influence_weights`).

    Returns:
        Masks by name, each ``(n, *latent)``.
    """
    fractions = (drops,) if isinstance(drops, (int, float)) else tuple(drops)
    return {
        "none": torch.ones_like(influence),
        **{hard_mask("random", drop, fractions): random_mask(influence, sample_ids, drop, seed) for drop in fractions},
        **{hard_mask("influence", drop, fractions): influence_mask(influence, drop) for drop in fractions},
        "weighted": influence_weights(influence, gamma),
    }


def decile_masks(influence: Tensor) -> dict[str, Tensor]:
    """Divide the dimensions of each image into deciles of influence, by the names in `DECILES`.

    Args:
        influence: ``(n, *latent)``.

    Returns:
        Masks by name, each ``(n, *latent)`` of 0 and 1; together they add up to 1 everywhere. Of equal values, the
        lower index has the lower rank. With fewer than ten dimensions, some deciles are empty.
    """
    flat = influence.flatten(1)
    # argsort of the argsort: the rank of each dimension within its image
    ranks = flat.argsort(dim=1, stable=True).argsort(dim=1)
    decile = (ranks * len(DECILES)).div(flat.shape[1], rounding_mode="floor")
    return {name: (decile == number).to(influence.dtype).view_as(influence) for number, name in enumerate(DECILES)}
