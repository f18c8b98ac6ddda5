"""What holds for every distortion method in the registry."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from models import LATENT, linear_target, random_normal

from privaudit.decoder_geometry import DISTORTIONS, Distortion, measure_distortion
from privaudit.errors import ConfigError, NonFiniteError

IDS = ["a", "b", "c"]
SMALL = {
    "exact": "exact",
    "lanczos": "lanczos:probes=3:steps=4:whitening=8",
    "truncated": "truncated:k=3:oversampling=2:power=1",
}
"""So small that random vectors decide, on latents of 32 dimensions."""
EVERY = pytest.mark.parametrize("name", sorted(DISTORTIONS))


def test_every_method_is_tested():
    assert sorted(SMALL) == sorted(DISTORTIONS)


@EVERY
class TestEvery:
    def test_names_itself_and_its_source(self, name):
        kind = DISTORTIONS[name]
        assert kind.name == name
        assert kind.citation
        assert kind.summary
        assert DISTORTIONS.build(name) == kind()
        for part in fields(kind):
            with pytest.raises(FrozenInstanceError):
                setattr(kind(), part.name, 1)

    @pytest.mark.parametrize("small", [True, False])
    def test_shapes_costs_and_words(self, name, small, decoder, curved, latents):
        found = measure_distortion(decoder if small else curved, latents, IDS, SMALL[name] if small else name)
        assert found.values.shape == found.standard_error.shape == found.products.shape == (3,)
        assert found.values.dtype == found.standard_error.dtype == torch.float64
        assert found.products.dtype == torch.int64
        assert (found.products > 0).all()
        assert found.values.isfinite().all()
        assert (found.standard_error >= 0).all()
        assert found.left_out

    def test_counts_the_products_it_takes(self, name, monkeypatch, curved, latents):
        from privaudit.decoder_geometry.jacobian import Jacobian

        taken = []
        for way in ("jvp", "vjp"):

            def counted(self, vectors, original=getattr(Jacobian, way)):
                taken.append(len(vectors))
                return original(self, vectors)

            monkeypatch.setattr(Jacobian, way, counted)
        found = measure_distortion(curved, latents, IDS, SMALL[name])
        assert found.products.tolist() == [sum(taken)] * 3

    def test_belongs_to_the_image_and_not_to_its_place(self, name, curved, latents):
        whole = measure_distortion(curved, latents, IDS, SMALL[name], seed=1)
        turned = measure_distortion(curved, latents.flip(0), IDS[::-1], SMALL[name], seed=1)
        parts = [measure_distortion(curved, latents[i : i + 1], IDS[i : i + 1], SMALL[name], seed=1) for i in range(3)]
        single = Distortion.join(parts)
        for part in ("values", "standard_error", "products"):
            wanted = getattr(whole, part)
            torch.testing.assert_close(getattr(turned, part).flip(0), wanted, rtol=1e-8, atol=1e-8)
            torch.testing.assert_close(getattr(single, part), wanted, rtol=1e-8, atol=1e-8)

    def test_seed(self, name, curved, latents):
        first, again, other = (measure_distortion(curved, latents, IDS, SMALL[name], seed=s).values for s in (1, 1, 2))
        assert torch.equal(first, again)
        assert torch.equal(first, other) == (name == "exact")

    def test_channels_may_be_last(self, name):
        target, latents = linear_target(), random_normal(2, *LATENT)
        exact = measure_distortion(target.decode, latents, IDS[:2]).values
        spec = "truncated:k=32" if name == "truncated" else "lanczos:probes=40:steps=32" if name == "lanczos" else name

        def turned(z):
            return target.decode(z.movedim(-1, 1))

        found = measure_distortion(turned, latents.movedim(1, -1), IDS[:2], spec, channel_axis=3)
        assert ((found.values - exact).abs() <= 5 * found.standard_error + 1e-3).all()

    def test_names_the_images_with_infinite_derivatives(self, name):
        def broken(z):
            return (z / (z.flatten(1).abs().sum(1) > 0).view(-1, 1, 1, 1)).repeat(1, 2, 1, 1)

        latents = torch.stack([torch.ones(LATENT), torch.zeros(LATENT)])
        with pytest.raises(NonFiniteError, match="derivative of the decoder.*for the images bad-image; try"):
            measure_distortion(broken, latents, ["good-image", "bad-image"], SMALL[name])

    def test_a_constant_decoder_has_no_volume(self, name):
        found = measure_distortion(lambda z: 0 * z.repeat(1, 2, 1, 1), torch.ones(2, *LATENT), IDS[:2], SMALL[name])
        assert (found.values == -torch.inf).all()
        assert not found.standard_error.any()

    def test_parameters_are_checked(self, name):
        default = DISTORTIONS.build(name)
        for part in fields(default):
            with pytest.raises(ConfigError, match=part.name):
                replace(default, **{part.name: -1})

    def test_restores_the_global_state(self, name, decoder, latents):
        before = torch.random.get_rng_state(), torch.is_grad_enabled(), torch.backends.cuda.flash_sdp_enabled()
        measure_distortion(decoder, latents, IDS, SMALL[name])
        assert torch.equal(torch.random.get_rng_state(), before[0])
        assert (torch.is_grad_enabled(), torch.backends.cuda.flash_sdp_enabled()) == before[1:]

    def test_works_where_gradients_are_off(self, name, curved, latents):
        wanted = measure_distortion(curved, latents, IDS, SMALL[name]).values
        with torch.no_grad():
            found = measure_distortion(curved, latents, IDS, SMALL[name]).values
        torch.testing.assert_close(found, wanted)

    def test_single_precision(self, name, with_spectrum):
        singular = torch.linspace(2, 0.5, 32)
        latents = random_normal(2, *LATENT)
        single = measure_distortion(with_spectrum(singular, dtype=torch.float32), latents, IDS[:2], SMALL[name])
        double = measure_distortion(with_spectrum(singular), latents.double(), IDS[:2], SMALL[name])
        torch.testing.assert_close(single.values, double.values, rtol=0, atol=1e-4)


class TestMakeMethod:
    def test_reads_parameters(self):
        assert DISTORTIONS.build("truncated:k=5:power=1") == replace(DISTORTIONS.build("truncated"), k=5, power=1)

    def test_names_what_is_wrong(self):
        with pytest.raises(ConfigError, match="expected a distortion method, one of exact, .*, got volume"):
            DISTORTIONS.build("volume")
        with pytest.raises(ConfigError, match="probes >= 2 for lanczos, got 1; .*steps >= 1 .*; .*floor < 1") as error:
            DISTORTIONS.build("lanczos:probes=1:steps=0:floor=1")
        assert len(error.value.problems) == 3
        with pytest.raises(ConfigError, match="finite number for floor of lanczos, got nan"):
            DISTORTIONS.build("lanczos:floor=nan")

    def test_the_paper_is_the_default(self):
        method = DISTORTIONS.build("truncated")
        assert (method.k, method.oversampling, method.power) == (20, 30, 2)


class TestDistortion:
    def test_join_and_move(self, curved, latents):
        parts = [measure_distortion(curved, latents[:2], IDS[:2]), measure_distortion(curved, latents[2:], IDS[2:])]
        joined = Distortion.join(parts).to("meta")
        assert joined.values.device.type == joined.standard_error.device.type == joined.products.device.type == "meta"
        assert joined.values.shape == (3,)
        assert joined.left_out == "nothing"

    def test_refuses_to_join_what_cannot_be_compared(self, curved, latents):
        parts = [measure_distortion(curved, latents[:1], IDS[:1], spec) for spec in ("exact", "truncated:k=3")]
        with pytest.raises(ConfigError, match="all but the 3 largest of 32 singular values / nothing; measure all"):
            Distortion.join(parts)
        with pytest.raises(ConfigError, match="got none"):
            Distortion.join([])
