"""What the options of a running command are, where each came from, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from privaudit.errors import ConfigError

Source = Literal["flag", "environment", "file", "default"]


@dataclass(frozen=True)
class Origin:
    """Where a value came from.

    Attributes:
        source: The kind of place.
        where: As a message names it: ``--seed``, ``PRIVAUDIT_SEED`` or ``privaudit.toml, line 3``.
    """

    source: Source
    where: str


DEFAULT = Origin("default", "default")


@dataclass(frozen=True)
class Given:
    """What the options of one call are and where each came from.

    Attributes:
        values: By name of the parameter, as the command gets them.
        origins: By name of the parameter.
        keys: Keys of files, by name of the parameter.
        wrong: Values that could not be read, by name of the parameter; the default stands in their place.
        problems: What is wrong with them, and with the files.
        files: That were read, the strongest first.
        only_check: Whether the command ends once its options are found to be right.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, Origin]
    keys: Mapping[str, str]
    wrong: Mapping[str, str]
    problems: tuple[str, ...]
    files: tuple[Path, ...]
    only_check: bool = False

    @property
    def recorded(self) -> dict[str, Any]:
        """The options as a report names them; what could not be read stands as it was given."""
        file = self.values.get("config") or next(iter(self.files), None)
        own = {"format_": "format", "as_json": "json"}
        names = [name for name in self.keys if name != "config"]
        given = {own.get(name, name): self.wrong.get(name, self.values.get(name)) for name in names}
        return {**given, "config_file": file}

    def located(self, error: ConfigError) -> list[str]:
        """Say of each problem where the values came from that it is about.

        Returns:
            One sentence per problem; of a check alone, nothing about what was not given: it may come with the flags.
        """
        problems = []
        about: Sequence[Sequence[str]] = getattr(error, "about", ())
        for place, problem in enumerate(error.problems):
            names = about[place] if place < len(about) else ()
            if any(name in self.wrong for name in names):  # what could not be read has been named, and is not missing
                continue
            places = {self.keys.get(name, name): self.origins.get(name, DEFAULT) for name in names}
            given = {key: origin for key, origin in places.items() if origin.source != "default"}
            if self.only_check and names and not given:
                continue
            problems.append(f"{problem}{in_words(given)}")
        return problems


_running: ContextVar[Given | None] = ContextVar("given", default=None)


@contextmanager
def running(options: Given | None) -> Generator[None]:
    """Make the options of a command known to `given` while it runs."""
    token = _running.set(options)
    try:
        yield
    finally:
        _running.reset(token)


def given() -> Given:
    """What the options of the running command are; nothing where it was called as a function."""
    return _running.get() or Given({}, {}, {}, {}, (), ())


@contextmanager
def options_together() -> Generator[None]:
    """Around what checks the options of a command: raise all problems at once, each with where it came from.

    Raises:
        ConfigError: An option is wrong, or could not be read.
        Exit: All are right, and nothing else was wanted.
    """
    known = given()
    try:
        yield
    except ConfigError as error:
        if problems := [*known.problems, *known.located(error)]:
            raise ConfigError(problems) from error
    if known.problems:
        raise ConfigError(known.problems)
    if known.only_check:
        raise typer.Exit


def in_words(places: Mapping[str, Origin]) -> str:
    """Say where values came from.

    Returns:
        Such as `` (drop in privaudit.toml, line 3; --seed)``; nothing where there is nothing to say.
    """
    words = [f"{key} in {origin.where}" if origin.source == "file" else origin.where for key, origin in places.items()]
    return f" ({'; '.join(words)})" if words else ""
