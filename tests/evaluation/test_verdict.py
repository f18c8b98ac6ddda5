from dataclasses import replace

import numpy as np
import pytest
from results import make_result
from scipy.stats import norm

from privaudit.errors import ConfigError
from privaudit.evaluation import (
    Check,
    Conclusion,
    Finding,
    GateOutcome,
    Verdict,
    assign_folds,
    bound,
    decide,
    evaluate,
    exit_code,
    fact,
    parse_gates,
)
from privaudit.evaluation.finding import AUROC_LEVELS, PERFECT, TPR_LEVELS, perfect_scores
from privaudit.evaluation.rate import nonmembers_needed
from privaudit.report.numbers import of_hundred
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.verdict_text import gate_reason

N = 300
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)
SIMA, INFLUENCE, PIA = ("sima", "none"), ("sima", "influence"), ("pia", "none")
BAD = Check("blind baseline", "fail", (fact("no_attack_exceeds_blind"),))


def run(shifts: dict, n: int = N, fprs: tuple = (0.01, 0.001), replicates: int = 1000, seed: int = 0) -> tuple:
    """One score per shift, by (attack, mask)."""
    rng = np.random.default_rng(seed)
    keep = np.r_[0:n, N : N + n]
    scores = {pair: (rng.normal(size=2 * N) + shift * MEMBER)[keep] for pair, shift in shifts.items()}
    return evaluate(scores, MEMBER[keep], FOLDS[keep], fprs=fprs, replicates=replicates), list(scores)


LEAKY = run(
    {SIMA: 0.8, INFLUENCE: 2.0, ("sima", "random"): 5.0, PIA: 0.0},
    fprs=(0.01, 0.001, 0.1),
)
CLEAN = run({SIMA: 0.0, INFLUENCE: 0.0})


def test_gates_fail_pass_and_say_why() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.99", "tpr@10%fpr>0.15", "epsilon>9", "advantage>.3"])
    verdict = decide(*LEAKY, gates=gates)
    assert [gate.status for gate in verdict.gates] == ["fail", "pass", "fail", "pass", "fail"]
    assert verdict.status == "fail"
    failed = ("auroc>0.6", "tpr@10%fpr>0.15", "advantage>.3")
    assert verdict.reasons == tuple(fact("gate_failed", gate=gate) for gate in failed)
    assert [(gate.metric, gate.fpr, gate.threshold) for gate in verdict.gates] == [
        ("auroc", None, 0.6),
        ("auroc", None, 0.99),
        ("tpr", 0.1, 0.15),
        ("epsilon", None, 9.0),
        ("advantage", None, 0.3),
    ]
    first = verdict.gates[0]
    assert first.reason.code == "limit_beyond_gate"
    assert first.reason.values == {
        "limit": first.tests[1].limit,
        "confidence": 0.95,
        "tests": 15,
        "attack": "sima",
        "mask": "influence",
        "side": "lower",
    }
    assert verdict.gates[1].reason.code == "limit_within_gate"
    assert verdict.gates[1].reason.values["limit"] == max(test.limit for test in verdict.gates[1].tests)
    assert exit_code(verdict.status, gated=True) == 1
    assert exit_code(verdict.status, gated=True, exit_zero=True) == 0


def test_a_gate_says_what_it_saw_of_every_attack_and_mask() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.6", "auroc>0.99", "tpr@3%fpr>0.1"]))
    failed, passed, unmeasured = (gate.tests for gate in verdict.gates)
    assert {(test.attack, test.mask): test.status for test in failed} == {
        SIMA: "fail",
        INFLUENCE: "fail",
        PIA: "pass",
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
    assert verdict.finding.mask == "influence"
    assert verdict.finding.scores == 3
    assert all(test.mask != "random" for gate in verdict.gates for test in gate.tests)


def test_limits_step_down_as_in_holm() -> None:
    evaluation, pairs = LEAKY
    gate = parse_gates(["auroc>0.6"])
    single = bound(evaluation, SIMA, "auroc", None, 0.05)
    corrected = bound(evaluation, SIMA, "auroc", None, 0.05 / 3)
    stepped = bound(evaluation, SIMA, "auroc", None, 0.05 / 2)
    assert corrected < stepped < single
    # A limit between the two: Bonferroni keeps sima/none, but sima/influence is settled first and leaves 2 tests.
    between = parse_gates([f"auroc>{(corrected + stepped) / 2}"])
    weak = np.random.default_rng(1).normal(size=(2, 2 * N))
    strong = np.random.default_rng(0).normal(size=2 * N) + 0.8 * MEMBER  # as the first score of LEAKY
    alone = evaluate({SIMA: strong, PIA: weak[0], ("pia", "weighted"): weak[1]}, MEMBER, FOLDS, replicates=1000)
    assert bound(alone, SIMA, "auroc", None, 0.05 / 3) == corrected
    assert decide(alone, list(alone.metrics), gates=between).status == "pass"
    assert decide(evaluation, pairs, gates=between).status == "fail"
    assert decide(evaluation, pairs, gates=gate).status == "fail"


def test_no_gate_is_a_pass() -> None:
    verdict = decide(*LEAKY)
    assert verdict.status == "pass"
    assert verdict.reasons == (fact("no_gate_set"),)
    assert verdict.finding.level == "high"
    assert exit_code(verdict.status, gated=bool(verdict.gates)) == 0
    gated = decide(*LEAKY, gates=parse_gates(["auroc>0.99"]))
    assert (gated.status, gated.reasons) == ("pass", (fact("no_gate_failed"),))
    assert exit_code(gated.status, gated=True) == 0


def test_a_failed_check_makes_everything_inconclusive() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.6"]), checks=[BAD, Check("x", "warn")])
    assert verdict.status == verdict.gates[0].status == "inconclusive"
    assert verdict.reasons == (fact("check_failed", check="blind baseline"),)
    assert verdict.gates[0].reason == fact("checks_failed")
    assert verdict.finding == Finding("unclear", "checks")
    codes = [exit_code(verdict.status, gated=True, inconclusive=how) for how in ("pass", "fail", "error")]
    assert codes == [0, 1, 3]
    assert exit_code(verdict.status, gated=True, exit_zero=True) == 0
    ungated = decide(*LEAKY, checks=[BAD])
    assert ungated.status == "inconclusive"
    assert ungated.reasons == (fact("check_failed", check="blind baseline"), fact("no_gate_set"))
    assert exit_code(ungated.status, gated=False) == 0


def test_a_gate_that_cannot_be_measured_is_inconclusive() -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["tpr@0.1%fpr>0.02", "tpr@3%fpr>0.02", "auroc>.99"]))
    assert [gate.status for gate in verdict.gates] == ["inconclusive", "inconclusive", "pass"]
    assert verdict.status == "inconclusive"
    reason = verdict.gates[0].reason
    assert reason.code == "gate_needs_nonmembers"  # the number that decides this gate, not the smaller one of the rate
    assert reason.values["tests"] == len([test for gate in verdict.gates for test in gate.tests])
    assert reason.values["needed"] == nonmembers_needed(0.001, 0.05 / reason.values["tests"]) > 1000
    assert verdict.gates[1].reason == fact("rate_not_evaluated", fpr=0.03)
    undecided = [fact("gate_inconclusive", gate=gate) for gate in ("tpr@0.1%fpr>0.02", "tpr@3%fpr>0.02")]
    assert verdict.reasons == tuple(undecided)
    assert exit_code(verdict.status, gated=True) == 3
    failed = decide(*LEAKY, gates=parse_gates(["tpr@0.1%fpr>0.02", "auroc>.6"]))
    assert failed.status == "fail"
    assert failed.reasons == (fact("gate_failed", gate="auroc>.6"),)


def test_too_few_images_or_replicates_or_attacks() -> None:
    gates = parse_gates(["auroc>.6", "epsilon>1", "advantage>.3"])
    tiny = decide(*run({SIMA: 0.0}, n=1), gates=gates)
    assert [gate.status for gate in tiny.gates] == ["inconclusive"] * 3
    few = fact("too_few_independent", units=1)
    assert [gate.reason for gate in tiny.gates] == [few, fact("folds_need_images", members=1, nonmembers=0), few]
    assert tiny.finding == Finding("unclear", "attacks", few)
    nothing = decide(LEAKY[0], [("sima", "random")], gates=gates)
    assert [gate.reason for gate in nothing.gates] == [fact("no_score")] * 3
    assert nothing.finding == Finding("unclear", "attacks", fact("no_score_on_two_of_each"))
    coarse = run({("a", "none"): 0.0, ("b", "none"): 0.0, ("c", "none"): 0.0}, replicates=39)
    assert decide(*coarse, gates=parse_gates(["advantage>.5"])).gates[0].reason == fact("too_few_replicates", tests=3)


def test_a_rate_that_so_many_tests_cannot_resolve_is_inconclusive_and_says_what_would_do() -> None:
    """.99^300 = .049: below an error of that, the threshold may lie above every non-member of the sample."""
    gates, scores = parse_gates(["tpr@1%fpr>0.05"]), 9.0 * MEMBER + np.arange(2 * N) / N

    def outcome(tests: int) -> GateOutcome:
        pairs = [(f"attack {i}", "none") for i in range(tests)]
        evaluation = evaluate(dict.fromkeys(pairs, scores), MEMBER, FOLDS, confidence=0.9)
        return decide(evaluation, pairs, gates=gates).gates[0]

    assert [outcome(tests).status for tests in (1, 2, 3)] == ["fail", "fail", "inconclusive"]
    reason = outcome(3).reason
    assert reason.code == "gate_needs_nonmembers"
    assert reason.values == pytest.approx({"fpr": 0.01, "error": 0.1 / 3, "needed": 339, "nonmembers": N, "tests": 3})
    assert "fewer tests need fewer" in fact_text(reason)


def test_a_bound_on_epsilon_that_does_not_depend_on_the_attack_is_one_test() -> None:
    gates = parse_gates(["epsilon>0.5", "auroc>0.6"])
    asked = []

    def epsilon_at(error: float) -> float:
        asked.append(error)
        return 0.7

    verdict = decide(*LEAKY, gates=gates, conclusion=Conclusion(epsilon_at=epsilon_at))
    assert [gate.status for gate in verdict.gates] == ["fail", "fail"]
    assert verdict.gates[0].reason == fact("one_run_limit_beyond_gate", limit=0.7, confidence=0.95, tests=4)
    assert [(test.attack, test.mask, test.limit) for test in verdict.gates[0].tests] == [(None, None, 0.7)]
    assert asked[1] == pytest.approx(0.05 / 4)
    upper = decide(*LEAKY, gates=gates, conclusion=Conclusion(epsilon_at=epsilon_at), side="upper").gates[0]
    assert upper.status == "inconclusive"
    assert upper.reason == fact("epsilon_has_no_upper_limit")
    within = decide(*LEAKY, gates=parse_gates(["epsilon>0.9"]), conclusion=Conclusion(epsilon_at=epsilon_at)).gates[0]
    assert within.status == "pass"
    assert within.reason == fact("one_run_limit_within_gate", limit=0.7, confidence=0.95, tests=1)


def test_a_conclusion_says_what_was_found_and_leaves_the_gates_alone() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.99"])
    found = decide(*LEAKY, gates=gates)
    conclusion = Conclusion(lambda finding: replace(finding, level="none", basis="set_test"))
    concluded = decide(*LEAKY, gates=gates, conclusion=conclusion)
    assert concluded.gates == found.gates
    assert concluded.reasons == found.reasons
    assert [gate.status for gate in concluded.gates] == ["fail", "pass"]
    assert concluded.finding == replace(found.finding, level="none", basis="set_test")
    assert (found.finding.leaks, concluded.finding.leaks, concluded.status) == (True, False, "fail")


@pytest.mark.parametrize("checks", [(), (BAD,)], ids=["measured", "failed check"])
def test_what_a_gate_compares_is_said_of_suspects_alone(checks: tuple[Check, ...]) -> None:
    verdict = decide(*LEAKY, gates=parse_gates(["auroc>0.6"]), checks=checks)
    members = replace(make_result(images=100, learned=False), verdict=verdict)
    suspects = replace(members, data=replace(members.data, design="suspects"))
    (gate,) = verdict.gates
    assert gate_reason(gate, members) == fact_text(gate.reason)
    assert gate_reason(gate, suspects) == (
        f"{fact_text(gate.reason)}; the gate compares the suspects, whose membership is not known, with the non-members"
    )


def test_what_perfect_scores_could_not_change_does_not_pass() -> None:
    def judged(n: int, gate: str, shift: float = 0.0) -> Verdict:
        keep = np.r_[0:n, N : N + n]
        perfect = evaluate({PERFECT: perfect_scores(MEMBER[keep])}, MEMBER[keep], FOLDS[keep], replicates=200)
        return decide(*run({SIMA: shift}, n=n, replicates=200), gates=parse_gates([gate]), perfect=perfect)

    few = judged(3, "auroc>0.6")
    assert few.gates[0].status == few.status == "inconclusive"
    reason = few.gates[0].reason
    assert (reason.code, reason.values["tests"]) == ("gate_out_of_reach", 1)
    assert reason.values["limit"] == pytest.approx(0.05 ** (1 / 3))  # of three pairs of images
    assert [test.status for test in few.gates[0].tests] == ["inconclusive"]
    assert few.finding == Finding(
        "unclear",
        "attacks",
        fact(
            "perfect_scores_unnoticed",
            members=3,
            nonmembers=3,
            effective_members=3.0,
            effective_nonmembers=3.0,
            tests=2,
        ),
        scores=1,
    )
    assert judged(30, "auroc>0.6").gates[0].status == "pass"
    assert judged(30, "auroc>0.6").finding.level == "none"
    assert judged(30, "epsilon>3").gates[0].status == "inconclusive"
    assert judged(30, "auroc>0.6", shift=9.0).gates[0].status == "fail"


def test_upper_limits_for_the_cautious() -> None:
    gates = parse_gates(["auroc>0.6", "auroc>0.97", "epsilon>1"])
    verdict = decide(*LEAKY, gates=gates, side="upper")
    assert [gate.status for gate in verdict.gates] == ["fail", "pass", "inconclusive"]
    assert (verdict.gates[0].reason.code, verdict.gates[0].reason.values["side"]) == ("limit_beyond_gate", "upper")
    assert [gate.reason.values["tests"] for gate in verdict.gates[:2]] == [0, 0]  # nothing needs correcting
    assert verdict.gates[2].reason == fact("epsilon_has_no_upper_limit")
    assert decide(*CLEAN, gates=parse_gates(["auroc>0.51"]), side="upper").status == "fail"
    assert decide(*CLEAN, gates=parse_gates(["auroc>0.51"])).status == "pass"


def test_no_gate_passes_because_of_a_tie() -> None:
    """100 of 2 000 members and 40 of 2 000 non-members share the top score: coins reach .025 at 1 %."""
    member = np.arange(4000) < 2000
    scores = np.random.default_rng(0).normal(size=4000)
    scores[:100] = scores[2000:2040] = 9.0
    evaluation = evaluate({SIMA: scores}, member, np.arange(4000) % 5, replicates=300)
    rate = evaluation.metrics[SIMA].tpr_at_fpr["0.01"]
    assert rate.value == 0.025
    assert rate.lo < 0.02 < 0.03 < rate.hi
    gates = parse_gates(["tpr@1%fpr>0.02", "tpr@1%fpr>0.05"])
    assert [gate.status for gate in decide(evaluation, [SIMA], gates=gates, side="upper").gates] == ["fail", "pass"]
    assert [gate.status for gate in decide(evaluation, [SIMA], gates=gates).gates] == ["pass", "pass"]


def test_findings() -> None:
    none = decide(*CLEAN).finding
    assert (none.level, none.basis, none.reason, none.attack, none.limit) == ("none", "attacks", None, None, None)
    assert none.scores == 2
    assert none.p > 0.05
    assert decide(*run({SIMA: 0.5})).finding.level == "low"
    assert decide(*run({SIMA: 1.2})).finding.level == "medium"
    assert decide(*run({SIMA: 3.0})).finding.level == "high"
    by_area = [decide(*run({SIMA: shift}, n=90)).finding for shift in (0.6, 1.5, 3.0)]
    assert [finding.level for finding in by_area] == ["low", "medium", "high"]
    assert [finding.metric for finding in by_area] == ["auroc"] * 3
    assert all(finding.limit > 0.5 for finding in by_area)
    leaky = decide(*LEAKY).finding
    assert (leaky.attack, leaky.mask, leaky.metric, leaky.scores) == ("sima", "influence", "auroc", 3)
    assert leaky.limit == bound(LEAKY[0], INFLUENCE, "auroc", None, 0.05 / 6)
    assert leaky.p == pytest.approx(6 * LEAKY[0].p_above_chance[INFLUENCE])
    for finding in (none, *by_area):
        text = statement(replace(make_result(), verdict=replace(make_result().verdict, finding=finding)))
        assert ("No evidence of leakage" in text and "does not exclude" in text) == (finding.level == "none")
        assert "proof" not in text
        assert "An attacker" not in text


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
    pairs = {SIMA: 0.0, INFLUENCE: 0.0, PIA: 0.0}
    verdicts = []
    for seed in range(200):
        evaluation, scores = run(pairs, n=100, fprs=(0.05,), replicates=300, seed=seed)
        verdicts.append((decide(evaluation, scores, gates=gates[:1]), decide(evaluation, scores, gates=gates)))
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
    evaluation = evaluate({SIMA: scores}, member, np.arange(1000) % 5, replicates=300)
    assert evaluation.metrics[SIMA].auroc.lo < 0.5 < evaluation.metrics[SIMA].auroc.hi
    verdict = decide(evaluation, [SIMA])
    finding = verdict.finding
    assert (finding.level, finding.attack, finding.mask, finding.metric) == ("medium", "sima", "none", "tpr")
    assert finding.p > 0.05  # found by the bound on epsilon alone
    assert finding.limit == bound(evaluation, SIMA, "tpr", 0.01, 0.025)
    template = make_result(learned=False)
    attack = replace(template.attacks[0], masks={"none": evaluation.metrics[SIMA]})
    text = statement(replace(template, attacks=(attack,), verdict=verdict))
    assert "does not rank them above chance overall" in text
    assert "ranks members above" not in text
    rate = evaluation.metrics[SIMA].tpr_at_fpr["0.01"].value
    assert f"recognises {of_hundred(rate)} of 100 training images (at least {of_hundred(finding.limit)}); " in text


def test_the_finding_quotes_a_score_that_is_significant_by_itself() -> None:
    for seed in range(5):
        evaluation, pairs = run({("a", "none"): 0.6, ("b", "none"): 0.05, ("c", "none"): 0.0}, seed=seed)
        finding = decide(evaluation, pairs).finding
        assert finding.attack is not None
        assert evaluation.p_above_chance[finding.attack, "none"] <= 0.05 / 6
    assert decide(*CLEAN).finding.attack is None
