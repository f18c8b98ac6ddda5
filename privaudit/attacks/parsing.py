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
"""Attacks of an audit that names none. They take few passes and need nothing but images."""
ALL = "all"
"""Specification that stands for everything in a registry."""

T = TypeVar("T", bound=Named)


def parse_attacks(specs: Sequence[str]) -> tuple[Attack, ...]:
    """Turn command-line specifications into attacks.

    Args:
        specs: ``name``, ``name@preset`` or ``name:parameter=value:...``. Commas separate lists of numbers, and also
            values to compare (``order=2,4``). An empty sequence means `DEFAULT`; ``all`` means every registered attack.

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
        kinds: Dataclasses by name.

    Returns:
        Instances in the order of their specifications. A specification with several values of a parameter
        (``sima:order=2,4``) gives several attacks, which are candidates of one report line. Attacks with the same name
        and preset have their parameters in the label.

    Raises:
        ConfigError: Names every specification that is wrong or repeated.
    """
    expanded = [single for spec in specs for single in (sorted(kinds) if spec == ALL else [spec])]
    heads = Counter(spec.partition(":")[0] for spec in expanded)
    problems: list[str] = []
    groups: list[list[T]] = []
    labelled: list[T] = []
    for spec in expanded:
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
        ambiguous = several or heads[head] > 1  # name and preset alone would not distinguish their labels
        # The line of a group of candidates is called by name and preset, unless two groups would share that name.
        candidate_of = "" if not several else spec if heads[head] > 1 else head
        for method, single in zip(group, singles, strict=True):
            if ambiguous and isinstance(method, Attack):
                method = replace(method, variant=single.partition(":")[2], candidate_of=candidate_of)
            labelled.append(method)
    if problems:
        raise ConfigError(problems)
    if repeated := [label for label, count in Counter(method.label for method in labelled).items() if count > 1]:
        raise ConfigError([f"expected each attack once, got {label} twice; leave one out" for label in repeated])
    return tuple(labelled)
