"""Custom masks: functions of the influence, checked, each with a shuffled control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.mask import MASKS
from privaudit.errors import ConfigError
from privaudit.model.noise import generator_for

MaskRule = Callable[[Tensor], Tensor]
"""Maps the influence, ``(n, *latent)``, to masks or weights of that shape, each image independently of the others."""
SHUFFLED = "shuffled"
"""Suffix of the name of a control."""


def control_of(name: str) -> str:
    """Return the name of a mask's control: the same weights, assigned to each image's dimensions at random."""
    return f"{name} {SHUFFLED}"


def check_names(rules: Mapping[str, MaskRule]) -> None:
    """Refuse names that a custom mask cannot have.

    Raises:
        ConfigError: There are no rules, or a name is empty, taken, or contains ``/`` or ``@``.
    """
    problems = [] if rules else ["expected one mask or more, got none; pass {'mine': function}"]
    taken = {*MASKS, *(control_of(name) for name in rules)}
    for name in rules:
        if name in taken or not name or "/" in name or "@" in name:
            problems.append(f"expected a new name for a mask, without / and @, got {name!r}; taken: {', '.join(MASKS)}")
    if problems:
        raise ConfigError(problems)


def rule_masks(
    rules: Mapping[str, MaskRule], influence: Tensor, sample_ids: Sequence[str], seed: int
) -> dict[str, Tensor]:
    """Make the custom masks of a batch, and a control for each.

    Args:
        rules: Mask functions, by mask name.
        influence: ``(n, *latent)``.
        sample_ids: One id per image.
        seed: Seed of the controls.

    Returns:
        Masks and controls by name, each ``(n, *latent)``.

    Raises:
        ConfigError: A rule does not return finite weights >= 0 of the influence's shape with at least one above 0 per
            image, or the mask of an image depends on the other images of the batch.
    """
    masks: dict[str, Tensor] = {}
    for name, rule in rules.items():
        masks[name] = _checked(name, rule, influence)
        masks[control_of(name)] = shuffled_mask(masks[name], sample_ids, seed, name)
    return masks


def shuffled_mask(mask: Tensor, sample_ids: Sequence[str], seed: int, name: str = "") -> Tensor:
    """Permute the weights of each image at random.

    Args:
        mask: ``(n, *latent)``.
        sample_ids: One id per image.
        seed: Seed of the audit.
        name: Name of the mask; masks of different names get different permutations.

    Returns:
        ``(n, *latent)``; each image keeps its set of weights.
    """
    flat = mask.flatten(1)
    # drawn on the CPU from seed and id: the same permutation on every device and in every batch
    orders = [
        torch.randperm(flat.shape[1], generator=generator_for(seed, key, "shuffled", name), device="cpu")
        for key in sample_ids
    ]
    return torch.stack([row[order.to(row.device)] for row, order in zip(flat, orders, strict=True)]).view_as(mask)


def _checked(name: str, rule: MaskRule, influence: Tensor) -> Tensor:
    """Apply a rule to a batch and check what it returns."""
    mask = rule(influence)
    wanted = f"expected the mask {name!r} to be"
    if not isinstance(mask, Tensor) or mask.shape != influence.shape:
        got = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise ConfigError([f"{wanted} a tensor of the influence's shape {tuple(influence.shape)}, got {got}"])
    weights = mask.to(influence)
    if not (torch.isfinite(weights).all() and (weights >= 0).all() and (weights.flatten(1).amax(dim=1) > 0).all()):
        raise ConfigError([f"{wanted} finite and >= 0, with a weight above 0 in every image, got other values"])
    # a rule that normalises over the whole batch would give scores that depend on the batch size
    if len(influence) > 1 and not torch.allclose(rule(influence[:1]).to(influence), weights[:1]):
        raise ConfigError([
            f"{wanted} independent of the batch, got different ones for the first image alone and in a batch of "
            f"{len(influence)}; take maxima, sums and ranks over one image at a time"
        ])
    return weights
