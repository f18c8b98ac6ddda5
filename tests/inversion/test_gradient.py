from __future__ import annotations

import numpy as np
import pytest
import torch
from invertible import Maps, Watched, curved, linear, spread, symmetric
from iterations import adam_steps, operator, rates
from models import random_normal
from torch import Tensor

from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.gradient import Gradient


def slope_of(autoencoder, image: Tensor):
    """The gradient of ||D(z) - x||^2 by torch, in float64."""

    def slope(z: np.ndarray) -> np.ndarray:
        leaf = torch.from_numpy(z).requires_grad_()
        (autoencoder.decode(leaf[None]) - image.double()).square().sum().backward()
        return leaf.grad.numpy()

    return slope


@pytest.mark.parametrize("schedule", [True, False])
def test_is_torchs_adam_on_the_sum_of_squared_pixel_errors(schedule):
    autoencoder, latents = Watched(curved()), random_normal(3, 6)
    images = autoencoder.inner.decode(latents)
    solver = Gradient(rate=0.05, schedule=schedule, evaluations=15)
    found = invert(autoencoder, images, solver)
    chosen = rates(0.05, 15) if schedule else [0.05] * 15
    for row in range(3):
        _, misfit, start = operator(autoencoder.inner, images[row])
        wanted = np.stack(adam_steps(slope_of(autoencoder.inner, images[row]), start, 15, chosen.__getitem__, 1e-8))
        points = torch.stack([each[row] for each in autoencoder.points[:15]])
        np.testing.assert_allclose(points.numpy(), wanted, rtol=1e-4, atol=1e-5)
        errors = [np.linalg.norm(misfit(z)) for z in wanted]
        pixels = found.pixel_residuals[row] * images[row].norm()
        np.testing.assert_allclose(pixels.numpy(), errors, rtol=1e-3, atol=1e-5)
        assert int(found.best[row]) == int(np.argmin(errors))


def test_needs_the_encoder_only_at_the_ends():
    autoencoder = Watched(linear(symmetric(spread(0.8, 1.0))))
    found = invert(autoencoder, autoencoder.inner.decode(random_normal(3, 6)), "gradient:evaluations=9")
    assert autoencoder.decoded == [3] * 10, "nine with a gradient, and one of the best iterates"
    assert autoencoder.encoded == [3, 3]
    assert found.evaluations.tolist() == [9] * 3
    assert found.residuals.isfinite().sum(dim=1).tolist() == [1] * 3


def test_gradients_are_recorded_in_the_decoder_alone():
    autoencoder = Watched(linear(symmetric(spread(0.8, 1.0))))
    invert(autoencoder, autoencoder.inner.decode(random_normal(2, 6)), "gradient:evaluations=3")
    assert autoencoder.gradients == [False, True, True, True, False, False]


def test_works_where_gradients_are_off():
    autoencoder = linear(symmetric(spread(0.8, 1.0)))
    images = autoencoder.decode(random_normal(2, 6))
    wanted = invert(autoencoder, images, "gradient:evaluations=5")
    with torch.no_grad():
        found = invert(autoencoder, images, "gradient:evaluations=5")
        assert not torch.is_grad_enabled()
    assert torch.equal(found.latents, wanted.latents)


def test_does_not_trust_an_encoder_that_is_wrong():
    # E(D(z)) = 0 z + c would stop every other solver; the pixels still say where to go
    decoder = linear(torch.eye(4, dtype=torch.float64))
    constant = Maps(decoder.decode, lambda images: torch.ones(len(images), 4))
    latents = 1 + 0.3 * random_normal(2, 4)
    found = invert(constant, decoder.decode(latents), "gradient:evaluations=100")
    torch.testing.assert_close(found.latents, latents, rtol=0, atol=0.02)


def test_defaults_are_the_papers():
    assert SOLVERS.build("gradient") == Gradient(rate=0.1, schedule=True, epsilon=1e-8, evaluations=100, tolerance=0.01)


def test_a_start_next_to_the_optimum_does_not_count_as_divergence():
    autoencoder, latents = linear(0.9995 * torch.eye(6, dtype=torch.float64)), random_normal(3, 6)
    found = invert(autoencoder, autoencoder.decode(latents), "gradient:tolerance=0.0001")
    assert not found.diverged.any()
    assert set(found.outcomes) == {"converged"}
