import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import Candidate, fact
from privaudit.evaluation.canary_audit import CanaryReport, audit_canaries
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.evaluation.pilot import SHARES
from privaudit.evaluation.selection import MEAN
from privaudit.report.sentences.design_text import canary_statement
from privaudit.storage.exact_json import decode, encode

N = 400
IDS = [f"image {i}" for i in range(N)]


def named(letters: str) -> list[Candidate]:
    """A candidate per letter."""
    return [Candidate(letter, None, "none") for letter in letters]


ABC = named("abc")


def a_run(seed: int, shift: float, columns: int = 3, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and the last column moved by `shift` for included canaries."""
    rng = np.random.default_rng(seed)
    coins = rng.random(n) < 0.5
    table = rng.normal(size=(n, columns))
    table[:, -1] += shift * coins
    return table, coins


def test_leakage_is_found_in_the_column_that_has_it() -> None:
    table, coins = a_run(0, 3.0)
    report = audit_canaries(table, ABC, coins, IDS)
    assert report.chosen == ABC[2]
    assert report.search_space == (*ABC, MEAN)
    assert (report.canaries, report.pilot, report.audited) == (400, 100, 300)
    assert report.epsilon_lower > 1.0
    assert report.epsilon_lower == epsilon_one_run(300, report.guesses, report.correct)
    assert report.epsilon_lower < report.epsilon_most == epsilon_one_run(300, report.guesses, report.guesses)
    assert report.p == 1 / 10_000
    assert report.reason is None
    assert f"{report.correct} of {report.guesses} guesses about canaries were right" in canary_statement(report)
    assert f"for any epsilon below {report.epsilon_lower:.3g}. Evidence of leakage" in canary_statement(report)


def test_the_pilot_alone_decides_what_is_guessed() -> None:
    # whatever the audited coins are, score and number of guesses stay the same
    table, coins = a_run(1, 2.0)
    report = audit_canaries(table, ABC, coins, IDS, draws=9)
    pilot = pilot_of(IDS, 100)
    rng = np.random.default_rng(5)
    for _ in range(5):
        other = np.where(pilot, coins, rng.random(N) < 0.5)
        found = audit_canaries(table, ABC, other, IDS, draws=9)
        assert (found.chosen, found.guesses_in, found.guesses_out) == (
            report.chosen,
            report.guesses_in,
            report.guesses_out,
        )


def pilot_of(ids: list[str], size: int, seed: int = 0) -> np.ndarray:
    import hashlib

    order = sorted(ids, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return np.isin(ids, order[:size])


def test_guesses_are_the_extreme_scores_of_the_audited() -> None:
    table, coins = a_run(2, 2.5, columns=1)
    report = audit_canaries(table, named("s"), coins, IDS, draws=9)
    assert report.search_space == tuple(named("s"))
    audited = ~pilot_of(IDS, 100)
    order = np.argsort(table[audited, 0])
    bits = coins[audited][order]
    right = bits[len(bits) - report.guesses_in :].sum() + (~bits[: report.guesses_out]).sum()
    assert report.correct == right
    assert {int(s * 300) for s in SHARES} >= {report.guesses_in, report.guesses_out}
    assert report.included == bits.sum()


def test_order_and_monotone_maps_change_nothing() -> None:
    table, coins = a_run(3, 1.0)
    report = audit_canaries(table, ABC, coins, IDS, draws=99)
    order = np.random.default_rng(0).permutation(N)
    assert audit_canaries(table[order], ABC, coins[order], [IDS[i] for i in order], draws=99) == report
    assert audit_canaries(np.exp(table), ABC, coins, IDS, draws=99) == report
    assert audit_canaries(table, ABC, coins, IDS, draws=99, seed=1) != report


def test_infinite_and_equal_scores_are_legal() -> None:
    table, coins = a_run(4, 0.0)
    table[:5, 0] = np.inf
    table[5:9, 0] = -np.inf
    assert np.isfinite(audit_canaries(table, ABC, coins, IDS, draws=99).epsilon_lower)
    flat = audit_canaries(np.zeros((N, 1)), named("s"), coins, IDS, draws=99)
    assert flat.p == 1.0
    assert flat.epsilon_lower < 0.3


def test_the_test_of_no_leakage_is_that_of_all_rearrangements() -> None:
    # few enough canaries that all rearrangements of the audited coins can be counted
    n, ids = 16, [f"{i}" for i in range(16)]
    rng = np.random.default_rng(7)
    coins, scores = rng.random(n) < 0.5, np.round(rng.normal(size=n), 1)
    report = audit_canaries(scores[:, None], named("s"), coins, ids, draws=20_000)
    audited = ~pilot_of(ids, 4)
    values, bits = scores[audited], coins[audited]
    ranks = [sum((values < v).astype(float)) + sum(values == v) / 2 for v in values]
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, int(bits.sum()))]
    exact = np.mean(np.array(sums) >= np.dot(bits, ranks) - 1e-9)
    assert report.p == pytest.approx(exact, abs=0.015)


def test_p_values_are_uniform_and_bounds_hold_under_the_null() -> None:
    rng = np.random.default_rng(8)
    reports = []
    for _ in range(500):
        coins = rng.random(60) < 0.5
        table = rng.normal(size=(60, 4))
        reports.append(
            audit_canaries(table, named("abcd"), coins, IDS[:60], draws=199, seed=int(rng.integers(1 << 30)))
        )
    p = np.array([report.p for report in reports])
    assert kstest(p, "uniform").pvalue > 0.001
    assert (p <= 0.05).mean() <= 0.081  # binomial(500, .05) exceeds that in .1 % of runs
    assert np.mean([report.epsilon_lower > 0 for report in reports]) <= 0.081


def test_the_bound_holds_for_randomised_response() -> None:
    # a coin kept with probability e / (1 + e) is exactly 1-private; choosing on the pilot must not spoil that
    rng, keep = np.random.default_rng(9), np.e / (1 + np.e)
    bounds = []
    for _ in range(300):
        coins = rng.random(N) < 0.5
        table = np.where(rng.random((N, 1)) < keep, coins[:, None], ~coins[:, None]) + rng.normal(size=(N, 4)) * 1e-3
        table[:, 1:] = rng.normal(size=(N, 3))
        seed = int(rng.integers(1 << 30))
        bounds.append(audit_canaries(table, named("abcd"), coins, IDS, draws=1, seed=seed).epsilon_lower)
    assert np.mean(np.array(bounds) > 1.0) <= 0.093  # binomial(300, .05) exceeds that in .1 % of runs
    assert np.median(bounds) > 0.5


def test_choosing_on_the_audited_coins_would_not_be_valid() -> None:
    # the same search without a pilot finds "leakage" in noise: what the pilot is for
    rng = np.random.default_rng(10)
    wrong = 0
    for _ in range(40):
        coins = rng.random(200) < 0.5
        table = rng.normal(size=(200, 30))
        best = 0.0
        for column in table.T:
            ranked = coins[np.argsort(-column)]
            for share in (0.05, 0.1, 0.2, 0.4):
                k = int(share * 200)
                right = int(ranked[:k].sum() + (~ranked[-k:]).sum())
                best = max(best, epsilon_one_run(200, 2 * k, right))
        wrong += best > 0
    assert wrong > 30


def test_delta_lowers_the_bound() -> None:
    table, coins = a_run(11, 4.0)
    plain = audit_canaries(table, ABC, coins, IDS, draws=9)
    report = audit_canaries(table, ABC, coins, IDS, draws=9, delta=1e-4)
    assert report.correct == plain.correct
    assert 0 < report.epsilon_lower < plain.epsilon_lower
    assert report.epsilon_lower == epsilon_one_run(report.audited, report.guesses, report.correct, 0.95, 1e-4)
    assert "not (epsilon, 0.0001)-differentially private" in canary_statement(report)


@pytest.mark.parametrize(("n", "parts"), [(5, (1, 4)), (2, (0, 2)), (6, (2, 4)), (7, (2, 5))])
def test_too_few_canaries_have_a_reason(n: int, parts: tuple[int, int]) -> None:
    table, coins = a_run(12, 0.0, n=n)
    report = audit_canaries(table, ABC, coins, IDS[:n])
    assert np.isnan([report.epsilon_lower, report.epsilon_most, report.p]).all()
    pilot, audited = parts
    assert report.reason == fact(
        "too_few_canaries", pilot=pilot, needed_pilot=2, audited=audited, needed_audited=6, confidence=0.95
    )
    assert (report.chosen, report.guesses, report.pilot, report.audited) == (None, 0, pilot, audited)
    assert canary_statement(report).startswith("Not measured: needs at least 2 canaries in the pilot and 6 others")


@pytest.mark.parametrize("n", [8, 9, 10, 13])
def test_few_canaries_give_a_number(n: int) -> None:
    coins = np.arange(n) % 2 == 0
    report = audit_canaries(coins[:, None] * 1.0, named("s"), coins, IDS[:n], draws=99)
    assert report.reason is None
    assert report.guesses >= 5
    assert report.epsilon_most > 0


@pytest.mark.parametrize("side", ["in", "out"])
def test_audited_coins_of_one_side_have_a_bound_and_no_p_value(side: str) -> None:
    table, _ = a_run(13, 0.0)
    coins = np.where(pilot_of(IDS, 100), np.arange(N) % 2 == 0, side == "in")
    report = audit_canaries(table, ABC, coins, IDS, draws=9)
    assert np.isnan(report.p)
    assert report.reason == fact("coins_on_one_side", canaries=300, side=side)
    assert report.correct in (report.guesses_in, report.guesses_out)
    assert np.isfinite(report.epsilon_lower)
    assert "vidence" not in canary_statement(report)


def test_a_pilot_of_one_side_is_no_obstacle() -> None:
    table, coins = a_run(14, 3.0)
    coins = coins | pilot_of(IDS, 100)
    assert np.isfinite(audit_canaries(table, ABC, coins, IDS, draws=9).epsilon_lower)


def test_reports_survive_json() -> None:
    table, coins = a_run(15, 1.0)
    report = audit_canaries(table, ABC, coins, IDS, draws=9)
    assert decode(CanaryReport, encode(report)) == report
    few = audit_canaries(table[:4], ABC, coins[:4], IDS[:4])
    again = decode(CanaryReport, encode(few))
    assert np.isnan(again.p)
    assert replace(again, p=0.0, epsilon_lower=0.0, epsilon_most=0.0) == replace(
        few, p=0.0, epsilon_lower=0.0, epsilon_most=0.0
    )


def test_shapes_ids_and_nan() -> None:
    table, coins = a_run(16, 0.0)
    for bad in ((table[:-1], ABC, coins, IDS), (table, ABC[:2], coins, IDS), (table[:, :0], [], coins, IDS)):
        with pytest.raises(DataError, match=r"expected scores of shape \(canaries, labels\)"):
            audit_canaries(*bad)
    with pytest.raises(DataError, match=r"expected scores of shape"):
        audit_canaries(table, ABC, coins[:-1], IDS)
    with pytest.raises(DataError, match="at least one is repeated"):
        audit_canaries(table, ABC, coins, [*IDS[:-1], IDS[0]])
    table[7, 1] = np.nan
    with pytest.raises(NonFiniteError, match="NaN for 1 of 400 canaries, the first image 7"):
        audit_canaries(table, ABC, coins, IDS)


def test_all_bad_parameters_are_named() -> None:
    table, coins = a_run(17, 0.0)
    with pytest.raises(ConfigError) as found:
        audit_canaries(table, ABC, coins, IDS, pilot=1.0, confidence=0.0, delta=1.0, draws=0)
    assert [problem.split(",")[0] for problem in found.value.problems] == [
        "expected a pilot fraction in (0",
        "expected a confidence in (0",
        "expected delta in [0",
        "expected at least 1 permutation of the coins",
    ]
