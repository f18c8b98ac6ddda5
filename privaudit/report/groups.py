"""Whose images are most exposed: one line a group of the manifests."""

from __future__ import annotations

import math

from rich.markup import escape
from rich.table import Column, Table

from privaudit.evaluation.estimate import Estimate, GroupStratum, RateEstimate
from privaudit.report.console import TABLE
from privaudit.report.numbers import interval_text
from privaudit.result import AttackReport, AuditResult

SHOWN = 12
"""Lines at most; the others are in report.json."""


def group_table(result: AuditResult) -> Table:
    """List the groups on which the quoted attack does best.

    Args:
        result: With groups.

    Returns:
        The table.
    """
    report = _quoted(result)
    groups = sorted(report.groups, key=lambda group: (-_or_least(group.auroc.value), group.name))
    further = f"; {len(groups) - SHOWN} more in report.json" if len(groups) > SHOWN else ""
    table = Table(
        Column("group", overflow="fold"),
        "members",
        "non-members",
        "AUROC",
        "TPR@1%FPR",
        title=f"{report.name} without mask by group, the most exposed first{further}",
        caption="Groups with fewer than two non-members of their own are compared with all non-members (all).",
        caption_justify="left",
        **TABLE,
    )
    for group in groups[:SHOWN]:
        table.add_row(escape(group.name), str(group.members), _rivals(group), _cell(group.auroc), _cell(group.tpr))
    return table


def _quoted(result: AuditResult) -> AttackReport:
    """The attack that the finding quotes, or else the one of largest AUROC."""
    by_name = {report.name: report for report in result.attacks}
    quoted = by_name.get(result.verdict.finding.attack or "")
    return quoted or max(result.attacks, key=lambda report: _or_least(report.masks["none"].auroc.value))


def _rivals(group: GroupStratum) -> str:
    return str(group.nonmembers) if group.against == "group" else f"{group.nonmembers} (all)"


def _cell(estimate: Estimate | RateEstimate | None) -> str:
    return "n/a" if estimate is None else interval_text(estimate)


def _or_least(value: float) -> float:
    return -1.0 if math.isnan(value) else value
