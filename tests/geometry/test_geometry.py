from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import LATENT, linear_target, random_normal, small_autoencoder
from reference import jacobian

from privaudit.errors import ConfigError, NonFiniteError
from privaudit.geometry import (
    dense_jacobian,
    distortion_bound,
    exact_distortion,
    exact_influence,
    pullback_metric,
    smooth_over_neighbours,
    stochastic_influence,
)
from privaudit.geometry.jacobian import pushforward

IDS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def decoder():
    """The decoder of a real AutoencoderKL (convolution, group norm, attention, upsampling), in float64."""
    model = small_autoencoder().double()
    return lambda latents: model.decode(latents).sample


@pytest.fixture(scope="module")
def latents():
    return random_normal(3, 2, 4, 4, seed=3, dtype=torch.float64)


@pytest.fixture(scope="module")
def reference_jacobian(decoder, latents):
    return torch.stack([jacobian(decoder, latent) for latent in latents])


class TestAgainstReverseMode:
    def test_dense_jacobian(self, decoder, latents, reference_jacobian):
        torch.testing.assert_close(dense_jacobian(decoder, latents), reference_jacobian, rtol=1e-10, atol=1e-12)

    def test_pullback_metric(self, decoder, latents, reference_jacobian):
        wanted = reference_jacobian.transpose(1, 2) @ reference_jacobian
        torch.testing.assert_close(pullback_metric(decoder, latents), wanted, rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("chunk", [1, 7, 256])
    def test_exact_influence(self, decoder, latents, reference_jacobian, chunk):
        found = exact_influence(decoder, latents, IDS, chunk=chunk)
        wanted = reference_jacobian.square().sum(dim=1).view(latents.shape)
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)

    def test_exact_distortion(self, decoder, latents, reference_jacobian):
        metric = reference_jacobian.transpose(1, 2) @ reference_jacobian
        torch.testing.assert_close(exact_distortion(decoder, latents), 0.5 * torch.logdet(metric), rtol=1e-9, atol=1e-9)

    def test_stochastic_influence_by_interval(self, decoder, latents, reference_jacobian):
        # The sum over dimensions of a chi-square estimate: z-scores against sqrt(2 / probes) per dimension
        exact, probes = reference_jacobian.square().sum(dim=1).view(latents.shape), 1500
        found = stochastic_influence(decoder, latents, IDS, probes=probes, seed=0)
        z = (found / exact - 1) / math.sqrt(2 / probes)
        assert z.abs().max() < 4.5, "96 values; P(|z| > 4.5) is below 1e-3 in all"
        assert 0.7 < z.std() < 1.3, "the stated standard error is the true one"

    def test_hadamard_bounds_the_distortion(self, decoder, latents):
        influence = exact_influence(decoder, latents, IDS)
        assert (distortion_bound(influence) >= exact_distortion(decoder, latents)).all()


class TestLinearDecoder:
    def test_closed_forms(self):
        target, latents = linear_target(), random_normal(2, *LATENT)
        matrix = target.autoencoder.matrix
        influence = exact_influence(target.decode, latents, ["a", "b"])
        torch.testing.assert_close(influence.flatten(1), matrix.square().sum(dim=0).expand(2, -1))
        singular = torch.linalg.svdvals(matrix.double()).log().sum()
        torch.testing.assert_close(exact_distortion(target.decode, latents), singular.expand(2))
        direction = random_normal(2, *LATENT, seed=5)
        torch.testing.assert_close(pushforward(target.decode, latents, direction), target.decode(direction))

    def test_bound_is_tight_for_a_diagonal_metric(self):
        scales = torch.linspace(0.5, 2, 32)
        decode = lambda z: (z.flatten(1) * scales).view(-1, *LATENT)  # noqa: E731
        latents = random_normal(2, *LATENT)
        influence = exact_influence(decode, latents, ["a", "b"])
        torch.testing.assert_close(distortion_bound(influence), exact_distortion(decode, latents), rtol=1e-5, atol=1e-4)


class TestStochastic:
    def test_belongs_to_the_image_and_not_to_its_place(self, decoder, latents):
        whole = stochastic_influence(decoder, latents, IDS, probes=3, seed=1)
        turned = stochastic_influence(decoder, latents.flip(0), IDS[::-1], probes=3, seed=1).flip(0)
        single = torch.cat([
            stochastic_influence(decoder, latents[i : i + 1], IDS[i : i + 1], probes=3, seed=1) for i in range(3)
        ])
        torch.testing.assert_close(whole, turned)
        torch.testing.assert_close(whole, single)
        assert not torch.allclose(whole, stochastic_influence(decoder, latents, IDS, probes=3, seed=2))

    def test_smoothing_lowers_the_error(self, decoder, latents, reference_jacobian):
        exact = reference_jacobian.square().sum(dim=1).view(latents.shape)
        rough = stochastic_influence(decoder, latents, IDS, probes=4, seed=0)
        smooth = stochastic_influence(decoder, latents, IDS, probes=4, seed=0, smooth=True)
        torch.testing.assert_close(smooth, smooth_over_neighbours(rough))
        assert ((smooth / exact).log()).square().mean() < 0.5 * ((rough / exact).log()).square().mean()

    def test_needs_a_probe(self, decoder, latents):
        with pytest.raises(ConfigError, match="probes >= 1, got 0"):
            stochastic_influence(decoder, latents, IDS, probes=0)

    def test_names_the_images_with_infinite_derivatives(self):
        def broken(z):
            return z / (z.flatten(1).abs().sum(1) > 0).view(-1, 1, 1, 1)

        latents = torch.stack([torch.ones(LATENT), torch.zeros(LATENT)])
        with pytest.raises(NonFiniteError, match="images bad-image; try"):
            stochastic_influence(broken, latents, ["good-image", "bad-image"], probes=1)


class TestSmoothing:
    @pytest.mark.parametrize("axes", [(7,), (5, 6), (3, 4, 5)])
    @settings(deadline=None, max_examples=10)
    @given(seed=st.integers(0, 10_000))
    def test_keeps_constants_and_means_of_neighbours(self, axes, seed):
        constant = torch.full((2, 3, *axes), 2.5)
        torch.testing.assert_close(smooth_over_neighbours(constant), constant)
        values = random_normal(1, 1, *axes, seed=seed).abs()
        inner = tuple(slice(0, 3) for _ in axes)
        centre = (0, 0, *[1] * len(axes))
        torch.testing.assert_close(smooth_over_neighbours(values)[centre], values[0, 0][inner].mean())

    def test_border_counts_only_what_exists(self):
        values = torch.tensor([[[1.0, 3.0, 5.0]]])
        torch.testing.assert_close(smooth_over_neighbours(values), torch.tensor([[[2.0, 3.0, 4.0]]]))

    def test_refuses_latents_without_axes(self):
        with pytest.raises(ConfigError, match="one to three axes"):
            smooth_over_neighbours(torch.ones(2, 3))


def test_forward_mode_restores_the_kernels_when_the_model_raises():
    before = (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled())

    def broken(_):
        assert not torch.backends.cuda.flash_sdp_enabled()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        pushforward(broken, torch.ones(1, *LATENT), torch.ones(1, *LATENT))
    assert (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()) == before
