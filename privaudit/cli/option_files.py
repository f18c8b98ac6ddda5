"""Options from files: privaudit.toml over [tool.privaudit] of pyproject.toml, or the one file that --config names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from privaudit.auditing.option_table import Kind
from privaudit.errors import ConfigError

SECTION = "tool.privaudit"
OWN, PROJECT = Path("privaudit.toml"), Path("pyproject.toml")
PLACES = frozenset({"target", "reference"})
"""Texts that are a folder if there is one, and a hub id otherwise."""
TYPES: Mapping[Kind, type | tuple[type, ...]] = {"integer": int, "number": (int, float), "text": (str, int, float)}
"""What TOML may have for a kind; a text for any other."""
WORDS: Mapping[Kind, str] = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "path": "a path",
    "texts": "a text or a list of texts",
    "paths": "a path or a list of paths",
}
"""What a value of a kind is called in messages."""


@dataclass(frozen=True)
class Setting:
    """One value of a file.

    Attributes:
        key: Key of the option, with dashes.
        value: As TOML has it.
        file: That it came from.
        line: There, from 1; None where it was not found again.
    """

    key: str
    value: Any
    file: Path
    line: int | None

    @property
    def where(self) -> str:
        """File and line, such as ``privaudit.toml, line 3``."""
        return str(self.file) if self.line is None else f"{self.file}, line {self.line}"

    def given(self, kind: Kind) -> Any:  # noqa: ANN401 - whatever the option takes
        """Turn the value into what the command line would have got; a relative path is relative to the file.

        Returns:
            A flag's truth, a number, a text or a list of texts.

        Raises:
            ConfigError: The value is of another type.
        """
        several = kind in ("texts", "paths")
        items = self.value if isinstance(self.value, list) and (several or kind == "text") else [self.value]
        if not items or not all(_fits(item, kind) for item in items):
            raise ConfigError([f"expected {self.key} as {WORDS[kind]}, got {_shown(self.value)}"])
        if kind in ("path", "paths"):
            items = [str(self._beside(item)) for item in items]
        elif self.key in PLACES:
            items = [str(self._beside(item)) if self._beside(item).exists() else item for item in items]
        if several:
            return items
        return ",".join(map(str, items)) if kind == "text" else items[0]  # a list is what a flag takes with commas

    def _beside(self, path: str) -> Path:
        return self.file.parent / Path(path).expanduser()


def _fits(item: Any, kind: Kind) -> bool:  # noqa: ANN401 - whatever TOML has
    if isinstance(item, bool):
        return kind == "flag"
    return kind != "flag" and isinstance(item, TYPES.get(kind, str))


@dataclass(frozen=True)
class Settings:
    """What the files say.

    Attributes:
        files: That were read and say anything, the strongest first.
        settings: By key.
        problems: What could not be read.
    """

    files: tuple[Path, ...]
    settings: Mapping[str, Setting]
    problems: tuple[str, ...]

    def unknown(self, known: Sequence[str]) -> tuple[str, ...]:
        """Name the keys that no command knows."""
        found = []
        for setting in self.settings.values():
            if setting.key not in known:
                close = get_close_matches(setting.key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "privaudit config lists them"
                found.append(f"expected an option of privaudit, got {setting.key} ({setting.where}); {hint}")
        return tuple(found)


def read_settings(chosen: Path | None, named: str = "") -> Settings:
    """Read the files."""
    files: list[Path] = []
    settings: dict[str, Setting] = {}
    problems: list[str] = []
    for file in [OWN, PROJECT] if chosen is None else [chosen]:
        if chosen is None and not file.is_file():
            continue
        try:
            found = _read(file)
        except ConfigError as error:
            problems.extend(f"{problem}{named}" for problem in error.problems)
            continue
        if found:
            files.append(file)
        problems += _repeated(found)
        settings = {setting.key: setting for setting in found} | settings
    return Settings(tuple(files), settings, tuple(problems))


def _read(file: Path) -> list[Setting]:
    if not file.is_file():
        raise ConfigError([f"expected a TOML file at {file}, found none"])
    try:
        text = file.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError([f"cannot read {file}: {error}"]) from error
    section = ""
    if file.name == PROJECT.name:
        section, tools = SECTION, values.get("tool", {})
        values = tools.get("privaudit", {}) if isinstance(tools, dict) else {}
        if not isinstance(values, dict):
            raise ConfigError([f"expected [{SECTION}] of {file} to be a table, got {_shown(values)}"])
    return [Setting(key.replace("_", "-"), value, file, _line(text, key, section)) for key, value in values.items()]


def _repeated(settings: Sequence[Setting]) -> list[str]:
    keys = [setting.key for setting in settings]
    return [
        f"expected {setting.key} once, got it again ({setting.where})"
        for place, setting in enumerate(settings)
        if setting.key in keys[:place]
    ]


def _line(text: str, key: str, section: str) -> int | None:
    """The line of a key: TOML's own reader does not tell."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([\w.\-]+)\s*\]", line):
            current = header[1]
        elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return None


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever TOML has
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else repr(value)
