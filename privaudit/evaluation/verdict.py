"""The verdict: what is printed and the exit code come from here and nowhere else.

A gate fails only if a confidence limit is beyond it, corrected by Holm's method over everything that the
verdict tests (all gates x attacks x masks), so that without any leakage an audit fails in at most 5 % of
runs. The finding says how strong the evidence is, whether or not a gate was set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from privaudit.errors import ConfigError
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
    """What a gate says of one attack under one mask.

    Attributes:
        attack: Name of the attack; None where a bound does not depend on any (the one-run audit of canaries).
        mask: Mask of the attack; None without an attack.
        limit: The confidence limit that is held against the gate; NaN where none could be given.
        status: ``fail`` if the limit is beyond the gate, ``inconclusive`` if it says nothing.
    """

    attack: str | None
    mask: str | None
    limit: float
    status: Status


@dataclass(frozen=True)
class GateOutcome:
    """What became of one gate.

    Attributes:
        gate: Text of the gate, as the user wrote it.
        metric: What it looks at; ``other`` for a gate of another version of privaudit.
        fpr: Target false-positive rate of ``tpr``; None for every other metric.
        threshold: The metric may be as large as this.
        status: ``pass``, ``fail`` or ``inconclusive``.
        reason: The limit that decided it, or why none could.
        tests: One test per attack and mask. The gate fails if one of them does, passes if all do.
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
    """How the question of an audit turns what its attacks show into a verdict.

    Attributes:
        finding: Function from the finding of the attacks, which takes all positives for members, to that of the audit.
        epsilon_at: Function from an error probability to a lower bound on epsilon that does not depend on the attack (a
            one-run audit of canaries); gates on epsilon then test it alone.
        epsilon_most: The same had every guess of that audit been right.
    """

    finding: Callable[[Finding], Finding] = _unchanged
    epsilon_at: EpsilonAt | None = None
    epsilon_most: EpsilonAt | None = None


ATTACKS_DECIDE = Conclusion()
"""What the attacks show is the finding."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of an audit.

    Attributes:
        status: ``fail`` if a gate failed; else ``inconclusive`` if a gate or a check was; else ``pass``.
        reasons: At least one reason.
        gates: One outcome per gate.
        finding: The evidence.
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

    Where too few images could not show leakage whatever the scores were, nothing passes: a gate that even scores
    without an error could not fail is inconclusive, and a finding that they could not change is unclear.

    Args:
        evaluation: Holds the scores.
        scores: Attack and mask of each score; masks other than `TESTED_MASKS` are left out.
        gates: From `parse_gates`.
        checks: All that were made.
        side: ``lower``: a gate fails if leakage beyond it is shown (Holm over all tests, joint error 5 % at a
            confidence of 95 %). ``upper``: a gate fails unless leakage beyond it is ruled out, for each attack
            and mask at the full error; passing takes all of them, so nothing needs correcting.
        perfect: Evaluation of `PERFECT` scores on the same images; None leaves out what rests on them.
        conclusion: How the finding and gates on epsilon are decided; as of known members by default.

    Returns:
        The verdict.
    """
    pairs = [pair for pair in scores if pair[1] in TESTED_MASKS]
    failed = failed_checks(checks)
    limits = _limits(evaluation, pairs, gates, side, conclusion.epsilon_at)
    tests = sum(not np.isnan(limit) for limit in limits.values())
    error = (1.0 - evaluation.confidence) / max(1, tests)
    most = {gate: _most(gate, error, perfect, conclusion) if side == "lower" else np.inf for gate in gates}
    outcomes = tuple(_judge(evaluation, pairs, gate, limits, side, most[gate], unfit=bool(failed)) for gate in gates)
    finding = conclusion.finding(find_leakage(evaluation, pairs, checks, perfect))
    status, reasons = _overall(outcomes, failed)
    if not gates and status == "inconclusive":
        reasons = (*reasons, fact("no_gate_set"))
    return Verdict(status, reasons, outcomes, finding)


def _overall(outcomes: Sequence[GateOutcome], failed: Sequence[Check]) -> tuple[Status, tuple[Fact, ...]]:
    """The status, and why: gates that failed come first, then checks, then gates that were not decided."""
    if reasons := tuple(fact("gate_failed", gate=gate.gate) for gate in outcomes if gate.status == "fail"):
        return "fail", reasons
    if failed:
        return "inconclusive", tuple(fact("check_failed", check=check.name) for check in failed)
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
        gated: Whether anything could fail.
        inconclusive: What an inconclusive verdict counts as.
        exit_zero: Whether the code is 0 whatever the verdict is.

    Returns:
        0 if the verdict is pass or no gate was set, 1 if a gate failed, else what ``inconclusive`` says.

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
"""By gate and score; None for a bound that depends on no score."""


def _limits(
    evaluation: Evaluation[Pair],
    pairs: Sequence[Pair],
    gates: Sequence[Gate],
    side: Side,
    epsilon_at: EpsilonAt | None,
) -> _Limits:
    # Lower limits step down as in Holm 1979: with m tests left, each is held to its limit at alpha / m; those
    # beyond their gate are settled and leave, which relaxes the rest. This is Holm's method on the p-values
    # whose inversion the limits are.
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
    left = [test for test, value in measured.items() if not np.isnan(value)]
    settled = {test: value for test, value in measured.items() if np.isnan(value)}
    while left:
        now = {test: limit(test, alpha / len(left)) for test in left}
        beyond = {test: value for test, value in now.items() if value > test[0].limit}
        settled |= beyond or now
        left = [test for test in left if test not in beyond] if beyond else []
    return {test: settled[test] for test in tests}


def _most(gate: Gate, error: float, perfect: Evaluation[Pair] | None, conclusion: Conclusion) -> float:
    """The lower limit that no scores on as many images can exceed; infinity where that is not known."""
    if gate.metric == "epsilon" and conclusion.epsilon_at is not None:
        return np.inf if conclusion.epsilon_most is None else conclusion.epsilon_most(error)
    return np.inf if perfect is None else bound(perfect, PERFECT, gate.metric, gate.fpr, error)


def _judge(
    evaluation: Evaluation[Pair],
    pairs: Sequence[Pair],
    gate: Gate,
    limits: _Limits,
    side: Side,
    most: float,
    *,
    unfit: bool,
) -> GateOutcome:
    mine = {pair: limit for (tested, pair), limit in limits.items() if tested == gate}
    known = {pair: value for pair, value in mine.items() if not np.isnan(value)}
    decisive = not unfit and (most > gate.limit or any(value > gate.limit for value in known.values()))
    tests = tuple(_test(gate, pair, limit, decisive) for pair, limit in mine.items())

    def outcome(status: Status, reason: Fact) -> GateOutcome:
        return GateOutcome(gate.text, gate.metric, gate.fpr, gate.limit, status, reason, tests)

    if unfit:
        return outcome("inconclusive", fact("checks_failed"))
    corrected = len(limits) if side == "lower" else 0
    if known:
        pair = max(known, key=lambda candidate: known[candidate])
        if known[pair] > gate.limit:
            return outcome("fail", _limit_fact("beyond", pair, known[pair], side, evaluation.confidence, corrected))
        if most <= gate.limit:
            return outcome("inconclusive", fact("gate_out_of_reach", limit=float(most), tests=corrected))
        if len(known) == len(mine):
            return outcome("pass", _limit_fact("within", pair, known[pair], side, evaluation.confidence, corrected))
    return outcome("inconclusive", _why_unmeasured(evaluation, pairs, gate, side, len(limits)))


def _test(gate: Gate, pair: Pair | None, limit: float, decisive: bool) -> GateTest:
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
        if np.isnan(rate.lo):
            return rate.reason or fact("not_measured")
        if unresolvable is not None:
            return Fact("gate_needs_nonmembers", {**unresolvable.values, "tests": tests})
    elif gate.metric == "epsilon":
        return metrics.epsilon_lower.reason or fact("not_measured")
    elif np.isnan(metrics.auroc.lo):
        return metrics.auroc.reason or fact("not_measured")
    return fact("too_few_replicates", tests=tests)
