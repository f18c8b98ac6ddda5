from __future__ import annotations

import pytest
import torch
from models import random_normal

from privaudit.decoder_geometry import channel_shares, influence_maps, resample, same_shape

INFLUENCE = random_normal(3, 4, 8, 6).square() + 0.01


def test_a_map_is_the_sum_over_channels_scaled_to_a_mean_of_one():
    maps = influence_maps(INFLUENCE)
    summed = INFLUENCE.sum(dim=1)
    assert maps.shape == (3, 8, 6)
    torch.testing.assert_close(maps, summed / summed.mean(dim=(1, 2), keepdim=True))


def test_scale_of_an_image_does_not_matter():
    torch.testing.assert_close(influence_maps(INFLUENCE * 7.0), influence_maps(INFLUENCE))


def test_large_latents_are_averaged_over_patches():
    maps = influence_maps(random_normal(2, 4, 64, 32).square(), max_side=16)
    assert maps.shape == (2, 16, 16)
    torch.testing.assert_close(maps.mean(dim=(1, 2)), torch.ones(2))


def test_channels_may_be_the_last_axis():
    torch.testing.assert_close(influence_maps(INFLUENCE.movedim(1, -1), channel_axis=3), influence_maps(INFLUENCE))
    torch.testing.assert_close(channel_shares(INFLUENCE.movedim(1, -1), channel_axis=3), channel_shares(INFLUENCE))


def test_latents_without_rows_give_maps_of_one_row():
    assert influence_maps(random_normal(2, 4, 10).square()).shape == (2, 1, 10)


def test_shares_of_the_channels():
    shares = channel_shares(INFLUENCE)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(3))
    expected = INFLUENCE[1, 2].sum() / INFLUENCE[1].sum()
    assert shares[1, 2].item() == pytest.approx(expected.item())


def test_maps_of_several_shapes_are_resampled_to_the_largest_sides():
    wide, tall = torch.rand(2, 2, 4), torch.rand(3, 8, 4)
    here, there = same_shape([wide, tall])
    assert there is tall
    torch.testing.assert_close(here, wide.repeat_interleave(4, dim=1))
    torch.testing.assert_close(resample(here, (2, 4)), wide)


def test_maps_of_one_shape_stay_as_they_are():
    maps = [torch.rand(2, 3, 4), torch.rand(1, 3, 4)]
    assert all(one is two for one, two in zip(same_shape(maps), maps, strict=True))
