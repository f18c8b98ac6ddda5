"""Base of the classes of options: values that have been parsed, checked together, written back as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from privaudit.auditing.option_table import Option, needed, table
from privaudit.errors import ConfigError
from privaudit.storage.exact_json import encode

Problem = tuple[str, tuple[str, ...]]
"""A sentence, and the names of the options that it is about."""


class OptionsError(ConfigError):
    """Options that are wrong.

    Attributes:
        about: For each of ``problems`` the names of the options that it is about.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Join the problems into one message."""
        super().__init__([text for text, _ in problems])
        self.about = tuple(names for _, names in problems)


@dataclass(frozen=True)
class Options:
    """Parsed values, checked together.

    Attributes:
        suffix: What follows the name of the target in the folder below ``privaudit-runs`` that is written by default.
        target: A diffusers folder or hub id.
    """

    suffix: ClassVar[str] = ""
    target: str = field(
        metadata=needed(argument=True, help="Diffusers folder of a latent diffusion model, or a hub id.")
    )

    def __post_init__(self) -> None:
        """Name every problem at once.

        Raises:
            OptionsError: One or more options are wrong.
        """
        entries = [(name, entry, getattr(self, name)) for name, entry in table(type(self)).items()]
        problems: list[Problem] = [
            (f"expected {name} parsed, got text, {value!r}; {type(self).__name__}.parse reads it", (name,))
            for name, entry, value in entries
            if entry.parse is not None and _is_text(value)
        ]
        if not problems:
            problems = [(text, (name,)) for name, entry, value in entries for text in entry.problems(name, value)]
            problems += self.problems(right=not problems)
        if problems:
            order = [name for name, *_ in entries]
            raise OptionsError(sorted(problems, key=lambda problem: order.index(problem[1][0])))

    def problems(self, *, right: bool) -> list[Problem]:
        """Say what is wrong with several options together."""
        del right
        return []

    @classmethod
    def parse(cls, **given: Any) -> Self:  # noqa: ANN401 - of any option
        """Make options from texts, or from values that have been parsed already.

        Returns:
            The options.

        Raises:
            OptionsError: One or more options are wrong; all are named.
        """
        entries, wrong = table(cls), dict[str, tuple[str, ...]]()
        if given.get("out") is None:
            given["out"] = default_folder(str(given["target"]), cls.suffix)
        values: dict[str, Any] = dict.fromkeys(
            part.name for part in fields(cls) if part.default is part.default_factory is MISSING
        )
        for name, value in given.items():
            entry = entries.get(name, Option())  # of a name that is none, the class complains
            if value is not None or entry.unset is not None:
                try:
                    values[name] = entry.read(value)
                except ConfigError as error:  # the default stands in, so that everything else can be checked
                    wrong[name] = error.problems
        found: list[Problem] = [(problem, (name,)) for name, problems in wrong.items() for problem in problems]
        try:
            made = cls(**values)
        except OptionsError as error:
            together = zip(error.problems, error.about, strict=True)
            found = [(problem, about) for problem, about in together if not wrong.keys() & set(about)] + found
            raise OptionsError(found) from error
        if found:
            raise OptionsError(found)
        return made

    def texts(self) -> dict[str, Any]:
        """Write the options as JSON has them."""
        values = {name: (entry.write, getattr(self, name)) for name, entry in table(type(self)).items()}
        return {name: encode(write(value) if write else value) for name, (write, value) in values.items()}


def default_folder(target: str, suffix: str = "") -> Path:
    """Folder of a target if none is chosen: its name below ``privaudit-runs``."""
    return Path("privaudit-runs") / f"{Path(target).resolve().name}{suffix}"


def _is_text(value: Any) -> bool:  # noqa: ANN401 - of any option
    return isinstance(value, str) or (isinstance(value, tuple) and any(isinstance(item, str) for item in value))
