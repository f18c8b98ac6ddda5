from __future__ import annotations

import numpy as np
import pytest
import torch
from invertible import Watched, curved, linear, relative_residual, spread, symmetric
from iterations import forward_steps, operator
from models import random_normal

from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.forward_step import ForwardStep


def test_is_the_papers_iteration():
    autoencoder, latents = Watched(curved()), random_normal(3, 6)
    images = autoencoder.inner.decode(latents)
    found = invert(autoencoder, images, ForwardStep(rho=0.7, evaluations=6, tolerance=0.0))
    for row in range(3):
        t, _, start = operator(autoencoder.inner, images[row])
        wanted = np.stack(forward_steps(t, start, 6, 0.7))
        points = torch.stack([each[row] for each in autoencoder.points])
        np.testing.assert_allclose(points.numpy(), wanted, rtol=1e-4, atol=1e-5)
        residuals = [np.linalg.norm(t(z)) / np.linalg.norm(start) for z in wanted]
        np.testing.assert_allclose(found.residuals[row].numpy(), residuals, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("rho", "ratio"), [(1.0, 0.3), (0.5, 0.65), (1.3, 0.09)])
def test_converges_at_the_rate_of_a_linear_map(rho, ratio):
    # E(D(z)) = .7 z: each step multiplies T(z) by 1 - .7 rho
    autoencoder, latents = linear(0.7 * torch.eye(6, dtype=torch.float64)), random_normal(3, 6)
    found = invert(autoencoder, autoencoder.decode(latents), ForwardStep(rho=rho, evaluations=5, tolerance=0.0))
    ratios = found.residuals[:, 1:4] / found.residuals[:, :3]
    torch.testing.assert_close(ratios, torch.full_like(ratios, ratio), rtol=1e-2, atol=0)


@pytest.mark.parametrize("largest", [0.5, 1.0, 2.0])
def test_theorem_1_is_sharp_for_a_symmetric_map(largest):
    # T is beta-cocoercive with beta = 1 / largest eigenvalue: steps up to 2 beta converge, longer ones need not
    autoencoder, latents = linear(symmetric(spread(0.4 * largest, largest))), random_normal(4, 6)
    images = autoencoder.decode(latents)
    inside = invert(autoencoder, images, ForwardStep(rho=1.9 / largest, evaluations=200, tolerance=1e-4))
    assert inside.converged.all()
    torch.testing.assert_close(inside.latents, latents, rtol=0, atol=5e-3)
    outside = invert(autoencoder, images, ForwardStep(rho=2.2 / largest, evaluations=200, tolerance=1e-9))
    assert set(outside.outcomes) == {"diverged"}


def test_a_step_that_is_much_too_long_stops_early_and_returns_the_best_iterate():
    autoencoder, latents = linear(0.7 * torch.eye(6, dtype=torch.float64)), random_normal(2, 6)
    images = autoencoder.decode(latents)
    found = invert(autoencoder, images, "forward-step:rho=50:evaluations=60")
    assert found.evaluations.tolist() == [2, 2]
    assert found.outcomes == ("diverged", "diverged")
    assert torch.equal(found.latents, found.encoded)
    torch.testing.assert_close(found.residual, relative_residual(autoencoder, found.encoded, images))


def test_defaults():
    assert SOLVERS.build("forward-step") == ForwardStep(rho=1.0, evaluations=20, tolerance=0.01)
