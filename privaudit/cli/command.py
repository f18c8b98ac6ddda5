"""Options by flag > PRIVAUDIT_* > privaudit.toml > pyproject.toml, all read and checked together.

typer stops at the first value of a wrong type. Here every wrong value of every place is collected, and the checks that
the options themselves make are added (`privaudit.cli.given.options_together`), so that one message names all there is
to fix.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException

from privaudit.auditing.option_table import Kind
from privaudit.cli.given import DEFAULT, Given, Origin, in_words, running
from privaudit.cli.option_files import WORDS, Setting, Settings, read_settings
from privaudit.cli.signature import kinds_of
from privaudit.errors import ConfigError

ONLY_FLAGS = frozenset({"config", "help"})
"""Options that a file cannot set."""
CHECK, GIVEN = "privaudit.check", "privaudit.given"
"""Keys of a context's ``meta``: whether to check options only, and what they are."""


@dataclass(frozen=True)
class _Read:
    """What became of one option.

    Attributes:
        origin: Where its value came from.
        problems: Why it could not be read.
        wrong: The value that could not be read.
        missing: Whether it is an argument that no one gave.
    """

    origin: Origin
    problems: tuple[str, ...] = ()
    wrong: str | None = None
    missing: bool = False


class PlainCommand(TyperCommand):
    """A command whose usage names arguments as manuals do: ``TARGET`` where typer writes ``{target}``."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Collect the words of the line."""
        pieces = super().collect_usage_pieces(ctx)
        return [re.sub(r"\{([^{}]+)\}", lambda found: found[1].upper(), piece) for piece in pieces]


class ConfiguredCommand(PlainCommand):
    """A command whose options can be set by flag, variable and file."""

    not_from_files: ClassVar[frozenset[str]] = frozenset()
    """Keys that files set for other commands only."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read flags, variables and files into the parameters of the context.

        Returns:
            What is left of them: nothing.

        Raises:
            ConfigError: An argument is missing; everything else that could not be read is named with it.
            TyperException: Such a flag does not exist, or there are too many arguments.
        """
        flags, rest, refusal = self._parse(ctx, args)
        named = "" if flags.get("config") else f" ({variable_of('config')})"
        chosen = flags.get("config") or os.environ.get(variable_of("config"))
        for parameter in self.get_params(ctx):
            if parameter.is_eager:  # --help ends here
                parameter.handle_parse_result(ctx, {**flags, "config": chosen}, [])
        settings = read_settings(Path(chosen) if chosen else None, named if chosen else "")
        kinds = kinds_of(self.callback) if self.callback else {}
        found = {
            str(parameter.name): self._read(ctx, parameter, kinds[str(parameter.name)], flags, settings)
            for parameter in self.params
            if not parameter.is_eager
        }
        only_check = bool(ctx.meta.get(CHECK))
        problems = [*settings.problems, *settings.unknown(_known_keys(ctx))]
        problems += [text for item in found.values() for text in item.problems if not (item.missing and only_check)]
        ctx.meta[GIVEN] = Given(
            values=dict(ctx.params),
            origins={name: item.origin for name, item in found.items()},
            keys={str(parameter.name): key_of(parameter) for parameter in self.params},
            wrong={name: item.wrong for name, item in found.items() if item.wrong is not None},
            problems=tuple(problems),
            files=settings.files,
            only_check=only_check,
        )
        if refusal is not None:
            self.refused(ctx, ConfigError([str(refusal), *problems], private=rest))
            raise refusal
        if not only_check and any(item.missing for item in found.values()):
            error = ConfigError(problems)
            self.refused(ctx, error)
            raise error
        return []

    def refused(self, ctx: typer.Context, error: ConfigError) -> None:
        """Hear that the command will not run, before the error is raised; its options are known as far as possible."""

    def _parse(
        self, ctx: typer.Context, args: Sequence[str]
    ) -> tuple[Mapping[str, Any], list[str], TyperException | None]:
        """Flags and arguments, those beyond, and what is wrong with them; then as much of them as can be read."""
        try:
            flags, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
            if rest:
                ctx.fail(f"Got unexpected extra argument{'s' if len(rest) > 1 else ''} ({' '.join(rest)})")
        except TyperException as error:
            ctx.ignore_unknown_options = ctx.resilient_parsing = True
            flags, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
            ctx.resilient_parsing = False
            return flags, rest, error
        return flags, [], None

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401 - what the command returns
        """Run the command, which can then ask where its options came from."""
        with running(ctx.meta.get(GIVEN)):
            return super().invoke(ctx)

    def _read(
        self,
        ctx: typer.Context,
        parameter: Any,  # noqa: ANN401 - of typer's
        kind: Kind,
        flags: Mapping[str, Any],
        settings: Settings,
    ) -> _Read:
        """Read one option into the context; its default if that is not possible."""
        name, key = str(parameter.name), key_of(parameter)
        value, origin = self._find(parameter, flags, settings)
        ctx.params[name] = _stand_in(kind) if parameter.required else parameter.get_default(ctx)
        if origin is DEFAULT and parameter.required:
            needed = f"expected {key.upper()}, got none; privaudit {ctx.info_name} --help shows what it is"
            return _Read(origin, (needed,), missing=True)
        try:
            taken = value.given(kind) if isinstance(value, Setting) else value
            parameter.handle_parse_result(ctx, {} if origin is DEFAULT else {name: taken}, [])
        except ConfigError as error:  # of a file's type, or of what reads an option
            problems = error.problems
        except typer.BadParameter:
            problems = (f"expected {key} as {WORDS[kind]}, got {value}",)
        else:
            return _Read(origin)
        shown = str(value.value if isinstance(value, Setting) else value)
        return _Read(origin, tuple(problem + in_words({key: origin}) for problem in problems), wrong=shown)

    def _find(self, parameter: Any, flags: Mapping[str, Any], settings: Settings) -> tuple[Any, Origin]:  # noqa: ANN401
        """The value of the strongest place, and which that is."""
        key, flag = key_of(parameter), flags.get(str(parameter.name))
        if flag is not None and flag != () and flag != []:
            return flag, Origin("flag", parameter.opts[0] if parameter.param_type_name == "option" else key.upper())
        if text := os.environ.get(variable_of(key)):
            several = parameter.multiple or parameter.nargs == -1
            return split_variable(text) if several else text, Origin("environment", variable_of(key))
        if key in settings.settings and key not in ONLY_FLAGS | self.not_from_files:
            return settings.settings[key], Origin("file", settings.settings[key].where)
        return None, DEFAULT


def key_of(parameter: Any) -> str:  # noqa: ANN401 - a parameter of typer's
    """Name of an option in files: its longest flag without the dashes; of an argument its name."""
    return str(max(parameter.opts, key=len)).lstrip("-").replace("_", "-")


def variable_of(key: str) -> str:
    """Name of the environment variable of an option."""
    return "PRIVAUDIT_" + key.replace("-", "_").upper()


def split_variable(text: str) -> list[str]:
    """Split a variable that holds several values, at white space and semicolons; a gate may have spaces of its own.

    Returns:
        The values.

    >>> split_variable("auroc > 0.6; tpr @ 1 % fpr > 0.05")
    ['auroc>0.6', 'tpr@1%fpr>0.05']
    """
    return re.sub(r"\s*([>@%])\s*", r"\1", text).replace(";", " ").split()


def _known_keys(ctx: typer.Context) -> list[str]:
    """Keys of every command: what another one knows is no mistake of this one."""
    root: Any = ctx.find_root().command
    commands = [ctx.command, *getattr(root, "commands", {}).values()]
    found = {key_of(p) for command in commands if isinstance(command, ConfiguredCommand) for p in command.params}
    return sorted(found - ONLY_FLAGS)


def _stand_in(kind: Kind) -> Any:  # noqa: ANN401 - of the kind
    """What is checked in place of an argument that is missing or could not be read."""
    return {"path": Path("-"), "paths": [Path("-")]}.get(kind, "")
