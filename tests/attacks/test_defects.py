"""Mistakes that public implementations of these attacks have made, none of them ours."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import pytest
import torch
from cases import SPECS, a_batch, a_network, agree, an_attack, everything, ones, scored, some_masks
from models import LATENT, gaussian_target, network_target, random_normal
from torch import Tensor

from privaudit.attacks import PassCache, parse_attacks, score_batch
from privaudit.attacks.loss import Loss
from privaudit.attacks.pia import Pia
from privaudit.attacks.pian import Pian
from privaudit.attacks.rediffuse import Rediffuse
from privaudit.attacks.secmi import Secmi
from privaudit.attacks.sima import Sima


@dataclass(frozen=True)
class Recorder:
    """A denoiser that remembers what it was given."""

    inner: Any
    given: list[tuple[Tensor, int]] = field(default_factory=list)

    @property
    def head(self) -> str:
        return self.inner.head

    def predict_noise(self, noisy: Tensor, level: int, condition: Any) -> Tensor:
        self.given.append((noisy.clone(), level))
        return self.inner.predict_noise(noisy, level, condition)


def recorded(attack, **changes: Any):
    """What the denoiser was given by one attack, and the batch."""
    target = network_target()
    recorder = Recorder(target.denoiser)
    batch = replace(a_batch(target, **changes), target=replace(target, denoiser=recorder))
    scored(attack, batch)
    return recorder.given, batch


class TestPiaTakesItsNoiseFromTheModel:
    """Random noise drawn where eps_hat(z_0, 0) belongs is the loss attack under another name."""

    def test_the_second_pass_sees_the_first_ones_answer(self):
        ((clean, first), (noisy, second)), batch = recorded(Pia(levels=(200,)))
        assert (first, second) == (0, 200)
        assert torch.equal(clean, batch.latents)
        alpha, sigma = batch.target.alpha_sigma(200)
        own = batch.target.predict_noise(batch.latents, 0, None)
        torch.testing.assert_close(noisy, alpha * batch.latents + sigma * own)

    def test_pian_changes_its_length_and_not_its_direction(self):
        (_, (noisy, _)), batch = recorded(Pian(levels=(200,)))
        alpha, sigma = batch.target.alpha_sigma(200)
        taken = (noisy - alpha * batch.latents) / sigma
        own = batch.target.predict_noise(batch.latents, 0, None)
        torch.testing.assert_close(torch.cosine_similarity(taken.flatten(1), own.flatten(1)), torch.ones(4).double())
        torch.testing.assert_close(taken.abs().flatten(1).mean(dim=1), torch.full((4,), (2 / torch.pi) ** 0.5).double())

    @pytest.mark.parametrize("attack", [Pia(levels=(200,)), Pian(levels=(200,))])
    def test_no_noise_is_drawn(self, attack):
        first, second = (scored(attack, a_batch(network_target(), seed=seed))["none"] for seed in (1, 2))
        assert torch.equal(first, second)

    def test_with_random_noise_it_would_be_the_loss(self):
        @dataclass(frozen=True)
        class Wrong(Pia):
            def clean_noise(self, batch):
                return batch.noise(200)

        batch = a_batch(network_target())
        loss, pia = (scored(attack, batch)["none"] for attack in (Loss(levels=(200,), order=4), Pia(levels=(200,))))
        torch.testing.assert_close(scored(Wrong(levels=(200,)), batch)["none"], loss)
        assert not torch.isclose(pia, loss, rtol=1e-3, atol=0).any()

    def test_the_two_published_sizes_of_noise_are_not_the_same_attack(self):
        code, equation = (
            scored(parse_attacks([spec])[0].for_target(gaussian_target()), a_batch())["none"]
            for spec in ("pian@code", "pian@eq")
        )
        assert not torch.isclose(code, equation, rtol=1e-3, atol=0).any()


class TestSecmiInverts:
    """A latent noised at random is no inversion: the step on and back would start from another point."""

    def test_asks_the_model_all_the_way(self):
        given, batch = recorded(Secmi(levels=(100,)))
        assert [level for _, level in given] == [*range(0, 100, 10), 100]
        assert torch.equal(given[0][0], batch.latents)
        for (before, level), (after, _) in zip(given, given[1:], strict=False):
            # each latent follows from the one before it by the model's own prediction
            noise = batch.target.predict_noise(before, level, None)
            (alpha, sigma), (alpha_on, sigma_on) = (batch.target.alpha_sigma(at) for at in (level, level + 10))
            torch.testing.assert_close(after, alpha_on * (before - sigma * noise) / alpha + sigma_on * noise)

    def test_no_noise_is_drawn(self):
        first, second = (scored(Secmi(levels=(100,)), a_batch(network_target(), seed=seed))["none"] for seed in (1, 2))
        assert torch.equal(first, second)

    def test_without_inversion_it_would_be_another_number(self):
        batch = a_batch(network_target())
        start = batch.noised(90, batch.noise(90))
        on = batch.step(start, batch.predict(start, 90), 90, 100)
        back = batch.step(on, batch.predict(on, 100), 100, 90)
        wrong = (back - start).square().flatten(1).sum(dim=1)
        assert not torch.isclose(-scored(Secmi(levels=(100,)), batch)["none"][:, 0], wrong, rtol=1e-2, atol=0).any()


class TestClean:
    def test_sima_adds_no_noise(self):
        given, batch = recorded(Sima(levels=(0, 200)))
        assert [level for _, level in given] == [0, 200]
        assert all(torch.equal(latents, batch.latents) for latents, _ in given)

    def test_rediffuse_averages_latents_before_it_takes_the_distance(self):
        # the mean of the distances is larger
        batch = a_batch(network_target())
        averaged = -scored(Rediffuse(levels=(200,), draws=4), batch)["none"][:, 0]
        apart = [
            (batch.latents - Rediffuse(levels=(200,)).vary(batch, 200, draw)).square().flatten(1).sum(dim=1)
            for draw in range(4)
        ]
        assert (averaged < torch.stack(apart).mean(dim=0)).all()


@pytest.mark.parametrize("kind", ["loss", "clid", "flow_mc"], ids=["unconditional", "text", "flow"])
def test_no_attack_is_another_one_in_disguise(kind):
    """Two names, two statistics; presets that are the default under another name are meant to be equal."""
    attacks, target = everything(kind)
    scores = [scored(attack, a_batch(target))["none"] for attack in attacks]
    for (first, left), (second, right) in combinations(zip(attacks, scores, strict=True), 2):
        same = type(first) is type(second) and replace(first, preset="") == replace(second, preset="")
        if left.shape == right.shape and not same:
            assert not torch.allclose(left, right, rtol=1e-6, atol=0), (first.label, second.label)


@pytest.mark.parametrize("spec", SPECS)
def test_scores_are_errors_as_they_are_and_not_squashed_into_an_interval(spec):
    """A sigmoid makes ties of large scores; here ten times the latent is another score, and no two images tie."""
    attack, target = an_attack(spec)
    batch = a_batch(target)
    large = replace(batch, latents=10 * batch.latents, images=10 * batch.images, cache=PassCache())
    for found in (scored(attack, batch)["none"], scored(attack, large)["none"]):
        assert all(len(column.unique()) == len(column) for column in found.T)
    assert not torch.isclose(scored(attack, batch)["none"], scored(attack, large)["none"]).all()


@pytest.mark.parametrize("spec", SPECS)
def test_the_score_of_an_image_does_not_depend_on_the_others(spec):
    """No threshold, level or scaling is chosen on the audited images: with three others, b scores the same."""
    attack, target = an_attack(spec)
    batch = a_batch(target)
    others = 3 * random_normal(4, *LATENT, seed=55, dtype=torch.float64)
    others[1] = batch.latents[1]
    images = random_normal(4, 3, 8, 8, seed=56, dtype=torch.float64)
    images[1] = batch.images[1]
    changed = replace(a_batch(target), latents=others, images=images, sample_ids=["x", "b", "y", "z"])
    agree(
        {"b": scored(attack, changed, some_masks())["influence"][1]},
        {"b": scored(attack, batch, some_masks())["influence"][1]},
    )


def test_every_level_keeps_its_own_column():
    """None is picked here: the choice belongs to cross-fitting."""
    target = gaussian_target()
    for spec in ("sima", "loss", "pia", "secmi", "mirror"):
        attack = parse_attacks([spec])[0].for_target(target)
        found = scored(attack, a_batch(target))["none"]
        for column, level in enumerate(attack.levels):
            alone = replace(attack, levels=(level,))
            torch.testing.assert_close(scored(alone, a_batch(target))["none"][:, 0], found[:, column])


def test_a_mask_weighs_both_losses_of_a_ratio():
    """pfami under a mask that drops all but one dimension is the ratio of that dimension's losses."""
    batch = a_batch(a_network("epsilon"))
    attack = parse_attacks(["pfami:levels=100"])[0]
    one = torch.zeros(4, *LATENT)
    one[:, 1, 2, 3] = 1
    found = score_batch([attack], batch, {"one": one, "none": ones()})["pfami", "one"][:, 0]
    whole, cut = (each.residual(100)[:, 1, 2, 3].square() for each in (batch, batch.crop(0.81)))
    torch.testing.assert_close(found, cut / whole - 1)
