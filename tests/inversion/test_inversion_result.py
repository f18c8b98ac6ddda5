from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import random_normal

from privaudit.inversion import OUTCOMES, Inversion, nmse_db

NAN = math.nan


def inversion(residuals, tolerance=0.01, diverged=False, floor=NAN, best=None):
    """One image with a history; NaN where it was not evaluated."""
    history = torch.tensor([residuals], dtype=torch.float32)
    chosen = int(np.nanargmin(residuals)) if best is None else best
    return Inversion(
        latents=torch.zeros(1, 2),
        encoded=torch.zeros(1, 2),
        residuals=history,
        pixel_residuals=2 * history,
        best=torch.tensor([chosen]),
        evaluations=(~history.isnan()).sum(dim=1),
        tolerance=tolerance,
        diverged=torch.tensor([diverged]),
        floor=torch.tensor([floor]),
    )


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (inversion([0.5, 0.1, 0.01]), "converged"),
        (inversion([0.5, 0.005, NAN, NAN]), "converged"),
        (inversion([0.5, 0.1, 0.02]), "budget spent"),
        (inversion([0.5, 0.1, 0.0101]), "budget spent"),
        (inversion([0.5, 6.0], diverged=True), "diverged"),
        (inversion([0.005, 6.0], diverged=True, best=0), "converged"),
        # no progress in the last third
        (inversion([0.5, 0.4, 0.3, 0.2, 0.2, 0.2]), "stalled"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.3, 0.4]), "stalled"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.1999, 0.1999]), "stalled"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.3, 0.19]), "budget spent"),
        (inversion([0.5, 0.5, 0.5, 0.5, 0.5, 0.4]), "budget spent"),
        (inversion([0.2, 0.2, 0.2, 0.2, 0.2, 0.2, NAN, NAN, NAN]), "stalled"),
        (inversion([0.2, 0.2, 0.2, 0.2, 0.2]), "budget spent"),  # too few to say
        # 16 bits explain a residual of up to the floor, whether it still moves or not: there it is noise
        (inversion([0.5, 0.4, 0.3, 0.2, 0.2, 0.2], floor=0.21), "at rounding floor"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.2, 0.2], floor=0.19), "stalled"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.1, 0.02], floor=0.021), "at rounding floor"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.1, 0.02], floor=0.019), "budget spent"),
        (inversion([0.5, 0.4, 0.005], floor=0.5), "converged"),
        (inversion([0.5, 0.4, 0.3, 0.2, 0.2, 0.2], floor=0.5, diverged=True), "diverged"),
    ],
)
def test_outcomes(found, outcome):
    assert outcome in OUTCOMES
    moves_no_more = len(set(found.residuals[0, 3:].tolist())) == 1
    assert found.outcomes == (outcome,)
    assert found.converged.tolist() == [outcome == "converged"]
    assert found.stalled.tolist() == [outcome == "stalled" or (outcome == "at rounding floor" and moves_no_more)]
    assert found.at_floor.tolist() == [outcome == "at rounding floor"]


def test_residuals_are_those_of_the_best_column():
    found = inversion([0.5, 0.1, 0.02, 0.3])
    assert found.residual.tolist() == [pytest.approx(0.02)]
    assert found.pixel_residual.tolist() == [pytest.approx(0.04)]
    assert inversion([0.5, 0.1, 0.02, 0.3], best=3).residual.tolist() == [pytest.approx(0.3)]


def test_a_residual_that_was_never_finite_is_infinite():
    assert inversion([NAN], best=0, diverged=True).residual.tolist() == [math.inf]
    assert inversion([NAN], best=0, diverged=True).outcomes == ("diverged",)


def test_a_residual_of_infinity_stays_infinite():
    assert inversion([math.inf], best=0, diverged=True).residual.tolist() == [math.inf]


@settings(max_examples=30, deadline=None)
@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4), count=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_nmse_is_the_papers_in_decibel(shape, count, seed):
    truth, latents = random_normal(count, *shape, seed=seed), random_normal(count, *shape, seed=seed + 1)
    found = nmse_db(latents, truth)
    wanted = [
        10 * np.log10(np.sum((z - t) ** 2) / np.sum(t**2))
        for z, t in zip(latents.double().numpy(), truth.double().numpy(), strict=True)
    ]
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)


def test_nmse_by_hand():
    truth = torch.tensor([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
    latents = torch.tensor([[3.0, 4.5], [6.0, 8.0], [3.0, 4.0]])
    assert nmse_db(latents, truth).tolist() == [pytest.approx(-20.0), pytest.approx(0.0), -math.inf]
