"""The reducer that every attack shares, the one place where the sign is flipped, and what parameters are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from cases import a_batch, ones
from hypothesis import given
from hypothesis import strategies as st
from models import LATENT, random_normal
from torch import Tensor

from privaudit.attacks import ATTACKS, Attack, masked_errors, parse_attacks, score_batch
from privaudit.attacks.base import FieldAttack
from privaudit.errors import ConfigError, NonFiniteError


class TestReducer:
    def test_is_the_sum_of_masked_powers(self):
        field = torch.tensor([[[1.0, -2.0]], [[0.0, 0.5]]])
        masks = {"none": torch.ones_like(field), "second": torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]])}
        found = masked_errors(field, masks, 2)
        assert found["none"].tolist() == [5.0, 0.25]
        assert found["second"].tolist() == [4.0, 0.25]
        assert masked_errors(field, masks, 4)["none"].tolist() == [17.0, 0.0625]
        assert masked_errors(field, masks, 1)["none"].tolist() == [3.0, 0.5]

    @given(order=st.floats(0.5, 6), seed=st.integers(0, 99))
    def test_weights_that_sum_to_one_make_a_mean(self, order, seed):
        field = random_normal(3, *LATENT, seed=seed, dtype=torch.float64)
        found = masked_errors(field, {"none": torch.ones_like(field), "mean": torch.full_like(field, 1 / 32)}, order)
        torch.testing.assert_close(found["mean"], field.abs().pow(order).flatten(1).mean(dim=1))
        torch.testing.assert_close(found["none"], 32 * found["mean"])

    @given(order=st.floats(0.5, 6), seed=st.integers(0, 99), cut=st.floats(0, 1))
    def test_adds_up_over_complementary_masks(self, order, seed, cut):
        field = random_normal(2, *LATENT, seed=seed)
        mask = (random_normal(2, *LATENT, seed=seed + 100).abs() < cut).float()
        found = masked_errors(field, {"none": torch.ones_like(field), "in": mask, "out": 1 - mask}, order)
        torch.testing.assert_close(found["in"] + found["out"], found["none"])

    def test_keeps_close_and_large_errors_apart(self):
        # in float32 the fourth powers are infinite, and a squashing function would make them ties
        field = torch.tensor([[[3.0e12]], [[3.0000005e12]], [[2.0e12]]])
        found = masked_errors(field, {"none": torch.ones_like(field)}, 4)["none"]
        assert found.dtype == torch.float64
        assert torch.isfinite(found).all()
        assert found.argsort().tolist() == [2, 0, 1]

    def test_keeps_errors_apart_that_half_precision_would_lose(self):
        field = torch.tensor([[[1.0e-6]], [[2.0e-6]]], dtype=torch.float16)
        found = masked_errors(field, {"none": torch.ones(2, 1, 1)}, 4)["none"]
        assert 0 < found[0] < found[1]

    def test_no_images_have_no_errors(self):
        assert masked_errors(torch.empty(0, *LATENT), {"none": torch.empty(0, *LATENT)}, 2)["none"].shape == (0,)


@dataclass(frozen=True)
class Given(Attack):
    """Errors that are the first value of each latent."""

    name = "given"
    citation = "-"
    summary = "-"

    def measure(self, batch, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: batch.latents.flatten(1)[:, :1].double() for name in masks}


@dataclass(frozen=True)
class Learned(Given):
    name = "learned"
    learned = True


def test_a_low_error_is_a_high_score_and_features_stay_as_they_are():
    batch = a_batch()
    found = score_batch([Given(), Learned()], batch, {"none": ones(), "half": ones()})
    errors = batch.latents.flatten(1)[:, :1]
    for mask in ("none", "half"):
        assert torch.equal(found["given", mask], -errors)
        assert torch.equal(found["learned", mask], errors)


def test_scores_bear_the_title_with_its_preset():
    assert set(score_batch([Given(preset="mine")], a_batch(), {"none": ones()})) == {("given@mine", "none")}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_error_that_is_no_number_names_attack_and_image(value):
    batch = a_batch()
    batch.latents[1, 0, 0, 0] = value
    batch.latents[3, 0, 0, 0] = value
    message = "^expected a finite error of given@mine.*, got NaN or infinity for the images b, d; try --dtype float32"
    with pytest.raises(NonFiniteError, match=message):
        score_batch([Given(preset="mine")], batch, {"none": ones()})


def test_nobody_records_gradients():
    @dataclass(frozen=True)
    class Curious(Given):
        def measure(self, batch, masks):
            assert not torch.is_grad_enabled()
            return super().measure(batch, masks)

    score_batch([Curious()], a_batch(), {"none": ones()})
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", sorted(name for name, kind in ATTACKS.items() if issubclass(kind, FieldAttack)))
def test_the_order_of_a_norm_is_positive(name):
    for order in (0.0, -1.0):
        with pytest.raises(ConfigError, match=rf"^expected order > 0 for {name}, got {order}$"):
            ATTACKS[name](order=order)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("loss:draws=0", "expected draws >= 1 for loss, got 0"),
        ("epsilon:draws=-2", "expected draws >= 1 for epsilon, got -2"),
        ("flow_mc:draws=0", "expected draws >= 1 for flow_mc, got 0"),
        ("secmi:step=0", "expected step >= 1 for secmi, got 0"),
        ("pian:size=0", r"expected size > 0 for pian, got 0\.0"),
        ("pian:size=nan", "expected a finite number for size of pian, got nan; expected size > 0 for pian, got nan"),
        ("sima:order=inf", "expected a finite number for order of sima, got inf"),
        ("pfami:crops=0", r"expected one or more crops of 1 to 99 percent for pfami, got \(0,\)"),
        ("pfami:crops=81,100", r"expected one or more crops of 1 to 99 percent for pfami, got \(81, 100\)"),
        ("clid:weights=-1", r"expected distinct weights >= 0 for clid, got \(-1,\)"),
        ("clid:weights=10,10", r"expected distinct weights >= 0 for clid, got \(10, 10\)"),
        ("mirror:horizontal=no:vertical=no", "expected at least one flip for mirror, got none"),
        ("mirror:order=0", r"expected order > 0 for mirror, got 0\.0"),
    ],
)
def test_parameters_without_a_meaning_are_refused(spec, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        parse_attacks([spec])


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigError) as error:
        parse_attacks(["rediffuse:draws=0:step=0:order=-1:levels=-5"])
    assert len(error.value.problems) == 4
