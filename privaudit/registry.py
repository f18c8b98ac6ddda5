"""Plug-ins by name: registered by a decorator, discovered in a package, built from text.

A specification names a plug-in and its parameters: ``sima:order=2:levels=50,100``, ``pia@paper``,
``anderson:memory=8``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.resources import files
from pkgutil import iter_modules
from typing import Any, ClassVar, TypeVar

from privaudit.errors import ConfigError, did_you_mean

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Plug-ins of one kind, by name.

    The modules of a package register their plug-ins when they are imported, which happens when the registry is first
    read. A new plug-in is therefore one file, and no list has to name it.
    """

    def __init__(self, what: str, *, folder: str = "", key: Callable[[T], Any] = lambda entry: 0) -> None:
        """Make an empty registry.

        Args:
            what: Noun for one plug-in with its article, for messages, such as "an attack".
            folder: Package whose modules register plug-ins; empty if there is none.
            key: Sort key of a plug-in in lists; plug-ins with equal keys are sorted by name.
        """
        self.what = what
        self._folder = folder
        self._key = key
        self._entries: dict[str, T] = {}
        self._discovered = not folder

    def add(self, name: str, entry: T) -> None:
        """Add a plug-in under a name.

        Args:
            name: Name that users write.
            entry: The plug-in. A class that is defined again, as by running a notebook cell twice, replaces itself.

        Raises:
            ConfigError: Another plug-in has this name.
        """
        # Discover first, so that a user's plug-in cannot take a name of the package. A module of the package must not
        # do so: it is being imported by that call.
        if not str(getattr(entry, "__module__", "")).startswith(f"{self._folder}."):
            self.discover()
        present = self._entries.get(name)
        if present is not None and present != entry and _origin(present) != _origin(entry):
            raise ConfigError([
                f"expected a name for {self.what} that is not taken, got {name!r}, which is {_origin(present)}; "
                "choose another name"
            ])
        self._entries[name] = entry

    def register(self, entry: T) -> T:
        """Add a plug-in under its attribute ``name``; usable as a class decorator.

        Args:
            entry: The plug-in.

        Returns:
            The plug-in, unchanged.

        Raises:
            ConfigError: Another plug-in has this name.
        """
        named: Any = entry  # T has no bound: `add` also takes plug-ins without a name
        self.add(named.name, entry)
        return entry

    def discover(self) -> None:
        """Import the modules of the package, once."""
        if not self._discovered:
            for module in iter_modules(import_module(self._folder).__path__):
                import_module(f"{self._folder}.{module.name}")
            self._discovered = True

    def __getitem__(self, name: str) -> T:
        """Return the plug-in with a name."""
        self.discover()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        self.discover()
        return iter(sorted(self._entries, key=lambda name: (self._key(self._entries[name]), name)))

    def __len__(self) -> int:
        """Return the number of plug-ins."""
        self.discover()
        return len(self._entries)


@cache
def _summaries() -> Mapping[str, str]:
    summaries = {}
    for folder in ("attacks", "scorers"):
        for file in files("privaudit").joinpath(folder).iterdir():
            source = file.read_text("utf-8") if file.name.endswith(".py") else ""
            named = dict(re.findall(r'^    (name|summary): ClassVar\[str\] = "(.+)"$', source, re.MULTILINE))
            summaries[named.get("name", "")] = named.get("summary", "")
    return summaries


def summary_of(score: str) -> str:
    """Say what an attack or a scorer measures, read from its source, since importing it loads torch.

    Args:
        score: Its name in a report, such as ``pia@paper`` or ``pia-reference``.

    Returns:
        The summary; empty for one that is not of this package.
    """
    return _summaries().get(score.partition("@")[0].removesuffix("-reference"), "")


def _origin(entry: object) -> str:
    """Module and name of a class; the representation of any other object."""
    return f"{entry.__module__}.{entry.__qualname__}" if isinstance(entry, type) else repr(entry)


K = TypeVar("K", bound="Named")


class KindRegistry(Registry[type[K]]):
    """Classes derived from `Named`, built from specifications."""

    def __init__(self, what: str, *, folder: str = "", listed_by: str = "") -> None:
        """Make an empty registry.

        Args:
            what: Noun for one plug-in with its article, for messages, such as "an attack".
            folder: Package whose modules register plug-ins; empty if there is none.
            listed_by: Command that lists the names, for messages, such as ``privaudit attacks``.
        """
        super().__init__(what, folder=folder)
        self.listed_by = listed_by

    def build(self, spec: str) -> K:
        """Build an instance from a specification (see the function `build`).

        Args:
            spec: ``name``, ``name@preset`` or ``name:parameter=value:...``.

        Returns:
            The instance.

        Raises:
            ConfigError: The specification is wrong; the message names every problem and what is allowed.
        """
        return build(spec, self, self.what, self.listed_by)


@dataclass(frozen=True)
class Named:
    """Base of classes that are built from a specification: frozen dataclasses of parameters, without state.

    Attributes:
        name: Name on the command line.
        citation: Publication of the method.
        summary: Description in one line.
    """

    name: ClassVar[str]
    citation: ClassVar[str]
    summary: ClassVar[str]
    _built_from: ClassVar[str] = ""  # `build` sets it on the instance; as a class variable it is not compared or hashed

    @property
    def label(self) -> str:
        """Name in reports."""
        return self.name

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ConfigError: One or more parameters are wrong; all of them are named.
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
        """Specification that builds an equal instance.

        This is the specification that built the instance, or else its name and the parameters that differ from the
        defaults of its preset.
        """
        if self._built_from:
            return self._built_from
        preset = getattr(self, "preset", "")
        presets: Mapping[str, Mapping[str, Any]] = getattr(self, "presets", {})
        default = type(self)(**({**presets[preset], "preset": preset} if preset else {}))
        values = {part.name: getattr(self, part.name) for part in fields(self) if str(part.type) in READERS}
        # An empty tuple cannot be written, since "name=" has no value to read.
        changed = {name: value for name, value in values.items() if value != getattr(default, name) and value != ()}
        return ":".join([
            f"{self.name}@{preset}" if preset else self.name,
            *(f"{name}={_value_text(value)}" for name, value in changed.items()),
        ])

    def common_problems(self) -> list[str]:
        """Return the problems of the parameters that all classes of a registry share."""
        return []

    def problems(self) -> list[str]:
        """Return the problems of the other parameters."""
        return []

    def at_least(self, minimum: int, *names: str) -> list[str]:
        """Return one problem per named parameter that is below a minimum."""
        return [
            f"expected {name} >= {minimum} for {self.name}, got {getattr(self, name)}"
            for name in names
            if getattr(self, name) < minimum
        ]


def build(spec: str, registry: Mapping[str, type[T]], what: str, hint: str = "") -> T:
    """Build an instance from a specification.

    Args:
        spec: ``name`` or ``name:parameter=value:...``, with commas between the numbers of a list. A dataclass with a
            mapping ``presets`` can also be built by ``name@preset``, and parameters override those of the preset. If it
            has a mapping ``alternatives``, a parameter that is a key removes the parameter of the preset that is its
            value.
        registry: Dataclasses by name; the annotations of their parameters are float, int, bool or a tuple of numbers.
        what: Noun for one plug-in with its article, for messages, such as "an attack".
        hint: Command that lists the names, for messages.

    Returns:
        The instance.

    Raises:
        ConfigError: The specification is wrong; the message names every problem and what is allowed.
    """
    head, *assignments = spec.split(":")
    name, _, preset = head.partition("@")
    if name not in registry:
        known = ", ".join(sorted(registry))
        suggestion = did_you_mean(name, registry)
        see = f" See {hint}" if suggestion else f"; see {hint}"
        raise ConfigError([f"expected {what}, one of {known}, got {name}{suggestion}{see if hint else ''}"])
    kind = registry[name]
    types = {part.name: str(part.type) for part in fields(kind) if str(part.type) in READERS}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    problems = []
    presets: Mapping[str, Mapping[str, Any]] = getattr(kind, "presets", {})
    defaults = dict(presets.get(preset, {}))
    if "@" in head and preset not in presets:
        allowed = (
            f"a preset of {name} ({', '.join(sorted(presets))})" if presets else f"{name} alone, which has no presets"
        )
        problems.append(f"expected {allowed}, got {preset!r} in {spec}{did_you_mean(preset, presets)}")
    elif preset:
        defaults["preset"] = preset
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        if key not in types:
            problems.append(
                f"expected a parameter of {name} ({', '.join(types)}), got {key!r} in {spec}{did_you_mean(key, types)}"
            )
            continue
        if key in values:
            problems.append(f"expected {key} once in {spec}, got it twice")
        try:
            values[key] = READERS[types[key]](text)
        except ValueError:
            problems.append(f"expected {key}=<{types[key]}> in {spec}, got {text!r}")
    alternatives: Mapping[str, str] = getattr(kind, "alternatives", {})
    for parameter in values.keys() & alternatives.keys():
        defaults.pop(alternatives[parameter], None)
    try:
        # Also after a problem, so that one message has the problems of the syntax and of the values.
        instance = kind(**(defaults | values))
    except ConfigError as error:
        problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    if isinstance(instance, Named):
        object.__setattr__(instance, "_built_from", spec)  # the dataclass is frozen
    return instance


def expand(spec: str, registry: Mapping[str, type[Any]]) -> list[str]:
    """Expand a specification that has several values for parameters that take one.

    Args:
        spec: Specification as in `build`, such as ``sima:order=2,4``. One that `build` would refuse is not changed.
        registry: Dataclasses by name.

    Returns:
        One specification per combination of values, such as ``sima:order=2`` and ``sima:order=4``.
    """
    head, *assignments = spec.split(":")
    kind = registry.get(head.partition("@")[0])
    if kind is None:
        return [spec]
    single = {part.name for part in fields(kind) if str(part.type) in ("float", "int")}
    specs = [head]
    for assignment in assignments:
        key, _, text = assignment.partition("=")
        values = text.split(",") if key in single else [text]
        specs = [f"{prefix}:{key}={value}" for prefix in specs for value in values]
    return specs


def _value_text(value: Any) -> str:  # noqa: ANN401 - value of any parameter
    """Text of a value that `READERS` can read."""
    if isinstance(value, tuple):
        return ",".join(map(_value_text, value))
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


# By annotation as text: with postponed evaluation, the type of a dataclass field is a string.
READERS: dict[str, Callable[[str], Any]] = {
    "float": float,
    "int": int,
    "bool": _boolean,
    "tuple[int, ...]": _integers,
    "tuple[float, ...]": _numbers,
}
