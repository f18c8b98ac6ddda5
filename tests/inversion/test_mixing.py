from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import random_normal

from privaudit.inversion.mixing import combine, lengths, mixing_coefficients, per_image, remember

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, images=st.integers(1, 4), count=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_coefficients_solve_the_regularised_least_squares_problem(shape, images, count, seed):
    differences = random_normal(images, count, *shape, seed=seed)
    residuals = random_normal(images, *shape, seed=seed + 1)
    found = mixing_coefficients(differences, residuals, 1e-2)
    assert found.shape == (images, count)
    assert found.dtype == torch.float64
    for gamma, d, r in zip(found, differences, residuals, strict=True):
        columns, wanted = d.flatten(1).double().numpy().T, r.flatten().double().numpy()
        norms = np.linalg.norm(columns, axis=0)
        # ridge on unit columns is least squares with rows of sqrt(ridge) below
        stacked = np.concatenate([columns / norms, 0.1 * np.eye(count)])
        unit = np.linalg.lstsq(stacked, np.concatenate([wanted, np.zeros(count)]), rcond=None)[0]
        np.testing.assert_allclose(gamma.numpy(), unit / norms, rtol=1e-6, atol=1e-9)


def test_little_regularisation_is_plain_least_squares():
    differences, residuals = random_normal(2, 3, 2, 5), random_normal(2, 2, 5, seed=1)
    found = mixing_coefficients(differences, residuals, 1e-12)
    for gamma, d, r in zip(found, differences.double(), residuals.double(), strict=True):
        wanted = np.linalg.lstsq(d.flatten(1).numpy().T, r.flatten().numpy(), rcond=None)[0]
        np.testing.assert_allclose(gamma.numpy(), wanted, rtol=1e-8)


def test_differences_of_zero_get_no_weight_and_parallel_ones_share_it():
    residual = random_normal(1, 6)
    zero, same = torch.zeros_like(residual), residual.clone()
    found = mixing_coefficients(torch.stack([zero, same, same], dim=1), residual, 1e-8)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.5, 0.5]], dtype=torch.float64), rtol=1e-6, atol=0)


def test_scale_of_an_image_does_not_matter():
    differences, residuals = random_normal(1, 3, 8), random_normal(1, 8, seed=1)
    wanted = mixing_coefficients(differences, residuals, 1e-8)
    for scale in (1e-15, 1e15):
        torch.testing.assert_close(mixing_coefficients(scale * differences, scale * residuals, 1e-8), wanted)


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, images=st.integers(1, 4), count=st.integers(1, 4))
def test_combine_is_the_sum(shape, images, count):
    differences, coefficients = random_normal(images, count, *shape), random_normal(images, count, seed=3)
    found = combine(coefficients.double(), differences)
    wanted = sum(per_image(coefficients[:, place], differences[:, 0]) * differences[:, place] for place in range(count))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted)


def test_remembers_the_last_few():
    stored = None
    for value in range(5):
        stored = remember(stored, torch.full((2, 3), float(value)), 3)
        assert stored.shape == (2, min(value + 1, 3), 3)
    assert stored[0, :, 0].tolist() == [2.0, 3.0, 4.0]


def test_lengths_are_per_image():
    values = random_normal(3, 2, 4, 5)
    torch.testing.assert_close(lengths(values), values.square().sum(dim=(1, 2, 3)).sqrt())
