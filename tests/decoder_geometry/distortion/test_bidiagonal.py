"""Bidiagonalisation and quadrature against dense linear algebra."""

from __future__ import annotations

import pytest
import torch
from models import random_normal

from privaudit.decoder_geometry.distortion.bidiagonal import Bidiagonal, bidiagonalise, log_quadrature


def matrix_with(singular, rows=40, seed=0):
    size = len(singular)
    left = torch.linalg.qr(random_normal(rows, size, seed=seed, dtype=torch.float64))[0]
    right = torch.linalg.qr(random_normal(size, size, seed=seed + 1, dtype=torch.float64))[0]
    return left * torch.as_tensor(singular, dtype=torch.float64) @ right.T


def run(matrix, starts, steps):
    """``starts``: ``(k, n, size)``."""
    rounding = 10 * torch.finfo(matrix.dtype).eps
    return bidiagonalise(lambda v: v @ matrix.T, lambda u: u @ matrix, starts, steps, rounding)


def dense(band: Bidiagonal):
    return torch.diag_embed(band.diagonal) + torch.diag_embed(band.above, offset=1)


def unit(*shape, seed=3, dtype=torch.float64):
    return torch.nn.functional.normalize(random_normal(*shape, seed=seed, dtype=dtype), dim=-1)


class TestBidiagonalise:
    def test_is_the_lanczos_matrix_of_the_metric(self):
        """B^T B is V^T G V with V an orthonormal basis of the Krylov space v, G v, G^2 v, ..."""
        matrix, start = matrix_with(torch.linspace(3, 0.3, 12)), unit(1, 1, 12)
        metric = matrix.T @ matrix
        krylov = torch.stack([torch.linalg.matrix_power(metric, j) @ start[0, 0] for j in range(5)], dim=1)
        basis = torch.linalg.qr(krylov)[0]
        band = dense(run(matrix, start, 5))[0, 0]
        torch.testing.assert_close((band.T @ band).abs(), (basis.T @ metric @ basis).abs(), rtol=1e-6, atol=1e-6)

    def test_all_steps_give_all_singular_values_even_tiny_ones(self):
        singular = torch.logspace(0, -4, 20, dtype=torch.float64)
        matrix, starts = matrix_with(singular).float(), unit(2, 3, 20, dtype=torch.float32)
        found = torch.linalg.svdvals(dense(run(matrix, starts, 20)))
        assert (found.log() - singular.log()).abs().max() < 0.1, "in single precision; squared, they would be lost"

    def test_stops_where_there_are_no_further_directions(self):
        matrix = matrix_with([3.0] * 4 + [1.0] * 6)  # two distinct singular values: the Krylov space has 2 dimensions
        band = run(matrix, unit(2, 3, 10), 6)
        torch.testing.assert_close(
            torch.linalg.svdvals(dense(band))[..., :2], torch.tensor([3.0, 1]).expand(2, 3, 2).double()
        )
        assert not band.diagonal[..., 2:].any()
        assert not band.above[..., 1:].any()
        assert (band.products == 4).all(), "v_1, u_1, v_2, u_2, which has nothing further"

    def test_large_singular_values_do_not_come_back(self):
        """Rounding makes copies of those that have converged, if nothing is done against it."""
        singular = torch.cat([torch.tensor([100.0, 50, 20]), torch.linspace(1, 0.5, 97)]).double()
        matrix, starts = matrix_with(singular, rows=120).float(), unit(2, 2, 100, dtype=torch.float32)
        found = torch.linalg.svdvals(dense(run(matrix, starts, 100)))
        torch.testing.assert_close(found[..., :3], singular[:3].expand(2, 2, 3), rtol=1e-5, atol=0)
        torch.testing.assert_close(found.log().sum(dim=-1), singular.log().sum().expand(2, 2), rtol=0, atol=1e-3)

    def test_lanes_stop_by_themselves(self):
        matrix = torch.diag(torch.arange(1.0, 9.0, dtype=torch.float64))
        starts = torch.stack([torch.eye(8, dtype=torch.float64)[0], unit(8)])[:, None]
        band = run(matrix, starts, 8)
        assert band.products.tolist() == [[2], [15]]
        torch.testing.assert_close(band.diagonal[0, 0], torch.eye(8, dtype=torch.float64)[0])
        torch.testing.assert_close(torch.linalg.svdvals(dense(band)[1, 0]), torch.arange(8.0, 0, -1).double())

    def test_null_directions(self):
        matrix = matrix_with([2.0, 1.0, 0, 0, 0])
        found = torch.linalg.svdvals(dense(run(matrix, unit(1, 1, 5), 5)))[0, 0]
        torch.testing.assert_close(found, torch.tensor([2.0, 1, 0, 0, 0]).double(), rtol=1e-9, atol=1e-12)

    def test_one_step_is_one_product(self):
        matrix = matrix_with([2.0, 1.0])
        band = run(matrix, unit(1, 1, 2), 1)
        torch.testing.assert_close(band.diagonal[0, 0, 0], (matrix @ unit(1, 1, 2)[0, 0]).norm())
        assert band.above.shape == (1, 1, 0)
        assert band.products.tolist() == [[1]]


class TestQuadrature:
    def test_all_steps_are_exact(self):
        singular = torch.logspace(0, -3, 16, dtype=torch.float64)
        matrix, starts = matrix_with(singular), unit(4, 2, 16)
        values, vectors = torch.linalg.eigh(matrix.T @ matrix)
        wanted = 0.5 * ((starts @ vectors).square() * values.log()).sum(dim=-1)
        torch.testing.assert_close(log_quadrature(run(matrix, starts, 16), 1e-9), wanted, rtol=1e-6, atol=1e-6)

    def test_falls_to_the_trace_from_above(self):
        """Over an orthonormal set of starts the forms add up to the trace, without chance."""
        singular = torch.logspace(0, -2, 16, dtype=torch.float64)
        matrix, starts = matrix_with(singular), torch.eye(16, dtype=torch.float64)[:, None]
        sums = [float(log_quadrature(run(matrix, starts, steps), 1e-9).sum()) for steps in range(1, 17)]
        assert all(later <= earlier + 1e-9 for earlier, later in zip(sums, sums[1:], strict=False))
        assert sums[3] > float(singular.log().sum()) + 0.1
        assert sums[-1] == pytest.approx(float(singular.log().sum()), abs=1e-7)

    @pytest.mark.parametrize("least", [0.0, 1e-13, 1e-7, 1e-4])
    def test_below_the_floor_all_count_the_same(self, least):
        """Near-singular: the sum is that of the singular values, raised to the floor."""
        singular = torch.cat([torch.linspace(4, 1, 13), torch.full((3,), least)]).double()
        starts = torch.eye(16, dtype=torch.float64)[:, None]
        found = log_quadrature(run(matrix_with(singular), starts, 16), 1e-3).sum()
        torch.testing.assert_close(found, singular.clamp_min(4e-3).log().sum(), rtol=0, atol=1e-4)

    def test_nothing_and_not_a_number(self):
        zero = torch.zeros(1, 1, 3, dtype=torch.float64)
        nothing = Bidiagonal(zero, zero[..., :2], torch.ones(1, 1, dtype=torch.int64))
        assert log_quadrature(nothing, 1e-3).tolist() == [[-torch.inf]]
        broken = Bidiagonal(zero * torch.nan, zero[..., :2], nothing.products)
        assert log_quadrature(broken, 1e-3).isnan().all()
