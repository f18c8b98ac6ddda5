from __future__ import annotations

import numpy as np
import pytest
import torch
from models import random_normal
from scipy.sparse.linalg import cg, eigsh

from privaudit.decoder_geometry import Jacobian, PullbackMetric, pullback_metric
from privaudit.errors import ConfigError


@pytest.fixture(scope="module")
def wanted(reference_jacobian):
    return reference_jacobian.transpose(1, 2) @ reference_jacobian


@pytest.fixture(scope="module")
def metric(decoder, latents):
    return PullbackMetric(Jacobian(decoder, latents))


def test_dense(decoder, latents, wanted, metric):
    torch.testing.assert_close(pullback_metric(decoder, latents), wanted, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(metric.dense(), wanted, rtol=1e-10, atol=1e-12)
    assert metric.shape == (3, 32, 32)


@pytest.mark.parametrize("shape", [(3, 32), (3, 32, 1), (3, 32, 4)])
def test_products(metric, wanted, shape):
    vectors = random_normal(*shape, dtype=torch.float64)
    expected = (wanted @ vectors.view(3, 32, -1)).view(shape)
    torch.testing.assert_close(metric @ vectors, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 32), (3, 31), (3, 2, 4, 4)])
def test_wrong_shapes_say_what_is_expected(metric, shape):
    with pytest.raises(ConfigError, match=r"expected vectors of shape \(3, 32\) or \(3, 32, k\), got"):
        _ = metric @ torch.ones(shape)


class TestWithScipy:
    def test_largest_eigenvalues_of_one_image(self, decoder, latents, wanted):
        operator = PullbackMetric(Jacobian(decoder, latents[:1])).linear_operator()
        assert operator.shape == (32, 32)
        assert operator.dtype == np.float64
        found = np.sort(eigsh(operator, 4, which="LM", return_eigenvectors=False))
        np.testing.assert_allclose(found, torch.linalg.eigvalsh(wanted[0])[-4:].numpy(), rtol=1e-8)

    def test_is_block_diagonal_and_symmetric(self, metric, wanted):
        operator = metric.linear_operator()
        columns = random_normal(96, 2, dtype=torch.float64).numpy()
        blocks = torch.block_diag(*wanted).numpy()
        np.testing.assert_allclose(operator @ columns, blocks @ columns, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(operator.rmatvec(columns[:, 0]), blocks @ columns[:, 0], rtol=1e-8, atol=1e-10)

    def test_solves(self):
        scales = torch.linspace(1, 2, 32, dtype=torch.float64)
        operator = PullbackMetric(
            Jacobian(lambda z: z * scales, torch.ones(2, 32, dtype=torch.float64))
        ).linear_operator()
        found, code = cg(operator, np.ones(64), rtol=1e-12)
        assert code == 0
        np.testing.assert_allclose(found, np.tile(1 / scales.numpy() ** 2, 2), rtol=1e-8)
