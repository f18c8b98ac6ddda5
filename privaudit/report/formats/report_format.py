"""What a format of a report is, and the registry of them.

A format is a module of this folder that registers a `Format`: its file and two functions, of a result and of a run that
ended with an error. Every module is imported when the formats are listed, so what takes long to import is imported by
these functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privaudit.registry import Registry
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar

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
