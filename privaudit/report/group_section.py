"""Whose images are most exposed: one line per group of the manifests."""

from __future__ import annotations

import math

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from privaudit.evaluation.estimate import Estimate, GroupStratum, RateEstimate
from privaudit.report.console import TABLE, section
from privaudit.report.numbers import interval_text
from privaudit.report.quoted import quoted
from privaudit.results.audit_result import AuditResult

SHOWN = 12
"""Lines at most; the others are in report.json."""


def group_section(result: AuditResult, *, named: bool = True) -> Group | None:
    """List the groups on which the quoted attack does best."""
    if not any(report.groups for report in result.attacks):
        return None
    report = quoted(result).report
    groups = sorted(report.groups, key=lambda group: (-_or_least(group.auroc.value), group.name))
    further = f"; {len(groups) - SHOWN} more in report.json" if len(groups) > SHOWN else ""
    table = Table(Column("group", overflow="fold"), "members", "non-members", "AUROC", "TPR@1%FPR", **TABLE)
    for group in groups[:SHOWN]:
        cells = (group.name, str(group.members), _rivals(group), _cell(group.auroc), _cell(group.tpr))
        table.add_row(*map(Text, cells))
    note = "Groups with fewer than two non-members of their own are compared with all non-members (all)."
    note = note if named else f"{note} They are numbered here: a group may be a person, and report.json has the names."
    body = Group(table, Text(note, style="dim italic"))
    return section(f"{report.name} without mask by group, the most exposed first{further}", body)


def _rivals(group: GroupStratum) -> str:
    return str(group.nonmembers) if group.against == "group" else f"{group.nonmembers} (all)"


def _cell(estimate: Estimate | RateEstimate | None) -> str:
    return "n/a" if estimate is None else interval_text(estimate)


def _or_least(value: float) -> float:
    return -1.0 if math.isnan(value) else value
