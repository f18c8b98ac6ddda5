"""What a reader of a comparison should keep in mind."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.compare.comparison import Change, GateChange, Pairing
from privaudit.compare.measuring import CHANCE, Line
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.finding import TESTED_MASKS, failed_checks
from privaudit.results.audit_result import AuditResult

LEVELS = ("none", "low", "medium", "high")
"""Levels of a finding in ascending order; ``unclear`` is none of them."""


def notes(
    old: AuditResult,
    new: AuditResult,
    pairing: Pairing,
    lines: Sequence[Line],
    changes: Sequence[Change],
    gates: Sequence[GateChange],
) -> tuple[Fact, ...]:
    """List what the numbers alone do not say."""
    facts = []
    if old.target.hash == new.target.hash:
        facts.append(fact("same_model"))
    facts += _about_finding(old, new, changes)
    facts += [
        fact("gate_undecided_now", gate=gate.gate) for gate in gates if (gate.old, gate.new) == ("pass", "inconclusive")
    ]
    facts += [fact("old_check_failed", check=check.name) for check in failed_checks(old.checks)]
    if old.privaudit_version != new.privaudit_version:
        facts.append(fact("versions_differ"))
    return (*facts, *_about_intervals(pairing, lines))


def untested(changes: Sequence[Change]) -> tuple[Fact, ...]:
    """List why differences that should be tested could not be, each reason once."""
    reasons: list[Fact] = []
    for change in changes:
        reason = change.difference.reason
        testable = change.metric in CHANCE and change.mask in TESTED_MASKS
        if testable and not change.tested and reason is not None and reason not in reasons:
            reasons.append(reason)
    return tuple(reasons)


def _about_finding(old: AuditResult, new: AuditResult, changes: Sequence[Change]) -> list[Fact]:
    before, after = old.verdict.finding.level, new.verdict.finding.level
    if before not in LEVELS or after not in LEVELS or LEVELS.index(after) <= LEVELS.index(before):
        return []
    rose = fact("finding_rose", old=before, new=after)
    shown = any(change.direction == "worse" for change in changes)
    return [rose] if shown else [rose, fact("no_difference_shown")]


def _about_intervals(pairing: Pairing, lines: Sequence[Line]) -> list[Fact]:
    facts = [fact("level_differs", attack=name) for name, old, new in lines if old.levels_by_fold != new.levels_by_fold]
    wider = {name: max(old.spread, new.spread) for name, old, new in lines}
    if pairing.paired:
        facts += [fact("interval_widened", attack=name, factor=wide) for name, wide in wider.items() if wide > 1.05]
    if pairing.moved:
        facts.append(fact("images_moved", images=pairing.moved))
    return facts
