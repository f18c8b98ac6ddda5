"""Options from files: privaudit.toml, then [tool.privaudit] of pyproject.toml; or only the file that --config names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privaudit.auditing.option_table import Kind
from privaudit.data.layouts.hub import is_hub_name
from privaudit.errors import ConfigError, did_you_mean

SECTION = "tool.privaudit"
PRIVAUDIT_FILE, PROJECT_FILE = Path("privaudit.toml"), Path("pyproject.toml")
FOLDER_OR_ID = frozenset({"target", "reference", "config-from", "base"})
"""Options whose text is a folder if that exists, and a hub id or a word otherwise."""
WITH_PATHS = frozenset({"lora", "embedding", "component"})
"""Options whose texts have a path before ``@`` or after ``=``."""
TYPES: Mapping[Kind, type | tuple[type, ...]] = {"integer": int, "number": (int, float), "text": (str, int, float)}
"""TOML types that a kind of option accepts; a text for all other kinds."""
WORDS: Mapping[Kind, str] = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "path": "a path",
    "texts": "a text or a list of texts",
    "paths": "a path or a list of paths",
}
"""Name of a value of each kind in messages."""


@dataclass(frozen=True)
class Setting:
    """One value of a file.

    Attributes:
        key: Key of the option, with dashes.
        value: Value as parsed from TOML.
        file: File that it came from.
        line: Line of the key, counted from 1; None if it could not be located.
    """

    key: str
    value: Any
    file: Path
    line: int | None

    @property
    def where(self) -> str:
        """File and line, such as ``privaudit.toml, line 3``."""
        return str(self.file) if self.line is None else f"{self.file}, line {self.line}"

    def as_argument(self, kind: Kind) -> Any:  # noqa: ANN401 - depends on the kind
        """Convert the value to what the command line would pass; a relative path is relative to the file.

        Returns:
            A boolean, a number, a text or a list of texts.

        Raises:
            ConfigError: The value has a wrong type.
        """
        several = kind in ("texts", "paths")
        items = self.value if isinstance(self.value, list) and (several or kind == "text") else [self.value]
        if not items or not all(_fits(item, kind) for item in items):
            raise ConfigError([f"expected {self.key} as {WORDS[kind]}, got {_shown(self.value)}"])
        if kind in ("path", "paths"):
            items = [str(self._relative_to_file(item)) for item in items]
        elif self.key in FOLDER_OR_ID:
            items = [
                str(self._relative_to_file(item)) if self._relative_to_file(item).exists() else item for item in items
            ]
        elif self.key in WITH_PATHS:
            items = [self._with_path(item) for item in items]
        if several:
            return items
        return ",".join(map(str, items)) if kind == "text" else items[0]  # a flag takes a list as comma-separated text

    def _with_path(self, text: str) -> str:
        head, equals, path = text.partition("=") if self.key == "component" else ("", "", text)
        moved = self._relative_to_file(path)
        exists = moved.exists() or Path(str(moved).rpartition("@")[0]).exists()
        return f"{head}{equals}{moved if exists else path}"

    def _relative_to_file(self, path: str) -> Path:
        return Path(path) if is_hub_name(Path(path)) else self.file.parent / Path(path).expanduser()


def _fits(item: Any, kind: Kind) -> bool:  # noqa: ANN401 - any TOML value
    if isinstance(item, bool):  # first, since a bool is an int in Python
        return kind == "flag"
    return kind != "flag" and isinstance(item, TYPES.get(kind, str))


@dataclass(frozen=True)
class Settings:
    """Settings of all files together.

    Attributes:
        files: Files with at least one setting, highest precedence first.
        settings: Setting that applies, by key.
        problems: Problems of the files, one sentence per problem.
    """

    files: tuple[Path, ...]
    settings: Mapping[str, Setting]
    problems: tuple[str, ...]

    def unknown(self, known: Sequence[str]) -> tuple[str, ...]:
        """List the settings whose key no command has, one sentence per setting."""
        problems = []
        for setting in self.settings.values():
            if setting.key not in known:
                hint = did_you_mean(setting.key, known) or "; privaudit config lists them"
                problems.append(f"expected an option of privaudit, got {setting.key} ({setting.where}){hint}")
        return tuple(problems)


def read_settings(chosen: Path | None, origin: str = "") -> Settings:
    """Read the settings of one file, or of privaudit.toml and pyproject.toml in the current folder.

    Args:
        chosen: The only file to read; None to read both of the usual ones, if they exist.
        origin: Text after a problem of the file that says where its name came from, such as `` (PRIVAUDIT_CONFIG)``.

    Returns:
        The settings; problems are returned and not raised, so that they can be reported with those of other sources.
    """
    files: list[Path] = []
    settings: dict[str, Setting] = {}
    problems: list[str] = []
    for file in [PRIVAUDIT_FILE, PROJECT_FILE] if chosen is None else [chosen]:
        if chosen is None and not file.is_file():
            continue
        try:
            file_settings = _read(file)
        except ConfigError as error:
            problems.extend(f"{problem}{origin}" for problem in error.problems)
            continue
        if file_settings:
            files.append(file)
        problems += _repeated(file_settings)
        settings = {setting.key: setting for setting in file_settings} | settings  # earlier files take precedence
    return Settings(tuple(files), settings, tuple(problems))


def _read(file: Path) -> list[Setting]:
    if not file.is_file():
        raise ConfigError([f"expected a TOML file at {file}, found none"])
    try:
        text = file.read_text(
            encoding="utf-8-sig"
        )  # Windows editors may write a byte order mark, which tomllib rejects
        values = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError([f"cannot read {file}: {error}"]) from error
    section = ""
    if file.name == PROJECT_FILE.name:
        section, tools = SECTION, values.get("tool", {})
        values = tools.get("privaudit", {}) if isinstance(tools, dict) else {}
        if not isinstance(values, dict):
            raise ConfigError([f"expected [{SECTION}] of {file} to be a table, got {_shown(values)}"])
    return [Setting(key.replace("_", "-"), value, file, _line(text, key, section)) for key, value in values.items()]


def _repeated(settings: Sequence[Setting]) -> list[str]:
    """Problems of keys that occur twice, written with a dash and with an underscore: to TOML they are two keys."""
    keys = [setting.key for setting in settings]
    return [
        f"expected {setting.key} once, got it again ({setting.where})"
        for index, setting in enumerate(settings)
        if setting.key in keys[:index]
    ]


def _line(text: str, key: str, section: str) -> int | None:
    """Line of a key in a section, searched for in the text because tomllib reports no lines; None if not found."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([\w.\-]+)\s*\]", line):
            current = header[1]
        elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
            return number
    return None


def _shown(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else repr(value)
