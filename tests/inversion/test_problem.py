"""E and D of a batch, in parts that fit into memory."""

from __future__ import annotations

import pytest
import torch
from invertible import Maps, Watched, curved
from models import random_normal

from privaudit.errors import NonFiniteError, TargetError
from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.problem import Problem

LATENT, IMAGE = (2, 3), (2, 5)


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_batch_that_does_not_fit_is_split_and_gives_the_same(name, limit):
    inner = curved(LATENT, IMAGE)
    images = inner.decode(random_normal(5, *LATENT))
    wanted = invert(inner, images, SOLVERS.build(name))
    watched = Watched(inner, limit=limit)
    found = invert(watched, images, SOLVERS.build(name))
    assert max(watched.decoded) <= limit
    torch.testing.assert_close(found.latents, wanted.latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.residuals, wanted.residuals, rtol=1e-2, atol=1e-5, equal_nan=True)
    assert found.outcomes == wanted.outcomes
    assert found.evaluations.tolist() == wanted.evaluations.tolist()


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_memory_may_run_out_in_the_decoder_alone(name):
    inner = curved(LATENT, IMAGE)
    tight = Watched(inner, limit=2)
    images = inner.decode(random_normal(5, *LATENT))
    found = invert(Maps(tight.decode, inner.encode), images, SOLVERS.build(name))
    torch.testing.assert_close(found.latents, invert(inner, images, SOLVERS.build(name)).latents, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_one_image_that_does_not_fit_is_an_error(name):
    inner = curved(LATENT, IMAGE)
    images = inner.decode(random_normal(3, *LATENT))
    with pytest.raises(torch.OutOfMemoryError):
        invert(Watched(inner, limit=0), images, SOLVERS.build(name))
    with pytest.raises(torch.OutOfMemoryError):
        invert(Maps(Watched(inner, limit=0).decode, inner.encode), images, SOLVERS.build(name))


def test_other_errors_of_the_model_are_not_swallowed():
    def decode(latents):
        raise RuntimeError("a kernel is missing")

    with pytest.raises(RuntimeError, match="a kernel is missing"):
        invert(Maps(decode, curved().encode), torch.ones(4, 10))


@pytest.mark.parametrize("by_gradient", [False, True])
def test_evaluates_any_rows(by_gradient):
    autoencoder = curved()
    images = autoencoder.decode(random_normal(4, 6))
    problem = Problem(autoencoder, images, list("abcd"))
    rows, points = torch.tensor([3, 0, 3]), random_normal(3, 6, seed=5)
    at = problem.evaluate(points, rows, by_gradient=by_gradient)
    torch.testing.assert_close(at.iterates, points)
    torch.testing.assert_close(at.reconstruction_errors, autoencoder.decode(points) - images[rows])
    if by_gradient:
        leaf = points.clone().requires_grad_()
        (autoencoder.decode(leaf) - images[rows]).square().sum().backward()
        torch.testing.assert_close(at.residuals, leaf.grad)
    else:
        wanted = autoencoder.encode(autoencoder.decode(points)) - autoencoder.encode(images[rows])
        torch.testing.assert_close(at.residuals, wanted)
    assert not at.residuals.requires_grad
    assert not at.reconstruction_errors.requires_grad
    kept = at[torch.tensor([True, False, True])]
    assert torch.equal(kept.iterates, points[[0, 2]])
    assert torch.equal(kept.residuals, at.residuals[[0, 2]])
    assert torch.equal(kept.reconstruction_errors, at.reconstruction_errors[[0, 2]])


def test_sixteen_bit_outputs_become_float32():
    inner = curved()
    half = Maps(lambda z: inner.decode(z).half(), lambda x: inner.encode(x.float()).bfloat16(), torch.bfloat16)
    found = invert(half, inner.decode(random_normal(2, 6)), "forward-step:evaluations=3")
    assert found.latents.dtype == found.residuals.dtype == found.pixel_residuals.dtype == torch.float32


def crop(values: torch.Tensor) -> torch.Tensor:
    return values[..., : values.shape[-1] // 4 * 4]


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_an_autoencoder_that_does_not_round_trip_its_shape_is_refused(name):
    # as a real one does whose factor of downsampling does not divide the image
    shrunk = Maps(lambda z: z.repeat_interleave(4, dim=-1), lambda x: crop(x).unflatten(-1, (-1, 4)).mean(dim=-1))
    fine = invert(shrunk, torch.ones(2, 3, 8), SOLVERS.build(name))
    assert fine.latents.shape == (2, 3, 2)
    with pytest.raises(TargetError, match="expected a decoded image of shape 3x10, got 3x8: .* multiple of its down"):
        invert(shrunk, torch.ones(2, 3, 10), SOLVERS.build(name))


def test_latents_of_decoded_images_must_have_the_shape_of_the_first():
    calls: list[int] = []

    def encode(images):
        calls.append(1)
        return images[:, : 4 if len(calls) == 1 else 3]

    with pytest.raises(TargetError, match="expected a latent of a decoded image of shape 4, got 3"):
        invert(Maps(lambda z: torch.cat([z, z], dim=1), encode), torch.ones(2, 8), "forward-step")


def test_weights_that_are_not_finite_name_the_images():
    with pytest.raises(NonFiniteError, match="expected a finite encoder output, .* for the images a, b; try --dtype"):
        invert(Maps(lambda z: z, lambda x: x * torch.nan), torch.ones(2, 3), sample_ids=["a", "b"])


def test_an_encoding_that_is_not_finite_names_its_image():
    with pytest.raises(NonFiniteError, match="encoder output, got NaN or infinity for the images b;"):
        invert(Maps(lambda z: z, lambda x: 1 / x), torch.tensor([[1.0], [0.0], [2.0]]), sample_ids=["a", "b", "c"])
