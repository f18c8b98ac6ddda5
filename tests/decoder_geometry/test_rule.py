from __future__ import annotations

import pytest
import torch

from privaudit.decoder_geometry.rule import check_names, control_of, rule_masks, shuffled_mask
from privaudit.errors import ConfigError

IDS = ["a", "b", "c"]


@pytest.fixture
def influence():
    return torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(1)) + 0.1


def squared(influence):
    return influence.square()


def test_a_rule_gives_its_mask_and_a_control_of_the_same_weights(influence):
    found = rule_masks({"mine": squared}, influence, IDS, seed=0)
    assert set(found) == {"mine", "mine shuffled"}
    assert torch.equal(found["mine"], influence.square())
    control = found[control_of("mine")]
    assert not torch.equal(control, found["mine"])
    assert torch.equal(control.flatten(1).sort().values, found["mine"].flatten(1).sort().values)


def test_a_mask_of_truth_values_is_one_of_ones_and_zeros(influence):
    found = rule_masks({"mine": lambda given: given > 0.5}, influence, IDS, seed=0)["mine"]
    assert found.dtype == influence.dtype
    assert set(found.unique().tolist()) == {0.0, 1.0}


def test_the_control_belongs_to_image_seed_and_name(influence):
    whole = shuffled_mask(influence, IDS, 0, "mine")
    assert torch.equal(shuffled_mask(influence[1:2], IDS[1:2], 0, "mine"), whole[1:2])
    assert not torch.equal(shuffled_mask(influence, IDS, 1, "mine"), whole)
    assert not torch.equal(shuffled_mask(influence, IDS, 0, "other"), whole)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (lambda given: given.sum(dim=1), r"a tensor of the influence's shape \(3, 2, 4, 4\), got \(3, 4, 4\)"),
        (lambda given: 1.0, "a tensor of the influence's shape .*, got float"),
        (lambda given: -given, "finite and >= 0, with a weight above 0 in every image"),
        (lambda given: given * float("nan"), "finite and >= 0"),
        (lambda given: torch.zeros_like(given), "finite and >= 0, with a weight above 0 in every image"),
        (
            lambda given: given / given.max(),
            "independent of the batch, got different ones for the first image alone and in a batch of 3",
        ),
    ],
)
def test_what_is_no_mask(influence, rule, problem):
    influence[2] *= 2  # so that the largest is not the first image's
    with pytest.raises(ConfigError, match=f"expected the mask 'mine' to be {problem}"):
        rule_masks({"mine": rule}, influence, IDS, seed=0)


@pytest.mark.parametrize("name", ["none", "influence", "weighted", "random", "a/b", "mine@0.2", "", "mine shuffled"])
def test_names_that_mean_something_else(name):
    with pytest.raises(ConfigError, match="expected a new name for a mask"):
        check_names({"mine": squared, name: squared})


def test_no_rule_at_all():
    with pytest.raises(ConfigError, match="expected one mask or more, got none"):
        check_names({})
    assert rule_masks({}, torch.ones(1, 2), ["a"], 0) == {}
