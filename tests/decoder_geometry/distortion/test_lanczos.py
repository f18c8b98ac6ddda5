from __future__ import annotations

import pytest
import torch
from models import LATENT, random_normal

from privaudit.decoder_geometry import measure_distortion

IDS = ["a", "b", "c"]
MANY = [f"image-{i}" for i in range(64)]


def test_a_real_decoder_by_interval(decoder, latents, reference_jacobian):
    exact = torch.linalg.svdvals(reference_jacobian).log().sum(dim=1)
    found = measure_distortion(decoder, latents, IDS, "lanczos:probes=8:steps=8:whitening=8")
    assert ((found.values - exact).abs() < 6 * found.standard_error).all(), "Student's t of 7: P(|t| > 6) < 0.001"
    assert (found.standard_error < 0.15 * exact.abs()).all()
    assert found.products.tolist() == [8 + 8 * 15] * 3


@pytest.mark.parametrize("least", [0.3, 1e-3, 0.0])
def test_the_stated_error_is_the_true_one(with_spectrum, least):
    """64 images with one J: z-scores of the values, near-singular matrices among them."""
    singular = torch.cat([torch.linspace(3, 0.5, 24), torch.full((8,), least)]).double()
    latents = random_normal(64, *LATENT, dtype=torch.float64)
    method = "lanczos:probes=12:steps=32:whitening=0"
    found = measure_distortion(with_spectrum(singular), latents, MANY, method)
    z = (found.values - singular.clamp_min(3e-4).log().sum()) / found.standard_error
    assert abs(z.mean()) < 0.5, "4 standard errors of the mean of 64"
    assert 0.7 < z.std() < 1.5


def test_few_steps_err_upwards(with_spectrum):
    singular = torch.logspace(0, -2, 32, dtype=torch.float64)
    latents = random_normal(64, *LATENT, dtype=torch.float64)
    means = []
    for steps in (2, 4, 8, 16, 32):
        found = measure_distortion(
            with_spectrum(singular), latents, MANY, f"lanczos:probes=4:steps={steps}:whitening=0"
        )
        means.append(float(found.values.mean()))
        assert found.left_out.startswith(f"what {steps} steps do not resolve, so that the mean is too large") == (
            steps < 32
        )
    assert means == sorted(means, reverse=True)
    error = float(found.values.std()) / 8
    assert abs(means[-1] - float(singular.log().sum())) < 4 * error
    assert means[0] > float(singular.log().sum()) + 4 * error


class TestWhitening:
    """Channels that show very differently, mixed."""

    mixing = torch.linalg.qr(random_normal(2, 2, seed=4, dtype=torch.float64))[0] * torch.tensor([1.0, 1e-2])

    def decode(self, z):
        scaled = torch.einsum("dc,nd...->nc...", self.mixing, z)
        return scaled + 0.1 * scaled.roll(1, -1) * torch.linspace(0.5, 1.5, z.shape[-1]).double()

    def test_few_steps_do_and_probes_agree(self):
        latents = random_normal(3, 2, 8, 8, dtype=torch.float64)
        exact = measure_distortion(self.decode, latents, IDS).values
        with_it, without = (
            measure_distortion(self.decode, latents, IDS, f"lanczos:probes=8:steps=6:whitening={products}")
            for products in (4, 0)
        )
        assert ((with_it.values - exact).abs() < 4 * with_it.standard_error + 0.1).all()
        assert (with_it.standard_error < 0.1 * without.standard_error).all()
        assert (with_it.products - without.products == 4).all()

    def test_a_dead_channel_counts_once_as_the_floor(self):
        decode = lambda z: torch.cat([2 * z[:, :1], 0 * z[:, :1]], dim=1)  # noqa: E731
        latents = random_normal(2, 2, 8, 8, dtype=torch.float64)
        found = measure_distortion(decode, latents, IDS[:2], "lanczos:probes=4:steps=4:floor=0.001")
        wanted = 64 * torch.tensor([2.0, 2e-3]).double().log().sum()
        torch.testing.assert_close(found.values, wanted.expand(2), rtol=0, atol=2.0)


def test_the_floor_is_never_below_rounding(with_spectrum):
    decode, latents = with_spectrum(torch.ones(32), dtype=torch.float32), random_normal(1, *LATENT)
    found = measure_distortion(decode, latents, ["a"], "lanczos:floor=1e-12")
    assert "below 2.6e-06 of the largest" in found.left_out
    double = measure_distortion(with_spectrum(torch.ones(32)), latents.double(), ["a"], "lanczos:floor=1e-12")
    assert "below 1.0e-12 of the largest" in double.left_out


def test_more_steps_than_dimensions(with_spectrum):
    decode, latents = with_spectrum(torch.linspace(2, 1, 32)), random_normal(1, *LATENT, dtype=torch.float64)
    found = measure_distortion(decode, latents, ["a"], "lanczos:probes=2:steps=100:whitening=0")
    assert found.products.tolist() == [2 * 63]


def test_small_images(with_spectrum):
    """Null directions count as the floor."""
    matrix = torch.linalg.qr(random_normal(32, 8, dtype=torch.float64))[0].T
    latents = random_normal(64, *LATENT, dtype=torch.float64)
    found = measure_distortion(lambda z: z.flatten(1) @ matrix.T, latents, MANY, "lanczos:whitening=0:floor=0.01")
    z = (found.values - 24 * torch.tensor(0.01).log()) / found.standard_error
    assert abs(z.mean()) < 1
