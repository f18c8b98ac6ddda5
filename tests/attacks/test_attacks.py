from __future__ import annotations

import pytest
import torch
from models import LATENT, linear_target, random_normal
from reference import loss_error, pia_error, sima_error

from privaudit.attacks import REGISTRY, Attack, Batch, masked_scores, score_batch
from privaudit.attacks.loss import Loss
from privaudit.attacks.pia import Pia
from privaudit.attacks.sima import Sima
from privaudit.errors import ConfigError, NonFiniteError
from privaudit.geometry import build_masks

IDS = ["a", "b", "c", "d"]


def a_batch(seed: int = 0, rows: slice = slice(None)) -> Batch:
    latents = random_normal(4, *LATENT, seed=7)
    return Batch(linear_target(), latents[rows], IDS[rows], None, seed)


def some_masks(rows: slice = slice(None)) -> dict[str, torch.Tensor]:
    influence = random_normal(4, *LATENT, seed=8).abs()
    return build_masks(influence[rows], IDS[rows], 0.4, 0)


class TestAgainstTheSlowTranscription:
    @pytest.mark.parametrize("mask", ["none", "random", "influence", "weighted"])
    def test_sima(self, mask):
        batch, masks = a_batch(), some_masks()
        found = score_batch([Sima(order=4, levels=(0, 100))], batch, masks)["sima", mask]
        for row in range(4):
            for column, level in enumerate((0, 100)):
                wanted = sima_error(batch.target, batch.latents[row], level, 4, masks[mask][row])
                assert float(found[row, column]) == pytest.approx(-wanted, rel=1e-5)

    @pytest.mark.parametrize("mask", ["none", "influence", "weighted"])
    @pytest.mark.parametrize("draws", [1, 3])
    def test_loss(self, mask, draws):
        batch, masks = a_batch(seed=5), some_masks()
        found = score_batch([Loss(levels=(50, 350), draws=draws)], batch, masks)["loss", mask]
        for row in range(4):
            for column, level in enumerate((50, 350)):
                wanted = loss_error(batch.target, batch.latents[row], IDS[row], 5, level, draws, masks[mask][row])
                assert float(found[row, column]) == pytest.approx(-wanted, rel=1e-5)

    @pytest.mark.parametrize("mask", ["none", "influence", "weighted"])
    def test_pia(self, mask):
        batch, masks = a_batch(), some_masks()
        found = score_batch([Pia(order=3, levels=(100, 300))], batch, masks)["pia", mask]
        for row in range(4):
            for column, level in enumerate((100, 300)):
                wanted = pia_error(batch.target, batch.latents[row], level, 3, masks[mask][row])
                assert float(found[row, column]) == pytest.approx(-wanted, rel=1e-5)


class TestAnalyticGaussian:
    """For z_0 ~ N(0, s) the optimal prediction is sigma z_t / (alpha^2 s + sigma^2), which fixes every error."""

    def test_sima(self):
        batch, target = a_batch(), linear_target()
        alpha, sigma = target.alpha_sigma(100)
        wanted = sigma * batch.latents / (alpha**2 * target.denoiser.variance + sigma**2)
        torch.testing.assert_close(Sima().error_field(batch, 100), wanted)

    def test_pia_is_small_where_sima_is(self):
        batch, target = a_batch(), linear_target()
        variance = target.denoiser.variance
        alpha0, sigma0 = target.alpha_sigma(0)
        alpha, sigma = target.alpha_sigma(200)
        own = sigma0 / (alpha0**2 * variance + sigma0**2) * batch.latents
        wanted = own - sigma / (alpha**2 * variance + sigma**2) * (alpha * batch.latents + sigma * own)
        torch.testing.assert_close(Pia().error_field(batch, 200), wanted)

    def test_mean_loss_is_the_conditional_variance(self):
        # E over z_0 and eps of (eps - eps_hat)^2 = alpha^2 s / (alpha^2 s + sigma^2)
        target = linear_target()
        variance, count = target.denoiser.variance, 4000
        latents = random_normal(count, *LATENT, seed=1) * variance.sqrt()
        batch = Batch(target, latents, [str(i) for i in range(count)], None, 0)
        found = Loss().error_field(batch, 200).square().mean(dim=0)
        alpha, sigma = target.alpha_sigma(200)
        wanted = alpha**2 * variance / (alpha**2 * variance + sigma**2)
        assert ((found / wanted - 1) / (2 / count) ** 0.5).abs().max() < 4.5


class TestReducer:
    def test_flips_the_sign_once(self):
        errors = torch.tensor([[[1.0, -2.0]], [[0.0, 0.5]]])
        found = masked_scores(errors, {"none": torch.ones_like(errors)}, 2)
        assert found["none"].tolist() == [-5.0, -0.25]

    def test_a_mask_of_ones_equals_none_and_weights_are_a_mean(self):
        errors = random_normal(3, *LATENT)
        ones = torch.ones_like(errors)
        found = masked_scores(errors, {"none": ones, "uniform": ones / 32}, 4)
        torch.testing.assert_close(found["none"], 32 * found["uniform"])

    def test_large_errors_keep_their_order_in_float64(self):
        errors = torch.tensor([[[3e9]], [[3.1e9]]])
        found = masked_scores(errors, {"none": torch.ones_like(errors)}, 4)["none"]
        assert torch.isfinite(found).all()
        assert found[0] > found[1]


@pytest.mark.parametrize("name", sorted(REGISTRY))
class TestContract:
    def make(self, name: str) -> Attack:
        return REGISTRY[name]()

    def test_error_field_is_shaped_like_the_latent_and_finite(self, name):
        batch, attack = a_batch(), self.make(name)
        for level in attack.levels:
            found = attack.error_field(batch, level)
            assert found.shape == batch.latents.shape
            assert found.dtype == torch.float32
            assert torch.isfinite(found).all()

    def test_scores_do_not_depend_on_batch_or_order(self, name):
        attack = self.make(name)
        whole = score_batch([attack], a_batch(), some_masks())
        for row in range(4):
            rows = slice(row, row + 1)
            single = score_batch([attack], a_batch(rows=rows), some_masks(rows))
            for key, values in single.items():
                torch.testing.assert_close(values[0], whole[key][row], rtol=1e-5, atol=0)

    def test_same_seed_same_score_and_no_global_generator(self, name):
        attack = self.make(name)
        state = torch.random.get_rng_state()
        first = score_batch([attack], a_batch(seed=3), some_masks())
        assert torch.equal(state, torch.random.get_rng_state())
        torch.manual_seed(99)
        second = score_batch([attack], a_batch(seed=3), some_masks())
        assert all(torch.equal(first[key], second[key]) for key in first)

    def test_masks_cost_no_passes_and_cost_is_what_it_says(self, name):
        attack = self.make(name)
        for masks in (some_masks(), {"none": torch.ones(4, *LATENT)}):
            batch = a_batch()
            score_batch([attack], batch, masks)
            assert len(batch.target.denoiser.passes) == attack.cost

    def test_has_a_name_reference_and_summary(self, name):
        kind = REGISTRY[name]
        assert kind.name == name
        assert "arXiv:" in kind.reference
        assert kind.summary
        assert kind.__module__ == f"privaudit.attacks.{name}", "one attack a file"

    def test_refuses_bad_levels_and_orders(self, name):
        with pytest.raises(ConfigError, match="distinct levels") as error:
            REGISTRY[name](levels=(), order=0.0)
        assert len(error.value.problems) == 2, "all problems at once"
        with pytest.raises(ConfigError, match="levels >= 0"):
            REGISTRY[name](levels=(-1,))


def test_sima_and_pia_share_the_pass_at_level_zero():
    batch = a_batch()
    score_batch([Sima(levels=(0, 20)), Pia(levels=(40,))], batch, some_masks())
    assert sorted(batch.target.denoiser.passes) == [0, 20, 40]


def test_loss_noise_is_new_for_each_draw_level_image_and_seed():
    batch = a_batch()
    assert not torch.equal(batch.noise(50, 0), batch.noise(50, 1))
    assert not torch.equal(batch.noise(50, 0), batch.noise(60, 0))
    assert not torch.equal(batch.noise(50, 0)[0], batch.noise(50, 0)[1])
    assert not torch.equal(batch.noise(50, 0), a_batch(seed=1).noise(50, 0))


def test_draws_must_be_positive():
    with pytest.raises(ConfigError, match="draws >= 1"):
        Loss(draws=0)


def test_non_finite_errors_name_attack_level_and_image():
    batch = a_batch()
    batch.latents[2, 0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match="error of sima at level 20.* images c;"):
        score_batch([Sima(levels=(20,))], batch, some_masks())
