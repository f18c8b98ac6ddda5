"""The verdict: the only source of the printed outcome and of the exit code.

A gate fails only if a confidence limit exceeds it. Limits are corrected by Holm's method over all tests of the verdict
(gates x attacks x masks), so that without leakage at most 5 % of audits fail. The finding states the strength of the
evidence, whether or not a gate was set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from privaudit.errors import ConfigError
from privaudit.evaluation.doubts import doubtful_checks
from privaudit.evaluation.facts import Check, Fact, fact
from privaudit.evaluation.finding import PERFECT, TESTED_MASKS, Finding, Pair, failed_checks, find_leakage
from privaudit.evaluation.gates import Gate, RecordedMetric
from privaudit.evaluation.intervals import Side
from privaudit.evaluation.metrics import Evaluation, bound
from privaudit.evaluation.rate import unresolved

EpsilonAt = Callable[[float], float]
Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class GateTest:
    """Outcome of a gate for one attack and mask.

    Attributes:
        attack: Name of the attack; None for a bound that depends on no attack (the one-run audit of canaries).
        mask: Mask of the attack; None without an attack.
        limit: Confidence limit that is compared with the gate; NaN if there is none.
        status: ``fail`` if the limit exceeds the gate, ``inconclusive`` if it does not decide the gate, else ``pass``.
    """

    attack: str | None
    mask: str | None
    limit: float
    status: Status


@dataclass(frozen=True)
class GateOutcome:
    """Outcome of one gate.

    Attributes:
        gate: Text of the gate, as the user wrote it.
        metric: Metric of the gate; ``other`` for a gate of another version of privaudit.
        fpr: Target false-positive rate of ``tpr``; None for every other metric.
        threshold: Largest accepted value of the metric.
        status: ``pass``, ``fail`` or ``inconclusive``.
        reason: The limit that decided the gate, or why it is inconclusive.
        tests: One test per attack and mask. The gate fails if one of them fails, and passes if all pass.
    """

    gate: str
    metric: RecordedMetric
    fpr: float | None
    threshold: float
    status: Status
    reason: Fact
    tests: tuple[GateTest, ...] = ()


def _unchanged(finding: Finding) -> Finding:
    return finding


@dataclass(frozen=True)
class Conclusion:
    """Adapts the verdict to the question of an audit (known members, suspects, canaries).

    Attributes:
        finding: Function from the finding of the attacks, with all positives regarded as members, to that of the audit.
        epsilon_at: Function from an error probability to a lower bound on epsilon that does not depend on an attack (a
            one-run audit of canaries); gates on epsilon then test only this bound. None otherwise.
        epsilon_most: The same function if every guess of that audit had been right.
    """

    finding: Callable[[Finding], Finding] = _unchanged
    epsilon_at: EpsilonAt | None = None
    epsilon_most: EpsilonAt | None = None


ATTACKS_DECIDE = Conclusion()
"""The finding of the attacks is that of the audit."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of an audit.

    Attributes:
        status: ``fail`` if a gate failed; else ``inconclusive`` if a check failed, a gate is inconclusive, or no leak
            was found but a check warns of something that can hide one; else ``pass``.
        reasons: Reasons for the status, at least one.
        gates: One outcome per gate.
        finding: Strength of the evidence of leakage.
    """

    status: Status
    reasons: tuple[Fact, ...]
    gates: tuple[GateOutcome, ...]
    finding: Finding


def decide(
    evaluation: Evaluation[Pair],
    scores: Collection[Pair],
    *,
    gates: Sequence[Gate] = (),
    checks: Sequence[Check] = (),
    side: Side = "lower",
    perfect: Evaluation[Pair] | None = None,
    conclusion: Conclusion = ATTACKS_DECIDE,
) -> Verdict:
    """Turn an evaluation into a verdict.

    Too few images cannot pass: a gate that even perfect scores could not exceed is inconclusive, and a finding of no
    leakage that they could not change is unclear. Nor can an audit pass while a check warns of something that can hide
    a leak (`privaudit.evaluation.doubts`): a leak and a failed gate stand, an all-clear does not.

    Args:
        evaluation: Evaluation of the scores.
        scores: Attack and mask of each score; masks other than `TESTED_MASKS` are ignored.
        gates: Gates, from `parse_gates`.
        checks: Results of all checks.
        side: ``lower``: a gate fails if leakage beyond it is shown (Holm over all tests, family-wise error 5 % at a
            confidence of 95 %). ``upper``: a gate fails unless leakage beyond it is ruled out for each attack and mask,
            at the full error probability; no correction is needed, since passing requires all of them.
        perfect: Evaluation of `PERFECT` scores on the same images; None skips the comparison with perfect scores.
        conclusion: How the finding and gates on epsilon are decided; by default, as for known members.

    Returns:
        The verdict.
    """
    pairs = [pair for pair in scores if pair[1] in TESTED_MASKS]
    failed = failed_checks(checks)
    limits = _limits(evaluation, pairs, gates, side, conclusion.epsilon_at)
    tests = sum(not np.isnan(limit) for limit in limits.values())
    error = (1.0 - evaluation.confidence) / max(1, tests)
    reach = {gate: _max_limit(gate, error, perfect, conclusion) if side == "lower" else np.inf for gate in gates}
    outcomes = tuple(
        _decide_gate(evaluation, pairs, gate, limits, side, reach[gate], checks_failed=bool(failed)) for gate in gates
    )
    finding = conclusion.finding(find_leakage(evaluation, pairs, checks, perfect))
    if doubtful := doubtful_checks(checks):
        doubt = fact("reading_in_doubt", check=", ".join(check.name for check in doubtful))
        outcomes, finding = tuple(_doubted(outcome, doubt) for outcome in outcomes), _doubted_finding(finding, doubt)
    status, reasons = _overall(outcomes, failed, finding)
    if not gates and status == "inconclusive":
        reasons = (*reasons, fact("no_gate_set"))
    return Verdict(status, reasons, outcomes, finding)


def _doubted(outcome: GateOutcome, doubt: Fact) -> GateOutcome:
    """Outcome of a gate if something can hide a leak: it does not pass."""
    if outcome.status != "pass":
        return outcome
    tests = tuple(replace(test, status="inconclusive") for test in outcome.tests)
    return replace(outcome, status="inconclusive", reason=doubt, tests=tests)


def _doubted_finding(finding: Finding, doubt: Fact) -> Finding:
    """The finding if something can hide a leak: it is not "none"."""
    return replace(finding, level="unclear", basis="checks", reason=doubt) if finding.level == "none" else finding


def _overall(
    outcomes: Sequence[GateOutcome], failed: Sequence[Check], finding: Finding
) -> tuple[Status, tuple[Fact, ...]]:
    """Status and reasons, by precedence: failed gates, failed checks, doubts, inconclusive gates."""
    if reasons := tuple(fact("gate_failed", gate=gate.gate) for gate in outcomes if gate.status == "fail"):
        return "fail", reasons
    if failed:
        return "inconclusive", tuple(fact("check_failed", check=check.name) for check in failed)
    if (doubt := finding.reason) is not None and doubt.code == "reading_in_doubt":
        return "inconclusive", (doubt,)
    if undecided := [gate for gate in outcomes if gate.status == "inconclusive"]:
        return "inconclusive", tuple(fact("gate_inconclusive", gate=gate.gate) for gate in undecided)
    return "pass", (fact("no_gate_failed" if outcomes else "no_gate_set"),)


def exit_code(
    status: Status,
    *,
    gated: bool,
    inconclusive: Literal["pass", "fail", "error"] = "error",
    exit_zero: bool = False,
) -> int:
    """Exit code of the command line; 2 is for errors and never comes from a verdict.

    Args:
        status: Status of the verdict.
        gated: Whether a gate was set.
        inconclusive: Outcome as which an inconclusive verdict counts: ``pass``, ``fail`` or ``error`` (exit code 3).
        exit_zero: Whether the code is always 0.

    Returns:
        0 if the verdict is pass or no gate was set, 1 if a gate failed, else the code of ``inconclusive``.

    Raises:
        ConfigError: ``inconclusive`` is none of the three.
    """
    codes = {"pass": 0, "fail": 1, "error": 3}
    if inconclusive not in codes:
        raise ConfigError([f"expected --inconclusive to be one of {', '.join(codes)}, got {inconclusive!r}"])
    if exit_zero or not gated:
        return 0
    return codes[inconclusive] if status == "inconclusive" else codes[status]


_Limits = dict[tuple[Gate, Pair | None], float]
"""Limits by gate and score; the score is None for a bound that depends on no score."""


def _limits(
    evaluation: Evaluation[Pair],
    pairs: Sequence[Pair],
    gates: Sequence[Gate],
    side: Side,
    epsilon_at: EpsilonAt | None,
) -> _Limits:
    # Holm 1979, on limits instead of the p-values that they invert: with m tests open, limits are taken at alpha / m.
    # Tests whose limit exceeds the gate are rejected and removed, which relaxes the correction of the others.
    alpha = 1.0 - evaluation.confidence

    def limit(test: tuple[Gate, Pair | None], error: float) -> float:
        gate, pair = test
        if pair is None:
            return epsilon_at(error) if epsilon_at and side == "lower" else float("nan")
        return bound(evaluation, pair, gate.metric, gate.fpr, error, side)

    tests: list[tuple[Gate, Pair | None]] = []
    for gate in dict.fromkeys(gates):
        one_run = epsilon_at is not None and gate.metric == "epsilon"
        tests += [(gate, None)] if one_run else [(gate, pair) for pair in pairs]
    measured = {test: limit(test, alpha) for test in tests}
    if side == "upper":
        return measured
    # Tests without a limit even at the full alpha count neither as open nor for the correction.
    open_tests = [test for test, value in measured.items() if not np.isnan(value)]
    settled = {test: value for test, value in measured.items() if np.isnan(value)}
    while open_tests:
        corrected = {test: limit(test, alpha / len(open_tests)) for test in open_tests}
        beyond = {test: value for test, value in corrected.items() if value > test[0].limit}
        settled |= beyond or corrected
        open_tests = [test for test in open_tests if test not in beyond] if beyond else []
    return {test: settled[test] for test in tests}


def _max_limit(gate: Gate, error: float, perfect: Evaluation[Pair] | None, conclusion: Conclusion) -> float:
    """Largest lower limit that any scores on so many images can have; infinity if unknown."""
    if gate.metric == "epsilon" and conclusion.epsilon_at is not None:
        return np.inf if conclusion.epsilon_most is None else conclusion.epsilon_most(error)
    return np.inf if perfect is None else bound(perfect, PERFECT, gate.metric, gate.fpr, error)


def _decide_gate(
    evaluation: Evaluation[Pair],
    pairs: Sequence[Pair],
    gate: Gate,
    limits: _Limits,
    side: Side,
    reach: float,
    *,
    checks_failed: bool,
) -> GateOutcome:
    gate_limits = {pair: limit for (tested, pair), limit in limits.items() if tested == gate}
    measured = {pair: value for pair, value in gate_limits.items() if not np.isnan(value)}
    # A limit within a gate that no scores could exceed does not show that there is no leakage.
    decisive = not checks_failed and (reach > gate.limit or any(value > gate.limit for value in measured.values()))
    tests = tuple(_test_outcome(gate, pair, limit, decisive) for pair, limit in gate_limits.items())

    def outcome(status: Status, reason: Fact) -> GateOutcome:
        return GateOutcome(gate.text, gate.metric, gate.fpr, gate.limit, status, reason, tests)

    if checks_failed:
        return outcome("inconclusive", fact("checks_failed"))
    corrected = len(limits) if side == "lower" else 0
    if measured:
        pair = max(measured, key=lambda candidate: measured[candidate])
        if measured[pair] > gate.limit:
            return outcome("fail", _limit_fact("beyond", pair, measured[pair], side, evaluation.confidence, corrected))
        if reach <= gate.limit:
            return outcome("inconclusive", fact("gate_out_of_reach", limit=float(reach), tests=corrected))
        if len(measured) == len(gate_limits):
            return outcome("pass", _limit_fact("within", pair, measured[pair], side, evaluation.confidence, corrected))
    return outcome("inconclusive", _why_unmeasured(evaluation, pairs, gate, side, len(limits)))


def _test_outcome(gate: Gate, pair: Pair | None, limit: float, decisive: bool) -> GateTest:
    attack, mask = pair or (None, None)
    if not decisive or np.isnan(limit):
        return GateTest(attack, mask, limit, "inconclusive")
    return GateTest(attack, mask, limit, "fail" if limit > gate.limit else "pass")


def _limit_fact(where: str, pair: Pair | None, limit: float, side: Side, confidence: float, tests: int) -> Fact:
    values: Mapping[str, float | int] = {"limit": float(limit), "confidence": confidence, "tests": tests}
    if pair is None:
        return Fact(f"one_run_limit_{where}_gate", values)
    return Fact(f"limit_{where}_gate", {**values, "attack": pair[0], "mask": pair[1], "side": side})


def _why_unmeasured(evaluation: Evaluation[Pair], pairs: Sequence[Pair], gate: Gate, side: Side, tests: int) -> Fact:
    if not pairs:
        return fact("no_score")
    if gate.metric == "epsilon" and side == "upper":
        return fact("epsilon_has_no_upper_limit")
    metrics = evaluation.metrics[pairs[0]]
    if gate.metric == "tpr":
        rate = metrics.tpr_at_fpr.get(f"{gate.fpr:g}")
        if rate is None:
            return fact("rate_not_evaluated", fpr=gate.fpr or 0.0)
        error = (1.0 - evaluation.confidence) / (tests if side == "lower" else 1)
        unresolvable = unresolved(gate.fpr or 0.0, evaluation.effective[1], error)
        if unresolvable is not None and unresolvable.code == "limit_needs_nonmembers":
            return Fact("gate_needs_nonmembers", {**unresolvable.values, "tests": tests if side == "lower" else 1})
        if np.isnan(rate.lo):
            return rate.reason or fact("not_measured")
    elif gate.metric == "epsilon":
        return metrics.epsilon_lower.reason or fact("not_measured")
    elif np.isnan(metrics.auroc.lo):
        return metrics.auroc.reason or fact("not_measured")
    return fact("too_few_replicates", tests=tests)
