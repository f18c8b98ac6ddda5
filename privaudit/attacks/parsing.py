"""Attacks by name, with preset and parameters: ``sima``, ``pia@paper``, ``loss:draws=5``, ``sima:order=2,4``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from privaudit.attacks.base import REGISTRY, Attack
from privaudit.errors import ConfigError
from privaudit.registry import build, expand

DEFAULT = ("sima", "pia", "loss", "mirror")
"""What is run if nothing is asked for: few passes, and nothing needed but images."""
ALL = "all"
"""Specification that stands for everything in a registry."""


class Titled(Protocol):
    """What a report names."""

    @property
    def label(self) -> str:
        """Name in reports."""


T = TypeVar("T", bound=Titled)


def parse_attacks(specs: Sequence[str]) -> tuple[Attack, ...]:
    """Turn command-line specifications into attacks.

    Args:
        specs: ``name``, ``name@preset`` or ``name:parameter=value:...``; a list of numbers is separated by commas, and
            so are values that are compared (``order=2,4``). None at all means `DEFAULT`, ``all`` every registered
            attack.

    Returns:
        One attack a specification and compared value, in their order.

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
        Instances in the order of their specifications: one for each, or several attacks that are candidates of one line
        where a specification gives several values of a parameter (``sima:order=2,4``). Attacks of one name and
        preset have their parameters in the label.

    Raises:
        ConfigError: Names every specification that is wrong, and those that stand there twice.
    """
    asked: list[tuple[str, list[T]]] = []
    problems: list[str] = []
    for spec in [name for given in specs for name in (sorted(registry) if given == ALL else [given])]:
        try:
            made = [build(one, registry, "an attack", "privaudit attacks") for one in expand(spec, registry)]
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if made in [line for _, line in asked]:
            problems.append(f"expected each attack once, got {made[0].label} twice with the same parameters")
        asked.append((spec, made))
    if problems:
        raise ConfigError(problems)
    found = _titled(asked, registry)
    if twice := [label for label, count in Counter(made.label for made in found).items() if count > 1]:
        raise ConfigError([f"expected each attack once, got {label} twice; leave one out" for label in twice])
    return found


def _titled(asked: Sequence[tuple[str, Sequence[T]]], registry: Mapping[str, type[T]]) -> tuple[T, ...]:
    """Tell attacks of one name and preset from each other by the parameters that were given."""
    heads = Counter(spec.partition(":")[0] for spec, _ in asked)
    found: list[T] = []
    for spec, line in asked:
        head = spec.partition(":")[0]
        name = spec if heads[head] > 1 else head
        for one, made in zip(expand(spec, registry), line, strict=True):
            if isinstance(made, Attack) and (len(line) > 1 or name != head):
                made = replace(made, variant=one.partition(":")[2], candidate_of=name if len(line) > 1 else "")
            found.append(made)
    return tuple(found)
