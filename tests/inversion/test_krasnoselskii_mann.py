from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from invertible import Watched, curved, linear, spread, symmetric
from iterations import forward_steps, inertial_steps, operator
from models import random_normal

from privaudit.errors import ConfigError
from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.krasnoselskii_mann import KrasnoselskiiMann


@pytest.mark.parametrize(("alpha", "lam", "beta"), [(0.3, 0.55, 0.9), (0.1, 0.8, 0.5), (0.6, 0.1, 1.0)])
def test_is_the_papers_iteration(alpha, lam, beta):
    autoencoder, latents = Watched(curved()), random_normal(3, 6)
    images = autoencoder.inner.decode(latents)
    solver = KrasnoselskiiMann(alpha=alpha, lam=lam, beta=beta, evaluations=7, tolerance=0.0)
    invert(autoencoder, images, solver)
    for row in range(3):
        t, _, start = operator(autoencoder.inner, images[row])
        wanted = np.stack(inertial_steps(t, start, 7, alpha, lam, beta))
        points = torch.stack([each[row] for each in autoencoder.points])
        np.testing.assert_allclose(points.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_little_inertia_is_the_forward_step():
    autoencoder = Watched(curved())
    images = autoencoder.inner.decode(random_normal(1, 6))
    invert(autoencoder, images, "krasnoselskii-mann:alpha=1e-9:lam=0.5:beta=0.8:evaluations=5:tolerance=0")
    t, _, start = operator(autoencoder.inner, images[0])
    wanted = np.stack(forward_steps(t, start, 5, 0.8))
    np.testing.assert_allclose(torch.cat(autoencoder.points).numpy(), wanted, rtol=1e-4, atol=1e-5)


@given(alpha=st.floats(0.01, 0.99), lam=st.floats(0.001, 2.0))
def test_parameters_are_taken_exactly_inside_13(alpha, lam):
    left, right = lam * (1 - alpha + 2 * alpha**2), (1 - alpha) ** 2
    assume(abs(left - right) > 1e-9)
    if left < right:
        assert KrasnoselskiiMann(alpha=alpha, lam=lam).lam == lam
    else:
        with pytest.raises(ConfigError, match=r"condition \(13\)"):
            KrasnoselskiiMann(alpha=alpha, lam=lam)


def test_the_refusal_names_the_limit_and_the_way_out():
    # (1 - .3)^2 / (1 - .3 + 2 * .09) = .49 / .88
    with pytest.raises(ConfigError, match=r"expected lam < 0\.5568 for alpha = 0\.3, .*got lam = 0\.9.*force=true"):
        SOLVERS.build("krasnoselskii-mann:lam=0.9")
    assert SOLVERS.build("krasnoselskii-mann:lam=0.9:force=true").lam == 0.9
    assert SOLVERS.build("krasnoselskii-mann:lam=0.556").lam == 0.556


def test_force_excuses_nothing_but_13():
    with pytest.raises(ConfigError, match="0 < alpha < 1"):
        SOLVERS.build("krasnoselskii-mann:alpha=1.5:force=true")
    with pytest.raises(ConfigError, match="lam > 0"):
        SOLVERS.build("krasnoselskii-mann:lam=-1:force=true")


def test_absurd_inertia_is_a_configuration_error_too():
    with pytest.raises(ConfigError, match="0 < alpha < 1"):
        SOLVERS.build("krasnoselskii-mann:alpha=1e200")


@pytest.mark.parametrize(("alpha", "lam"), [(0.1, 0.85), (0.3, 0.55), (0.6, 0.14)])
def test_converges_where_theorem_2_says_so(alpha, lam):
    # eigenvalues up to 1 / beta make T beta-cocoercive
    autoencoder, latents = linear(symmetric(spread(0.3, 1 / 0.9))), random_normal(4, 6)
    solver = KrasnoselskiiMann(alpha=alpha, lam=lam, beta=0.9, evaluations=300, tolerance=1e-4)
    found = invert(autoencoder, autoencoder.decode(latents), solver, truth=latents)
    assert found.converged.all()
    torch.testing.assert_close(found.latents, latents, rtol=0, atol=5e-3)


def test_momentum_helps_where_eigenvalues_are_small():
    autoencoder, latents = linear(symmetric(spread(0.05, 0.2))), random_normal(4, 6)
    images = autoencoder.decode(latents)
    plain = invert(autoencoder, images, "forward-step:rho=0.2:evaluations=400:tolerance=0.01")
    inertial = invert(autoencoder, images, "krasnoselskii-mann:beta=0.2:lam=0.5:evaluations=400:tolerance=0.01")
    assert plain.converged.all()
    assert inertial.converged.all()
    assert (inertial.evaluations < plain.evaluations).all()
