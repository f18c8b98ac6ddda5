"""Frozen dataclasses by name, with parameters: ``sima:order=2:levels=50,100``, ``anderson:memory=8``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from privaudit.errors import ConfigError

T = TypeVar("T")


def build(spec: str, registry: Mapping[str, type[T]], what: str, hint: str = "") -> T:
    """Make what a specification names, with its parameters.

    Args:
        spec: ``name`` or ``name:parameter=value:...``; a list of numbers is separated by commas.
        registry: Name to dataclass, whose annotations are float, int, bool or tuple[int, ...].
        what: For messages, for example "an attack".
        hint: Where to look the names up, for messages.

    Returns:
        The instance.

    Raises:
        ConfigError: Names everything that is wrong, and what would be right.
    """
    name, *assignments = spec.split(":")
    if name not in registry:
        known = ", ".join(sorted(registry))
        raise ConfigError([f"expected {what} of {known}, got {name}" + (f"; see {hint}" if hint else "")])
    kind = registry[name]
    types = {part.name: str(part.type) for part in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    problems = []
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        if key not in types:
            problems.append(f"expected a parameter of {name} ({', '.join(types)}), got {key!r} in {spec}")
            continue
        if key in values:
            problems.append(f"expected {key} once in {spec}, got it twice")
        try:
            values[key] = READERS[types[key]](text)
        except ValueError:
            problems.append(f"expected {key}=<{types[key]}> in {spec}, got {text!r}")
    try:
        made = kind(**values)
    except ConfigError as error:  # the dataclass checks its own values
        problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return made


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _boolean(text: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


READERS: dict[str, Callable[[str], Any]] = {
    "float": float,
    "int": int,
    "bool": _boolean,
    "tuple[int, ...]": _integers,
}
