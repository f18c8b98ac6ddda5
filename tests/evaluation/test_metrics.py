import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from privaudit.errors import ConfigError
from privaudit.evaluation import assign_folds, bound, compare, consistent, evaluate, fact, tpr_at_fpr

N = 400
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)


def scores(seed: int = 0) -> dict:
    noise = np.random.default_rng(seed).normal(size=2 * N)
    return {
        "weak": noise + 0.5 * MEMBER,
        "strong": noise + 2 * MEMBER,
        "perfect": noise + 99 * MEMBER,
        "constant": np.zeros(2 * N),
        "infinite": np.where(MEMBER, np.inf, -np.inf),
    }


EVALUATION = evaluate(scores(), MEMBER, FOLDS, replicates=400)


def test_no_factor_takes_an_advantage_beyond_what_it_can_be() -> None:
    scores, member, folds = [4.0, 2.0, 3.0, 1.0], [True, True, False, False], [0, 1, 0, 1]
    found = evaluate({"a": scores}, member, folds, learned=["a"]).metrics["a"]
    assert 0.0 <= found.advantage.lo <= found.advantage.hi <= 1.0
    assert found.attack_success.hi <= 1.0


def test_values_intervals_and_counts() -> None:
    metrics = EVALUATION.metrics["strong"]
    assert metrics.auroc.lo < metrics.auroc.value < metrics.auroc.hi
    assert metrics.auroc.reason is None
    rate = metrics.tpr_at_fpr["0.01"]
    assert (rate.k, rate.n, rate.fpr_realised) == (4, N, 0.01)
    assert rate.lo <= rate.value <= rate.hi
    assert rate.reason == fact("few_false_positives", fpr=0.01, expected=4.0, nonmembers=N)
    assert 0 < metrics.advantage.lo < metrics.advantage.value <= metrics.advantage.hi
    assert metrics.attack_success.value == (1 + metrics.advantage.value) / 2
    assert metrics.attack_success.lo == (1 + metrics.advantage.lo) / 2
    assert metrics.attack_success.hi == (1 + metrics.advantage.hi) / 2
    assert metrics.epsilon_lower.value > 0.5
    assert EVALUATION.p_above_chance["weak"] == pytest.approx(
        mannwhitneyu(scores()["weak"][MEMBER], scores()["weak"][~MEMBER], alternative="greater").pvalue
    )
    for each in EVALUATION.metrics.values():
        assert consistent(each.auroc.value, each.tpr_at_fpr["0.01"].value, each.tpr_at_fpr["0.01"].fpr_realised)


def test_a_rate_below_one_nonmember_is_not_reported() -> None:
    rate = EVALUATION.metrics["strong"].tpr_at_fpr["0.001"]
    assert np.isnan([rate.value, rate.lo, rate.hi, rate.fpr_realised]).all()
    assert rate.reason == fact("rate_needs_nonmembers", fpr=0.001, needed=1000, nonmembers=N)


def test_enough_nonmembers_come_without_a_warning() -> None:
    metrics = evaluate(scores(), MEMBER, FOLDS, fprs=(0.05,), replicates=40).metrics["weak"]
    assert metrics.tpr_at_fpr["0.05"].reason is None


@pytest.mark.parametrize("name", ["perfect", "infinite"])
def test_perfect_separation_still_has_an_interval(name: str) -> None:
    metrics = EVALUATION.metrics[name]
    assert (metrics.auroc.value, metrics.auroc.hi) == (1.0, 1.0)
    assert metrics.auroc.lo == pytest.approx(0.025 ** (1 / N))
    assert metrics.auroc.reason == fact("sets_separated", pairs=N)
    assert metrics.tpr_at_fpr["0.01"].lo < 1.0
    assert metrics.advantage.lo < 1.0


def test_constant_scores_say_so() -> None:
    metrics = EVALUATION.metrics["constant"]
    assert (metrics.auroc.value, metrics.tpr_at_fpr["0.01"].value, metrics.advantage.value) == (0.5, 0.01, 0.0)
    for estimate in (metrics.auroc, metrics.tpr_at_fpr["0.01"], metrics.advantage, metrics.attack_success):
        assert np.isnan([estimate.lo, estimate.hi]).all()
        assert estimate.reason == fact("all_scores_equal")
    assert np.isnan(metrics.epsilon_lower.value)
    assert metrics.epsilon_lower.reason == fact("all_scores_equal")
    for metric in ("auroc", "tpr", "advantage", "epsilon"):
        assert np.isnan(bound(EVALUATION, "constant", metric, 0.01, 0.05))
    assert EVALUATION.p_above_chance["constant"] == 1.0


def test_comparison_is_paired() -> None:
    better = compare(EVALUATION, "strong", "weak")
    assert better.auroc_delta.lo > 0.0
    assert better.auroc_delta.p < 1e-10
    assert better.tpr_delta.p == pytest.approx(2 / 401)
    worse = compare(EVALUATION, "weak", "strong")
    assert worse.auroc_delta.value == -better.auroc_delta.value
    assert worse.tpr_delta.hi == pytest.approx(-better.tpr_delta.lo)
    itself = compare(EVALUATION, "weak", "weak")
    assert (itself.auroc_delta.value, itself.auroc_delta.p) == (0.0, 1.0)
    assert itself.auroc_delta.reason == fact("interval_without_width")
    unpaired = np.hypot(
        *(np.ptp([EVALUATION.metrics[name].auroc.lo, EVALUATION.metrics[name].auroc.hi]) for name in ("weak", "strong"))
    )
    assert better.auroc_delta.hi - better.auroc_delta.lo < 0.9 * unpaired


def test_comparison_without_a_rate_has_a_reason() -> None:
    other = evaluate(scores(), MEMBER, FOLDS, fprs=(0.05,), replicates=50)
    assert compare(other, "weak", "strong").tpr_delta.reason == fact("rate_not_evaluated", fpr=0.01)
    assert compare(other, "weak", "strong", 0.05).tpr_delta.hi < 0.0
    few = np.r_[0:N, N : N + 50]
    small = evaluate({k: v[few] for k, v in scores().items()}, MEMBER[few], FOLDS[few], replicates=50)
    delta = compare(small, "weak", "strong").tpr_delta
    assert np.isnan(delta.value)
    assert delta.reason == fact("rate_needs_nonmembers", fpr=0.01, needed=100, nonmembers=50)
    some = np.r_[0:N, N : N + 150]
    middling = evaluate({k: v[some] for k, v in scores().items()}, MEMBER[some], FOLDS[some], replicates=50)
    delta = compare(middling, "strong", "weak").tpr_delta
    assert delta.value > 0
    assert np.isnan([delta.lo, delta.hi, delta.p]).all()
    assert delta.reason.code == "limit_needs_nonmembers"
    assert delta.reason.values == pytest.approx({"fpr": 0.01, "error": 0.025, "needed": 368, "nonmembers": 150})


@pytest.mark.parametrize(("members", "nonmembers"), [(1, 5), (1, 200), (5, 1), (0, 5), (5, 0)])
def test_too_few_images_are_nan_with_a_reason(members: int, nonmembers: int) -> None:
    n = members + nonmembers
    result = evaluate({"a": np.arange(n), "b": np.arange(n)}, np.arange(n) < members, np.arange(n) % 2, replicates=50)
    assert result.replicates is None
    metrics = result.metrics["a"]
    for estimate in (metrics.auroc, metrics.advantage, metrics.tpr_at_fpr["0.01"]):
        assert np.isnan([estimate.lo, estimate.hi]).all()
        assert estimate.reason
    assert np.isnan(metrics.epsilon_lower.value)
    assert metrics.epsilon_lower.reason
    assert compare(result, "a", "b").tpr_delta.reason
    for metric in ("auroc", "tpr", "advantage", "epsilon"):
        assert np.isnan(bound(result, "a", metric, 0.01, 0.05))


def test_limits_agree_with_intervals_and_widen_with_the_correction() -> None:
    metrics = EVALUATION.metrics["strong"]
    assert bound(EVALUATION, "strong", "auroc", None, 0.025) == metrics.auroc.lo
    assert bound(EVALUATION, "strong", "auroc", None, 0.025, "upper") == metrics.auroc.hi
    assert bound(EVALUATION, "strong", "tpr", 0.01, 0.025) == metrics.tpr_at_fpr["0.01"].lo
    assert bound(EVALUATION, "strong", "tpr", 0.01, 0.025, "upper") == metrics.tpr_at_fpr["0.01"].hi
    assert bound(EVALUATION, "strong", "advantage", None, 0.025) == metrics.advantage.lo
    assert bound(EVALUATION, "strong", "epsilon", None, 0.05) == pytest.approx(metrics.epsilon_lower.value)
    for metric in ("auroc", "tpr", "advantage", "epsilon"):
        assert bound(EVALUATION, "strong", metric, 0.01, 0.02) < bound(EVALUATION, "strong", metric, 0.01, 0.05)
    assert np.isnan(bound(EVALUATION, "strong", "epsilon", None, 0.05, "upper"))
    assert np.isnan(bound(EVALUATION, "strong", "tpr", 0.001, 0.05))
    assert np.isnan(bound(EVALUATION, "strong", "tpr", 0.02, 0.05))
    assert np.isnan(bound(EVALUATION, "strong", "tpr", 0.01, 0.0001))  # too few non-members
    assert np.isnan(bound(EVALUATION, "strong", "advantage", None, 0.0001))  # too few replicates


def test_the_same_again() -> None:
    again = evaluate(scores(), MEMBER, FOLDS, replicates=400)
    assert repr(again.metrics) == repr(EVALUATION.metrics)


def test_nonmembers_as_the_positive_class() -> None:
    given = scores()
    found = evaluate(given, MEMBER, FOLDS, replicates=50, positive="nonmember").metrics
    usual = evaluate(given, MEMBER, FOLDS, replicates=50).metrics
    for name, values in given.items():
        turned = tpr_at_fpr(-values, ~MEMBER, 0.01)
        rate = found[name].tpr_at_fpr["0.01"]
        assert (rate.value, rate.fpr_realised, rate.k, rate.n) == (turned.tpr, turned.fpr_realised, turned.k, N)
        assert found[name].auroc.value == pytest.approx(usual[name].auroc.value, abs=1e-12)
        assert found[name].advantage.value == pytest.approx(usual[name].advantage.value, abs=1e-12)
    literal = max(
        (given["strong"][~MEMBER] <= t).mean() for t in given["strong"] if (given["strong"][MEMBER] <= t).mean() <= 0.01
    )
    assert found["strong"].tpr_at_fpr["0.01"].value == literal
    assert found["strong"].tpr_at_fpr["0.01"].value != usual["strong"].tpr_at_fpr["0.01"].value
    with pytest.raises(ConfigError, match="positive to be one of member, nonmember, got 'non-member'"):
        evaluate(given, MEMBER, FOLDS, positive="non-member")


def test_single_units_change_nothing() -> None:
    labels = [f"picture {i}" for i in range(2 * N)]
    again = evaluate(scores(), MEMBER, FOLDS, replicates=400, units=labels)
    assert repr(again.metrics) == repr(EVALUATION.metrics)
    assert again.p_above_chance == EVALUATION.p_above_chance
    assert not again.clustered


def test_units_make_every_limit_more_careful() -> None:
    given = {name: values for name, values in scores().items() if name in ("weak", "strong")}
    unit = np.repeat(np.arange(2 * N), 2)
    copies = {name: values[unit] for name, values in given.items()}
    ignored = evaluate(copies, MEMBER[unit], FOLDS[unit], fprs=(0.05,), replicates=400)
    found = evaluate(copies, MEMBER[unit], FOLDS[unit], fprs=(0.05,), replicates=400, units=unit)
    once = evaluate(given, MEMBER, FOLDS, fprs=(0.05,), replicates=400)
    assert found.clustered
    assert found.effective == (N, N)
    for name in given:
        ours, theirs, single = (each.metrics[name] for each in (found, ignored, once))
        assert (ours.auroc.lo, ours.auroc.hi) == pytest.approx((single.auroc.lo, single.auroc.hi))
        assert ours.auroc.lo < theirs.auroc.lo
        assert ours.tpr_at_fpr["0.05"].lo < theirs.tpr_at_fpr["0.05"].lo < theirs.tpr_at_fpr["0.05"].hi
        assert ours.tpr_at_fpr["0.05"].hi > theirs.tpr_at_fpr["0.05"].hi
        assert ours.advantage.lo < theirs.advantage.lo
        assert ours.epsilon_lower.value < theirs.epsilon_lower.value
        assert found.p_above_chance[name] > ignored.p_above_chance[name]
    delta = compare(found, "strong", "weak", 0.05)
    assert delta.auroc_delta.lo == pytest.approx(compare(once, "strong", "weak", 0.05).auroc_delta.lo)


def test_units_and_complete_separation() -> None:
    unit = np.arange(2 * N) // 10
    found = evaluate({"perfect": MEMBER, "reverse": ~MEMBER}, MEMBER, FOLDS, replicates=50, units=unit)
    pairs = N // 10
    assert found.metrics["perfect"].auroc.lo == pytest.approx(0.025 ** (1 / pairs))
    assert found.p_above_chance == {"perfect": 0.5**pairs, "reverse": 1.0}
    assert np.isnan(found.metrics["perfect"].tpr_at_fpr["0.01"].lo)  # 40 films are not 400 non-members
    reason = found.metrics["perfect"].tpr_at_fpr["0.01"].reason
    assert reason.code == "limit_needs_nonmembers"
    assert reason.values == pytest.approx({"fpr": 0.01, "error": 0.025, "needed": 368, "nonmembers": pairs})


def test_learned_scores_are_compared_more_carefully() -> None:
    plain = compare(evaluate(scores(), MEMBER, FOLDS, replicates=50), "strong", "weak").auroc_delta
    for learned in (["strong"], ["weak"], ["strong", "weak"]):
        found = evaluate(scores(), MEMBER, FOLDS, replicates=50, learned=learned)
        careful = compare(found, "strong", "weak").auroc_delta
        assert careful.hi - careful.lo == pytest.approx(1.5 * (plain.hi - plain.lo))
        assert careful.p > plain.p


def test_limits_of_learned_scores_are_more_careful() -> None:
    given = {"strong": scores()["strong"]}
    plain, careful = (
        evaluate(given, MEMBER, FOLDS, fprs=(0.01, 0.1), replicates=400, learned=learned)
        for learned in ((), ("strong",))
    )
    ours, theirs = careful.metrics["strong"], plain.metrics["strong"]
    share = {"0.01": np.sqrt(1 + 0.0752 * 1.25), "0.1": np.sqrt(1 + 0.3583 * 1.25)}
    for fpr, factor in share.items():
        one, other = ours.tpr_at_fpr[fpr], theirs.tpr_at_fpr[fpr]
        assert one.value - one.lo == pytest.approx(factor * (other.value - other.lo), rel=1e-3)
        assert one.hi - one.value == pytest.approx(factor * (other.hi - other.value), rel=1e-3)
    assert ours.advantage.value - ours.advantage.lo == pytest.approx(
        1.5 * (theirs.advantage.value - theirs.advantage.lo)
    )
    assert ours.advantage.hi - ours.advantage.value == pytest.approx(
        1.5 * (theirs.advantage.hi - theirs.advantage.value)
    )
    assert ours.auroc.lo < theirs.auroc.lo < theirs.auroc.hi < ours.auroc.hi
    assert ours.epsilon_lower.value < theirs.epsilon_lower.value


def test_impossible_intervals_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 39 bootstrap replicates"):
        evaluate(scores(), MEMBER, FOLDS, replicates=38)
    with pytest.raises(ConfigError, match=r"confidence in \(0, 1\)"):
        evaluate(scores(), MEMBER, FOLDS, confidence=95)


def test_importing_is_cheap() -> None:
    program = (
        "import sys, privaudit.evaluation; "
        "print([name for name in ('torch', 'sklearn', 'scipy.stats', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
