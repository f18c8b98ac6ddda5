"""The table of options: how each option is parsed, checked, written and documented.

A class of options is a frozen dataclass (see `privaudit.auditing.parsed_options`) with an `Option` in the metadata of
each field. The command line and its help, configuration files and variables, the text in a report, the command that
repeats a run, and the comparability of two runs all follow from that one entry. Nothing here imports torch, so that the
command line and the reports can read the table quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from privaudit.errors import did_you_mean

if TYPE_CHECKING:
    from privaudit.auditing.parsed_options import Options

Kind = Literal["flag", "integer", "number", "text", "path", "texts", "paths"]
"""Type of an option on the command line."""
KINDS: Mapping[type, Kind] = {bool: "flag", int: "integer", float: "number", tuple: "texts"}
SETS, READING, MODEL, HOW, GATES, REPORTS, RUNNING = PANELS = (
    "Images",
    "How images are read",
    "Model",
    "Attacks and masks",
    "Gates and exit code",
    "Run folder and reports",
    "Machine and configuration",
)
"""Headings of ``--help``, in order."""


@dataclass(frozen=True)
class Option:
    """Entry of the table of options.

    Attributes:
        help: Text in ``--help``; empty for an option that only Python can set.
        kind: Type on the command line.
        unset: Default on the command line; None leaves the default to the class.
        argument: Whether it is a positional argument instead of a flag.
        flag: Flag, if it is not the name with dashes.
        metavar: Placeholder of the value in ``--help``.
        panel: Heading of ``--help`` under which it is listed.
        after: Option that it follows in ``--help``, if the order differs from that of the fields.
        parse: Function from text, or from a parsed value, to the value of the field.
        syntax: Whether ``parse`` reads syntax alone, which is checked when flags, variables and files are read.
        write: Function from the value to its text in reports; by default the value is used as it is.
        choices: Allowed values; empty if there is no such list.
        check: Function that lists what is wrong with a value.
        decides: Whether the result depends on the option.
        joined: Whether several values are written as one argument, separated by commas.
        quantity: Kind of difference (see `privaudit.compare.KINDS`) between two runs that differ in this option, whose
            numbers then measure different quantities. With ``setting`` they stay comparable, and the difference is
            pointed out.
    """

    help: str = ""
    kind: Kind = "text"
    unset: Any = None
    argument: bool = False
    flag: str = ""
    metavar: str | None = None
    panel: str | None = None
    after: str = ""
    parse: Callable[[Any], Any] | None = None
    syntax: bool = False
    write: Callable[[Any], Any] | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[Any], Sequence[str]] | None = None
    decides: bool = True
    joined: bool = False
    quantity: str = ""

    def problems(self, name: str, value: Any) -> Sequence[str]:  # noqa: ANN401 - of any option
        """List what is wrong with a value (see `privaudit.errors.OptionNames`)."""
        if self.choices and value not in self.choices:
            suggestion = did_you_mean(str(value), self.choices)
            return [f"expected `{name}` to be one of {', '.join(self.choices)}, got {value}{suggestion}"]
        return self.check(value) if self.check else ()

    def read(self, value: Any) -> Any:  # noqa: ANN401 - of any option
        """Turn text, or a parsed value, into the value of the field.

        Args:
            value: Text or parsed value.

        Returns:
            The value of the field.

        Raises:
            ConfigError: The text cannot be parsed.
        """
        if self.parse is not None:
            return self.parse(value)
        if self.kind == "path":
            return None if value is None else Path(value)
        if self.kind == "paths" and isinstance(value, (list, tuple)):
            return tuple(map(Path, value))
        return str(value) if self.kind == "text" and isinstance(value, Path) else value


def option(default: Any = None, **entry: Any) -> Any:  # noqa: ANN401 - of any option
    """Make the dataclass field of an option.

    Args:
        default: Default value, or its text if the option has a parser.
        entry: Fields of `Option`.

    Returns:
        A field of a dataclass.
    """
    entry = {"kind": KINDS.get(type(default), "text"), "unset": default if default != () else None, **entry}
    made = Option(**entry)
    if made.parse is not None:
        return field(default_factory=lambda: made.read(default), metadata={"option": made})
    return field(default=default, metadata={"option": made})


def needed(**entry: Any) -> Mapping[str, Option]:  # noqa: ANN401 - as above
    """Make the metadata of a field without a default, which Python must set."""
    return {"option": Option(**entry)}


def like(source: type[Options], name: str, *, default: Any = MISSING, **changes: Any) -> Any:  # noqa: ANN401 - as above
    """Make the field of an option that another class already has.

    Args:
        source: The other class.
        name: Name of the option.
        default: Default value; by default that of the other class.
        changes: Fields of `Option` that differ.

    Returns:
        A field of a dataclass.
    """
    made, part = replace(table(source)[name], **changes), source.__dataclass_fields__[name]
    factory = part.default_factory if default is MISSING else lambda: made.read(default)
    if factory is not MISSING:
        return field(default_factory=factory, metadata={"option": made})
    return field(default=part.default, metadata={"option": made})


def rule(holds: Callable[[Any], bool], expected: str) -> Callable[[Any], Sequence[str]]:
    """Make a check of a value.

    Args:
        holds: Condition that the value must fulfil.
        expected: The condition in words, for the message.

    Returns:
        Function that lists what is wrong with a value.
    """
    return lambda value: () if holds(value) else [f"expected {expected}, got {value}"]


def table(kind: type[Options]) -> dict[str, Option]:
    """Return the options of a class, by name."""
    return {part.name: part.metadata["option"] for part in fields(kind)}


def in_order_of_help(kind: type[Options]) -> dict[str, Option]:
    """Return the options of a class that are on the command line, by name, in the order of ``--help``."""
    listed = {name: entry for name, entry in table(kind).items() if entry.help}
    names = sorted(listed, key=lambda name: (None, *PANELS).index(listed[name].panel))
    for name in [name for name in names if listed[name].after]:
        names.remove(name)
        names.insert(names.index(listed[name].after) + 1, name)
    return {name: listed[name] for name in names}


def flag_of(name: str, entry: Option) -> str:
    """Return the flag of an option, such as ``--mask-scope`` for ``mask_scope``."""
    return entry.flag or "--" + name.replace("_", "-")
