from __future__ import annotations

import pytest
import torch
from models import LATENT, linear_target, random_normal

from privaudit.errors import ConfigError
from privaudit.inversion import SOLVERS, make_solver
from privaudit.inversion.adam import Adam
from privaudit.inversion.forward_step import ForwardStep


def images_of(latents: torch.Tensor, target) -> torch.Tensor:
    return target.decode(latents)


def test_forward_step_is_the_papers_iteration():
    target, latents = linear_target(damping=0.3), random_normal(3, *LATENT)
    images = images_of(latents, target)
    encoded = target.encode(images)
    z = encoded.clone()
    residuals = []
    for _ in range(6):
        gap = target.encode(target.decode(z)) - encoded
        residuals.append(gap.flatten(1).norm(dim=1) / encoded.flatten(1).norm(dim=1))
        z = z - 0.7 * gap
    found = ForwardStep(rho=0.7, evaluations=6)(target, images)
    torch.testing.assert_close(found.residuals, torch.stack(residuals, dim=1))
    torch.testing.assert_close(found.encoded, encoded)


def test_forward_step_converges_at_the_rate_of_a_linear_map():
    # E(D(z)) = .7 z, so each step of rho = 1 shrinks the gap by exactly .3
    target, latents = linear_target(damping=0.3), random_normal(3, *LATENT)
    found = ForwardStep(rho=1.0, evaluations=8, tolerance=1e-3)(target, images_of(latents, target))
    ratios = found.residuals[:, 1:5] / found.residuals[:, :4]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 0.3), rtol=1e-3, atol=0)
    torch.testing.assert_close(found.latents, latents, rtol=1e-3, atol=1e-3)
    assert found.converged.all()


def test_adam_takes_sign_like_steps_of_its_learning_rate():
    target, latents = linear_target(damping=0.3), random_normal(2, *LATENT)
    images = images_of(latents, target)
    solver = Adam(rate=0.01, evaluations=2)
    encoded = target.encode(images)
    gap = target.encode(target.decode(encoded)) - encoded
    first = encoded - solver.rate_at(0) * gap / (gap.abs() + 1e-8)  # bias-corrected moments of one value
    torch.testing.assert_close(
        solver(target, images).residuals[:, 1],
        (target.encode(target.decode(first)) - encoded).flatten(1).norm(dim=1) / encoded.flatten(1).norm(dim=1),
    )


def test_adam_schedule_warms_up_falls_and_is_held():
    solver = Adam(rate=0.01, evaluations=100)
    rates = [solver.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[9] == pytest.approx(0.01)
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[80:] == [rates[80]] * 20
    assert 0 < rates[99] < 0.002
    assert Adam(rate=0.01, evaluations=300).rate_at(200) == rates[80], "stretched over at most 100 steps"


@pytest.mark.parametrize("name", sorted(SOLVERS))
class TestEverySolver:
    def test_lowers_the_residual_without_autograd(self, name):
        target, latents = linear_target(damping=0.2), random_normal(4, *LATENT)
        found = make_solver(name)(target, images_of(latents, target))
        assert found.latents.shape == latents.shape
        assert not found.latents.requires_grad
        assert found.residuals.shape == (4, make_solver(name).evaluations)
        assert (found.residual < found.residuals[:, 0]).all()

    def test_does_not_depend_on_the_batch(self, name):
        target, latents = linear_target(damping=0.2), random_normal(4, *LATENT)
        images = images_of(latents, target)
        whole = make_solver(name)(target, images)
        halves = [make_solver(name)(target, part).latents for part in images.split(1)]
        torch.testing.assert_close(whole.latents, torch.cat(halves), rtol=1e-4, atol=1e-5)

    def test_takes_an_empty_batch(self, name):
        found = make_solver(name)(linear_target(), torch.zeros(0, 3, 8, 8))
        assert found.latents.shape == (0, *LATENT)


def test_a_diverging_image_returns_its_best_iterate():
    target, latents = linear_target(damping=0.3), random_normal(2, *LATENT)
    found = ForwardStep(rho=50.0, evaluations=60)(target, images_of(latents, target))
    assert not torch.isfinite(found.residuals[:, -1]).any(), "the iteration must have overflowed"
    torch.testing.assert_close(found.latents, found.encoded)
    torch.testing.assert_close(found.residual, found.residuals[:, 0])
    assert not found.converged.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ForwardStep(rho=0.0),
        lambda: ForwardStep(evaluations=0),
        lambda: Adam(rate=-1.0),
        lambda: Adam(evaluations=0),
    ],
)
def test_refuses_parameters_that_cannot_work(make):
    with pytest.raises(ConfigError, match="expected"):
        make()


def test_unknown_solver_names_the_known_ones():
    with pytest.raises(ConfigError, match="adam, forward-step, got newton"):
        make_solver("newton")
