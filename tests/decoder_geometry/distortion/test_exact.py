from __future__ import annotations

import pytest
import torch
from models import LATENT, linear_target, random_normal

from privaudit.decoder_geometry import measure_distortion
from privaudit.decoder_geometry.distortion.singular import guarded_svdvals, singular_values
from privaudit.decoder_geometry.jacobian import Jacobian

IDS = ["a", "b", "c"]


def test_against_reverse_mode(decoder, latents, reference_jacobian):
    found = measure_distortion(decoder, latents, IDS)
    metric = reference_jacobian.transpose(1, 2) @ reference_jacobian
    torch.testing.assert_close(found.values, 0.5 * torch.logdet(metric), rtol=1e-9, atol=1e-9)
    assert found.products.tolist() == [32, 32, 32]
    assert not found.standard_error.any()


def test_linear_decoder():
    target = linear_target()
    found = measure_distortion(target.decode, random_normal(2, *LATENT), IDS[:2])
    wanted = torch.linalg.svdvals(target.autoencoder.matrix.double()).log().sum()
    torch.testing.assert_close(found.values, wanted.expand(2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rank_deficiency_is_minus_infinity_and_ill_condition_is_not(with_spectrum, dtype):
    latents = random_normal(2, *LATENT, dtype=dtype)
    singular = torch.linspace(3, 1, 32, dtype=torch.float64)
    singular[-1] = 0
    found = measure_distortion(with_spectrum(singular, dtype=dtype), latents, IDS[:2])
    assert (found.values == -torch.inf).all(), "not the logarithm of a rounding error"
    singular[-1] = 3e-4
    found = measure_distortion(with_spectrum(singular, dtype=dtype), latents, IDS[:2])
    torch.testing.assert_close(found.values, singular.log().sum().expand(2), rtol=0, atol=5e-3)


class TestSmallImages:
    """An image smaller than the latent: G is singular, its other singular values are those of the rows."""

    def test_no_volume(self, monkeypatch):
        matrix = random_normal(8, 32, dtype=torch.float64)
        monkeypatch.setattr(Jacobian, "jvp", None)  # its 32 columns would be the longer way
        found = measure_distortion(lambda z: z.flatten(1) @ matrix.T, random_normal(2, 32, dtype=torch.float64), "ab")
        assert (found.values == -torch.inf).all()
        assert found.products.tolist() == [8, 8]

    def test_singular_values(self):
        matrix = random_normal(8, 32, dtype=torch.float64)
        found = singular_values(Jacobian(lambda z: z.flatten(1) @ matrix.T, random_normal(2, 32).double()))
        assert found.shape == (2, 32)
        torch.testing.assert_close(found[1, :8], torch.linalg.svdvals(matrix))
        assert not found[:, 8:].any()


def test_svdvals_of_matrices_that_are_not_finite():
    matrices = random_normal(3, 4, 2)
    matrices[1, 2, 0] = torch.nan
    found = guarded_svdvals(matrices)
    assert found[1].isnan().all()
    torch.testing.assert_close(found[[0, 2]], torch.linalg.svdvals(matrices[[0, 2]].double()))
