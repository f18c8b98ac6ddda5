"""Attacks by name, with parameters: ``sima``, ``sima:order=2:levels=50,100``, ``loss:draws=5``."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.attacks.base import REGISTRY, Attack
from privaudit.errors import ConfigError
from privaudit.spec import build


def parse_attacks(specs: Sequence[str]) -> tuple[Attack, ...]:
    """Turn command-line specifications into attacks; none at all means every registered attack.

    Args:
        specs: ``name`` or ``name:parameter=value:...``; a list of numbers is separated by commas.

    Returns:
        One attack a specification, in their order.

    Raises:
        ConfigError: Names every specification that is wrong, and what would be right.
    """
    found: list[Attack] = []
    problems: list[str] = []
    for spec in specs or sorted(REGISTRY):
        try:
            attack: Attack = build(spec, REGISTRY, "an attack", "privaudit attacks")
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if attack.name in {other.name for other in found}:
            problems.append(f"expected each attack once, got {attack.name} twice; list all its levels in one --attack")
        found.append(attack)
    if problems:
        raise ConfigError(problems)
    return tuple(found)
