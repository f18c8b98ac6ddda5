from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from invertible import Watched, curved, encoder_only, linear, spread, symmetric
from iterations import adam_steps, anderson_steps, forward_steps, inertial_steps, operator, rates
from models import random_normal

from privaudit.errors import ConfigError
from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.cocoercivity import cocoercivity
from privaudit.inversion.problem import Problem

LIMIT = "privaudit.inversion.cocoercivity.LIMIT_ITERATION"


def measure(autoencoder, images, solver):
    return cocoercivity(Problem(autoencoder, images, [str(row) for row in range(len(images))]), SOLVERS.build(solver))


def least_ratio(t, points):
    """min_k <T z' - T z_k, z' - z_k> / ||T z' - T z_k||^2 from stored iterates; z' is the last."""
    limit, ratios, first = points[-1], [], None
    for point in points[:-1]:
        apart, moved = limit - point, t(limit) - t(point)
        squared = moved @ moved
        first = squared if first is None else first
        if squared > 1e-8 * first:
            ratios.append(apart @ moved / squared)
    return min(ratios)


@pytest.mark.parametrize(
    ("solver", "steps"),
    [
        ("forward-step:rho=0.2", lambda t, start, count: forward_steps(t, start, count, 0.2)),
        ("krasnoselskii-mann:beta=0.2", lambda t, start, count: inertial_steps(t, start, count, 0.3, 0.55, 0.2)),
        ("adam:rate=0.05", lambda t, start, count: adam_steps(t, start, count, rates(0.05, count).__getitem__, 1e-8)),
        (
            "anderson:growth=1e9:rho=0.3:memory=1:regularisation=1e-13",
            lambda t, start, count: anderson_steps(t, t, start, count, 1, 0.3),
        ),
    ],
)
def test_agrees_with_stored_iterates(monkeypatch, solver, steps):
    monkeypatch.setattr(LIMIT, 8)
    autoencoder = curved()
    images = autoencoder.decode(random_normal(3, 6))
    found = measure(autoencoder, images, solver)
    assert found.shape == (3,)
    assert found.dtype == torch.float32
    for row in range(3):
        t, _, start = operator(autoencoder, images[row])
        assert float(found[row]) == pytest.approx(least_ratio(t, steps(t, start, 9)), rel=1e-2)


def test_closed_form_of_a_symmetric_map():
    # with errors e_k = (I - rho M)^k e_0 - e_300 in the eigenbasis: sum m e^2 / sum m^2 e^2
    spectrum = torch.tensor(spread(0.5, 2.0), dtype=torch.float64)
    vectors = torch.linalg.eigh(symmetric(spectrum.tolist()))
    autoencoder, latents = linear(symmetric(spectrum.tolist())), random_normal(3, 6)
    images = autoencoder.decode(latents)
    found = measure(autoencoder, images, "forward-step:rho=0.6")
    start = (autoencoder.encode(images).double() - latents.double()) @ vectors.eigenvectors
    values = vectors.eigenvalues
    for row in range(3):
        ratios = []
        for step in range(12):  # later ones have only the slowest direction left, of ratio 2
            error = (1 - 0.6 * values) ** step * start[row]
            ratios.append(float((values * error**2).sum() / (values**2 * error**2).sum()))
        assert float(found[row]) == pytest.approx(min(ratios), rel=1e-2)
    assert (found > 1 / 2.0).all()
    assert (found < 1 / 0.5).all()


def test_multiples_of_the_identity():
    autoencoder = linear(0.4 * torch.eye(6, dtype=torch.float64))
    found = measure(autoencoder, autoencoder.decode(random_normal(3, 6)), "forward-step")
    torch.testing.assert_close(found, torch.full((3,), 2.5), rtol=1e-3, atol=0)


def test_a_direction_that_turns_around_makes_it_negative():
    # eigenvalue -.01: it grows twentyfold in 300 steps, and <-.01 v, v> / .01^2 = -100
    autoencoder = linear(symmetric([-0.01, 0.5, 0.8, 1.0]))
    found = measure(autoencoder, autoencoder.decode(random_normal(3, 4)), "forward-step")
    torch.testing.assert_close(found, torch.full((3,), -100.0), rtol=0.05, atol=0)


def test_a_rotation_is_monotone_and_hardly_cocoercive():
    # M = I + c J: <Me, e> = |e|^2, |Me|^2 = (1 + c^2) |e|^2
    matrix = torch.tensor([[1.0, -2.0], [2.0, 1.0]], dtype=torch.float64)
    autoencoder = linear(matrix)
    found = measure(autoencoder, autoencoder.decode(random_normal(2, 2)), "forward-step:rho=0.1")
    torch.testing.assert_close(found, torch.full((2,), 0.2), rtol=1e-3, atol=0)


def test_is_unknown_where_the_path_does_not_end_or_never_starts():
    def encode(images):
        gains = torch.tensor([0.5, 4.0, 1.0])[: len(images)]
        return gains[:, None] * images

    found = measure(encoder_only(encode), random_normal(3, 5), "forward-step")
    assert found.isnan().tolist() == [False, True, True]  # goes on; 4^300 is infinite; nothing moves
    assert float(found[0]) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("name", sorted(set(SOLVERS) - {"encoder", "gradient"}))
def test_takes_every_solver_by_the_encoder(monkeypatch, name):
    monkeypatch.setattr(LIMIT, 20)
    autoencoder = linear(symmetric(spread(0.5, 1.0)))
    images = autoencoder.decode(random_normal(2, 6))
    found = invert(autoencoder, images, name, with_cocoercivity=True)
    plain = invert(autoencoder, images, name)
    assert torch.equal(found.latents, plain.latents)
    assert plain.cocoercivity is None
    # whatever the path, a symmetric M gives ratios between the inverse eigenvalues
    assert (found.cocoercivity > 0.99).all()
    assert (found.cocoercivity < 2.01).all()


def test_costs_602_evaluations_whatever_the_tolerance():
    watched = Watched(linear(symmetric(spread(0.8, 1.0))))
    images = watched.inner.decode(random_normal(2, 6))
    measure(watched, images, "forward-step:tolerance=0.9")
    assert watched.decoded == [2] * 602
    assert not any(watched.gradients)


def test_memory_runs_out_here_too(monkeypatch):
    monkeypatch.setattr(LIMIT, 5)
    inner = curved()
    images = inner.decode(random_normal(5, 6))
    wanted = measure(inner, images, "forward-step")
    torch.testing.assert_close(measure(Watched(inner, limit=2), images, "forward-step"), wanted, rtol=1e-4, atol=0)


def test_refuses_the_gradient_baseline_before_any_work():
    watched = Watched(curved())
    with pytest.raises(
        ConfigError, match=r"expected a solver that steps along T\(z\) for the cocoercivity, got gradient"
    ):
        invert(watched, torch.ones(1, 10), "gradient", with_cocoercivity=True)
    assert not watched.encoded


def test_refuses_the_encoder_before_any_work():
    watched = Watched(curved())
    with pytest.raises(ConfigError, match="for the cocoercivity, got encoder"):
        invert(watched, torch.ones(1, 10), "encoder", with_cocoercivity=True)
    assert not watched.encoded


def test_leaves_the_solver_as_it_was():
    solver = SOLVERS.build("forward-step")
    autoencoder = linear(symmetric(spread(0.8, 1.0)))
    cocoercivity(Problem(autoencoder, torch.ones(1, 10), ["a"]), solver)
    assert solver == replace(solver, evaluations=20)
