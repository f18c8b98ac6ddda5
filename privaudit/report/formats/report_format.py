"""What a format of a report is, and the registry of them.

A format is a module of this folder that registers a `Format`: its file and two functions, of a result and of a run that
ended with an error. Every module is imported when the formats are listed, so what takes long to import is imported by
these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from privaudit.errors import ConfigError
from privaudit.registry import Registry
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar
from privaudit.storage.files import write_bytes

Report = AuditResult | AuditFailure


@dataclass(frozen=True)
class Format:
    """A way to write a report.

    Attributes:
        name: Name on the command line.
        file: Name of the file in the run folder.
        what: Description in a list of formats.
        result: Renders a result; takes exemplars, too, if it can show any.
        failure: Renders a run that ended with an error.
        exemplars: Whether it can show single images, if it is told to.
        aggregates: Whether it is meant to leave the machine: nothing in it is about one image, unless exemplars are.
        place: Position in lists.
    """

    name: str
    file: str
    what: str
    result: Callable[..., str | bytes]
    failure: Callable[[AuditFailure], str | bytes]
    exemplars: bool = False
    aggregates: bool = True
    place: int = 100

    def render(self, report: Report, exemplars: Sequence[Exemplar] = ()) -> str | bytes:
        """Render a report."""
        if isinstance(report, AuditFailure):
            return self.failure(report)
        return self.result(report, tuple(exemplars)) if self.exemplars else self.result(report)

    def encoded(self, report: Report, exemplars: Sequence[Exemplar] = ()) -> bytes:
        """Render a report as the bytes of its file; texts are UTF-8."""
        rendered = self.render(report, exemplars)
        return rendered if isinstance(rendered, bytes) else rendered.encode("utf-8")


FORMATS = Registry[Format]("a report format", folder="privaudit.report.formats", key=lambda form: form.place)


def parse_formats(names: str | Iterable[str]) -> tuple[Format, ...]:
    """Read the names of formats.

    Args:
        names: ``json,html``, or several such; case and spaces do not matter.

    Returns:
        The formats, each once, in the order of their names.

    Raises:
        ConfigError: Some are unknown, or there is none; all problems are named.
    """
    texts = [names] if isinstance(names, str) else list(names)
    wanted = [name for text in texts for name in (part.strip().lower() for part in text.split(",")) if name]
    problems = [_unknown(name) for name in dict.fromkeys(wanted) if name not in FORMATS]
    if not wanted:
        problems = [f"expected at least one format, got none; choose from {', '.join(FORMATS)}"]
    if problems:
        raise ConfigError(problems)
    return tuple(FORMATS[name] for name in dict.fromkeys(wanted))


def format_of(path: Path) -> Format:
    """Find the format that a file name asks for.

    Returns:
        The format.

    Raises:
        ConfigError: No format has files of that kind.
    """
    for form in FORMATS.values():
        if path.name == form.file:
            return form
    for form in FORMATS.values():
        if path.suffix and path.suffix.lower() == Path(form.file).suffix:
            return form
    suffixes = ", ".join(dict.fromkeys(Path(form.file).suffix for form in FORMATS.values()))
    raise ConfigError([f"expected a report's file name to end with one of {suffixes}, got {path.name}"])


def write_reports(
    report: Report, folder: Path, formats: Sequence[Format], exemplars: Sequence[Exemplar] = ()
) -> tuple[Path, ...]:
    """Write a report in several formats; each file is whole or as it was before.

    Args:
        report: A result, or a run that ended with an error.
        folder: Made if it is missing.
        formats: Formats, such as `parse_formats` returns.
        exemplars: Single images to show, for formats that can.

    Returns:
        The files, in the order of the formats.

    Raises:
        ConfigError: A file cannot be written.
    """
    written = []
    for form in formats:
        path = folder / form.file
        content = form.encoded(report, exemplars)
        try:
            write_bytes(path, content)
        except OSError as error:
            raise ConfigError([f"expected a folder that can be written, got {folder}: {error}"]) from error
        written.append(path)
    return tuple(written)


def _unknown(name: str) -> str:
    close = get_close_matches(name, FORMATS, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"expected formats among {', '.join(FORMATS)}, got {name!r}{hint}"
