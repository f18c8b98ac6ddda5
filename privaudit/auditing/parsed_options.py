"""Base class of options: parses values, checks them together, and writes them back as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from privaudit.auditing.option_table import Option, needed, table
from privaudit.errors import ConfigError, OptionNames, by_keyword
from privaudit.storage.exact_json import encode

OF_EVERY_LORA = ("pytorch_lora_weights", "adapter_model")
"""Names of the files in `privaudit.loading.weight_files`, which imports torch."""
Problem = tuple[str, tuple[str, ...]]
"""A message, and the names of the options that it is about."""


class OptionsError(ConfigError, OptionNames):
    """One or more options are wrong.

    Attributes:
        about: Names of the options that each of ``problems`` is about.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Join the problems into one message.

        Args:
            problems: Messages with the options that they are about; an option is named by its keyword between
                backquotes.
        """
        self.templates = tuple(text for text, _ in problems)
        super().__init__(by_keyword(self.templates))
        self.about = tuple(names for _, names in problems)


@dataclass(frozen=True)
class Options:
    """Base class of options: parsed values that have been checked together.

    Attributes:
        suffix: Suffix of the default folder below ``privaudit-runs``, after the name of the target.
        target: A diffusers folder or hub id.
    """

    suffix: ClassVar[str] = ""
    target: str = field(
        metadata=needed(
            argument=True,
            help="Diffusers folder of a latent diffusion model, a hub id, or a single file (see --config-from).",
        )
    )

    def __post_init__(self) -> None:
        """Check all options.

        Raises:
            OptionsError: One or more options are wrong; all problems are named.
        """
        entries = [(name, entry, getattr(self, name)) for name, entry in table(type(self)).items()]
        problems: list[Problem] = [
            (f"expected {name} parsed, got text, {value!r}; {type(self).__name__}.parse reads it", (name,))
            for name, entry, value in entries
            if entry.parse is not None and _is_text(value)
        ]
        if not problems:  # checks expect parsed values
            problems = [(text, (name,)) for name, entry, value in entries for text in entry.problems(name, value)]
            problems += self.problems(right=not problems)
        if problems:
            order = [name for name, *_ in entries]
            raise OptionsError(sorted(problems, key=lambda problem: order.index(problem[1][0])))

    def problems(self, *, right: bool) -> list[Problem]:
        """List problems of combinations of options.

        Args:
            right: Whether every option is valid by itself.

        Returns:
            The problems; none unless a class overrides it.
        """
        del right
        return []

    @classmethod
    def parse(cls, **choices: Any) -> Self:  # noqa: ANN401 - of any option
        """Make options from texts or parsed values.

        Args:
            choices: Values by name of the option. None means the default if the option has one.

        Returns:
            The options.

        Raises:
            OptionsError: One or more options are wrong; all problems are named.
        """
        entries, unreadable = table(cls), dict[str, tuple[str, ...]]()
        if "out" in entries and choices.get("out") is None:
            choices["out"] = default_folder(choices, cls.suffix)
        values: dict[str, Any] = dict.fromkeys(
            part.name for part in fields(cls) if part.default is part.default_factory is MISSING
        )
        for name, value in choices.items():
            entry = entries.get(name, Option())  # an unknown name raises a TypeError in the constructor below
            if value is not None or entry.unset is not None:
                try:
                    values[name] = entry.read(value)
                except ConfigError as error:  # the default takes its place, so that all other options are checked
                    unreadable[name] = error.problems
        problems: list[Problem] = [(text, (name,)) for name, texts in unreadable.items() for text in texts]
        try:
            options = cls(**values)
        except OptionsError as error:
            # without problems of the defaults that took the place of unreadable values
            others = [
                (text, about)
                for text, about in zip(error.templates, error.about, strict=True)
                if not unreadable.keys() & set(about)
            ]
            raise OptionsError(others + problems) from error
        if problems:
            raise OptionsError(problems)
        return options

    def texts(self) -> dict[str, Any]:
        """Return the options as JSON values, by name."""
        values = {name: (entry.write, getattr(self, name)) for name, entry in table(type(self)).items()}
        return {name: encode(write(value) if write else value) for name, (write, value) in values.items()}


def default_folder(choices: Mapping[str, Any], suffix: str = "") -> Path:
    """Return the default folder of a model below ``privaudit-runs``: its name, with those of what is read over it.

    Args:
        choices: Values of the options ``target`` and, if there are any, ``lora`` and ``components``.
        suffix: End of the name.
    """
    names = [Path(str(choices["target"])).resolve().name.removesuffix(".safetensors")]
    # Every LoRA of diffusers and of peft has the same name, and so has every network; their folders tell them apart.
    for path in (Path(text.rpartition(".safetensors")[0] or text).resolve() for text in _texts(choices.get("lora"))):
        names.append(path.parent.name if path.name in OF_EVERY_LORA else path.name)
    for text in _texts(choices.get("components")):
        component, _, folder = text.partition("=")
        path = Path(folder).resolve()
        names.append(path.parent.name if path.name == component else path.name)
    return Path("privaudit-runs") / ("+".join(name for name in names if name != "none") + suffix)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - of an option, as text or parsed
    """List the texts of a repeatable option: of a parsed adapter its path, of a parsed component NAME=FOLDER."""
    for item in [value] if isinstance(value, str) else value.items() if isinstance(value, Mapping) else value or ():
        if isinstance(item, tuple):
            yield "=".join(map(str, item)) if isinstance(item[1], (str, Path)) else str(item[0])
        else:
            yield str(item)


def _is_text(value: Any) -> bool:  # noqa: ANN401 - of any option
    """Whether a value is text, or a tuple with text, and so has not been parsed."""
    return isinstance(value, str) or (isinstance(value, tuple) and any(isinstance(item, str) for item in value))
