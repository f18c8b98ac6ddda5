"""Formats of reports, their registry, and writing their files.

A module of this folder registers a `Format` with two functions: one renders a result, the other a run that ended with
an error. Listing the formats imports every module, so these functions import slow dependencies themselves.
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
        result: Function that renders a result; takes exemplars as a second argument if ``exemplars``.
        failure: Function that renders a run that ended with an error.
        exemplars: Whether the format can show single images.
        aggregates: Whether the file may leave the machine: without exemplars, nothing in it is about a single image.
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
        """Render a report as the bytes of its file; texts are encoded as UTF-8."""
        rendered = self.render(report, exemplars)
        return rendered if isinstance(rendered, bytes) else rendered.encode("utf-8")


FORMATS = Registry[Format]("a report format", folder="privaudit.report.formats", key=lambda form: form.place)


def parse_formats(names: str | Iterable[str]) -> tuple[Format, ...]:
    """Parse the names of formats.

    Args:
        names: Comma-separated names such as ``json,html``, or several such texts; case and spaces do not matter.

    Returns:
        The formats, each once, in the order in which they are named.

    Raises:
        ConfigError: A name is unknown, or there is none; the error lists all problems.
    """
    parts = ",".join([names] if isinstance(names, str) else names).split(",")
    requested = [name for name in (part.strip().lower() for part in parts) if name]
    problems = [_unknown(name) for name in dict.fromkeys(requested) if name not in FORMATS]
    if not requested:
        problems = [f"expected at least one format, got none; choose from {', '.join(FORMATS)}"]
    if problems:
        raise ConfigError(problems)
    return tuple(FORMATS[name] for name in dict.fromkeys(requested))


def format_of(path: Path) -> Format:
    """Find the format of a file.

    Returns:
        The format with this file name, else the first one with this suffix.

    Raises:
        ConfigError: No format has such files.
    """
    same_name = [form for form in FORMATS.values() if path.name == form.file]
    same_suffix = [form for form in FORMATS.values() if path.suffix and path.suffix.lower() == Path(form.file).suffix]
    for form in (*same_name, *same_suffix):
        return form
    suffixes = ", ".join(dict.fromkeys(Path(form.file).suffix for form in FORMATS.values()))
    raise ConfigError([f"expected a report's file name to end with one of {suffixes}, got {path.name}"])


def write_reports(
    report: Report, folder: Path, formats: Sequence[Format], exemplars: Sequence[Exemplar] = ()
) -> tuple[Path, ...]:
    """Write a report in several formats; each file is replaced as a whole or not at all.

    Args:
        report: A result, or a run that ended with an error.
        folder: Folder of the files, created if it is missing.
        formats: Formats to write.
        exemplars: Single images to show, in the formats that can.

    Returns:
        Paths of the files, in the order of the formats.

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
