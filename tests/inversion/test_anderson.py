from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invertible import Maps, Watched, curved, encoder_only, linear, orthogonal, relative_residual, spread, symmetric
from iterations import anderson_steps, gmres_residuals, operator
from models import random_normal

from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.anderson import Anderson
from privaudit.inversion.pixel_mixing import PixelMixing

BOTH = pytest.mark.parametrize("kind", [Anderson, PixelMixing])
FREE = {"regularisation": 1e-13, "growth": 1e9, "tolerance": 0.0}
"""No safeguard changes anything."""


def wild(latents: torch.Tensor) -> torch.Tensor:
    """An E(D(z)) that folds: its derivative runs from -1.4 to 3.4."""
    return latents + 0.8 * (3 * latents).sin() @ orthogonal(latents.shape[1], 5).to(latents.dtype)


@BOTH
@pytest.mark.parametrize(("memory", "rho"), [(1, 1.0), (3, 1.0), (3, 0.6), (10, 0.8)])
def test_is_the_textbooks_iteration(kind, memory, rho):
    autoencoder, latents = Watched(curved()), random_normal(3, 6)
    images = autoencoder.inner.decode(latents)
    invert(autoencoder, images, kind(memory=memory, rho=rho, evaluations=6, **FREE))
    for row in range(3):
        t, misfit, start = operator(autoencoder.inner, images[row])
        wanted = np.stack(anderson_steps(t, misfit if kind is PixelMixing else t, start, 6, memory, rho))
        points = torch.stack([each[row] for each in autoencoder.points])
        np.testing.assert_allclose(points.numpy(), wanted, rtol=1e-3, atol=2e-4)


def test_is_gmres_on_a_linear_problem():
    # r_(k+1) = (I - rho M) r_k of GMRES: the mixed residual, then a plain step (Walker & Ni 2011, Theorem 2.2)
    matrix = torch.eye(8, dtype=torch.float64) + 0.5 * random_normal(8, 8, seed=4, dtype=torch.float64) / 8**0.5
    autoencoder = linear(matrix)
    images = autoencoder.decode(random_normal(1, 8))
    solver = Anderson(memory=20, rho=0.7, evaluations=6, **FREE)
    found = invert(autoencoder, images, solver)
    t, _, start = operator(autoencoder, images[0])
    mixed = gmres_residuals(matrix.numpy(), t(start), 5)
    after = [np.linalg.norm(r - 0.7 * matrix.numpy() @ r) / np.linalg.norm(start) for r in mixed]
    np.testing.assert_allclose(found.residuals[0, 1:].numpy(), after, rtol=1e-2)


@BOTH
@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_solves_a_linear_problem_after_as_many_differences_as_dimensions(kind, dimensions):
    # start, d more points for d differences, the solution: d + 2 evaluations
    spectrum = spread(0.3, 1.7, dimensions) if dimensions > 1 else [0.4]
    autoencoder, latents = linear(symmetric(spectrum)), random_normal(3, dimensions)
    found = invert(autoencoder, autoencoder.decode(latents), kind(memory=dimensions, tolerance=1e-3))
    assert found.converged.all()
    assert (found.evaluations <= dimensions + 2).all()
    torch.testing.assert_close(found.latents, latents, rtol=0, atol=0.02)


def test_is_faster_than_the_forward_step():
    autoencoder, latents = linear(symmetric(spread(0.1, 1.0, 20))), random_normal(4, 20)
    images = autoencoder.decode(latents)
    mixed = invert(autoencoder, images, "anderson:evaluations=50")
    plain = invert(autoencoder, images, "forward-step:evaluations=50")
    assert mixed.converged.all()
    assert (mixed.evaluations < plain.evaluations).all()


def mixed_step(solver, t, measured, history):
    """The docstring's step from the last of some points, with the ridge on unit columns."""
    d_z, d_t, d_r = (
        np.stack([b - a for a, b in zip(them[:-1], them[1:], strict=True)], axis=1)
        for them in (history, [t(z) for z in history], [measured(z) for z in history])
    )
    norms = np.linalg.norm(d_r, axis=0)
    stacked = np.concatenate([d_r / norms, solver.regularisation**0.5 * np.eye(len(norms))])
    wanted = np.concatenate([measured(history[-1]), np.zeros(len(norms))])
    gamma = np.linalg.lstsq(stacked, wanted, rcond=None)[0] / norms
    return history[-1] - d_z @ gamma - solver.rho * (t(history[-1]) - d_t @ gamma)


@BOTH
@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_restarts_from_the_best_iterate_when_the_residual_has_grown(kind, growth):
    autoencoder, images = Watched(encoder_only(wild)), random_normal(8, 4)
    solver = kind(growth=growth, regularisation=1e-4, memory=3, evaluations=15, tolerance=0.0)
    invert(autoencoder, images, solver)
    points = torch.stack(autoencoder.points).double().numpy()
    restarts = 0
    for row in range(8):
        t, misfit, _ = operator(autoencoder.inner, images[row])
        measured = misfit if kind is PixelMixing else t
        path = points[:, row]
        np.testing.assert_allclose(path[1], path[0] - t(path[0]), rtol=1e-3, atol=1e-4)
        best, history = path[0], [path[0]]
        # each step by itself, since nothing keeps two runs of a folding map together
        for point, following in zip(path[1:-1], path[2:], strict=True):
            size, least = np.linalg.norm(measured(point)), np.linalg.norm(measured(best))
            if size > growth * least:
                restarts += 1
                history = [best]
                step, direction = best - following, t(best)
                halvings = -np.log2(step @ direction / (direction @ direction))
                assert round(halvings) >= 1
                np.testing.assert_allclose(step, direction / 2 ** round(halvings), rtol=1e-2, atol=1e-3)
            else:
                history = [*history, point][-4:]
                best = point if size < least else best
                np.testing.assert_allclose(following, mixed_step(solver, t, measured, history), rtol=1e-3, atol=1e-3)
    assert restarts > 8


CYCLES = pytest.mark.parametrize("kind", [Anderson, PixelMixing])


def cubic(strength: float):
    """T(z) = f(z) - f(x), f(z) = z + c z^3: a step of 1 from z = f(x) overshoots by more than it came from."""
    return encoder_only(lambda z: z + strength * z**3)


@CYCLES
def test_solves_what_plain_mixing_runs_away_from(kind):
    autoencoder, images = cubic(0.2), 1 + random_normal(6, 4).abs()
    for image in images:
        t, misfit, start = operator(autoencoder, image)
        points = anderson_steps(t, misfit if kind is PixelMixing else t, start, 4, 5, 1.0)
        sizes = [np.linalg.norm(t(z)) for z in points]
        assert max(sizes) > 2 * sizes[0], "plain mixing must run away"
    found = invert(autoencoder, images, kind(evaluations=40))
    assert set(found.outcomes) == {"converged"}
    torch.testing.assert_close(found.latents, images, rtol=0, atol=0.1)


@CYCLES
@pytest.mark.parametrize("strength", [0.1, 0.2, 0.5])
def test_never_evaluates_a_point_again(kind, strength):
    images = 1 + random_normal(6, 4).abs()
    for image in images:
        watched = Watched(cubic(strength))
        found = invert(watched, image[None], kind(evaluations=20, tolerance=1e-4))
        points = torch.cat(watched.points)
        apart = torch.cdist(points.double(), points.double()) + torch.eye(len(points))
        assert (apart > 1e-6).all()
        assert len(points) == int(found.evaluations)


@BOTH
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), strength=st.floats(0.1, 30.0), rho=st.floats(0.1, 5.0))
def test_is_never_worse_than_the_start(kind, seed, strength, rho):
    bend = orthogonal(4, seed)
    autoencoder = encoder_only(lambda z: z + strength * (3 * z).sin() @ bend.to(z.dtype))
    images = random_normal(3, 4, seed=seed)
    found = invert(autoencoder, images, kind(rho=rho, evaluations=8, tolerance=1e-3))
    if kind is Anderson:
        start, end = relative_residual(autoencoder, found.encoded, images), found.residual
    else:
        start, end = found.pixel_residuals[:, 0], found.pixel_residual
    assert (end <= start * (1 + 1e-5)).logical_or(found.converged).all()
    assert not found.diverged.any()
    assert found.latents.isfinite().all()


@BOTH
@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_goes_back_from_where_the_decoder_fails(kind, poison):
    # E(D(z)) = 2.5 z: the first step lands at -1.25 x, where the decoder fails; half of it does not
    inner = encoder_only(lambda images: 2.5 * images)
    images = 1 + random_normal(3, 5).abs()
    broken = Watched(Maps(lambda z: torch.where(z[:, :1] < 0, poison, z), inner.encode))
    found = invert(broken, images, kind(tolerance=1e-4))
    assert not found.pixel_residuals[:, 1].isfinite().any(), "the first step must have failed"
    assert set(found.outcomes) == {"converged"}
    torch.testing.assert_close(found.latents, images, rtol=1e-3, atol=0)
    half_step = found.encoded - 0.5 * (2.5 * found.encoded - found.encoded)
    torch.testing.assert_close(broken.points[2], half_step)


@BOTH
def test_failures_in_a_row_halve_the_step_each_time(kind):
    inner = encoder_only(lambda images: 2.0 * images)
    images = torch.ones(1, 3)

    def decode(latents):  # fails but for the start and very short steps: 2 - 2 / 2^j > 1.7
        return torch.where(latents[:, :1] < 1.7, torch.nan, latents)

    watched = Watched(Maps(decode, inner.encode))
    invert(watched, images, kind(evaluations=6, tolerance=0.0))
    first = torch.cat(watched.points)[:5, 0].tolist()
    assert first == pytest.approx([2.0, 0.0, 1.0, 1.5, 1.75])


def test_an_image_that_restarts_does_not_disturb_the_others():
    images = torch.cat([0.02 * random_normal(2, 4), 2 * random_normal(2, 4, seed=1)])
    together = invert(encoder_only(wild), images, "anderson:tolerance=0:evaluations=10")
    for row in range(4):
        alone = invert(encoder_only(wild), images[row : row + 1], "anderson:tolerance=0:evaluations=10")
        torch.testing.assert_close(together.residuals[row, :3], alone.residuals[0, :3], rtol=1e-3, atol=1e-6)
        assert torch.equal(together.evaluations[row], alone.evaluations[0])


def test_a_problem_of_one_dimension_is_not_singular():
    # all differences are parallel, whatever the memory
    autoencoder = encoder_only(lambda images: 0.5 * images + 0.1 * images.sin())
    found = invert(autoencoder, torch.ones(2, 1), "anderson:tolerance=0:evaluations=20")
    assert found.latents.isfinite().all()
    assert (found.residual < 1e-5).all()


def test_the_least_regularisation_ends_in_no_traceback():
    autoencoder = encoder_only(lambda images: 0.5 * images + 0.1 * images.sin())
    found = invert(autoencoder, torch.ones(2, 1), "anderson:tolerance=0:evaluations=20:regularisation=1e-14")
    assert found.latents.isfinite().all()


def test_starts_again_where_the_encoder_fails_on_a_decoded_image():
    inner = encoder_only(lambda images: 2.5 * images)
    images = 1 + random_normal(3, 5).abs()
    broken = Maps(inner.decode, lambda x: torch.where(x[:, :1] < 0, torch.nan, 2.5 * x))
    found = invert(broken, images, Anderson(tolerance=1e-4))
    assert set(found.outcomes) == {"converged"}


class TestPixelMixingWhereOnlyTheEncoderFails:
    def test_goes_back(self):
        images = torch.ones(3, 5)
        # E(x) = 1.6 x; the first step goes to .64, where D is nearer to x than at the start and E fails
        broken = Maps(lambda z: z, lambda x: torch.where((x[:, :1] - 0.64).abs() < 0.1, torch.nan, 1.6 * x))
        found = invert(broken, images, PixelMixing(tolerance=1e-3))
        torch.testing.assert_close(found.latents, images, rtol=1e-2, atol=0)

    def test_says_diverged_if_it_fails_from_the_start(self):
        images = torch.tensor([1.0, 0.9, 1.0])[:, None].expand(3, 5)
        broken = Maps(lambda z: 1.01 * z, lambda x: torch.where(x[:, :1] > 1.005, torch.nan, x))
        found = invert(broken, images, PixelMixing())
        assert found.outcomes == ("diverged", "converged", "diverged")
        assert (found.evaluations < 20).all()


def test_defaults():
    assert SOLVERS.build("anderson") == Anderson(
        memory=5, rho=1.0, regularisation=1e-8, growth=1.5, evaluations=20, tolerance=0.01
    )
    assert SOLVERS.build("pixel-mixing") == PixelMixing()
    assert (Anderson.judge, PixelMixing.judge) == ("latent", "pixel")
