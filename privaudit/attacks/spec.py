"""Attacks by name, with parameters: ``sima``, ``sima:order=2:levels=50,100``, ``loss:draws=5``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from privaudit.attacks.base import REGISTRY, Attack
from privaudit.errors import ConfigError


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
            attack = _parse(spec)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if attack.name in {other.name for other in found}:
            problems.append(f"expected each attack once, got {attack.name} twice; list all its levels in one --attack")
        found.append(attack)
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _parse(spec: str) -> Attack:
    name, *assignments = spec.split(":")
    if name not in REGISTRY:
        raise ConfigError([f"expected an attack of {', '.join(sorted(REGISTRY))}, got {name}; see privaudit attacks"])
    kind = REGISTRY[name]
    # the registered classes are dataclasses whose annotations are exactly these three
    readers: dict[str, Callable[[str], Any]] = {"float": float, "int": int, "tuple[int, ...]": _integers}
    types = {part.name: str(part.type) for part in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    problems = []
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        if key not in types:
            problems.append(f"expected a parameter of {name} ({', '.join(types)}), got {key!r} in {spec}")
            continue
        try:
            values[key] = readers[types[key]](text)
        except ValueError:
            problems.append(f"expected {key}=<{types[key]}> in {spec}, got {text!r}")
    if problems:
        raise ConfigError(problems)
    return kind(**values)


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))
