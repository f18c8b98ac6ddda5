from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import LATENT, random_normal

from privaudit.decoder_geometry import (
    DECILES,
    HARD,
    MASKS,
    anti_influence_mask,
    build_masks,
    decile_masks,
    hard_mask,
    influence_mask,
    influence_weights,
    mask_names,
    pooled_influence,
    random_mask,
)
from privaudit.decoder_geometry.mask import kept_count
from privaudit.errors import ConfigError

IDS = ["a", "b", "c"]


@given(size=st.integers(1, 500), drop=st.floats(0, 1, exclude_max=True))
def test_kept_count_is_the_rest_of_what_is_dropped(size, drop):
    assert 1 <= kept_count(size, drop) <= size
    assert kept_count(size, drop) == max(1, size - round(drop * size))


def test_the_papers_fraction():
    assert kept_count(256, 0.4) == 154


@settings(deadline=None)
@given(drop=st.floats(0, 0.99), levels=st.integers(1, 5), seed=st.integers(0, 1000))
def test_hard_masks_keep_the_same_count_whatever_the_ties(drop, levels, seed):
    influence = torch.randint(0, levels, (3, *LATENT), generator=torch.Generator().manual_seed(seed)).float()
    kept = kept_count(32, drop)
    for mask in (influence_mask(influence, drop), random_mask(influence, IDS, drop, 0)):
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
        assert mask.flatten(1).sum(1).tolist() == [kept] * 3


def test_influence_mask_keeps_the_most_influential_and_ties_go_to_the_lower_index():
    influence = torch.tensor([[[[3.0, 1.0, 3.0, 2.0, 2.0]]]])
    assert influence_mask(influence, 0.4).flatten().tolist() == [1, 0, 1, 1, 0]
    assert influence_mask(torch.ones(1, 1, 1, 5), 0.4).flatten().tolist() == [1, 1, 1, 0, 0]


def test_random_mask_belongs_to_the_image():
    influence = torch.ones(3, *LATENT)
    whole = random_mask(influence, IDS, 0.4, seed=0)
    assert torch.equal(random_mask(influence[:1], ["c"], 0.4, seed=0)[0], whole[2])
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(random_mask(influence, IDS, 0.4, seed=1), whole)


def test_weights_are_shares_of_each_image():
    influence = random_normal(3, *LATENT).abs()
    weights = influence_weights(influence)
    torch.testing.assert_close(weights.flatten(1).sum(1), torch.ones(3))
    torch.testing.assert_close(weights[0] / weights[0, 0, 0, 0], influence[0] / influence[0, 0, 0, 0])
    torch.testing.assert_close(influence_weights(100 * influence), weights)
    torch.testing.assert_close(influence_weights(torch.zeros(1, *LATENT)), torch.full((1, *LATENT), 1 / 32))


def test_weights_of_an_influence_that_is_not_a_number_are_none():
    """Not uniform ones, which would pass for no mask."""
    influence = torch.ones(2, *LATENT)
    influence[0, 0, 0, 0] = torch.nan
    weights = influence_weights(influence)
    assert torch.isnan(weights[0]).all()
    torch.testing.assert_close(weights[1], torch.full(LATENT, 1 / 32))


def test_build_masks_has_every_mask_and_none_is_ones():
    masks = build_masks(random_normal(3, *LATENT).abs(), IDS, 0.4, 0)
    assert tuple(masks) == MASKS
    assert torch.equal(masks["none"], torch.ones(3, *LATENT))


def test_several_shares_to_drop_make_a_hard_mask_each():
    influence, drops = random_normal(3, *LATENT).abs(), (0.2, 0.4, 0.6)
    masks = build_masks(influence, IDS, drops, 0)
    assert tuple(masks) == mask_names(drops)
    assert mask_names(drops)[:3] == ("none", "random@0.2", "random@0.4")
    assert mask_names((0.4,)) == MASKS
    for drop in drops:
        alone = build_masks(influence, IDS, drop, 0)
        for mask in HARD:
            assert torch.equal(masks[hard_mask(mask, drop, drops)], alone[mask])
    assert torch.equal(masks["weighted"], alone["weighted"])
    assert (masks["random@0.6"] <= masks["random@0.2"]).all(), "what a smaller share drops, a larger one drops too"


@pytest.mark.parametrize("drop", [-0.1, 1.0, 2.0])
def test_refuses_a_drop_that_leaves_nothing(drop):
    with pytest.raises(ConfigError, match="0 <= drop < 1"):
        influence_mask(torch.ones(1, *LATENT), drop)


def test_anti_influence_keeps_the_least_influential():
    influence = torch.tensor([[[[3.0, 1.0, 5.0, 2.0, 4.0]]]])
    assert anti_influence_mask(influence, 0.4).flatten().tolist() == [1, 1, 0, 1, 0]
    both = influence_mask(influence, 0.6) + anti_influence_mask(influence, 0.4)
    assert both.flatten().tolist() == [1] * 5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 30.0])
def test_weights_by_a_power_of_the_influence(gamma):
    influence = 1e-3 + 1e4 * random_normal(3, *LATENT).abs()
    weights = influence_weights(influence, gamma)
    torch.testing.assert_close(weights.flatten(1).sum(1), torch.ones(3))
    wanted = influence.double().pow(gamma)
    torch.testing.assert_close(
        weights.double(), wanted / wanted.flatten(1).sum(1).view(-1, 1, 1, 1), rtol=1e-3, atol=1e-7
    )


@pytest.mark.parametrize("gamma", [-1.0, float("inf"), float("nan")])
def test_refuses_a_power_that_is_none(gamma):
    with pytest.raises(ConfigError, match="0 <= gamma"):
        influence_weights(torch.ones(1, *LATENT), gamma)


def test_pooled_influence_counts_every_image_alike():
    influence = random_normal(3, *LATENT).abs()
    scaled = influence * torch.tensor([1.0, 100.0, 0.01]).view(3, 1, 1, 1)
    pooled = pooled_influence(influence)
    assert pooled.shape == (1, *LATENT)
    torch.testing.assert_close(pooled_influence(scaled), pooled)
    torch.testing.assert_close(pooled.sum(), torch.tensor(1.0))


class TestDeciles:
    """Deciles of the dimensions by influence."""

    def test_add_up_to_everything_once(self):
        deciles = decile_masks(random_normal(3, *LATENT).abs())
        assert tuple(deciles) == DECILES
        torch.testing.assert_close(sum(deciles.values()), torch.ones(3, *LATENT))

    def test_hold_a_tenth_each_from_least_to_most_influence(self):
        influence = random_normal(2, 5, 4, 4).abs()
        deciles = decile_masks(influence)
        for row in range(2):
            parts = [influence[row][deciles[name][row].bool()] for name in DECILES]
            assert [len(part) for part in parts] == [8] * 10
            assert all(low.max() <= high.min() for low, high in pairwise(parts))

    def test_six_of_ten_are_the_influence_mask_that_drops_four(self):
        influence = random_normal(2, 5, 4, 4).abs()
        deciles = decile_masks(influence)
        torch.testing.assert_close(sum(deciles[name] for name in DECILES[4:]), influence_mask(influence, 0.4))

    def test_ties_go_by_index_and_nothing_is_lost(self):
        deciles = decile_masks(torch.ones(1, 1, 5, 4))
        for number, name in enumerate(DECILES):
            assert deciles[name].flatten().nonzero().flatten().tolist() == [2 * number, 2 * number + 1]

    def test_fewer_dimensions_than_bands_leave_some_empty(self):
        deciles = decile_masks(torch.tensor([[3.0, 1.0, 2.0]]))
        assert sum(float(decile.sum()) for decile in deciles.values()) == 3
        assert deciles["band0"].tolist() == [[0, 1, 0]]
        assert deciles["band3"].tolist() == [[0, 0, 1]]
        assert deciles["band6"].tolist() == [[1, 0, 0]]
