"""One table of options: what an option is, how its text is read and written, and what depends on it.

A class of options is a frozen dataclass (see `privaudit.auditing.parsed_options`); each of its fields carries an
`Option`. Everything that has to know of an option follows from that one entry: the command line and its help, the files
and variables that configure it, the text in a report, the command that repeats a run, and whether two runs can be
compared. Nothing here imports torch, so that the command line and the reports can read the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from privaudit.auditing.parsed_options import Options

Kind = Literal["flag", "integer", "number", "text", "path", "texts", "paths"]
"""What an option takes on the command line."""
KINDS: Mapping[type, Kind] = {bool: "flag", int: "integer", float: "number", tuple: "texts"}
SETS, HOW, GATES, REPORTS, RUNNING = PANELS = (
    "Images",
    "Attacks and masks",
    "Gates and exit code",
    "Run folder and reports",
    "Machine and configuration",
)
"""Headings of ``--help``, in their order."""


@dataclass(frozen=True)
class Option:
    """Entry of the table.

    Attributes:
        help: Line of ``--help``; empty for an option that only Python can set.
        kind: What it takes on the command line.
        unset: Value on the command line where it is not given; None leaves the default to the class.
        argument: Whether it is an argument and no flag.
        flag: Its flag, where that is not its name with dashes.
        metavar: Stand-in for the value in ``--help``.
        panel: Heading of ``--help`` that it stands below.
        after: Option that it follows in ``--help``, where the order is not that of the fields.
        parse: From text, or from a value that has been parsed already, to the value that the class holds.
        syntax: Whether ``parse`` reads syntax alone, which is checked together with flags, variables and files.
        write: From the value to its text in reports; the value itself by default.
        choices: The only values that there are.
        check: Says what is wrong with a value.
        decides: Whether the result depends on it.
        joined: Whether several values are one argument, with commas.
        quantity: Kind of difference (see `privaudit.compare.KINDS`) between runs in which it is not the same: their
            numbers are other quantities. ``setting`` is no such difference, and is pointed out.
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
        """Say what is wrong with a value."""
        if self.choices and value not in self.choices:
            return [f"expected {name} to be one of {', '.join(self.choices)}, got {value}"]
        return self.check(value) if self.check else ()

    def read(self, given: Any) -> Any:  # noqa: ANN401 - of any option
        """Turn text, or a value that has been parsed already, into the value.

        Returns:
            The value.

        Raises:
            ConfigError: It cannot be read.
        """
        if self.parse is not None:
            return self.parse(given)
        if self.kind == "path":
            return None if given is None else Path(given)
        if self.kind == "paths" and isinstance(given, (list, tuple)):
            return tuple(map(Path, given))
        return str(given) if self.kind == "text" and isinstance(given, Path) else given


def option(default: Any = None, **entry: Any) -> Any:  # noqa: ANN401 - of any option
    """Make the field of an option.

    Returns:
        A field of a dataclass.
    """
    entry = {"kind": KINDS.get(type(default), "text"), "unset": default if default != () else None, **entry}
    made = Option(**entry)
    if made.parse is not None:
        return field(default_factory=lambda: made.read(default), metadata={"option": made})
    return field(default=default, metadata={"option": made})


def needed(**entry: Any) -> Mapping[str, Option]:  # noqa: ANN401 - as above
    """Make the metadata of a field that Python must give, since it has no default."""
    return {"option": Option(**entry)}


def like(source: type[Options], name: str, *, default: Any = MISSING, **changes: Any) -> Any:  # noqa: ANN401 - as above
    """Make the field of an option that another class has, too."""
    made, part = replace(table(source)[name], **changes), source.__dataclass_fields__[name]
    factory = part.default_factory if default is MISSING else lambda: made.read(default)
    if factory is not MISSING:
        return field(default_factory=factory, metadata={"option": made})
    return field(default=part.default, metadata={"option": made})


def rule(holds: Callable[[Any], bool], expected: str) -> Callable[[Any], Sequence[str]]:
    """Make the check of a value."""
    return lambda value: () if holds(value) else [f"expected {expected}, got {value}"]


def table(kind: type[Options]) -> dict[str, Option]:
    """List the options of a class."""
    return {part.name: part.metadata["option"] for part in fields(kind)}


def in_order_of_help(kind: type[Options]) -> dict[str, Option]:
    """List the options of a class that are on the command line, in the order of the panels."""
    listed = {name: entry for name, entry in table(kind).items() if entry.help}
    names = sorted(listed, key=lambda name: (None, *PANELS).index(listed[name].panel))
    for name in [name for name in names if listed[name].after]:
        names.remove(name)
        names.insert(names.index(listed[name].after) + 1, name)
    return {name: listed[name] for name in names}


def flag_of(name: str, entry: Option) -> str:
    """Name the flag of an option: ``--mask-scope`` of ``mask_scope``."""
    return entry.flag or "--" + name.replace("_", "-")
