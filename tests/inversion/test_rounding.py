"""Sixteen bits: float32 iterates, and a residual that rounding alone explains."""

from __future__ import annotations

import pytest
import torch
from invertible import Maps, Watched, generated, linear, spread, symmetric, trained
from models import random_normal, small_autoencoder

from privaudit.inversion import invert
from privaudit.inversion.problem import Problem
from privaudit.inversion.rounding import rounding_floor
from privaudit.loading.autoencoder import wrap_autoencoder

HALF = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])


def rounded(inner: Maps, dtype: torch.dtype) -> Maps:
    """As an autoencoder does whose weights are 16 bits: what goes in and out of D and E is rounded."""

    def decode(latents):
        return inner.decode(latents.to(dtype).float()).to(dtype).float()

    def encode(images):
        return inner.encode(images.to(dtype).float()).to(dtype).float()

    return Maps(decode, encode, dtype)


@HALF
def test_floor_is_the_effect_of_moving_latents_by_a_unit_of_rounding(dtype):
    matrix = symmetric(spread(0.5, 1.5))
    inner = linear(matrix)
    exact = Maps(inner.decode, inner.encode, dtype)  # computes in float32, but says otherwise
    latents = random_normal(4, 6)
    images, rows = inner.decode(latents), torch.tensor([2, 0])
    found = rounding_floor(Problem(exact, images, list("abcd")), latents[rows], rows)
    unit = {torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10}[dtype]
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    moved = (unit * signs * latents[rows]).double() @ matrix.T
    wanted = moved.norm(dim=1) / inner.encode(images)[rows].double().norm(dim=1)
    torch.testing.assert_close(found, wanted.float(), rtol=1e-2, atol=0)


def test_floor_of_no_images_is_empty():
    autoencoder = linear(torch.eye(6, dtype=torch.float64))
    problem = Problem(autoencoder, torch.ones(2, 10), ["a", "b"])
    watched = Watched(autoencoder)
    problem.autoencoder = watched
    found = rounding_floor(problem, torch.ones(0, 6), torch.zeros(0, dtype=torch.int64))
    assert found.shape == (0,)
    assert not watched.decoded


@HALF
def test_a_linear_problem_ends_at_the_floor(dtype):
    autoencoder = rounded(linear(symmetric(spread(0.6, 1.0, 64))), dtype)
    images = autoencoder.decode(random_normal(4, 64))
    found = invert(autoencoder, images, "forward-step:tolerance=0:evaluations=60:rho=0.5")
    assert set(found.outcomes) == {"at rounding floor"}
    assert (found.floor > 0).all()
    there = rounding_floor(Problem(autoencoder, images, list("abcd")), found.latents, torch.arange(4))
    torch.testing.assert_close(found.floor, there, rtol=1e-3, atol=0)


@HALF
def test_a_run_that_stops_above_the_floor_is_not_excused_by_it(dtype):
    autoencoder = rounded(linear(symmetric(spread(0.6, 1.0, 64))), dtype)
    images = autoencoder.decode(random_normal(4, 64))
    found = invert(autoencoder, images, "forward-step:tolerance=0:evaluations=4:rho=0.5")
    assert set(found.outcomes) == {"budget spent"}
    assert (found.floor < found.residual).all()


def test_float32_has_no_floor_and_no_further_evaluations():
    watched = Watched(linear(symmetric(spread(0.6, 1.0))))
    images = watched.inner.decode(random_normal(3, 6))
    found = invert(watched, images, "forward-step:tolerance=0:evaluations=60")
    assert found.stalled.any()
    assert found.floor.isnan().all()
    assert not found.at_floor.any()
    assert sum(watched.decoded) == int(found.evaluations.sum())


@HALF
def test_only_images_that_did_not_converge_cost_two_evaluations_more(dtype):
    watched = Watched(rounded(linear(symmetric(spread(0.6, 1.0, 64))), dtype))
    images = watched.inner.decode(random_normal(4, 64))
    first = invert(watched, images, "forward-step:evaluations=3:tolerance=0").residual.sort().values
    watched.decoded.clear()
    # between the second and the third: two images converge
    found = invert(watched, images, f"forward-step:evaluations=3:tolerance={float(first[1:3].mean())}")
    assert int(found.converged.sum()) == 2
    assert torch.equal(found.floor.isnan(), found.converged)
    assert sum(watched.decoded) == int(found.evaluations.sum()) + 2 * 2


@HALF
def test_a_diverged_image_has_no_floor(dtype):
    watched = Watched(rounded(linear(symmetric(spread(0.6, 1.0))), dtype))
    found = invert(watched, watched.inner.decode(random_normal(2, 6)), "forward-step:rho=50")
    assert set(found.outcomes) == {"diverged"}
    assert found.floor.isnan().all()
    assert sum(watched.decoded) == int(found.evaluations.sum())


@pytest.mark.parametrize(("dtype", "count"), [(torch.bfloat16, 4), (torch.float16, 1)])
def test_a_real_autoencoder_in_16_bits_gives_float32_latents_that_are_better_than_the_encoders(dtype, count):
    autoencoder = trained(dtype)
    assert autoencoder.dtype == dtype
    images, latents = generated(autoencoder, count)
    encoder = invert(autoencoder, images, "encoder", truth=latents)
    found = invert(autoencoder, images, "anderson:tolerance=0:evaluations=8", truth=latents)
    for values in (found.latents, found.encoded, found.residuals, found.pixel_residuals):
        assert values.dtype == torch.float32
        assert values.isfinite().all()
    moved = (found.latents - found.encoded).abs()
    assert (found.latents.to(dtype).float() != found.latents).any(), "iterates carry more digits than the weights"
    assert moved.max() > 0
    assert (found.nmse < encoder.nmse - 6).all()
    assert (found.residual < 0.2 * encoder.residual).all()


@HALF
def test_an_untrained_autoencoder_in_16_bits_stays_finite(dtype):
    autoencoder = wrap_autoencoder(small_autoencoder(), torch.device("cpu"), dtype, upcast=False)
    assert autoencoder.dtype == dtype
    images = random_normal(2, 3, 16, 16).tanh()
    for name in ("anderson", "krasnoselskii-mann", "adam:evaluations=5:epsilon=0.0001"):
        found = invert(autoencoder, images, name)
        assert found.latents.dtype == torch.float32
        assert found.latents.isfinite().all()
        assert (found.residual <= found.residuals[:, 0]).all()


@pytest.mark.parametrize("solver", ["anderson", "forward-step", "krasnoselskii-mann"])
def test_a_real_run_that_rounding_stopped_is_said_to_be_at_the_floor(solver):
    autoencoder = trained(torch.bfloat16)
    images, _ = generated(autoencoder, 4)
    found = invert(autoencoder, images, f"{solver}:tolerance=0:evaluations=36")
    middle, last = found.residuals[:, 12:24].median(dim=1).values, found.residuals[:, 24:].median(dim=1).values
    assert (last > 0.8 * middle).all(), "the run must have stopped falling, but for noise"
    assert (found.floor > 0.001).all()
    assert set(found.outcomes) == {"at rounding floor"}
