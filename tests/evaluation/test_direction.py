import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from privaudit.evaluation import Check, Finding, assign_folds, auroc, decide, evaluate, fact
from privaudit.evaluation.direction import direction_check
from privaudit.evaluation.finding import significant_scores

N = 120
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)
SIMA, PIA, COMBINED = ("sima", "none"), ("pia", "none"), ("combined", "none")


def judged(scores: dict, member: np.ndarray = MEMBER, **options: bool) -> tuple[Check, Finding]:
    evaluation = evaluate(scores, member, FOLDS, replicates=200, learned=[COMBINED] if COMBINED in scores else [])
    check = direction_check(evaluation, list(scores), [pair for pair in scores if pair != COMBINED], **options)
    return check, decide(evaluation, list(scores), checks=[check]).finding


def drawn(*shifts: float) -> list[np.ndarray]:
    """Normal quantiles in both sets, so that the AUROC is that of the shift."""
    generator, quantiles = np.random.default_rng(0), norm.ppf((np.arange(N) + 0.5) / N)
    sides = [np.concatenate([generator.permutation(quantiles) for _ in range(2)]) for _ in shifts]
    return [side + shift * MEMBER + 1e-6 * MEMBER for side, shift in zip(sides, shifts, strict=True)]


def test_exchanged_sets_fail_whatever_a_learned_score_says() -> None:
    sima, pia, learned = drawn(-1.0, 0.0, 1.5)
    check, finding = judged({SIMA: sima, PIA: pia, COMBINED: learned})
    assert check.status == "fail"
    below, why = check.facts
    area = evaluate({SIMA: sima}, MEMBER, FOLDS, replicates=200).metrics[SIMA].auroc
    numbers = {"auroc": area.value, "lo": area.lo, "hi": area.hi}
    assert below == fact("below_chance", attack="sima", mask="none", **numbers, scores=1, of=2)
    assert why == fact("sets_may_be_exchanged")
    assert finding == Finding("unclear", "checks")
    without = evaluate({SIMA: sima, COMBINED: learned}, MEMBER, FOLDS, replicates=200, learned=[COMBINED])
    assert decide(without, [SIMA, COMBINED]).finding.leaks  # which the check prevents


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(-3.0, 3.0), st.floats(0.3, 3.0), st.integers(0, 2))
def test_an_audit_and_its_exchange_are_not_both_believed(seed: int, shift: float, scale: float, decimals: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=2 * N) * np.where(MEMBER, scale, 1.0) + shift * MEMBER
    scores = np.round(scores, decimals)
    assert auroc(scores, ~MEMBER) == pytest.approx(1.0 - auroc(scores, MEMBER), abs=1e-15)
    for member in (MEMBER, ~MEMBER):
        evaluation = evaluate({SIMA: scores}, member, FOLDS, replicates=100)
        _, finding = judged({SIMA: scores}, member)
        area = evaluation.metrics[SIMA].auroc
        if area.hi < 0.5:  # so it does if the interval of the right sets lies above .5
            assert finding.level == "unclear"
        if finding.leaks:
            assert area.hi >= 0.5


def test_a_leak_of_any_size_becomes_unclear_if_the_sets_are_exchanged() -> None:
    for shift in (0.5, 1.0, 3.0, 9.0):
        (scores,) = drawn(shift)
        assert judged({SIMA: scores})[1].leaks
        check, finding = judged({SIMA: scores}, ~MEMBER)
        assert (check.status, finding.level) == ("fail", "unclear")


def test_scores_that_disagree_are_named_and_the_leak_stands() -> None:
    sima, pia = drawn(1.2, -0.45)
    check, finding = judged({SIMA: sima, PIA: pia})
    assert check.status == "warn"
    assert [each.code for each in check.facts] == ["above_chance", "below_chance", "scores_disagree"]
    assert [each.values.get("attack") for each in check.facts] == ["sima", "pia", None]
    assert finding.leaks
    # With the sets exchanged the weaker score is above chance, and must not make a leak of images not trained on.
    exchanged, finding = judged({SIMA: sima, PIA: pia}, ~MEMBER)
    assert (exchanged.status, finding.level) == ("fail", "unclear")


def test_what_chance_explains_does_not_fail_a_random_draw() -> None:
    (weak,) = drawn(-0.3)
    four = {(f"attack {i}", "none"): weak for i in range(4)}
    area = evaluate({SIMA: weak}, MEMBER, FOLDS, replicates=100).metrics[SIMA].auroc
    assert area.hi < 0.5
    by_chance, _ = judged(four)
    assert (by_chance.status, by_chance.facts[-1]) == ("fail", fact("direction_may_be_chance"))
    check, _ = judged(four, drawn_at_random=True)
    assert (check.status, check.facts[-1]) == ("ok", fact("drawn_at_random"))
    (strong,) = drawn(-1.0)
    check, finding = judged({SIMA: strong}, drawn_at_random=True)
    assert (check.status, check.facts[-1]) == ("fail", fact("draw_may_be_exchanged"))
    assert finding.level == "unclear"


def test_suspects_have_their_own_explanation() -> None:
    (scores,) = drawn(-1.0)
    assert judged({SIMA: scores}, membership_known=False)[0].facts[-1] == fact("suspects_may_be_exchanged")


def test_a_learned_score_alone_confirms_no_direction() -> None:
    weak, learned = drawn(0.0, 1.5)
    for scores in ({COMBINED: learned}, {SIMA: weak, COMBINED: learned}):
        check, finding = judged(scores)
        assert check == Check("direction", "warn", (fact("direction_unconfirmed", attack="combined", mask="none"),))
        assert finding.leaks
    confirmed, _ = judged({SIMA: drawn(0.8)[0], COMBINED: learned})
    assert confirmed == Check("direction", "ok", (fact("none_below_chance", scores=1),))
    against, finding = judged({SIMA: drawn(-0.1)[0], PIA: drawn(-0.2)[0], COMBINED: learned})
    assert (against.status, finding.level) == ("fail", "unclear")  # though no interval lies below .5
    assert [each.code for each in against.facts] == ["below_chance", "direction_unconfirmed"]
    assert against.facts[0].values["attack"] == "pia"
    nothing, _ = judged({COMBINED: weak})
    assert nothing.status == "ok"


def test_scores_without_an_interval_say_nothing() -> None:
    check, _ = judged({SIMA: np.zeros(2 * N)})
    assert check.status == "ok"


def test_the_check_takes_the_test_of_the_finding() -> None:
    scores = dict(zip([SIMA, PIA, ("loss", "none")], drawn(0.31, 0.0, 0.0), strict=True))
    evaluation = evaluate(scores, MEMBER, FOLDS, replicates=200)
    assert significant_scores(evaluation, [SIMA]) == (SIMA,)
    assert significant_scores(evaluation, list(scores)) == ()
    for tested in ([SIMA], list(scores)):
        assert decide(evaluation, tested).finding.leaks == bool(significant_scores(evaluation, tested))
