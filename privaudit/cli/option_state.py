"""Options of the running command: their values, where each value came from, and the problems with them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from privaudit.errors import ConfigError, OptionNames

Source = Literal["flag", "environment", "file", "default"]


@dataclass(frozen=True)
class Origin:
    """Where a value came from.

    Attributes:
        source: Kind of place.
        where: Place as messages name it: ``--seed``, ``PRIVAUDIT_SEED`` or ``privaudit.toml, line 3``.
    """

    source: Source
    where: str


DEFAULT = Origin("default", "default")


@dataclass(frozen=True)
class OptionState:
    """Options of one call of a command. All mappings are keyed by parameter name.

    Attributes:
        values: Values as the command receives them.
        origins: Origin of each value.
        keys: Key of each option in configuration files.
        wrong: Text of each value that could not be read; `values` holds the default in its place.
        problems: Problems with the options and the files, one sentence per problem.
        files: Configuration files that were read, highest precedence first.
        only_check: Whether to check the options and exit without running the command.
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
        """Options by their name in reports; a value that could not be read is kept as text."""
        file = self.values.get("config") or next(iter(self.files), None)
        report_names = {"format_": "format", "as_json": "json"}  # where the parameter has another name
        names = [name for name in self.keys if name != "config"]
        values = {report_names.get(name, name): self.wrong.get(name, self.values.get(name)) for name in names}
        return {**values, "config_file": file}

    def name_of(self, keyword: str) -> str:
        """Name of an option on the command line, such as ``--mask-scope`` for ``mask_scope``."""
        key = self.keys.get(keyword, keyword.replace("_", "-"))
        return key.upper() if keyword == "target" else f"--{key}"

    def located(self, error: ConfigError) -> list[str]:
        """Append to each problem the origins of the values that it is about.

        Returns:
            One sentence per problem. A problem with a value that could not be read is left out, since `problems` names
            it already. With `only_check`, so is a problem with options that are all unset: a flag may set them later.
        """
        problems = []
        about: Sequence[Sequence[str]] = getattr(error, "about", ())
        for index, problem in enumerate(
            error.named(self.name_of) if isinstance(error, OptionNames) else error.problems
        ):
            names = about[index] if index < len(about) else ()
            # The default in place of an unreadable value was checked; its problem is not the user's.
            if any(name in self.wrong for name in names):
                continue
            origins = {self.keys.get(name, name): self.origins.get(name, DEFAULT) for name in names}
            set_by_user = {key: origin for key, origin in origins.items() if origin.source != "default"}
            if self.only_check and names and not set_by_user:
                continue
            unnamed = {key: origin for key, origin in set_by_user.items() if f"{origin.where} " not in problem}
            problems.append(f"{problem}{origins_text(unnamed)}")
        return problems


_current: ContextVar[OptionState | None] = ContextVar("current_options", default=None)


@contextmanager
def running(options: OptionState | None) -> Generator[None]:
    """Set what `current_options` returns while a command runs."""
    token = _current.set(options)
    try:
        yield
    finally:
        _current.reset(token)


def current_options() -> OptionState:
    """Return the options of the running command; an empty state if it was called as a Python function."""
    return _current.get() or OptionState({}, {}, {}, {}, (), ())


@contextmanager
def options_together() -> Generator[None]:
    """Context in which a command checks its options: all problems are raised at once, each with its origin.

    Raises:
        ConfigError: An option is wrong, or could not be read.
        Exit: All options are right, and only a check was requested.
    """
    state = current_options()
    try:
        yield
    except ConfigError as error:
        # The list is empty if a check finds problems with unset options only (see `located`).
        if problems := [*state.problems, *state.located(error)]:
            raise ConfigError(problems) from error
    if state.problems:
        raise ConfigError(state.problems)
    if state.only_check:
        raise typer.Exit


def origins_text(origins: Mapping[str, Origin]) -> str:
    """Describe where values came from, by key of the option.

    Returns:
        Text such as `` (drop in privaudit.toml, line 3; --seed)``; empty without origins.
    """
    words = [f"{key} in {origin.where}" if origin.source == "file" else origin.where for key, origin in origins.items()]
    return f" ({'; '.join(words)})" if words else ""
