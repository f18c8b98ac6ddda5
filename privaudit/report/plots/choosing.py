"""Which attacks a plot shows if no one says, and what there is if someone asks for another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from privaudit.errors import ResultError
from privaudit.report.quoted import by_strength, quoted_first, strongest
from privaudit.results.audit_result import AttackReport, AuditResult

T = TypeVar("T")

FEW = 4
"""Attacks that fit into one picture of lines."""


def attack_report(result: AuditResult, name: str | None) -> AttackReport:
    """Find an attack.

    Returns:
        Its report.

    Raises:
        ResultError: There is no such attack.
    """
    wanted = strongest(result) if name is None else name
    return one_of({report.name: report for report in result.attacks}, wanted, "an attack of this audit")


def attack_reports(
    result: AuditResult, names: Sequence[str] | None, most: int | None = None, *, ranked: bool = False
) -> list[AttackReport]:
    """Find some attacks.

    Args:
        result: Result of an audit.
        names: As in the report; None takes all, in their order, or the strongest few.
        most: How many those are.
        ranked: Put the quoted one first and the others in the order of their AUROC, if no name is given.

    Returns:
        Their reports.

    Raises:
        ResultError: There is no such attack, or no name at all.
    """
    if names is None:
        if ranked:
            return quoted_first(result)
        return list(result.attacks) if most is None else by_strength(result)[:most]
    if isinstance(names, str) or not names:
        raise ResultError(f"expected a list of one attack or more, got {names!r}; write attacks=['sima']")
    return [attack_report(result, name) for name in names]


def one_of(things: Mapping[str, T], name: str, what: str) -> T:
    """Look something up.

    Returns:
        The thing.

    Raises:
        ResultError: There is none of that name.
    """
    if name not in things:
        raise ResultError(f"expected {what} ({_listed(things)}), got {name!r}")
    return things[name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "there is none"
