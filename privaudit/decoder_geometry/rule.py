"""Masks that a user makes: a function of the influence, checked, and its control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from privaudit.decoder_geometry.mask import MASKS
from privaudit.errors import ConfigError
from privaudit.model.noise import generator_for

MaskRule = Callable[[Tensor], Tensor]
"""From the influence, ``(n, *latent)``, to masks or weights of that shape, each image's from its own alone."""
SHUFFLED = "shuffled"


def control_of(name: str) -> str:
    """Name the control of a mask: the same weights, assigned to each image's dimensions at random."""
    return f"{name} {SHUFFLED}"


def check_names(rules: Mapping[str, MaskRule]) -> None:
    """Refuse names that mean something else.

    Raises:
        ConfigError: There is none, or a name is taken or cannot stand in a table of scores.
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
    """Make the masks of a batch by some rules, and a control for each.

    Args:
        rules: Functions by the name of their mask.
        influence: ``(n, *latent)``.
        sample_ids: One id per image.
        seed: Seed of the controls.

    Returns:
        Name, and name of the control, to ``(n, *latent)``.

    Raises:
        ConfigError: A rule does not give finite weights >= 0 of the influence's shape, some of them above 0 for each
            image, or an image's mask depends on the others in its batch.
    """
    found: dict[str, Tensor] = {}
    for name, rule in rules.items():
        found[name] = _checked(name, rule, influence)
        found[control_of(name)] = shuffled_mask(found[name], sample_ids, seed, name)
    return found


def shuffled_mask(mask: Tensor, sample_ids: Sequence[str], seed: int, name: str = "") -> Tensor:
    """Assign the weights of each image to its dimensions at random.

    Args:
        mask: ``(n, *latent)``.
        sample_ids: One id per image.
        seed: Seed of the audit.
        name: Name of the mask, so that the controls of two masks differ.

    Returns:
        ``(n, *latent)`` with the same weights in every image.
    """
    flat = mask.flatten(1)
    orders = [
        torch.randperm(flat.shape[1], generator=generator_for(seed, key, "shuffled", name), device="cpu")
        for key in sample_ids
    ]
    return torch.stack([row[order.to(row.device)] for row, order in zip(flat, orders, strict=True)]).view_as(mask)


def _checked(name: str, rule: MaskRule, influence: Tensor) -> Tensor:
    mask = rule(influence)
    wanted = f"expected the mask {name!r} to be"
    if not isinstance(mask, Tensor) or mask.shape != influence.shape:
        got = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise ConfigError([f"{wanted} a tensor of the influence's shape {tuple(influence.shape)}, got {got}"])
    weights = mask.to(influence)
    if not (torch.isfinite(weights).all() and (weights >= 0).all() and (weights.flatten(1).amax(dim=1) > 0).all()):
        raise ConfigError([f"{wanted} finite and >= 0, with a weight above 0 in every image, got other values"])
    if len(influence) > 1 and not torch.allclose(rule(influence[:1]).to(influence), weights[:1]):
        raise ConfigError([
            f"{wanted} each image's own, got another one for the first image alone than among {len(influence)}; "
            "take maxima, sums and ranks over one image at a time"
        ])
    return weights
