"""One table of options: what an option is, how its text is read and written, and what depends on it.

A class of options is a frozen dataclass derived from `Options`; each of its fields carries an `Option`. Everything that
has to know of an option follows from that one entry: the command line and its help, the files and variables that
configure it, the text in a report, the command that repeats a run, the hash of what was asked for, and whether two runs
can be compared. Nothing here imports torch, so that the command line and the reports can read the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from privaudit.errors import ConfigError
from privaudit.storage.exact_json import encode

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

Problem = tuple[str, tuple[str, ...]]
"""A sentence, and the names of the options that it is about."""


class OptionsError(ConfigError):
    """Options that are wrong.

    Attributes:
        about: For each of ``problems`` the names of the options that it is about.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Join the problems into one message.

        Args:
            problems: At least one.
        """
        super().__init__([text for text, _ in problems])
        self.about = tuple(names for _, names in problems)


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

    def problems(self, name: str, value: Any) -> list[Problem]:  # noqa: ANN401 - of any option
        """Say what is wrong with a value.

        Args:
            name: Of the option.
            value: Parsed.

        Returns:
            One entry for each problem.
        """
        if self.choices and value not in self.choices:
            return [(f"expected {name} to be one of {', '.join(self.choices)}, got {value}", (name,))]
        return [(problem, (name,)) for problem in (self.check(value) if self.check else ())]

    def read(self, given: Any) -> Any:  # noqa: ANN401 - of any option
        """Turn text, or a value that has been parsed already, into the value.

        Args:
            given: From the command line, a file or Python.

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

    Args:
        default: As the command line shows it; with ``parse`` the class holds what that makes of it.
        entry: Attributes of `Option`.

    Returns:
        A field of a dataclass.
    """
    entry = {"kind": KINDS.get(type(default), "text"), "unset": default if default != () else None, **entry}
    made = Option(**entry)
    if made.parse is not None:
        return field(default_factory=lambda: made.read(default), metadata={"option": made})
    return field(default=default, metadata={"option": made})


def needed(**entry: Any) -> Mapping[str, Option]:  # noqa: ANN401 - as above
    """Make the metadata of a field that Python must give, since it has no default.

    Args:
        entry: Attributes of `Option`.

    Returns:
        Metadata of a dataclass field.
    """
    return {"option": Option(**entry)}


def entry_of(source: type[Options], name: str, **changes: Any) -> Mapping[str, Option]:  # noqa: ANN401 - as above
    """Make the metadata of a field without a default, of an option that another class has, too.

    Args:
        source: The other class.
        name: Of the option, in both.
        changes: Attributes of `Option` that differ.

    Returns:
        Metadata of a dataclass field.
    """
    return {"option": replace(table(source)[name], **changes)}


def like(source: type[Options], name: str, *, default: Any = MISSING, **changes: Any) -> Any:  # noqa: ANN401 - as above
    """Make the field of an option that another class has, too.

    Args:
        source: The other class.
        name: Of the option, in both.
        default: Where it differs; text, if it is parsed.
        changes: Attributes of `Option` that differ.

    Returns:
        A field of a dataclass.
    """
    metadata = entry_of(source, name, **changes)
    (part,) = (part for part in fields(source) if part.name == name)
    if default is not MISSING:
        return field(default_factory=lambda: metadata["option"].read(default), metadata=metadata)
    if part.default_factory is not MISSING:
        return field(default_factory=part.default_factory, metadata=metadata)
    return field(default=part.default, metadata=metadata)


def table(kind: type[Options]) -> dict[str, Option]:
    """List the options of a class.

    Args:
        kind: Of the options.

    Returns:
        By name of the field, in the order of the fields.
    """
    return {part.name: part.metadata["option"] for part in fields(kind)}


def in_order_of_help(kind: type[Options]) -> dict[str, Option]:
    """List the options of a class that are on the command line, in the order of the panels.

    Args:
        kind: Of the options.

    Returns:
        By name of the field.
    """
    listed = {name: entry for name, entry in table(kind).items() if entry.help}
    names = sorted(listed, key=lambda name: (None, *PANELS).index(listed[name].panel))
    for name in [name for name in names if listed[name].after]:
        names.remove(name)
        names.insert(names.index(listed[name].after) + 1, name)
    return {name: listed[name] for name in names}


def flag_of(name: str, entry: Option) -> str:
    """Name the flag of an option: ``--mask-scope`` of ``mask_scope``."""
    return entry.flag or "--" + name.replace("_", "-")


@dataclass(frozen=True)
class Options:
    """Base of all options: parsed values, checked together.

    Attributes:
        suffix: What follows the name of the target in the folder below ``privaudit-runs`` that is written by default.
    """

    suffix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            OptionsError: One or more options are wrong.
        """
        entries = table(type(self)).items()
        unread: list[Problem] = [
            (f"expected {name} parsed, got text, {value!r}; {type(self).__name__}.parse reads it", (name,))
            for name, entry in entries
            if entry.parse is not None and _is_text(value := getattr(self, name))
        ]
        if unread:
            raise OptionsError(unread)
        problems = [problem for name, entry in entries for problem in entry.problems(name, getattr(self, name))]
        problems += self.problems(right=not problems)
        if problems:
            raise OptionsError(self.in_order(problems))

    @classmethod
    def in_order(cls, problems: Sequence[Problem]) -> list[Problem]:
        """Sort problems by the first option that they are about."""
        order = list(table(cls))
        return sorted(problems, key=lambda problem: order.index(problem[1][0]))

    def problems(self, *, right: bool) -> list[Problem]:
        """Say what is wrong with several options together.

        Args:
            right: Whether each is right by itself.

        Returns:
            One entry for each problem.
        """
        del right
        return []

    @classmethod
    def parse(cls, **given: Any) -> Self:  # noqa: ANN401 - of any option
        """Make options from texts, or from values that have been parsed already.

        Args:
            given: By name; None takes the default wherever that is not a value of its own.

        Returns:
            The options.

        Raises:
            OptionsError: One or more options are wrong; all are named.
        """
        entries, wrong = table(cls), dict[str, tuple[str, ...]]()
        if "out" in entries and given.get("out") is None:
            given["out"] = default_folder(str(given["target"]), cls.suffix)
        values: dict[str, Any] = dict.fromkeys(
            part.name for part in fields(cls) if part.default is part.default_factory is MISSING
        )
        for name, value in given.items():
            entry = entries.get(name, Option())  # of a name that is none, the class complains
            if value is None and entry.unset is None:
                continue
            try:
                values[name] = entry.read(value)
            except ConfigError as error:  # the default stands in, so that everything else can be checked
                wrong[name] = error.problems
        found: list[Problem] = [(problem, (name,)) for name, problems in wrong.items() for problem in problems]
        try:
            made = cls(**values)
        except OptionsError as error:
            together = zip(error.problems, error.about, strict=True)
            found += [(problem, about) for problem, about in together if not wrong.keys() & set(about)]
            raise OptionsError(cls.in_order(found)) from error
        if found:
            raise OptionsError(cls.in_order(found))
        return made

    def texts(self) -> dict[str, Any]:
        """Write the options as JSON has them.

        Returns:
            By name, in the order of the fields.
        """
        written = {name: entry.write or _itself for name, entry in table(type(self)).items()}
        return {name: encode(write(getattr(self, name))) for name, write in written.items()}


def default_folder(target: str, suffix: str = "") -> Path:
    """Folder of a target if none is chosen: its name below ``privaudit-runs``.

    Args:
        target: A folder or hub id.
        suffix: What follows the name.

    Returns:
        The folder.
    """
    return Path("privaudit-runs") / f"{Path(target).resolve().name}{suffix}"


def _itself(value: Any) -> Any:  # noqa: ANN401 - of any option
    return value


def _is_text(value: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(value, str) or (isinstance(value, tuple) and any(isinstance(item, str) for item in value))
