"""What holds for every estimator in the registry."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from models import LATENT, linear_target, random_normal

from privaudit.decoder_geometry import ESTIMATORS, Influence, estimate_influence
from privaudit.errors import ConfigError, NonFiniteError

IDS = ["a", "b", "c"]
ACCURATE = {
    "adaptive": "adaptive:agreement=0.999:least=500:most=500",
    "coloured": "coloured:spacing=4",
    "deflated": "deflated:probes=500",
    "exact": "exact",
    "hutchinson": "hutchinson:probes=500",
    "separable": "separable:probes=500",
}
"""With what each comes close to the exact influence of the small decoder."""
EVERY = pytest.mark.parametrize("name", sorted(ESTIMATORS))


def test_every_estimator_is_tested():
    assert sorted(ACCURATE) == sorted(ESTIMATORS)


@EVERY
class TestEvery:
    def test_names_itself_and_its_source(self, name):
        kind = ESTIMATORS[name]
        assert kind.name == name
        assert kind.citation
        assert kind.summary
        assert ESTIMATORS.build(name) == kind()

    def test_comes_close_to_the_exact_influence(self, name, decoder, latents, exact):
        found = estimate_influence(decoder, latents, IDS, ACCURATE[name])
        assert (found.values / exact - 1).abs().max() < 4.5 * (2 / 500) ** 0.5, "4.5 standard errors of 500 probes"
        error = (found.values - exact).abs()
        assert (error <= 2 * found.standard_error + 1e-9 * exact).double().mean() > 0.88

    def test_shapes_and_costs(self, name, decoder, latents):
        found = estimate_influence(decoder, latents, IDS, name)
        assert found.values.shape == found.standard_error.shape == latents.shape
        assert found.products.shape == (3,)
        assert found.products.dtype == torch.int64
        assert (found.products > 0).all()
        assert (found.values >= 0).all()
        assert (found.standard_error >= 0).all()

    def test_belongs_to_the_image_and_not_to_its_place(self, name, decoder, latents):
        whole = estimate_influence(decoder, latents, IDS, name, seed=1).values
        turned = estimate_influence(decoder, latents.flip(0), IDS[::-1], name, seed=1).values.flip(0)
        single = torch.cat([
            estimate_influence(decoder, latents[i : i + 1], IDS[i : i + 1], name, seed=1).values for i in range(3)
        ])
        torch.testing.assert_close(whole, turned, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(whole, single, rtol=1e-6, atol=1e-9)

    def test_seed(self, name, decoder, latents):
        first, again, other = (estimate_influence(decoder, latents, IDS, name, seed=s).values for s in (1, 1, 2))
        assert torch.equal(first, again)
        assert torch.equal(first, other) == (name in ("exact", "coloured")), "colours of one dimension are exact"

    def test_linear_decoder_with_channels_last(self, name):
        """The axis of the channels may be another one."""
        target = linear_target()
        latents = random_normal(2, *LATENT)

        def turned(z):
            return target.decode(z.movedim(-1, 1))

        first = estimate_influence(target.decode, latents, IDS[:2], name).values
        second = estimate_influence(turned, latents.movedim(1, -1), IDS[:2], name, channel_axis=3).values
        if name in ("deflated", "coloured", "exact"):  # their random vectors are drawn in latent space, by place
            exact = target.autoencoder.matrix.square().sum(dim=0).view(LATENT).movedim(0, -1)
            assert (second / exact - 1).abs().median() < 0.5
        else:
            torch.testing.assert_close(second, first.movedim(1, -1), rtol=1e-4, atol=1e-6)

    def test_names_the_images_with_infinite_derivatives(self, name):
        def broken(z):
            return (z / (z.flatten(1).abs().sum(1) > 0).view(-1, 1, 1, 1)).repeat(1, 2, 1, 1)

        latents = torch.stack([torch.ones(LATENT), torch.zeros(LATENT)])
        with pytest.raises(NonFiniteError, match="bad-image"):
            estimate_influence(broken, latents, ["good-image", "bad-image"], name)

    def test_parameters_are_checked(self, name):
        default = ESTIMATORS.build(name)
        for part in fields(default):
            if not isinstance(getattr(default, part.name), bool):
                with pytest.raises(ConfigError, match=part.name):
                    replace(default, **{part.name: -1})

    def test_restores_the_global_state(self, name, decoder, latents):
        before = torch.random.get_rng_state(), torch.is_grad_enabled(), torch.backends.cuda.flash_sdp_enabled()
        estimate_influence(decoder, latents, IDS, name)
        assert torch.equal(torch.random.get_rng_state(), before[0])
        assert (torch.is_grad_enabled(), torch.backends.cuda.flash_sdp_enabled()) == before[1:]

    def test_works_where_gradients_are_off(self, name):
        latents = random_normal(3, *LATENT)
        wanted = estimate_influence(torch.tanh, latents, IDS, name).values
        for off in (torch.no_grad, torch.inference_mode):
            with off():
                torch.testing.assert_close(estimate_influence(torch.tanh, latents, IDS, name).values, wanted)


def test_unknown_estimators_and_parameters_are_named():
    with pytest.raises(ConfigError, match="expected an influence estimator, one of adaptive, coloured.*got newton"):
        ESTIMATORS.build("newton")
    with pytest.raises(ConfigError, match="expected a parameter of separable"):
        ESTIMATORS.build("separable:colour=2")


def test_join_and_move(decoder, latents):
    parts = [estimate_influence(decoder, latents[i : i + 1], IDS[i : i + 1]) for i in range(3)]
    joined = Influence.join(parts).to("cpu")
    assert torch.equal(joined.values, torch.cat([part.values for part in parts]))
    assert joined.products.tolist() == [2, 2, 2]
