"""Gates and checks of two runs next to each other."""

from __future__ import annotations

from privaudit.compare.comparison import CheckChange, GateChange
from privaudit.evaluation.gates import Gate
from privaudit.evaluation.verdict import GateOutcome
from privaudit.results.audit_result import AuditResult


def gates_of(*results: AuditResult) -> tuple[Gate, ...]:
    """List the gates of all results whose meaning is known; see `_by_meaning` for the others."""
    return tuple(
        Gate(outcome.gate, outcome.metric, outcome.fpr, outcome.threshold)
        for result in results
        for outcome in result.verdict.gates
        if outcome.metric != "other"
    )


def track_gates(old: AuditResult, new: AuditResult) -> tuple[GateChange, ...]:
    """Compare the status of each gate.

    Returns:
        Gates of the new run, then those that only the old run has. Gates with the same meaning are one entry, however
        they were written.
    """
    old_gates, new_gates = _by_meaning(old), _by_meaning(new)
    changes = []
    for meaning in dict.fromkeys([*new_gates, *old_gates]):
        before, after = old_gates.get(meaning), new_gates.get(meaning)
        latest = (old_gates | new_gates)[meaning]
        statuses = (before.status if before else None, after.status if after else None)
        changes.append(
            GateChange(
                gate=latest.gate,
                old=statuses[0],
                new=statuses[1],
                regressed=statuses == ("pass", "fail"),
                reason=latest.reason,
            )
        )
    return tuple(changes)


def track_checks(old: AuditResult, new: AuditResult) -> tuple[CheckChange, ...]:
    """List the checks whose status changed."""
    old_checks, new_checks = ({check.name: check for check in result.checks} for result in (old, new))
    changes = []
    for name in dict.fromkeys([*new_checks, *old_checks]):
        before, after = old_checks.get(name), new_checks.get(name)
        statuses = (before.status if before else None, after.status if after else None)
        if statuses[0] != statuses[1]:
            changes.append(CheckChange(name, *statuses, facts=(old_checks | new_checks)[name].facts))
    return tuple(changes)


def _by_meaning(result: AuditResult) -> dict[tuple[str, float | None, float | str], GateOutcome]:
    """Gates by metric, false-positive rate and threshold; gates of another version, which have none, by their text."""
    return {
        (gate.metric, gate.fpr, gate.gate if gate.metric == "other" else gate.threshold): gate
        for gate in result.verdict.gates
    }
