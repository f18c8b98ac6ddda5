from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invertible import Watched, curved
from iterations import adam_steps, operator, rates
from models import random_normal

from privaudit.inversion import SOLVERS, invert
from privaudit.inversion.adam import Adam, scheduled_rate


@pytest.mark.parametrize(("rate", "epsilon", "evaluations"), [(0.01, 1e-8, 25), (0.05, 1e-4, 12)])
def test_is_adam_on_the_fixed_point_residual(rate, epsilon, evaluations):
    autoencoder, latents = Watched(curved()), random_normal(3, 6)
    images = autoencoder.inner.decode(latents)
    invert(autoencoder, images, Adam(rate=rate, epsilon=epsilon, evaluations=evaluations, tolerance=0.0))
    schedule = rates(rate, evaluations)
    for row in range(3):
        t, _, start = operator(autoencoder.inner, images[row])
        wanted = np.stack(adam_steps(t, start, evaluations, schedule.__getitem__, epsilon))
        points = torch.stack([each[row] for each in autoencoder.points])
        np.testing.assert_allclose(points.numpy(), wanted, rtol=1e-4, atol=1e-5)


@given(iterations=st.integers(1, 300), peak=st.floats(1e-4, 1.0))
def test_schedule_is_the_papers(iterations, peak):
    found = [scheduled_rate(peak, step, iterations) for step in range(iterations)]
    assert found == pytest.approx(rates(peak, iterations), rel=1e-9)


def test_schedule_warms_up_falls_and_is_held():
    found = [scheduled_rate(0.01, step, 100) for step in range(100)]
    assert found[:10] == pytest.approx([0.001 * (step + 1) for step in range(10)])
    assert all(a > b for a, b in zip(found[10:80], found[11:81], strict=True))
    assert found[10] == pytest.approx(0.01)
    assert found[80:] == [found[80]] * 20
    assert found[80] == pytest.approx(0.005 * (1 + np.cos(np.pi * 70 / 90)))
    stretched = [scheduled_rate(0.01, step, 300) for step in range(300)]
    assert stretched[:100] == found, "over at most 100 steps"
    assert stretched[100:] == [found[80]] * 200


@pytest.mark.parametrize("iterations", [1, 2, 3, 9])
def test_short_runs_start_at_the_peak(iterations):
    assert scheduled_rate(0.01, 0, iterations) == 0.01


def test_first_step_is_the_rate_times_the_sign():
    autoencoder = Watched(curved())
    images = autoencoder.inner.decode(random_normal(2, 6))
    found = invert(autoencoder, images, "adam:rate=0.01:evaluations=2")
    slopes = autoencoder.inner.encode(autoencoder.inner.decode(found.encoded)) - found.encoded
    moved = autoencoder.points[1] - autoencoder.points[0]
    torch.testing.assert_close(moved, -0.01 * slopes.sign(), rtol=1e-3, atol=1e-6)


def test_defaults_are_the_papers():
    assert SOLVERS.build("adam") == Adam(rate=0.01, epsilon=1e-8, evaluations=100, tolerance=0.01)
