"""Selects the attacks that a plot shows, and names those that exist if one is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from privaudit.errors import ResultError
from privaudit.report.quoted import by_strength, quoted_first, strongest
from privaudit.results.audit_result import AttackReport, AuditResult

T = TypeVar("T")

MAX_LINES = 4
"""Maximum number of attacks in a plot of lines, unless they are named."""


def attack_report(result: AuditResult, name: str | None) -> AttackReport:
    """Look up the report of an attack, by default of the strongest; an unknown name is a `ResultError`."""
    reports = {report.name: report for report in result.attacks}
    return one_of(reports, strongest(result) if name is None else name, "an attack of this audit")


def attack_reports(result: AuditResult, names: Sequence[str] | None, limit: int | None = None) -> list[AttackReport]:
    """Look up the reports of several attacks.

    Args:
        result: Result of an audit.
        names: Names of attacks; None takes all, the quoted one first, or the ``limit`` strongest.
        limit: Maximum number of attacks if ``names`` is None; None sets no maximum.

    Returns:
        Reports in the order of the names.

    Raises:
        ResultError: There is no such attack, or the list is empty or a single text.
    """
    if names is None:
        return quoted_first(result) if limit is None else by_strength(result)[:limit]
    if isinstance(names, str) or not names:
        raise ResultError(f"expected a list of one attack or more, got {names!r}; write attacks=['sima']")
    return [attack_report(result, name) for name in names]


def one_of(things: Mapping[str, T], name: str, what: str) -> T:
    """Look up a name; an unknown one is a `ResultError` that lists the known names."""
    if name not in things:
        raise ResultError(f"expected {what} ({', '.join(things) or 'there is none'}), got {name!r}")
    return things[name]
