"""`privaudit config`: which options apply, where each comes from, and what is wrong with them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from privaudit.cli.command import CHECK, GIVEN, ConfiguredCommand, key_of, variable_of
from privaudit.cli.given import Given
from privaudit.cli.output import reasons_of, say_error, to_reader
from privaudit.errors import ConfigError

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""What follows the name of a command is left to that command."""


def config(
    context: typer.Context,
    command: Annotated[str, typer.Argument(help="Command, with options of its own if wanted.")] = "scan",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which options apply to a command, where each comes from, and what is wrong with them.

    privaudit config --json sweep --seed 3 shows the options of that call. Exits 2 if it would be refused.
    """
    name, arguments = command, list(context.args)
    if command.startswith("-"):  # options of the command that needs no name
        name, arguments = "scan", [command, *arguments]
    known = _configured(context, name)
    found, error = _resolve(context, known, arguments)
    with to_reader():
        if as_json:
            sys.stdout.write(_as_json(name, known, found, reasons_of(error) if error else ()))
        else:
            _print(name, known, found)
    if error is not None:
        say_error(error)
    context.exit(0 if error is None else 2)


def _configured(context: typer.Context, name: str) -> ConfiguredCommand:
    root: Any = context.find_root().command
    known = {key: command for key, command in root.commands.items() if isinstance(command, ConfiguredCommand)}
    if name not in known:
        raise ConfigError([f"expected a command that files can configure, one of {', '.join(known)}, got {name}"])
    return known[name]


def _resolve(
    context: typer.Context, command: ConfiguredCommand, arguments: list[str]
) -> tuple[Given, ConfigError | None]:
    """The options of a command, and what is wrong with them; nothing is run."""
    context.meta[CHECK] = True
    with command.make_context(command.name, arguments, parent=context) as inner:
        error: ConfigError | None = None
        try:
            command.invoke(cast("typer.Context", inner))
        except typer.Exit:
            pass
        except ConfigError as wrong:
            error = wrong
        found: Given = inner.meta[GIVEN]
        return found, error


def _print(name: str, command: ConfiguredCommand, found: Given) -> None:
    from rich.table import Table
    from rich.text import Text

    from privaudit.report.terminal.console import TABLE, standard_output

    out = standard_output()
    files = ", ".join(map(str, found.files)) or "none (privaudit.toml, [tool.privaudit] of pyproject.toml)"
    out.print(Text(f"privaudit {name}: a flag beats a variable, a variable beats a file; - is not set"))
    out.print(Text(f"files read: {files}"), soft_wrap=True)
    out.print()
    table = Table("option", "value", "from", **TABLE)
    for parameter in _settable(command):
        origin = found.origins[str(parameter.name)]
        wrong = found.wrong.get(str(parameter.name))
        style = "dim" if origin.source == "default" else "bold" if wrong is None else "bold red"
        value = _shown(found.values[str(parameter.name)]) if wrong is None else f"{wrong} (wrong)"
        table.add_row(Text(key_of(parameter), style), Text(value, style), Text(origin.where, style))
    out.print(table)
    for note in _unread(command):
        out.print(Text(f"note: {note}", style="yellow"))


def _as_json(name: str, command: ConfiguredCommand, found: Given, problems: tuple[str, ...]) -> str:
    options = {
        key_of(parameter): {
            "value": _plain(found.values[str(parameter.name)]),
            "source": found.origins[str(parameter.name)].source,
            "where": found.origins[str(parameter.name)].where,
            "variable": variable_of(key_of(parameter)),
        }
        for parameter in _settable(command)
    }
    record: Mapping[str, Any] = {
        "command": name,
        "files": [str(file) for file in found.files],
        "options": options,
        "problems": list(problems),
        "notes": _unread(command),
    }
    return json.dumps(record, indent=2) + "\n"


def _settable(command: ConfiguredCommand) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.is_eager]


def _unread(command: ConfiguredCommand) -> list[str]:
    """Variables that look like options and are none: nothing reads them."""
    known = [variable_of(key_of(parameter)) for parameter in command.params]
    notes = []
    for variable in sorted(set(os.environ) - set(known)):
        if variable.startswith("PRIVAUDIT_") and (close := get_close_matches(variable, known, n=1, cutoff=0.8)):
            notes.append(f"the variable {variable} is set and not read; did you mean {close[0]}?")
    return notes


def _shown(value: Any) -> str:  # noqa: ANN401 - of any option
    if value in (None, [], (), ""):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
