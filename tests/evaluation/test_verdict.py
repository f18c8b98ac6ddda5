from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from privaudit.errors import ConfigError
from privaudit.evaluation import (
    Check,
    GateOutcome,
    assign_folds,
    bound,
    decide,
    evaluate,
    exit_code,
    fact,
    parse_gates,
)
from privaudit.evaluation.finding import AUROC_LEVELS, PERFECT, TPR_LEVELS, perfect_scores
from privaudit.evaluation.verdict import Conclusion, Verdict

N = 300
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)
BAD = Check("blind baseline", "fail", (fact("no_attack_exceeds_blind"),))


def run(shifts: dict, n: int = N, fprs: tuple = (0.01, 0.001), replicates: int = 1000, seed: int = 0) -> tuple:
    """One attack per shift, keyed (attack, mask), and the keys."""
    rng = np.random.default_rng(seed)
    keep = np.r_[0:n, N : N + n]
    scores = {pair: (rng.normal(size=2 * N) + shift * MEMBER)[keep] for pair, shift in shifts.items()}
    return evaluate(scores, MEMBER[keep], FOLDS[keep], fprs=fprs, replicates=replicates), list(shifts)


LEAKY = run(
    {("sima", "none"): 0.8, ("sima", "influence"): 2.0, ("sima", "random"): 5.0, ("pia", "none"): 0.0},
    fprs=(0.01, 0.001, 0.1),
)
CLEAN = run({("sima", "none"): 0.0, ("sima", "influence"): 0.0})


def test_gates_fail_pass_and_say_why() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.99", "tpr@10%fpr>0.15", "epsilon>9", "advantage>.3"])
    verdict = decide(*LEAKY, gates=gates)
    assert [gate.status for gate in verdict.gates] == ["fail", "pass", "fail", "pass", "fail"]
    assert verdict.status == "fail"
    assert len(verdict.reasons) == 3
    assert verdict.reasons[0] == fact("gate_failed", gate="auroc>0.6")
    why = verdict.gates[0].reason
    assert (why.code, why.values["attack"], why.values["mask"]) == ("limit_beyond_gate", "sima", "influence")
    assert (why.values["confidence"], why.values["tests"], why.values["side"]) == (0.95, 15, "lower")
    assert verdict.gates[1].reason.code == "limit_within_gate"
    assert (verdict.gates[2].metric, verdict.gates[2].fpr, verdict.gates[2].threshold) == ("tpr", 0.1, 0.15)
    assert exit_code(verdict.status, gated=True) == 1
    assert exit_code(verdict.status, gated=True, exit_zero=True) == 0


def test_a_gate_says_what_it_saw_of_every_attack_and_mask() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.6", "auroc>0.99", "tpr@3%fpr>0.1"]))
    failed, passed, unmeasured = (gate.tests for gate in verdict.gates)
    assert {(test.attack, test.mask): test.status for test in failed} == {
        ("sima", "none"): "fail",
        ("sima", "influence"): "fail",
        ("pia", "none"): "pass",
    }
    assert failed[1].limit > failed[0].limit > 0.6 > failed[2].limit
    assert all(test.status == "pass" for test in passed)
    assert all(test.status == "inconclusive" and np.isnan(test.limit) for test in unmeasured)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"checks": [BAD]}, {"side": "upper"}, {"conclusion": Conclusion(epsilon_at=lambda error: 0.7)}],
    ids=["gates", "failed check", "upper", "one run"],
)
def test_a_gate_fails_if_one_of_its_tests_does_and_passes_if_all_do(arguments: dict) -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.99", "epsilon>0.5", "epsilon>9", "tpr@3%fpr>0.1", "tpr@1%fpr>0.05"])
    for gate in decide(*LEAKY, gates=gates, **arguments).gates:
        found = {test.status for test in gate.tests}
        assert (gate.status == "fail") == ("fail" in found)
        assert (gate.status == "pass") == (found == {"pass"})


def test_the_random_mask_is_a_control() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.95"]))
    assert bound(LEAKY[0], ("sima", "random"), "auroc", None, 0.01) > 0.95
    assert verdict.status == "pass"
    assert verdict.finding.mask != "random"


def test_limits_step_down_as_in_holm() -> None:
    shifts = {("sima", "none"): 0.8, ("sima", "influence"): 2.0, ("pia", "none"): 0.0, ("pia", "weighted"): 0.0}
    evaluation, every = run(shifts)
    names = every[:3]
    gate = parse_gates(["auroc>0.6"])
    single = bound(evaluation, ("sima", "none"), "auroc", None, 0.05)
    corrected = bound(evaluation, ("sima", "none"), "auroc", None, 0.05 / 3)
    stepped = bound(evaluation, ("sima", "none"), "auroc", None, 0.05 / 2)
    assert corrected < stepped < single
    # A limit between the two: Bonferroni keeps sima/none, but sima/influence is settled first and leaves 2 tests.
    between = parse_gates([f"auroc>{(corrected + stepped) / 2}"])
    alone = [("sima", "none"), ("pia", "none"), ("pia", "weighted")]
    assert decide(evaluation, alone, gates=between).status == "pass"
    assert decide(evaluation, names, gates=between).status == "fail"
    assert decide(evaluation, names, gates=gate).status == "fail"


def test_no_gate_is_a_pass() -> None:
    verdict = decide(*LEAKY)
    assert verdict.status == "pass"
    assert verdict.reasons == (fact("no_gate_set"),)
    assert verdict.finding.level == "high"
    assert exit_code(verdict.status, gated=False) == 0


def test_a_failed_check_makes_everything_inconclusive() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.6"]), checks=[BAD, Check("x", "warn")])
    assert verdict.status == verdict.gates[0].status == "inconclusive"
    assert verdict.reasons == (fact("check_failed", check="blind baseline"),)
    assert verdict.finding.level == "unclear"
    codes = [exit_code(verdict.status, gated=True, inconclusive=how) for how in ("pass", "fail", "error")]
    assert codes == [0, 1, 3]
    assert exit_code(verdict.status, gated=True, exit_zero=True) == 0
    ungated = decide(*LEAKY, checks=[BAD])
    assert ungated.status == "inconclusive"
    assert ungated.reasons[-1] == fact("no_gate_set")
    assert exit_code(ungated.status, gated=False) == 0


def test_a_gate_that_cannot_be_measured_is_inconclusive() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["tpr@0.1%fpr>0.02", "tpr@3%fpr>0.02", "auroc>.99"]))
    assert [gate.status for gate in verdict.gates] == ["inconclusive", "inconclusive", "pass"]
    assert verdict.status == "inconclusive"
    assert verdict.gates[0].reason == fact("rate_needs_nonmembers", fpr=0.001, needed=1000, nonmembers=N)
    assert verdict.gates[1].reason == fact("rate_not_evaluated", fpr=0.03)
    assert exit_code(verdict.status, gated=True) == 3
    failed = decide(*LEAKY, gates=parse_gates(["tpr@0.1%fpr>0.02", "auroc>.6"]))
    assert failed.status == "fail"


def test_too_few_images_or_replicates_or_attacks() -> None:
    gates = parse_gates(["auroc>.6", "epsilon>1", "advantage>.3"])
    tiny = decide(*run({("sima", "none"): 0.0}, n=1), gates=gates)
    assert [gate.status for gate in tiny.gates] == ["inconclusive"] * 3
    assert {gate.reason.code for gate in tiny.gates} == {"too_few_independent", "folds_need_images"}
    assert tiny.finding.level == "unclear"
    nothing = decide(LEAKY[0], [("sima", "random")], gates=gates)
    assert nothing.gates[0].reason == fact("no_score")
    assert nothing.finding.level == "unclear"
    coarse = run({("a", "none"): 0.0, ("b", "none"): 0.0, ("c", "none"): 0.0}, replicates=39)
    gate = decide(*coarse, gates=parse_gates(["advantage>.5"])).gates[0]
    assert gate.reason == fact("too_few_replicates", tests=3)


def test_a_rate_that_so_many_tests_cannot_resolve_is_inconclusive_and_says_what_would_do() -> None:
    """.99^300 = .049: below an error of that, the threshold may lie above every non-member of the sample."""
    gates, scores = parse_gates(["tpr@1%fpr>0.05"]), 9.0 * MEMBER + np.arange(2 * N) / N

    def outcome(tests: int) -> GateOutcome:
        names = [(f"attack {i}", "none") for i in range(tests)]
        evaluation = evaluate(dict.fromkeys(names, scores), MEMBER, FOLDS, confidence=0.9)
        return decide(evaluation, names, gates=gates).gates[0]

    assert [outcome(tests).status for tests in (1, 2, 3)] == ["fail", "fail", "inconclusive"]
    reason = outcome(3).reason
    assert (reason.code, reason.values["needed"], reason.values["tests"]) == ("gate_needs_nonmembers", 339, 3)


def test_a_bound_on_epsilon_that_does_not_depend_on_the_attack_is_one_test() -> None:
    gates = parse_gates(["epsilon>0.5", "auroc>0.6"])
    asked = []

    def epsilon_at(error: float) -> float:
        asked.append(error)
        return 0.7

    verdict = decide(*LEAKY, gates=gates, conclusion=Conclusion(epsilon_at=epsilon_at))
    assert [gate.status for gate in verdict.gates] == ["fail", "fail"]
    assert verdict.gates[0].reason == fact("one_run_limit_beyond_gate", limit=0.7, confidence=0.95, tests=4)
    assert [(test.attack, test.mask) for test in verdict.gates[0].tests] == [(None, None)]
    assert asked[1] == pytest.approx(0.05 / 4)
    upper = decide(*LEAKY, gates=gates, conclusion=Conclusion(epsilon_at=epsilon_at), side="upper").gates[0]
    assert upper.status == "inconclusive"
    assert upper.reason == fact("epsilon_has_no_upper_limit")


def test_a_conclusion_decides_the_finding_and_leaves_the_gates() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.99"])
    attacks = decide(*LEAKY, gates=gates)
    conclusion = Conclusion(lambda finding: replace(finding, level="none", basis="set_test"))
    concluded = decide(*LEAKY, gates=gates, conclusion=conclusion)
    assert (concluded.gates, concluded.reasons) == (attacks.gates, attacks.reasons)
    assert [gate.status for gate in concluded.gates] == ["fail", "pass"]
    assert concluded.finding == replace(attacks.finding, level="none", basis="set_test")
    assert (attacks.finding.leaks, concluded.finding.leaks, concluded.status) == (True, False, "fail")


def test_what_perfect_scores_could_not_change_does_not_pass() -> None:
    def judged(n: int, gate: str, shift: float = 0.0) -> Verdict:
        keep = np.r_[0:n, N : N + n]
        perfect = evaluate({PERFECT: perfect_scores(MEMBER[keep])}, MEMBER[keep], FOLDS[keep], replicates=200)
        return decide(*run({("sima", "none"): shift}, n=n, replicates=200), gates=parse_gates([gate]), perfect=perfect)

    few = judged(3, "auroc>0.6")
    assert few.gates[0].status == few.status == "inconclusive"
    assert few.gates[0].reason.code == "gate_out_of_reach"
    assert few.gates[0].reason.values["limit"] <= 0.6
    assert [test.status for test in few.gates[0].tests] == ["inconclusive"]
    assert few.finding.level == "unclear"
    reason = few.finding.reason
    assert (reason.code, reason.values["members"], reason.values["tests"]) == ("perfect_scores_unnoticed", 3, 2)
    assert judged(30, "auroc>0.6").gates[0].status == "pass"
    assert judged(30, "auroc>0.6").finding.level == "none"
    assert judged(30, "epsilon>3").gates[0].status == "inconclusive"
    assert judged(30, "auroc>0.6", shift=9.0).gates[0].status == "fail"


def test_upper_limits_for_the_cautious() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.97", "epsilon>1"])
    verdict = decide(*LEAKY, gates=gates, side="upper")
    assert [gate.status for gate in verdict.gates] == ["fail", "pass", "inconclusive"]
    assert verdict.gates[2].reason == fact("epsilon_has_no_upper_limit")
    assert decide(*CLEAN, gates=parse_gates(["auroc>0.51"]), side="upper").status == "fail"
    assert decide(*CLEAN, gates=parse_gates(["auroc>0.51"])).status == "pass"


def test_findings() -> None:
    none = decide(*CLEAN).finding
    assert (none.level, none.basis, none.attack) == ("none", "attacks", None)
    assert 0.05 < none.p <= 1.0
    assert decide(*run({("sima", "none"): 0.5})).finding.level == "low"
    assert decide(*run({("sima", "none"): 1.2})).finding.level == "medium"
    assert decide(*run({("sima", "none"): 3.0})).finding.level == "high"
    by_area = [decide(*run({("sima", "none"): shift}, n=90)).finding for shift in (0.6, 1.5, 3.0)]
    assert [finding.level for finding in by_area] == ["low", "medium", "high"]
    assert {finding.metric for finding in by_area} == {"auroc"}
    leaky = decide(*LEAKY).finding
    assert (leaky.attack, leaky.mask, leaky.scores) == ("sima", "influence", 3)
    assert leaky.p < 0.05 < leaky.limit
    assert decide(*run({("sima", "none"): 3.0})).finding.metric == "tpr"


def test_area_levels_match_the_rate_levels() -> None:
    for level, rate in TPR_LEVELS.items():
        shift = norm.isf(0.01) - norm.isf(rate)
        assert norm.cdf(shift / np.sqrt(2)) == pytest.approx(AUROC_LEVELS[level], abs=0.006)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="pass, fail, error, got 'maybe'"):
        exit_code("pass", gated=True, inconclusive="maybe")  # type: ignore[arg-type]


def test_without_leakage_few_audits_fail() -> None:
    # Binomial(200, .05) exceeds 19 in .2 % of runs.
    gates = parse_gates(["auroc>0.5", "tpr@5%fpr>0.05", "advantage>0", "epsilon>0"])
    pairs = {("sima", "none"): 0.0, ("sima", "influence"): 0.0, ("pia", "none"): 0.0}
    verdicts = []
    for seed in range(200):
        evaluation, names = run(pairs, n=100, fprs=(0.05,), replicates=300, seed=seed)
        verdicts.append((decide(evaluation, names, gates=gates[:1]), decide(evaluation, names, gates=gates)))
    assert sum(first.status == "fail" for first, _ in verdicts) <= 19
    assert sum(every.status == "fail" for _, every in verdicts) <= 19
    assert sum(every.finding.level != "none" for _, every in verdicts) <= 19
    assert sum(first.finding.level != "none" for first, _ in verdicts) <= 19


def test_a_few_images_that_leak_completely_are_found_without_any_auroc() -> None:
    generator = np.random.default_rng(3)
    member = np.arange(1000) < 500
    scores = generator.normal(size=1000)
    scores[:60] += 10
    scores[60:500] -= 0.35
    pair = ("sima", "none")
    evaluation = evaluate({pair: scores}, member, np.arange(1000) % 5, replicates=300)
    assert evaluation.metrics[pair].auroc.lo < 0.5 < evaluation.metrics[pair].auroc.hi
    finding = decide(evaluation, [pair]).finding
    assert (finding.level, finding.attack, finding.mask) == ("medium", "sima", "none")
    assert finding.p > 0.05, "it recognises some with certainty, and does not rank members above chance overall"
    assert 0.05 < finding.limit < evaluation.metrics[pair].tpr_at_fpr["0.01"].value


def test_the_finding_quotes_a_score_that_is_significant_by_itself() -> None:
    for seed in range(5):
        evaluation, names = run({("a", "none"): 0.6, ("b", "none"): 0.05, ("c", "none"): 0.0}, seed=seed)
        finding = decide(evaluation, names).finding
        assert finding.attack is not None
        assert evaluation.p_above_chance[finding.attack, "none"] <= 0.05 / 6
    assert decide(*CLEAN).finding.attack is None
