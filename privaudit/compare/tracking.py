"""Gates, checks and attacks of two runs next to each other."""

from __future__ import annotations

from privaudit.compare.comparison import CheckChange, GateChange
from privaudit.evaluation.gates import Gate
from privaudit.evaluation.verdict import GateOutcome
from privaudit.results.audit_result import AuditResult


def gates_of(*results: AuditResult) -> tuple[Gate, ...]:
    """List the gates that any of the results was judged by."""
    return tuple(
        Gate(outcome.gate, outcome.metric, outcome.fpr, outcome.threshold)
        for result in results
        for outcome in result.verdict.gates
        if outcome.metric != "other"
    )


def track_gates(old: AuditResult, new: AuditResult) -> tuple[GateChange, ...]:
    """Say what became of each gate.

    Returns:
        Those of the new run, then those that it does not have; gates that mean the same are one, however written.
    """
    before, after = _by_meaning(old), _by_meaning(new)
    changes = []
    for meaning in dict.fromkeys([*after, *before]):
        one, other = before.get(meaning), after.get(meaning)
        latest = (before | after)[meaning]
        changes.append(
            GateChange(
                gate=latest.gate,
                old=one.status if one else None,
                new=other.status if other else None,
                regressed=one is not None and other is not None and (one.status, other.status) == ("pass", "fail"),
                reason=latest.reason,
            )
        )
    return tuple(changes)


def track_checks(old: AuditResult, new: AuditResult) -> tuple[CheckChange, ...]:
    """Say which checks changed their status."""
    before, after = ({check.name: check for check in result.checks} for result in (old, new))
    changes = []
    for name in dict.fromkeys([*after, *before]):
        one, other = before.get(name), after.get(name)
        status = (one.status if one else None, other.status if other else None)
        if status[0] != status[1]:
            changes.append(CheckChange(name, *status, facts=(before | after)[name].facts))
    return tuple(changes)


def _by_meaning(result: AuditResult) -> dict[tuple[str, float | None, float | str], GateOutcome]:
    """Gates by what they compare; one of another version, whose meaning is not known, by its text."""
    return {
        (gate.metric, gate.fpr, gate.gate if gate.metric == "other" else gate.threshold): gate
        for gate in result.verdict.gates
    }
