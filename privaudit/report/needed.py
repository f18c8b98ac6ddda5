"""How many images per gate that could not be decided needs, and what else would decide it."""

from __future__ import annotations

import math

from privaudit.errors import ConfigError
from privaudit.evaluation.gates import Gate, parse_gates
from privaudit.evaluation.verdict import GateOutcome
from privaudit.results.audit_result import AuditResult


def undecided(result: AuditResult) -> tuple[str, ...]:
    """Say what would decide each gate that is inconclusive.

    Returns:
        A sentence per gate; empty if all were decided, or if what is wrong is a check.
    """
    if any(check.status == "fail" for check in result.checks):
        return ()
    return tuple(_decide(result, outcome) for outcome in result.verdict.gates if outcome.status == "inconclusive")


def non_members_needed(fpr: float, error: float) -> int:
    """Count the independent non-members below which no lower limit of a rate exists.

    With the probability (1 - f)^n none of n non-members exceeds the threshold (`privaudit.evaluation.rate.unresolved`).

    Returns:
        The least n with (1 - f)^n <= error, and at least 1 / f.
    """
    return math.ceil(max(1.0 / fpr, math.log(error) / math.log1p(-fpr)) - 1e-9)


def _decide(result: AuditResult, outcome: GateOutcome) -> str:
    gate, there = _parsed(outcome.gate), result.data.nonmembers
    upper = result.config.get("gate_bound") == "upper"
    if gate is not None and gate.metric == "epsilon" and upper:
        return f"Leave --gate-bound upper out for the gate {outcome.gate}: an audit bounds epsilon from below only."
    if gate is not None and gate.fpr is not None:
        tests = 1 if upper else sum(max(1, len(other.tests)) for other in result.verdict.gates)
        error = (1.0 - float(result.config.get("confidence", 0.95))) / tests
        needed = non_members_needed(gate.fpr, error)
        if there < needed:
            among = "" if tests == 1 else f", since {tests} tests share the error"
            return (
                f"Add images: the gate {outcome.gate} needs at least {needed} non-members for a limit{among}; there "
                f"were {there}."
            )
    return (
        f"Add images, or run fewer attacks and set fewer gates: {outcome.gate} could not be decided with so few images."
    )


def _parsed(text: str) -> Gate | None:
    try:
        return parse_gates([text])[0]
    except ConfigError:
        return None
