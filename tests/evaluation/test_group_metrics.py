import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.delong import auroc_estimate
from privaudit.evaluation.facts import fact
from privaudit.evaluation.group_metrics import by_group
from privaudit.evaluation.rate import rate_estimate
from privaudit.evaluation.roc import count

RNG = np.random.default_rng(0)
NAMES = ["own"] * 900 + ["members only"] * 50 + ["one each"] * 2 + [None] * 48
MEMBER = np.array([True, False] * 450 + [True] * 50 + [True, False] + [False] * 48)
SCORES = RNG.normal(size=1000) + MEMBER


def test_own_nonmembers_if_there_are_two_else_all() -> None:
    names = np.array(NAMES, dtype=object)
    first, second, third = by_group(NAMES, SCORES, MEMBER)
    assert [stratum.name for stratum in (first, second, third)] == ["members only", "one each", "own"]
    everyone = (names == "members only") | ~MEMBER
    assert (first.against, first.members, first.nonmembers) == ("all", 50, int((~MEMBER).sum()))
    assert first.auroc == auroc_estimate(SCORES[everyone], MEMBER[everyone])
    assert first.tpr == rate_estimate(count(SCORES[everyone], MEMBER[everyone]), 0.01)
    inside = names == "own"
    assert (third.against, third.members, third.nonmembers) == ("group", 450, 450)
    assert third.auroc == auroc_estimate(SCORES[inside], MEMBER[inside])
    assert (second.against, second.members) == ("all", 1)
    assert np.isnan(second.auroc.value)  # it would be the rank of one image
    assert second.auroc.reason == fact("single_member_in_group")
    assert second.tpr is None


def test_a_group_that_leaks_stands_out() -> None:
    names = np.array(NAMES, dtype=object)
    found = by_group(NAMES, SCORES + 3 * (names == "members only"), MEMBER, fpr=0.1)
    assert found[0].auroc.lo > found[2].auroc.hi
    assert found[0].tpr.lo > found[2].tpr.hi


def test_a_rate_that_no_group_of_this_size_has_is_none() -> None:
    names = ["a"] * 40
    (found,) = by_group(names, SCORES[:40], MEMBER[:40])
    assert found.tpr is None
    assert found.auroc.lo < found.auroc.value < found.auroc.hi


def test_groups_of_nonmembers_have_no_line() -> None:
    assert by_group(["a", "b", "b", "a"], np.arange(4.0), [True, False, False, True])[0].name == "a"
    assert len(by_group(["a", "b", "b", "a"], np.arange(4.0), [True, False, False, True])) == 1
    assert by_group([None, None], [0.0, 1.0], [True, False]) == ()


def test_without_any_nonmember_there_is_no_value() -> None:
    (found,) = by_group(["a", "a"], [0.0, 1.0], [True, True])
    assert np.isnan(found.auroc.value)
    assert found.auroc.reason == fact("too_few_independent", units=0)
    assert found.tpr is None


def test_bad_input() -> None:
    with pytest.raises(DataError, match="expected one group per image, got 1 for 2 images"):
        by_group(["a"], [0.0, 1.0], [True, False])
    with pytest.raises(ConfigError, match="confidence"):
        by_group(["a", "a"], [0.0, 1.0], [True, False], confidence=1.0)
