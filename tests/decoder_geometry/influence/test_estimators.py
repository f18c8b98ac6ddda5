"""What is particular to one estimator."""

from __future__ import annotations

import math

import pytest
import torch
from models import LATENT, random_normal

from privaudit.decoder_geometry import Influence, Jacobian, estimate_influence, expected_agreement, influence_mask
from privaudit.decoder_geometry.influence.coloured import Coloured
from privaudit.decoder_geometry.influence.exact import Exact
from privaudit.decoder_geometry.influence.probes import Probes
from privaudit.decoder_geometry.influence.separable import shrink
from privaudit.errors import ConfigError

IDS = ["a", "b", "c"]


def diagonal(scales):
    return lambda z: (z.flatten(1) * scales.to(z)).view(-1, *LATENT).repeat(1, 2, 1, 1)


class TestExact:
    def test_takes_rows_where_the_image_is_smaller(self, latents):
        def pooled(z):
            return torch.cat([z, z * z], dim=1)[:, :3].tanh().mean(dim=(2, 3), keepdim=True)

        jacobian = Jacobian(pooled, latents)
        by_rows = Exact().estimate(jacobian, IDS, 0)
        assert by_rows.products.tolist() == [3, 3, 3]
        by_columns = torch.cat([c.flatten(2).square().sum(2) for c in jacobian.columns()]).T.reshape(latents.shape)
        torch.testing.assert_close(by_rows.values, by_columns, rtol=1e-10, atol=1e-14)
        assert Exact().estimate(Jacobian(torch.tanh, latents), IDS, 0).products.tolist() == [32, 32, 32]

    def test_has_no_error(self, decoder, latents, exact):
        found = estimate_influence(decoder, latents, IDS, "exact:chunk=5")
        torch.testing.assert_close(found.values, exact, rtol=1e-10, atol=1e-14)
        assert not found.standard_error.any()


class TestHutchinson:
    @pytest.mark.parametrize("rademacher", ["false", "true"])
    def test_is_unbiased_with_its_standard_error(self, decoder, latents, exact, rademacher):
        found = estimate_influence(decoder, latents, IDS, f"hutchinson:probes=1500:rademacher={rademacher}")
        z = (found.values - exact) / found.standard_error
        assert z.abs().max() < 4.5, "96 values; P(|z| > 4.5) is below 1e-3 in all"
        assert 0.7 < z.square().mean().sqrt() < 1.3, "the stated standard error is the true one"
        torch.testing.assert_close(found.standard_error, found.values * math.sqrt(2 / 1500))

    def test_probes_continue_whatever_is_drawn_at_once(self, decoder, latents):
        jacobian = Jacobian(decoder, latents)
        whole = Probes(IDS, 0).draw(5, jacobian)
        stream = Probes(IDS, 0)
        torch.testing.assert_close(torch.cat([stream.draw(2, jacobian), stream.draw(3, jacobian)]), whole)
        stream = Probes(IDS, 0)
        stream.select([2])
        torch.testing.assert_close(stream.draw(5, jacobian.subset(torch.tensor([2])))[:, 0], whole[:, 2])

    def test_signs_are_balanced_and_independent(self, decoder, latents):
        drawn = Probes(IDS, 0, rademacher=True).draw(200, Jacobian(decoder, latents)).flatten(2)
        assert set(drawn.unique().tolist()) == {-1.0, 1.0}
        assert drawn.mean().abs() < 4.5 / math.sqrt(drawn.numel())
        neighbours = (drawn[..., 1:] * drawn[..., :-1]).mean()
        assert neighbours.abs() < 4.5 / math.sqrt(drawn.numel())


class TestSeparable:
    def test_a_separable_metric_is_nearly_recovered_from_one_probe(self):
        channel, position = torch.linspace(0.5, 2, 8), torch.linspace(1, 3, 64).view(8, 8)
        scales = (channel.view(8, 1, 1) * position).flatten()

        def decode(z):
            return z.flatten(1) * scales

        latents = random_normal(20, 8, 8, 8)
        ids = [str(i) for i in range(20)]
        exact = scales.square().view(8, 8, 8)
        errors = {}
        for name in ("separable", "hutchinson"):
            found = estimate_influence(decode, latents, ids, f"{name}:probes=1").values
            errors[name] = float((found / exact - 1).square().mean())
        assert errors["separable"] < 0.1 * errors["hutchinson"]

    def test_few_probes_are_better_than_hutchinsons(self, decoder, latents, exact):
        errors = {
            name: (estimate_influence(decoder, latents, IDS, f"{name}:probes=4").values / exact).log().square().mean()
            for name in ("separable", "hutchinson")
        }
        assert errors["separable"] < 0.5 * errors["hutchinson"]

    def test_many_probes_overrule_the_fit(self):
        """A metric that is as far from separable as can be is left alone."""
        scales = torch.where(torch.arange(32) % 3 == 0, 5.0, 0.5)
        found = estimate_influence(diagonal(scales), random_normal(1, *LATENT), ["a"], "separable:probes=3000")
        torch.testing.assert_close(found.values.flatten(), 2 * scales.square(), rtol=0.12, atol=0)

    def test_scales_with_the_decoder(self, decoder, latents):
        once = estimate_influence(decoder, latents, IDS)
        thrice = estimate_influence(lambda z: 3 * decoder(z), latents, IDS)
        torch.testing.assert_close(thrice.values, 9 * once.values)
        torch.testing.assert_close(thrice.standard_error, 9 * once.standard_error)

    @pytest.mark.parametrize("shape", [(5,), (1, 1), (4, 7), (3, 4, 5), (2, 3, 4, 5)])
    def test_any_number_of_axes(self, shape):
        values = random_normal(2, *shape).square()
        found, error = shrink(values, 2)
        assert found.shape == error.shape == values.shape
        assert torch.isfinite(found).all()
        constant, _ = shrink(torch.full((2, *shape), 1.7), 2)
        torch.testing.assert_close(constant, torch.full((2, *shape), 1.7))

    def test_nothing_comes_of_nothing(self):
        found, error = shrink(torch.zeros(1, *LATENT), 2)
        assert not found.any()
        assert not error.any()


class TestDeflated:
    def test_is_exact_where_the_rank_is_low(self):
        low = random_normal(48, 3, seed=1) @ random_normal(3, 32, seed=2)

        def decode(z):
            return z.flatten(1) @ low.T.to(z)

        found = estimate_influence(decode, random_normal(2, *LATENT), IDS[:2], "deflated:rank=3:probes=1")
        torch.testing.assert_close(found.values, low.square().sum(0).view(LATENT).expand(2, -1, -1, -1))
        assert (found.standard_error < 1e-4 * found.values).all()
        assert found.products.tolist() == [7, 7]

    def test_a_rank_above_the_latents_size_is_exact(self, decoder, latents, exact):
        found = estimate_influence(decoder, latents, IDS, "deflated:rank=99:probes=1")
        torch.testing.assert_close(found.values, exact, rtol=1e-8, atol=1e-12)

    def test_deflation_lowers_the_error(self, decoder, latents, exact):
        deflated = estimate_influence(decoder, latents, IDS, "deflated:rank=20:probes=8")
        plain = estimate_influence(decoder, latents, IDS, "hutchinson:probes=8")
        assert (deflated.values - exact).square().mean() < 0.5 * (plain.values - exact).square().mean()
        assert deflated.standard_error.mean() < plain.standard_error.mean()


class TestColoured:
    def test_is_exact_where_colours_do_not_overlap(self):
        scales = torch.linspace(0.5, 2, 32)
        found = estimate_influence(diagonal(scales), random_normal(1, *LATENT), ["a"], "coloured:spacing=2")
        torch.testing.assert_close(found.values.flatten(), 2 * scales.square())
        assert not found.standard_error.any()
        assert found.products.tolist() == [2 * 2 * 4], "two products for each of 2 channels x 2 x 2 offsets"

    def test_costs_the_same_for_a_larger_latent(self):
        counts = [
            int(estimate_influence(torch.tanh, random_normal(1, 2, side, side), ["a"], Coloured(4)).products)
            for side in (8, 12)
        ]
        assert counts == [64, 64]

    def test_overlap_makes_errors_that_it_reports(self):
        """A blur with a short reach: neighbours at distance one overlap, at distance three no more."""
        kernel = torch.ones(1, 1, 3, dtype=torch.float64)

        def decode(z):
            return torch.nn.functional.conv1d(z, kernel, padding=1)

        latents = random_normal(4, 1, 12, dtype=torch.float64)
        ids = list("abcd")
        exact = estimate_influence(decode, latents, ids, "exact").values
        wide = estimate_influence(decode, latents, ids, "coloured:spacing=3")
        torch.testing.assert_close(wide.values, exact)
        narrow = estimate_influence(decode, latents, ids, "coloured:spacing=2")
        wrong = (narrow.values - exact).abs() > 1e-9
        assert wrong.any()
        assert (narrow.standard_error[wrong] > 0).double().mean() > 0.5


class TestAdaptive:
    def test_probes_more_where_the_cut_is_not_clear(self):
        """One image whose dimensions fall into two clear groups, one whose dimensions are all alike."""
        clear = torch.where(torch.arange(512) < 300, 10.0, 0.1)
        alike = torch.linspace(1, 1.02, 512)

        def decode(z):
            scales = torch.where(z.flatten(1)[:, :1] > 0, clear.to(z), alike.to(z))
            return z.flatten(1) * scales

        latents = torch.stack([torch.ones(8, 8, 8), -torch.ones(8, 8, 8)])
        found = estimate_influence(decode, latents, ["clear", "alike"], "adaptive:agreement=0.9:most=64")
        assert found.products.tolist()[1] == 64
        assert found.products.tolist()[0] < 64

    def test_reaches_the_agreement_that_it_was_asked_for(self):
        """A metric that is separable up to 15 %, as those of real decoders are, whatever the size of the image."""
        factors = torch.linspace(0.5, 2, 4).view(4, 1, 1) * torch.linspace(0.3, 3, 64).view(8, 8)
        mixing = torch.linalg.qr(random_normal(300, 256, seed=5))[0]

        def decode(z):
            return (factors * (z + 0.03 * (5 * z).sin())).flatten(1) @ mixing.T

        latents = random_normal(24, 4, 8, 8, seed=8)
        ids = [str(i) for i in range(24)]
        truth = (factors * (1 + 0.15 * (5 * latents).cos())).square()
        found = estimate_influence(decode, latents, ids, "adaptive:agreement=0.95:most=1024")
        kept = influence_mask(truth, 0.4)
        agreement = (influence_mask(found.values, 0.4) * kept).flatten(1).sum(1) / kept.flatten(1).sum(1)
        assert 0.93 < agreement.mean() < 0.99
        assert found.products.unique().numel() > 1, "images differ in what they need"

    def test_least_and_most(self, decoder, latents):
        found = estimate_influence(decoder, latents, IDS, "adaptive:agreement=0.999:least=3:most=10")
        assert found.products.tolist() == [10, 10, 10]
        found = estimate_influence(decoder, latents, IDS, "adaptive:agreement=0.01:least=3")
        assert found.products.tolist() == [3, 3, 3]
        with pytest.raises(ConfigError, match="most >= least"):
            estimate_influence(decoder, latents, IDS, "adaptive:least=8:most=4")

    def test_says_how_far_the_kept_set_is_settled(self, latents):
        values = torch.arange(1.0, 33).view(1, *LATENT)
        certain = Influence(values, torch.zeros_like(values), torch.ones(1))
        torch.testing.assert_close(expected_agreement(certain, 0.4), torch.ones(1))
        uncertain = Influence(values, 1e6 * values, torch.ones(1))
        for drop, chance in ((0.0, 1), (0.4, 19 / 32), (0.8, 6 / 32)):
            found = expected_agreement(uncertain, drop)
            torch.testing.assert_close(found, torch.tensor([chance]), rtol=1e-3, atol=0, check_dtype=False)

    @pytest.mark.parametrize("drop", [0.1, 0.4, 0.8, 0.9])
    @pytest.mark.parametrize("error", [0.05, 0.3, 1.0])
    def test_expects_the_agreement_that_is_found(self, drop, error):
        """Exact values drawn around estimates as the errors say, so that only the cut is to be found."""
        logs = random_normal(1, 256, seed=1, dtype=torch.float64)
        estimate = Influence(logs.exp(), error * logs.exp(), torch.ones(1))
        exact = (logs + error * random_normal(1000, 256, seed=2, dtype=torch.float64)).exp()
        kept = influence_mask(estimate.values, drop)
        found = (influence_mask(exact, drop) * kept).sum() / kept.sum() / len(exact)
        assert expected_agreement(estimate, drop).item() == pytest.approx(float(found), abs=0.01)
