"""Attacks by name, with preset and parameters: ``sima``, ``pia@paper``, ``loss:draws=5``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from privaudit.attacks.base import REGISTRY, Attack
from privaudit.errors import ConfigError
from privaudit.spec import build

DEFAULT = ("sima", "pia", "loss", "mirror")
"""What is run if nothing is asked for: few passes, and nothing needed but images."""
ALL = "all"
"""Specification that stands for everything in a registry."""


class Titled(Protocol):
    """What a report names."""

    @property
    def title(self) -> str:
        """Name in reports."""


T = TypeVar("T", bound=Titled)


def parse_attacks(specs: Sequence[str]) -> tuple[Attack, ...]:
    """Turn command-line specifications into attacks.

    Args:
        specs: ``name``, ``name@preset`` or ``name:parameter=value:...``; a list of numbers is separated by commas. None
            at all means `DEFAULT`, ``all`` every registered attack.

    Returns:
        One attack a specification, in their order.

    Raises:
        ConfigError: Names every specification that is wrong, and what would be right.
    """
    return build_each(specs or DEFAULT, REGISTRY)


def build_each(specs: Sequence[str], registry: Mapping[str, type[T]]) -> tuple[T, ...]:
    """Build what some specifications name.

    Args:
        specs: Of anything in the registry; ``all`` stands for all of it.
        registry: Name to dataclass.

    Returns:
        One instance a specification, in their order.

    Raises:
        ConfigError: Names every specification that is wrong, and those that stand there twice.
    """
    found: list[T] = []
    problems: list[str] = []
    wanted = [name for given in specs for name in (sorted(registry) if given == ALL else [given])]
    for spec in wanted:
        try:
            made = build(spec, registry, "an attack", "privaudit attacks")
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if made.title in {other.title for other in found}:
            problems.append(f"expected each attack once, got {made.title} twice; list all its levels in one --attack")
        found.append(made)
    if problems:
        raise ConfigError(problems)
    return tuple(found)
