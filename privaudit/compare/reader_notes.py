"""Notes for the reader of a comparison: what the numbers alone do not show."""

from __future__ import annotations

from collections.abc import Sequence

from privaudit.compare.comparison import Change, GateChange, Pairing
from privaudit.compare.measuring import CHANCE, AttackPair
from privaudit.evaluation.facts import Fact, fact
from privaudit.evaluation.finding import TESTED_MASKS, failed_checks
from privaudit.results.audit_result import AuditResult

LEVELS = ("none", "low", "medium", "high")
"""Levels of a finding in ascending order, without ``unclear``, which cannot be ranked."""

MIN_INFLATION = 1.05
"""Minimum factor on the standard deviation of a score, due to cross-fitting, that is worth a note."""


def notes(
    old: AuditResult,
    new: AuditResult,
    pairing: Pairing,
    attacks: Sequence[AttackPair],
    changes: Sequence[Change],
    gates: Sequence[GateChange],
) -> tuple[Fact, ...]:
    """List the notes of a comparison."""
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
    return (*facts, *_about_intervals(pairing, attacks))


def untested(changes: Sequence[Change]) -> tuple[Fact, ...]:
    """List the reasons why differences that should be tested could not be, each reason once."""
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
    rise = fact("finding_rose", old=before, new=after)
    # A finding may cross the threshold of a level by chance.
    is_shown = any(change.direction == "worse" for change in changes)
    return [rise] if is_shown else [rise, fact("no_difference_shown")]


def _about_intervals(pairing: Pairing, attacks: Sequence[AttackPair]) -> list[Fact]:
    facts = [
        fact("level_differs", attack=name) for name, old, new in attacks if old.levels_by_fold != new.levels_by_fold
    ]
    factors = {name: max(old.spread, new.spread) for name, old, new in attacks}
    if pairing.paired:  # unpaired differences use the intervals of the reports, which allow for it already
        facts += [
            fact("interval_widened", attack=name, factor=factor)
            for name, factor in factors.items()
            if factor > MIN_INFLATION
        ]
    if pairing.moved:
        facts.append(fact("images_moved", images=pairing.moved))
    return facts
