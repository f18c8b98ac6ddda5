"""Writes the reference of the command line from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from typer.main import get_command

from privaudit.cli import app

ALIKE = 10
"""A command that shares more options than this with an earlier one refers to it."""


def commands() -> str:
    """Return a section for each command, as Markdown."""
    parts: list[str] = []
    tables: dict[str, Mapping[str, str]] = {}
    for name, command in _walk("privaudit", get_command(app)):
        parts.append(f"## {name}\n\n{_plain(command.help)}\n\n```\n{_usage(name, command)}\n```\n")
        rows = {option.opts[0]: _row(option) for option in command.params if _is_shown(option)}
        for earlier, known in tables.items():
            shared = [option for option, row in rows.items() if known.get(option) == row]
            if len(shared) > ALIKE:
                parts.append(_shared(earlier, known, shared))
                rows = {option: row for option, row in rows.items() if option not in shared}
                break
        tables[name] = rows
        if rows:
            parts.append("| option | default | what it does |\n|---|---|---|\n" + "\n".join(rows.values()) + "\n")
    return "\n".join(parts)


def _walk(name: str, command: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - click's classes are typer's private copies
    """Every command that does something, by its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(name, command)]
    return [found for key, each in inner.items() if not each.hidden for found in _walk(f"{name} {key}", each)]


def _is_shown(parameter: Any) -> bool:  # noqa: ANN401
    return parameter.param_type_name == "option" and not parameter.hidden and "--help" not in parameter.opts


def _shared(earlier: str, known: Mapping[str, str], shared: list[str]) -> str:
    """Names the options that are those of an earlier command, by what is shorter: all, or all but some."""
    link = f"[{earlier}](#{earlier.replace(' ', '-')})"
    others = [option for option in known if option not in shared]
    if len(others) < len(shared):
        left_out = f", but for {', '.join(f'`{option}`' for option in others)}" if others else ""
        return f"Takes the options of {link}{left_out}.\n"
    return f"Takes these options of {link}: {', '.join(f'`{option}`' for option in shared)}.\n"


def _usage(name: str, command: Any) -> str:  # noqa: ANN401
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    shown = [argument.name.upper() + ("..." if argument.nargs == -1 else "") for argument in arguments]
    optional = [text if a.required else f"[{text}]" for a, text in zip(arguments, shown, strict=True)]
    return " ".join([name, *optional, "[OPTIONS]"])


def _row(option: Any) -> str:  # noqa: ANN401
    value = f" {option.metavar}" if option.metavar else ""
    names = ", ".join(_code(f"{name}{value}") for name in [*option.opts, *option.secondary_opts])
    default = None if callable(option.default) else option.default
    shown = "" if default in (None, False, ()) else f"`{default}`"
    return f"| {names} | {shown} | {_plain(option.help)} |"


def _code(text: str) -> str:
    """Code in a cell of a table, where a bar would end the cell and a backslash before it would be shown."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def _plain(text: str | None) -> str:
    """Help text as Markdown: no line breaks, no markup of the terminal, nothing that a table or HTML would take up."""
    joined = re.sub(r"\s+", " ", text or "").strip().replace("\\[", "[")
    parts = joined.split("`")  # every second one is code
    parts[::2] = [re.sub(r"([|<>*_\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
