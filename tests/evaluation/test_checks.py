import numpy as np
import pytest

from privaudit.evaluation import assign_folds, blind_check, evaluate, sample_size_check
from privaudit.evaluation.metrics import widened

N = 200
MEMBER = np.arange(2 * N) < N
FOLDS = assign_folds([str(i) for i in range(2 * N)], MEMBER)


def check(blind: float, attack: float) -> str:
    rng = np.random.default_rng(0)
    scores = {
        "blind": rng.normal(size=2 * N) + blind * MEMBER,
        "a": rng.normal(size=2 * N) + attack * MEMBER,
        "b": rng.normal(size=2 * N),
    }
    return blind_check(evaluate(scores, MEMBER, FOLDS, replicates=300, learned=["blind"]), "blind", ["a", "b"]).status


def test_blind_rule() -> None:
    assert check(blind=0, attack=2) == "ok"
    assert check(blind=-2, attack=2) == "ok"
    assert check(blind=1, attack=0) == "fail"
    assert check(blind=1, attack=1) == "fail"
    assert check(blind=1, attack=3) == "warn"


def test_blind_interval_allows_for_shared_training_images() -> None:
    # An AUROC 2.3 standard errors above .5: the interval of independent scores excludes .5, that of out-of-fold ones
    # does not.
    rng = np.random.default_rng(0)
    for _ in range(100):
        scores = {"blind": rng.normal(size=2 * N) + 0.2 * MEMBER}
        plain = evaluate(scores, MEMBER, FOLDS, replicates=100)
        if 0.5 < plain.metrics["blind"].auroc.lo < 0.51:
            careful = evaluate(scores, MEMBER, FOLDS, replicates=100, learned=["blind"])
            assert blind_check(careful, "blind", []).status == "ok"
            assert careful.metrics["blind"].auroc.lo < 0.5
            assert careful.metrics["blind"].auroc.value == plain.metrics["blind"].auroc.value
            assert careful.p_above_chance["blind"] > 2 * plain.p_above_chance["blind"]
            return
    raise AssertionError("no borderline sample was drawn")


def test_widened_error_of_five_folds_is_that_of_a_spread_of_three_halves() -> None:
    assert widened(0.05, 5) == pytest.approx(0.00680, abs=1e-5)  # Phi(1.5 * -1.645)
    assert widened(0.05, 2) < widened(0.05, 5) < widened(0.05, 10) < 0.05


def test_blind_without_attacks_or_images() -> None:
    result = evaluate({"blind": 3.0 * MEMBER}, MEMBER, FOLDS, replicates=50, learned=["blind"])
    assert blind_check(result, "blind", []).status == "fail"
    tiny = evaluate({"blind": [0.0, 1.0]}, [True, False], [0, 1], replicates=50, learned=["blind"])
    found = blind_check(tiny, "blind", [])
    assert found.status == "warn"
    assert "expected at least 2 members" in found.detail


def test_sample_size() -> None:
    assert sample_size_check(1, 100).status == "fail"
    assert sample_size_check(100, 10_000).status == "ok"
    few = sample_size_check(500, 500)
    assert few.status == "warn"
    assert "1 % FPR rests on 5 expected false positives, 1000 non-members would give 10" in few.detail
    assert "0.1 % FPR is not reported, 10000 non-members" in few.detail
    assert "infinitely many" in sample_size_check(10, 10, (0.0,)).detail
