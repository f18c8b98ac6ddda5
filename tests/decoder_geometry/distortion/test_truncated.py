from __future__ import annotations

import pytest
import torch
from models import LATENT, random_normal
from reference import jacobian

from privaudit.decoder_geometry import measure_distortion

IDS = ["a", "b", "c"]


@pytest.mark.parametrize("k", [1, 4, 20, 32, 50])
def test_where_all_columns_cost_no_more_it_is_exact(k, curved, latents):
    found = measure_distortion(curved, latents, IDS, f"truncated:k={k}")
    dense = torch.stack([jacobian(curved, latent) for latent in latents])
    wanted = torch.linalg.svdvals(dense)[:, :k].log().sum(dim=1)
    torch.testing.assert_close(found.values, wanted, rtol=1e-9, atol=1e-9)
    assert found.products.tolist() == [32, 32, 32]
    assert found.left_out == ("nothing" if k >= 32 else f"all but the {k} largest of 32 singular values")


class TestSubspaceIteration:
    SPEC = "truncated:k=3:oversampling=2:power=2"  # 30 products, all columns are 32

    def test_from_below_and_close(self, decoder, latents, reference_jacobian):
        wanted = torch.linalg.svdvals(reference_jacobian)[:, :3].log().sum(dim=1)
        found = measure_distortion(decoder, latents, IDS, self.SPEC)
        assert (found.values <= wanted + 1e-9).all(), "singular values in a subspace are never too large"
        assert (wanted - found.values < 0.3).all()
        assert found.products.tolist() == [30, 30, 30]
        assert found.left_out == (
            "all but the 3 largest of 32 singular values, and what a random subspace misses of these"
        )

    def test_power_iterations_help_and_the_error_says_so(self, with_spectrum):
        singular = 0.97 ** torch.arange(512)
        decode, latents = with_spectrum(singular, 600), random_normal(2, 512, dtype=torch.float64)
        wanted = singular[:5].double().log().sum()
        errors = []
        for power in (0, 1, 2, 4):
            found = measure_distortion(decode, latents, IDS[:2], f"truncated:k=5:oversampling=10:power={power}")
            errors.append((wanted - found.values).max())
            assert (wanted - found.values <= 3 * found.standard_error).all()
            assert (found.standard_error <= 10 * (wanted - found.values)).all()
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 0.1 * errors[0]

    def test_literal_transcription(self, with_spectrum):
        """The projection of J on the range of (J J^T)^power J Omega, in dense matrices without normalisation."""
        from privaudit.model.noise import generator_for

        singular = 0.9 ** torch.arange(64)
        decode, latents = with_spectrum(singular, 96), random_normal(1, 64, dtype=torch.float64)
        found = measure_distortion(decode, latents, ["a"], "truncated:k=3:oversampling=4:power=1", seed=5)
        dense = jacobian(decode, latents[0])
        start = torch.randn(64, 7, generator=generator_for(5, "a", "subspace")).double()
        span = torch.linalg.qr(dense @ dense.T @ dense @ start)[0]
        wanted = torch.linalg.svdvals(span.T @ dense)[:3].log().sum()
        torch.testing.assert_close(found.values[0], wanted, rtol=1e-8, atol=1e-8)

    def test_survives_fewer_directions_than_asked(self, with_spectrum):
        singular = torch.zeros(64)
        singular[:4] = torch.tensor([4.0, 3.0, 2.0, 1.0])
        decode, latents = with_spectrum(singular, 96, torch.float32), random_normal(2, 64)
        found = measure_distortion(decode, latents, IDS[:2], "truncated:k=4:oversampling=4:power=1")
        torch.testing.assert_close(found.values, torch.tensor(24.0).double().log().expand(2), rtol=0, atol=1e-4)
        found = measure_distortion(decode, latents, IDS[:2], "truncated:k=5:oversampling=4:power=1")
        assert (found.values == -torch.inf).all()
        assert not found.standard_error.any()


def test_small_images_need_no_more_products_than_they_have_values():
    matrix = random_normal(8, 32, dtype=torch.float64)
    latents = random_normal(2, *LATENT, dtype=torch.float64)
    found = measure_distortion(lambda z: z.flatten(1) @ matrix.T, latents, IDS[:2], "truncated:k=6")
    torch.testing.assert_close(found.values, torch.linalg.svdvals(matrix)[:6].log().sum().expand(2))
    assert found.products.tolist() == [8, 8]
