import hashlib
import hmac
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare

from privaudit.canaries import Assignment, Candidate, check_assignment, key_of_seed, seal_of, toss
from privaudit.errors import DataError

FILES = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(4000)]
KEY = key_of_seed(0)


def an_assignment(count: int = 12) -> Assignment:
    files = sorted(FILES[:count])
    candidates = tuple(Candidate(f"{i}.png", f, toss(KEY, f), "a cat" if i % 3 else None) for i, f in enumerate(files))
    return Assignment(1, "2026-01-01T00:00:00+00:00", True, KEY.hex(), seal_of(KEY.hex(), candidates), candidates)


def test_coins_are_the_documented_function() -> None:
    digest = hmac.new(KEY, FILES[3].encode(), hashlib.sha256).digest()
    assert toss(KEY, FILES[3]) == bool(digest[0] % 2)


def test_coins_are_fair_and_independent_of_each_other_and_of_the_key() -> None:
    coins = np.array([[toss(key_of_seed(seed), name) for name in FILES] for seed in range(2)])
    assert binomtest(int(coins.sum()), coins.size).pvalue > 1e-3
    for one, other in ((coins[0], coins[1]), (coins[0, 1:], coins[0, :-1])):
        assert chisquare(np.bincount(2 * one.astype(int) + other, minlength=4)).pvalue > 1e-3


def test_the_seal_is_the_documented_hash_whatever_the_order() -> None:
    found = an_assignment(3)
    lines = [
        f"{c.sha256} {'1' if c.included else '0'} "
        + (hashlib.sha256(c.caption.encode()).hexdigest() if c.caption is not None else "-")
        for c in found.candidates
    ]
    text = "\n".join(["privaudit canaries 1", KEY.hex(), *sorted(lines)]) + "\n"
    assert found.seal == hashlib.sha256(text.encode()).hexdigest()
    assert seal_of(KEY.hex(), found.candidates[::-1]) == found.seal


def test_what_was_drawn_passes() -> None:
    found = an_assignment()
    check_assignment(found)
    check_assignment(found, f" {found.seal.upper()}\n")


def test_every_flipped_coin_is_found_even_if_the_seal_is_made_again() -> None:
    found = an_assignment()
    for place, candidate in enumerate(found.candidates):
        changed = list(found.candidates)
        changed[place] = replace(candidate, included=not candidate.included)
        with pytest.raises(DataError, match=f"1 of {len(found.candidates)} differ, the first for {candidate.path}"):
            check_assignment(replace(found, candidates=tuple(changed), seal=seal_of(found.key, changed)))


@pytest.mark.parametrize("change", ["added", "removed", "caption", "caption of none"])
def test_other_changes_break_the_seal(change: str) -> None:
    found = an_assignment()
    candidates = list(found.candidates)
    if change == "added":
        candidates.append(Candidate("new.png", FILES[100], toss(KEY, FILES[100])))
    elif change == "removed":
        candidates.pop()
    elif change == "caption":
        candidates[1] = replace(candidates[1], caption="a dog")
    else:
        candidates[0] = replace(candidates[0], caption="")
    with pytest.raises(DataError, match=f"whose hash is their seal {found.seal[:12]}"):
        check_assignment(replace(found, candidates=tuple(candidates)))


def test_another_drawing_does_not_pass_for_the_announced_one() -> None:
    found = an_assignment()
    key = key_of_seed(1)
    coins = tuple(replace(c, included=toss(key, c.sha256)) for c in found.candidates)
    other = replace(found, key=key.hex(), candidates=coins, seal=seal_of(key.hex(), coins))
    check_assignment(other)
    with pytest.raises(DataError, match=f"expected the published seal {found.seal[:12]}, got {other.seal[:12]}"):
        check_assignment(other, found.seal)


def test_the_seal_depends_on_the_key() -> None:
    found = an_assignment()
    assert seal_of(key_of_seed(1).hex(), found.candidates) != found.seal


@pytest.mark.parametrize("key", ["", "zz", "00", "zz" * 32])
def test_a_broken_key(key: str) -> None:
    with pytest.raises(DataError, match="expected a key of 64 hexadecimal digits"):
        check_assignment(replace(an_assignment(), key=key))


def test_a_file_that_stands_twice() -> None:
    found = an_assignment()
    with pytest.raises(DataError, match="one occurs twice"):
        check_assignment(replace(found, candidates=(*found.candidates, found.candidates[0])))


def test_another_version() -> None:
    with pytest.raises(DataError, match="expected canaries of version 1, got 2; update privaudit"):
        check_assignment(replace(an_assignment(), version=2))
