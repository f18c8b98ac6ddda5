from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import random_normal

from privaudit.evaluation import by_quartile
from privaudit.tasks.geometry_maps import EXTREMES, choose_shown, half_share, quarters

INF = float("inf")


class TestQuarters:
    @pytest.mark.parametrize("count", [4, 5, 17, 40])
    def test_they_are_the_strata_of_the_evaluation(self, count):
        values = random_normal(count, seed=count).double().numpy()
        member = np.arange(count) % 2 == 0
        strata = by_quartile(values, values, member)
        found = quarters(values)
        for number, stratum in enumerate(strata, start=1):
            assert ((found == number) & member).sum() == stratum.members
            assert ((found == number) & ~member).sum() == stratum.nonmembers

    def test_ties_stay_together(self):
        assert quarters(np.zeros(8)).tolist() == [4] * 8

    def test_minus_infinity_is_the_least(self):
        values = np.array([3.0, -INF, 2.0, 1.0, -INF, 5.0, 6.0, 7.0])
        assert quarters(values).tolist() == [3, 1, 2, 2, 1, 3, 4, 4]
        assert set(quarters(np.full(5, -INF)).tolist()) == {4}

    def test_fewer_than_four_have_none(self):
        assert quarters(np.array([1.0, 2.0, 3.0])).tolist() == [0, 0, 0]
        assert quarters(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [1, 2, 3, 4]


class TestHalfShare:
    def test_known_shares(self):
        even, one = torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
        one[0, 1, 0, 1] = 3
        mixed = torch.tensor([4.0, 1, 1, 1, 1, 0, 0, 0]).view(1, 2, 2, 2)
        found = half_share(torch.cat([even, one, mixed, torch.zeros_like(even)]))
        assert found[:3].tolist() == [0.5, 0.125, 0.125]
        assert found[3].isnan()

    def test_what_it_counts_is_enough_and_one_less_is_not(self):
        values = random_normal(6, 2, 4, 4).square()
        ordered = values.flatten(1).sort(dim=1, descending=True).values
        for row, share in enumerate(half_share(values).tolist()):
            count = round(share * 32)
            assert ordered[row, :count].sum() >= ordered[row].sum() / 2
            assert ordered[row, : count - 1].sum() < ordered[row].sum() / 2


class TestChoice:
    @given(st.integers(1, 60), st.integers(0, 80))
    def test_as_many_as_wanted_each_once(self, images, wanted):
        values = np.random.default_rng(images).normal(size=images)
        found = choose_shown(values, wanted)
        assert len(found) == len(set(found)) == min(wanted, images)

    def test_the_extremes_come_first_and_in_turn(self):
        values = np.random.default_rng(0).normal(size=50)
        order = np.argsort(-values)
        found = choose_shown(values, 20)
        assert found[: 2 * EXTREMES : 2] == tuple(order[:EXTREMES])
        assert found[1 : 2 * EXTREMES : 2] == tuple(order[::-1][:EXTREMES])
        assert choose_shown(values, 3) == found[:3]

    def test_the_rest_are_spread_evenly(self):
        values = -np.arange(110.0)  # of which 100 are between the extremes
        rest = sorted(choose_shown(values, 2 * EXTREMES + 12)[2 * EXTREMES :])
        assert (rest[0], rest[-1]) == (EXTREMES, 109 - EXTREMES)
        assert set(np.diff(rest).tolist()) == {9}
        assert choose_shown(values, 2 * EXTREMES + 1)[-1] in (54, 55)

    def test_minus_infinity_is_least_distorted(self):
        assert choose_shown(np.array([1.0, -INF, 2.0]), 2) == (2, 1)
