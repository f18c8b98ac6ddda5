"""Options from files: flag > PRIVAUDIT_* > privaudit.toml > [tool.privaudit] of pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import typer

from privaudit.errors import ConfigError

LISTS = frozenset({"attack", "fail-on"})
ONLY_FLAGS = frozenset({"config", "json", "help"})


def use_config_file(context: typer.Context, chosen: Path | None) -> Path | None:
    """Make a file's values the defaults of the command, under its flags and environment variables.

    Args:
        context: Of the command.
        chosen: ``--config``; without it the working directory is looked at.

    Returns:
        ``chosen``.

    Raises:
        ConfigError: The file is missing, is not TOML, or has keys that the command does not know.
    """
    source, values = _find(chosen)
    values = {key.replace("_", "-"): value for key, value in values.items()}
    options = {_flag(name): parameter.name for parameter in context.command.params for name in parameter.opts}
    # one file serves several commands: what another command knows is no mistake of this one
    unknown = sorted(
        set(values) - _known_to_any(context) - {"target", "images", "members", "nonmembers", "suspects", "canaries"}
    )
    if unknown:
        known = ", ".join(sorted(set(options) - ONLY_FLAGS))
        raise ConfigError([f"expected options of privaudit in {source}, got {', '.join(unknown)}; known are {known}"])
    context.default_map = {
        **(context.default_map or {}),
        **{str(options[key]): _as_given(key, value) for key, value in values.items() if key in options},
    }
    return chosen


def _as_given(key: str, value: Any) -> Any:  # noqa: ANN401 - whatever TOML has
    """A list of numbers is what a flag takes as text with commas; an option that can be repeated takes a list."""
    if key in LISTS:
        return [value] if isinstance(value, str) else value
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _known_to_any(context: typer.Context) -> set[str]:
    root: Any = context.find_root().command
    commands = [context.command, *getattr(root, "commands", {}).values()]
    return {_flag(name) for command in commands for part in command.params for name in part.opts} - ONLY_FLAGS


def _flag(option: str) -> str:
    return option.lstrip("-")


def _find(chosen: Path | None) -> tuple[Path, dict[str, Any]]:
    if chosen is not None:
        if not chosen.is_file():
            raise ConfigError([f"expected a TOML file at {chosen}, found none"])
        return chosen, _section(chosen, _read(chosen))
    own, project = Path("privaudit.toml"), Path("pyproject.toml")
    merged = dict(_read(project).get("tool", {}).get("privaudit", {})) if project.is_file() else {}
    if own.is_file():
        merged |= _read(own)
    return (own if own.is_file() else project), merged


def _section(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    return dict(values.get("tool", {}).get("privaudit", {})) if path.name == "pyproject.toml" else values


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError([f"cannot read {path}: {error}"]) from error
