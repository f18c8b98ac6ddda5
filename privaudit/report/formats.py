"""The registry of report formats, and how reports are written to a folder.

A format is a module with two functions, ``render_NAME`` of a result and ``render_NAME_failure`` of a run that ended
with an error, and one line in `FORMATS`. The module is imported when its first report is made, so that a report in one
format does not wait for the libraries of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from privaudit.errors import ConfigError
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar
from privaudit.storage.files import write_bytes

Report = AuditResult | AuditFailure


@dataclass(frozen=True)
class Format:
    """A way to write a report.

    Attributes:
        name: What users call it.
        file: Name of the file in the run folder.
        what: For a list of formats.
        module: Has ``render_NAME`` and ``render_NAME_failure``.
        exemplars: Whether it can show single images, if it is told to.
        aggregates: Whether it is meant to leave the machine: nothing in it is about one image, unless exemplars are.
    """

    name: str
    file: str
    what: str
    module: str
    exemplars: bool = False
    aggregates: bool = True

    def render(self, report: Report, exemplars: Sequence[Exemplar] = ()) -> str | bytes:
        """Render a report.

        Args:
            report: A result, or a run that ended with an error.
            exemplars: Single images to show; formats that cannot show any leave them out.

        Returns:
            The content of the file.
        """
        failed = isinstance(report, AuditFailure)
        renderer = getattr(import_module(self.module), f"render_{self.name}{'_failure' if failed else ''}")
        shown = (tuple(exemplars),) if self.exemplars and not failed else ()
        rendered: str | bytes = renderer(report, *shown)
        return rendered

    def encoded(self, report: Report, exemplars: Sequence[Exemplar] = ()) -> bytes:
        """Render a report as the bytes of its file; texts are UTF-8."""
        rendered = self.render(report, exemplars)
        return rendered if isinstance(rendered, bytes) else rendered.encode("utf-8")


_LISTED = (
    Format("json", "report.json", "everything, for programs", "privaudit.report.canonical", aggregates=False),
    Format("html", "report.html", "one page for people, with pictures", "privaudit.report.html", exemplars=True),
    Format("md", "report.md", "a summary for the page of a CI job", "privaudit.report.markdown"),
    Format("junit", "junit.xml", "gates as tests, for CI", "privaudit.report.junit"),
    Format("sarif", "report.sarif", "findings, for code scanning", "privaudit.report.sarif"),
    Format("card", "model-card.md", "a section for the model's README", "privaudit.report.model_card"),
    Format("csv", "metrics.csv", "the numbers, for a spreadsheet", "privaudit.report.tables"),
    Format("parquet", "metrics.parquet", "the numbers, for pandas", "privaudit.report.tables"),
)
FORMATS: Mapping[str, Format] = MappingProxyType({form.name: form for form in _LISTED})
FILES = tuple(form.file for form in _LISTED)
"""Every file that a report can become, so that a run can remove those of an earlier one."""


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

    Args:
        path: Of a file: one of `FILES`, or any name with the suffix of one.

    Returns:
        The format.

    Raises:
        ConfigError: No format has files of that kind.
    """
    for form in _LISTED:
        if path.name == form.file:
            return form
    for form in _LISTED:
        if path.suffix and path.suffix.lower() == Path(form.file).suffix:
            return form
    suffixes = ", ".join(dict.fromkeys(Path(file).suffix for file in FILES))
    raise ConfigError([f"expected a report's file name to end with one of {suffixes}, got {path.name}"])


def write_reports(
    report: Report, folder: Path, formats: Sequence[Format], exemplars: Sequence[Exemplar] = ()
) -> tuple[Path, ...]:
    """Write a report in several formats; each file is whole or as it was before.

    Args:
        report: A result, or a run that ended with an error.
        folder: Made if it is missing.
        formats: From `parse_formats`.
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
