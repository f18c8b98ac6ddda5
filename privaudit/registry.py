"""Frozen dataclasses by name, with parameters: ``sima:order=2:levels=50,100``, ``pia@paper``, ``anderson:memory=8``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from privaudit.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class Named:
    """Base of what a specification can name: frozen dataclasses of parameters, without state.

    Attributes:
        name: On the command line.
        reference: Where it was published.
        summary: What it does, in one line.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    summary: ClassVar[str]

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ConfigError: One or more are wrong; all are named.
        """
        problems = [
            f"expected a finite number for {part.name} of {self.name}, got {value}"
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), float) and not math.isfinite(value)
        ]
        problems.extend(self.common_problems())
        problems.extend(self.problems())
        if problems:
            raise ConfigError(problems)

    def common_problems(self) -> list[str]:
        """Say what is wrong with the parameters that all of a registry share."""
        return []

    def problems(self) -> list[str]:
        """Say what is wrong with the other parameters."""
        return []

    def at_least(self, least: int, *names: str) -> list[str]:
        """Say which of the named parameters are below a bound."""
        return [
            f"expected {name} >= {least} for {self.name}, got {getattr(self, name)}"
            for name in names
            if getattr(self, name) < least
        ]


def build(spec: str, registry: Mapping[str, type[T]], what: str, hint: str = "") -> T:
    """Make what a specification names, with its parameters.

    Args:
        spec: ``name`` or ``name:parameter=value:...``; a list of numbers is separated by commas. Of a dataclass with
            ``presets`` also ``name@preset``, whose parameters the others override; ``alternatives`` names a parameter
            of the preset that another one stands in for.
        registry: Name to dataclass, whose annotations are float, int, bool or a tuple of numbers.
        what: For messages, for example "an attack".
        hint: Where to look the names up, for messages.

    Returns:
        The instance.

    Raises:
        ConfigError: Names everything that is wrong, and what would be right.
    """
    head, *assignments = spec.split(":")
    name, _, preset = head.partition("@")
    if name not in registry:
        known = ", ".join(sorted(registry))
        raise ConfigError([f"expected {what} of {known}, got {name}" + (f"; see {hint}" if hint else "")])
    kind = registry[name]
    types = {part.name: str(part.type) for part in fields(kind) if str(part.type) in READERS}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    problems = []
    presets: Mapping[str, Mapping[str, Any]] = getattr(kind, "presets", {})
    defaults = dict(presets.get(preset, {}))
    if "@" in head and preset not in presets:
        known = (
            f"a preset of {name} ({', '.join(sorted(presets))})" if presets else f"{name} alone, which has no presets"
        )
        problems.append(f"expected {known}, got {preset!r} in {spec}")
    elif preset:
        defaults["preset"] = preset
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
    alternatives: Mapping[str, str] = getattr(kind, "alternatives", {})
    for given in values.keys() & alternatives.keys():
        defaults.pop(alternatives[given], None)
    try:
        made = kind(**(defaults | values))
    except ConfigError as error:  # the dataclass checks its own values
        problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return made


def expand(spec: str, registry: Mapping[str, type[Any]]) -> list[str]:
    """Write out a specification that gives several values of a parameter that takes one.

    Args:
        spec: As of `build`, such as ``sima:order=2,4``; anything that `build` will refuse is left as it is.
        registry: Name to dataclass.

    Returns:
        One specification for each combination of values, such as ``sima:order=2`` and ``sima:order=4``.
    """
    head, *assignments = spec.split(":")
    kind = registry.get(head.partition("@")[0])
    if kind is None:
        return [spec]
    single = {part.name for part in fields(kind) if str(part.type) in ("float", "int")}
    found = [head]
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        values = text.split(",") if key in single else [text]
        found = [f"{before}:{key}={value}" for before in found for value in values]
    return found


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


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
    "tuple[float, ...]": _numbers,
}
