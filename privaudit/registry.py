"""Plug-ins by name: registered by a decorator, found by lying in a folder, built from text.

A specification names a plug-in and its parameters: ``sima:order=2:levels=50,100``, ``pia@paper``,
``anderson:memory=8``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, TypeVar

from privaudit.errors import ConfigError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Plug-ins of one kind, by name.

    The modules of ``folder`` register what they hold when they are imported, which happens when the registry is first
    read. So a plug-in is one file, and no list has to name it.
    """

    def __init__(self, what: str, *, folder: str = "", key: Callable[[T], Any] = lambda entry: 0) -> None:
        """Make an empty registry.

        Args:
            what: A plug-in, for messages: "an attack".
            folder: Package whose modules register plug-ins; none if all are registered by hand.
            key: What lists of the plug-ins are ordered by, before their names.
        """
        self.what = what
        self._folder = folder
        self._key = key
        self._entries: dict[str, T] = {}
        self._discovered = not folder

    def add(self, name: str, entry: T) -> None:
        """Add a plug-in under a name.

        Args:
            name: As users write it.
            entry: The plug-in. A class that is defined again (a notebook cell that is run again) takes its own place.

        Raises:
            ConfigError: Another plug-in has this name.
        """
        if not str(getattr(entry, "__module__", "")).startswith(f"{self._folder}."):
            self.discover()  # a user's script may not take a name of the folder
        present = self._entries.get(name)
        if present is not None and present != entry and _origin(present) != _origin(entry):
            raise ConfigError([
                f"expected a name for {self.what} that is not taken, got {name!r}, which is {_origin(present)}; "
                "choose another name"
            ])
        self._entries[name] = entry

    def register(self, entry: T) -> T:
        """Add a plug-in under its own ``name``; a decorator of classes.

        Args:
            entry: The plug-in.

        Returns:
            The plug-in.

        Raises:
            ConfigError: Another plug-in has this name.
        """
        named: Any = entry
        self.add(named.name, entry)
        return entry

    def discover(self) -> None:
        """Import the modules of the folder, once."""
        if not self._discovered:
            for module in iter_modules(import_module(self._folder).__path__):
                import_module(f"{self._folder}.{module.name}")
            self._discovered = True

    def __getitem__(self, name: str) -> T:
        """Return the plug-in of a name."""
        self.discover()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in order."""
        self.discover()
        return iter(sorted(self._entries, key=lambda name: (self._key(self._entries[name]), name)))

    def __len__(self) -> int:
        """Count the plug-ins."""
        self.discover()
        return len(self._entries)


def _origin(entry: object) -> str:
    """Where a class is defined; of anything else, what it is."""
    return f"{entry.__module__}.{entry.__qualname__}" if isinstance(entry, type) else repr(entry)


K = TypeVar("K", bound="Named")


class KindRegistry(Registry[type[K]]):
    """Classes derived from `Named`, built from specifications."""

    def __init__(self, what: str, *, folder: str = "", listed_by: str = "") -> None:
        """Make an empty registry.

        Args:
            what: A plug-in, for messages: "an attack".
            folder: Package whose modules register plug-ins.
            listed_by: Command that lists the names, for messages: ``privaudit attacks``.
        """
        super().__init__(what, folder=folder)
        self.listed_by = listed_by

    def build(self, spec: str) -> K:
        """Build what a specification names (see `build`).

        Args:
            spec: ``name``, ``name@preset`` or ``name:parameter=value:...``.

        Returns:
            The instance.

        Raises:
            ConfigError: Names everything that is wrong, and what would be right.
        """
        return build(spec, self, self.what, self.listed_by)


@dataclass(frozen=True)
class Named:
    """Base of what a specification can name: frozen dataclasses of parameters, without state.

    Attributes:
        name: Name on the command line.
        citation: Where it was published.
        summary: What it does, in one line.
    """

    name: ClassVar[str]
    citation: ClassVar[str]
    summary: ClassVar[str]
    _written: ClassVar[str] = ""  # `build` keeps the text on the instance; it is no part of the value

    @property
    def label(self) -> str:
        """Name in reports."""
        return self.name

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

    @property
    def spec(self) -> str:
        """Specification that builds it again: the one that built it, or its name and what differs from the defaults."""
        if self._written:
            return self._written
        preset = getattr(self, "preset", "")
        presets: Mapping[str, Mapping[str, Any]] = getattr(self, "presets", {})
        usual = type(self)(**({**presets[preset], "preset": preset} if preset else {}))
        values = {part.name: getattr(self, part.name) for part in fields(self) if str(part.type) in READERS}
        changed = {name: value for name, value in values.items() if value != getattr(usual, name) and value != ()}
        return ":".join([
            f"{self.name}@{preset}" if preset else self.name,
            *(f"{name}={_written(value)}" for name, value in changed.items()),
        ])

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
        what: A plug-in, for messages: "an attack".
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
    if isinstance(made, Named):
        object.__setattr__(made, "_written", spec)
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


def _written(value: Any) -> str:  # noqa: ANN401 - of any parameter
    if isinstance(value, tuple):
        return ",".join(map(_written, value))
    return str(value).lower() if isinstance(value, bool) else repr(value)


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
