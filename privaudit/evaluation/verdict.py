"""The verdict: what is printed and the exit code come from here and nowhere else.

A gate fails only if a confidence limit is beyond it, corrected by Holm's method over everything that the
verdict tests (all gates x attacks x masks), so that without any leakage an audit fails in at most 5 % of
runs. The finding says in words how strong the evidence is, whether or not a gate was set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError
from privaudit.evaluation.estimate import Metrics
from privaudit.evaluation.gates import Gate
from privaudit.evaluation.intervals import Side
from privaudit.evaluation.metrics import Evaluation, bound
from privaudit.evaluation.rate import unresolved

Pair = tuple[str, str]
"""Attack and mask."""

EpsilonAt = Callable[[float], float]

ONE_RUN = ("the one-run audit of the canaries", "")
"""Stands for attack and mask where a bound on epsilon is that of the whole audit."""

TESTED_MASKS = ("none", "influence", "weighted")
"""Masks that the verdict rests on. ``random`` is a control: it shows what dropping as many dimensions does."""

PERFECT = "perfect"
"""Name of a score that is higher for every member than for any non-member (`perfect_scores`)."""

TPR_LEVELS = {"high": 0.20, "medium": 0.05}
"""Minimum lower limit of TPR at 1 % FPR. If half of all candidates are members, an image that is called a member
is one with probability TPR / (TPR + .01): 95 % at .20, 83 % at .05."""

AUROC_LEVELS = {"high": 0.85, "medium": 0.69}
"""The same for the AUROC, where there are too few non-members for 1 % FPR: the AUROC of the equal-variance
normal model that has these rates, Phi((z_.99 - z_(1 - TPR)) / sqrt 2)."""


@dataclass(frozen=True)
class Check:
    """A condition under which the metrics mean what they say.

    Attributes:
        name: What was checked.
        status: ``fail`` makes the verdict inconclusive.
        detail: What was found, in words.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str


@dataclass(frozen=True)
class GateTest:
    """What a gate says of one attack under one mask.

    Attributes:
        attack: Its name, or what stands for it where a bound does not depend on the attack (`ONE_RUN`).
        mask: Its mask; empty where there is none.
        limit: The confidence limit that is held against the gate; NaN where none could be given.
        status: ``fail`` if the limit is beyond the gate, ``inconclusive`` if it says nothing.
    """

    attack: str
    mask: str
    limit: float
    status: Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class GateOutcome:
    """What became of one gate.

    Attributes:
        gate: Text of the gate, as the user wrote it.
        status: ``pass``, ``fail`` or ``inconclusive``.
        detail: The limit that decided it, or why none could.
        tests: One test per attack and mask. The gate fails if one of them does, passes if all do.
    """

    gate: str
    status: Literal["pass", "fail", "inconclusive"]
    detail: str
    tests: tuple[GateTest, ...] = ()


@dataclass(frozen=True)
class Finding:
    """How strong the evidence of leakage is, whether or not a gate was set.

    Attributes:
        level: ``unclear`` if a check failed or nothing could be measured.
        statement: The evidence in plain words.
        attack: The attack that the statement quotes; None unless leakage was found.
        mask: Its mask.
        metric: What the level rests on: ``tpr`` at 1 % FPR, or ``auroc`` where there are too few non-members for that.
        limit: Lower confidence limit of that metric, corrected for the scores that were compared; None
            without one.
        scores: Number of scores that were compared.
    """

    level: Literal["none", "low", "medium", "high", "unclear"]
    statement: str
    attack: str | None = None
    mask: str | None = None
    metric: Literal["tpr", "auroc"] | None = None
    limit: float | None = None
    scores: int = 0

    @property
    def leaks(self) -> bool:
        """Whether there is evidence of leakage."""
        return self.level in ("low", "medium", "high")


def _unchanged(finding: Finding) -> Finding:
    return finding


@dataclass(frozen=True)
class Conclusion:
    """How the question of an audit turns what its attacks found into a verdict.

    Attributes:
        finding: Function from the finding of the attacks, which takes all positives for members, to that of the audit.
        gate_note: What the gates compare, added to the outcome of each; empty if they compare known members.
        epsilon_at: Function from an error probability to a lower bound on epsilon that does not depend on the attack (a
            one-run audit of canaries); gates on epsilon then test it alone.
        epsilon_most: The same had every guess of that audit been right.
    """

    finding: Callable[[Finding], Finding] = _unchanged
    gate_note: str = ""
    epsilon_at: EpsilonAt | None = None
    epsilon_most: EpsilonAt | None = None


AS_FOUND = Conclusion()
"""Says what the attacks found."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of an audit.

    Attributes:
        status: ``fail`` if a gate failed; else ``inconclusive`` if a gate or a check was; else ``pass``.
        reasons: At least one reason.
        gates: One outcome per gate.
        finding: The evidence in words.
    """

    status: Literal["pass", "fail", "inconclusive"]
    reasons: tuple[str, ...]
    gates: tuple[GateOutcome, ...]
    finding: Finding


def decide(
    evaluation: Evaluation,
    tested: Mapping[Pair, str],
    *,
    gates: Sequence[Gate] = (),
    checks: Sequence[Check] = (),
    side: Side = "lower",
    perfect: Evaluation | None = None,
    conclusion: Conclusion = AS_FOUND,
) -> Verdict:
    """Turn an evaluation into a verdict.

    Where too few images could not show leakage whatever the scores were, nothing passes: a gate that even scores
    without an error could not fail is inconclusive, and a finding that they could not change is unclear.

    Args:
        evaluation: Holds the scores.
        tested: The name in ``evaluation`` of each (attack, mask); masks other than `TESTED_MASKS` are left out.
        gates: From `parse_gates`.
        checks: All that were made.
        side: ``lower``: a gate fails if leakage beyond it is shown (Holm over all tests, joint error 5 % at a
            confidence of 95 %). ``upper``: a gate fails unless leakage beyond it is ruled out, for each attack
            and mask at the full error; passing takes all of them, so nothing needs correcting.
        perfect: Evaluation of `PERFECT` scores on the same images; None leaves out what rests on them.
        conclusion: How finding and gates are told; as of known members by default.

    Returns:
        The verdict.
    """
    pairs = {pair: name for pair, name in tested.items() if pair[1] in TESTED_MASKS}
    failed = [f"check {check.name!r} failed: {check.detail}" for check in checks if check.status == "fail"]
    limits = _limits(evaluation, pairs, gates, side, conclusion.epsilon_at)
    tests = sum(not np.isnan(limit) for limit in limits.values())
    error = (1.0 - evaluation.confidence) / max(1, tests)
    most = {gate: _most(gate, error, perfect, conclusion) if side == "lower" else np.inf for gate in gates}
    outcomes = tuple(_judge(evaluation, pairs, gate, limits, side, failed, most[gate]) for gate in gates)
    if conclusion.gate_note:
        outcomes = tuple(replace(outcome, detail=f"{outcome.detail}; {conclusion.gate_note}") for outcome in outcomes)
    finding = conclusion.finding(_find(evaluation, pairs, failed, perfect))
    reasons = [f"gate {o.gate!r}: {o.detail}" for o in outcomes if o.status == "fail"]
    if not reasons:
        reasons = failed + [
            f"gate {o.gate!r}: {o.detail}" for o in outcomes if o.status == "inconclusive" and not failed
        ]
        status: Literal["pass", "inconclusive"] = "inconclusive" if reasons else "pass"
        if not gates:
            reasons.append("no gate was set, so nothing could fail")
        return Verdict(status, tuple(reasons or ["no gate failed"]), outcomes, finding)
    return Verdict("fail", tuple(reasons), outcomes, finding)


def perfect_scores(is_member: ArrayLike) -> NDArray[np.float64]:
    """Scores without an error, no two of them equal.

    Args:
        is_member: ``(n,)``.

    Returns:
        ``(n,)``.
    """
    member = np.asarray(is_member, dtype=np.bool_)
    return member + np.arange(member.size) / (member.size + 1.0)


def exit_code(
    verdict: Verdict, inconclusive: Literal["pass", "fail", "error"] = "error", exit_zero: bool = False
) -> int:
    """Exit code of the command line; 2 is for errors and never comes from a verdict.

    Returns:
        0 if the verdict is pass or no gate was asked for, 1 if a gate failed, else what ``inconclusive`` says.

    Raises:
        ConfigError: ``inconclusive`` is none of the three.
    """
    codes = {"pass": 0, "fail": 1, "error": 3}
    if inconclusive not in codes:
        raise ConfigError([f"expected --inconclusive to be one of {', '.join(codes)}, got {inconclusive!r}"])
    if exit_zero or not verdict.gates:
        return 0
    return codes[inconclusive] if verdict.status == "inconclusive" else codes[verdict.status]


_Limits = dict[tuple[Gate, Pair], float]


def _limits(
    evaluation: Evaluation,
    pairs: Mapping[Pair, str],
    gates: Sequence[Gate],
    side: Side,
    epsilon_at: EpsilonAt | None,
) -> _Limits:
    # Lower limits step down as in Holm 1979: with m tests left, each is held to its limit at alpha / m; those
    # beyond their gate are settled and leave, which relaxes the rest. This is Holm's method on the p-values
    # whose inversion the limits are.
    alpha = 1.0 - evaluation.confidence

    def limit(test: tuple[Gate, Pair], error: float) -> float:
        gate, pair = test
        if pair == ONE_RUN:
            return epsilon_at(error) if epsilon_at and side == "lower" else float("nan")
        return bound(evaluation, pairs[pair], gate.metric, gate.fpr, error, side)

    tests = [
        (gate, pair)
        for gate in dict.fromkeys(gates)
        for pair in ([ONE_RUN] if epsilon_at and gate.metric == "epsilon" else pairs)
    ]
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


def _most(gate: Gate, error: float, perfect: Evaluation | None, conclusion: Conclusion) -> float:
    """The lower limit that no scores on as many images can exceed; infinity where that is not known."""
    if gate.metric == "epsilon" and conclusion.epsilon_at is not None:
        return np.inf if conclusion.epsilon_most is None else conclusion.epsilon_most(error)
    return np.inf if perfect is None else bound(perfect, PERFECT, gate.metric, gate.fpr, error)


def _judge(
    evaluation: Evaluation,
    pairs: Mapping[Pair, str],
    gate: Gate,
    limits: _Limits,
    side: Side,
    failed: Sequence[str],
    most: float,
) -> GateOutcome:
    mine = {pair: limit for (tested, pair), limit in limits.items() if tested == gate}
    known = {pair: value for pair, value in mine.items() if not np.isnan(value)}
    telling = not failed and (most > gate.limit or any(value > gate.limit for value in known.values()))
    tests = tuple(_test(gate, pair, limit, telling) for pair, limit in mine.items())
    if failed:
        return GateOutcome(gate.text, "inconclusive", "; ".join(failed), tests)
    if known:
        pair = max(known, key=lambda candidate: known[candidate])
        corrected = f", corrected for {len(limits)} tests" if side == "lower" else ""
        described = (
            f"{side} limit {known[pair]:.4g} of {_named(pair)} ({evaluation.confidence:.0%} confidence{corrected})"
        )
        if known[pair] > gate.limit:
            return GateOutcome(gate.text, "fail", f"{described} is above {gate.limit:g}", tests)
        if most <= gate.limit:
            hopeless = (
                f"so few images cannot fail it: scores without an error would have a lower limit of {most:.4g}"
                f"{corrected}, not above {gate.limit:g}; add images, or set fewer gates or smaller numbers in them"
            )
            return GateOutcome(gate.text, "inconclusive", hopeless, tests)
        if len(known) == len(mine):
            return GateOutcome(gate.text, "pass", f"largest {described} is not above {gate.limit:g}", tests)
    return GateOutcome(gate.text, "inconclusive", _why_unmeasured(evaluation, pairs, gate, side, len(limits)), tests)


def _test(gate: Gate, pair: Pair, limit: float, telling: bool) -> GateTest:
    if not telling or np.isnan(limit):
        return GateTest(*pair, limit, "inconclusive")
    return GateTest(*pair, limit, "fail" if limit > gate.limit else "pass")


def _named(pair: Pair) -> str:
    return "/".join(part for part in pair if part)


def _why_unmeasured(evaluation: Evaluation, pairs: Mapping[Pair, str], gate: Gate, side: Side, tests: int) -> str:
    if not pairs:
        return "no attack was scored"
    if gate.metric == "epsilon" and side == "upper":
        return "an audit bounds epsilon from below only"
    metrics = evaluation.metrics[next(iter(pairs.values()))]
    if gate.metric == "tpr":
        rate = metrics.tpr_at_fpr.get(f"{gate.fpr:g}")
        if rate is None:
            return f"the TPR at an FPR of {gate.fpr:g} was not evaluated"
        if np.isnan(rate.lo):
            return rate.reason or "it could not be measured"
        error = (1.0 - evaluation.confidence) / (tests if side == "lower" else 1)
        if why := unresolved(gate.fpr or 0.0, evaluation.effective[1], error):
            return f"{why}; fewer tests than {tests} would need fewer"
    elif gate.metric == "epsilon":
        return metrics.epsilon_lower.reason or "it could not be measured"
    elif np.isnan(metrics.auroc.lo):
        return metrics.auroc.reason or "it could not be measured"
    return "there are too few bootstrap replicates for so many tests; run fewer attacks or set fewer gates"


def _find(
    evaluation: Evaluation, pairs: Mapping[Pair, str], failed: Sequence[str], perfect: Evaluation | None
) -> Finding:
    if failed:
        return Finding("unclear", "Whether the model leaks cannot be told from these images: " + "; ".join(failed))
    p_values = {pair: evaluation.p_above_chance[name] for pair, name in pairs.items()}
    p_values = {pair: p for pair, p in p_values.items() if not np.isnan(p)}
    if not p_values or evaluation.replicates is None:
        reasons = (evaluation.metrics[name].auroc.reason for name in pairs.values())
        why = next(filter(None, reasons), "no attack was scored on at least 2 members and 2 non-members")
        return Finding("unclear", f"Whether the model leaks cannot be told: {why}")
    # Two tests a pair, Bonferroni over all: the AUROC sees leakage that is spread over the images, the bound
    # on epsilon (at thresholds fixed on other folds, so exact) leakage of a few images at low FPR.
    alpha, tests = 1.0 - evaluation.confidence, 2 * len(p_values)
    error = alpha / tests
    significant = [pair for pair in p_values if _tells(evaluation, pairs[pair], error)]
    if not significant and perfect is not None and not _tells(perfect, PERFECT, error):
        return Finding(
            "unclear",
            f"Whether the model leaks cannot be told: {evaluation.members} members and {evaluation.nonmembers} "
            f"non-members{_counted(evaluation)} are too few to tell even scores without an error from chance, "
            f"corrected for {tests} tests; add images, or run fewer attacks",
        )
    if not significant:
        corrected = min(1.0, min(p_values.values()) * tests)
        limits = [evaluation.metrics[pairs[pair]].auroc.hi for pair in p_values]
        upper = max((limit for limit in limits if not np.isnan(limit)), default=1.0)
        return Finding(
            "none",
            "No evidence of leakage: no attack ranks members above non-members beyond "
            f"chance (corrected p = {corrected:.2g}). That does not exclude leakage: "
            f"AUROCs up to {upper:.2f} agree with these images",
        )
    rates = {pair: bound(evaluation, pairs[pair], "tpr", 0.01, error) for pair in significant}
    rates = {pair: rate for pair, rate in rates.items() if not np.isnan(rate)}
    areas = {pair: bound(evaluation, pairs[pair], "auroc", None, error) for pair in significant}
    bounds, levels = (rates, TPR_LEVELS) if rates else (areas, AUROC_LEVELS)
    # Rates may all have a limit of 0; then the AUROC tells which attack is the best.
    best = max(bounds, key=lambda pair: (bounds[pair], areas[pair]))
    level: Literal["low", "medium", "high"] = "low"
    if bounds[best] >= levels["high"]:
        level = "high"
    elif bounds[best] >= levels["medium"]:
        level = "medium"
    corrected = min(1.0, p_values[best] * tests)
    if corrected <= alpha:
        shown = f"it ranks members above non-members (corrected p {_tiny(corrected)})"
    else:
        shown = "it tells some members or non-members for certain, though it does not rank them above chance overall"
    return Finding(
        level,
        f"{_in_images(evaluation, pairs[best], rates.get(best), len(p_values))}Evidence of leakage ({level}) by "
        f"{'/'.join(best)}: {shown}; {_in_numbers(evaluation.metrics[pairs[best]])}",
        *best,
        metric="tpr" if rates else "auroc",
        limit=None if np.isnan(bounds[best]) else bounds[best],
        scores=len(p_values),
    )


def _counted(evaluation: Evaluation) -> str:
    if not evaluation.clustered:
        return ""
    members, nonmembers = evaluation.effective
    return f" (which count as {members:.1f} and {nonmembers:.1f}, since some were drawn together)"


def _tells(evaluation: Evaluation, name: str, error: float) -> bool:
    return evaluation.p_above_chance[name] <= error or bound(evaluation, name, "epsilon", None, error) > 0.0


def _tiny(p: float) -> str:
    return f"= {p:.2g}" if p > 0 else "< 1e-300"


def _in_images(evaluation: Evaluation, name: str, limit: float | None, compared: int) -> str:
    """What the rate means, counted in images; nothing where it is not shown to be better than guessing."""
    rate = evaluation.metrics[name].tpr_at_fpr.get("0.01")
    if rate is None or limit is None or limit <= 0.01:
        return ""
    return (
        f"An attacker who wrongly accuses 1 of 100 unseen images recognises {100 * rate.value:.1f} of 100 training "
        f"images (at least {100 * limit:.1f}, corrected for {compared} scores compared); guessing would recognise 1. "
    )


def _in_numbers(metrics: Metrics) -> str:
    area, rate = metrics.auroc, metrics.tpr_at_fpr.get("0.01")
    text = f"AUROC {area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}]"
    if rate is None or np.isnan(rate.value):
        return text
    if np.isnan(rate.lo):
        return f"{text}, TPR at 1 % FPR {rate.value:.3f} (too few non-members for an interval)"
    return f"{text}, TPR at 1 % FPR {rate.value:.3f} [{rate.lo:.3f}, {rate.hi:.3f}]"
