import itertools

import numpy as np
import pytest

from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.one_run import epsilon_one_run
from privaudit.evaluation.pilot import SHARES, Guesses, choose_guesses, fewest_guesses, how_many


def test_the_choice_is_that_of_trying_everything() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        coins = rng.random(60) < 0.5
        scores = rng.normal(size=(60, 4)) + np.outer(coins, [0, 1, 0.5, 0])
        tried = []
        for column, (share_in, share_out) in itertools.product(range(4), itertools.product(SHARES, SHARES)):
            top, bottom = how_many(share_in, 60), how_many(share_out, 60)
            if how_many(share_in, 180) + how_many(share_out, 180) < 5:
                continue
            ranked = coins[np.argsort(-scores[:, column])]
            right = ranked[:top].sum() + (~ranked[60 - bottom :]).sum()
            limit = float(clopper_pearson(right, top + bottom, 0.05, "lower"))
            tried.append((limit, Guesses(column, share_in, share_out)))
        best = max(limit for limit, _ in tried)
        chosen = choose_guesses(scores, coins, 180, 0.95)
        assert chosen == next(guesses for limit, guesses in tried if limit == best)


def test_one_sided_leakage_is_guessed_on_one_side() -> None:
    # a tenth stands out, and all of those were trained on; of the others nothing is known
    rng = np.random.default_rng(1)
    coins = rng.random(1000) < 0.5
    scores = rng.normal(size=(1000, 1)) + 50.0 * (coins & (rng.random(1000) < 0.2))[:, None]
    assert choose_guesses(scores, coins, 3000, 0.95) == Guesses(0, 0.1, 0.0)
    assert choose_guesses(-scores, ~coins, 3000, 0.95) == Guesses(0, 0.0, 0.1)


def test_no_choice_makes_too_few_guesses() -> None:
    coins = np.array([True, False])
    for audited in range(6, 30):
        chosen = choose_guesses(np.array([[1.0], [0.0]]), coins, audited, 0.95)
        assert how_many(chosen.share_in, audited) + how_many(chosen.share_out, audited) >= 5


@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
def test_the_fewest_guesses_that_show_anything(confidence: float) -> None:
    fewest = fewest_guesses(confidence)
    assert epsilon_one_run(fewest, fewest, fewest, confidence) > 0
    if fewest > 1:
        assert epsilon_one_run(fewest, fewest - 1, fewest - 1, confidence) == 0


def test_shares_are_rounded_down_and_never_to_none() -> None:
    assert [how_many(share, 99) for share in (0.0, 0.001, 0.5, 0.25)] == [0, 1, 49, 24]
