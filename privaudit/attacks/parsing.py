"""Attacks by name, with preset and parameters: ``sima``, ``pia@paper``, ``loss:draws=5``, ``sima:order=2,4``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from privaudit.attacks.base import ATTACKS, Attack
from privaudit.errors import ConfigError
from privaudit.registry import Named, build, expand

DEFAULT = ("sima", "pia", "loss", "mirror")
"""What is run if nothing is asked for: few passes, and nothing needed but images."""
ALL = "all"
"""Specification that stands for everything in a registry."""

T = TypeVar("T", bound=Named)


def parse_attacks(specs: Sequence[str]) -> tuple[Attack, ...]:
    """Turn command-line specifications into attacks.

    Args:
        specs: ``name``, ``name@preset`` or ``name:parameter=value:...``; a list of numbers is separated by commas, and
            so are values that are compared (``order=2,4``). None at all means `DEFAULT`, ``all`` every registered
            attack.

    Returns:
        One attack per specification and compared value, in their order.

    Raises:
        ConfigError: Names every specification that is wrong, and what would be right.
    """
    return build_each(specs or DEFAULT, ATTACKS)


def build_each(specs: Sequence[str], kinds: Mapping[str, type[T]]) -> tuple[T, ...]:
    """Build what some specifications name.

    Args:
        specs: Specifications of attacks or scorers; ``all`` stands for every one of ``kinds``.
        kinds: Name to dataclass.

    Returns:
        Instances in the order of their specifications: one for each, or several attacks that are candidates of one line
        where a specification gives several values of a parameter (``sima:order=2,4``). Attacks of one name and
        preset have their parameters in the label.

    Raises:
        ConfigError: Names every specification that is wrong, and those that stand there twice.
    """
    every = [spec for given in specs for spec in (sorted(kinds) if given == ALL else [given])]
    heads = Counter(spec.partition(":")[0] for spec in every)
    problems: list[str] = []
    groups: list[list[T]] = []
    labelled: list[T] = []
    for spec in every:
        singles = expand(spec, kinds)
        try:
            group = [build(single, kinds, ATTACKS.what, ATTACKS.listed_by) for single in singles]
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if group in groups:
            problems.append(f"expected each attack once, got {group[0].label} twice with the same parameters")
        groups.append(group)
        head, several = spec.partition(":")[0], len(singles) > 1
        alike = several or heads[head] > 1  # told from each other by the parameters that were given
        candidate_of = "" if not several else spec if heads[head] > 1 else head
        for made, single in zip(group, singles, strict=True):
            if alike and isinstance(made, Attack):
                made = replace(made, variant=single.partition(":")[2], candidate_of=candidate_of)
            labelled.append(made)
    if problems:
        raise ConfigError(problems)
    if twice := [label for label, count in Counter(made.label for made in labelled).items() if count > 1]:
        raise ConfigError([f"expected each attack once, got {label} twice; leave one out" for label in twice])
    return tuple(labelled)
