from __future__ import annotations

import torch
from models import LATENT, random_normal

from privaudit.decoder_geometry import distortion_bound, estimate_influence, measure_distortion

IDS = ["a", "b", "c"]


def test_is_a_bound(decoder, latents, exact):
    assert (distortion_bound(exact) > measure_distortion(decoder, latents, IDS).values).all()


def test_is_tight_for_a_diagonal_metric():
    scales = torch.linspace(0.5, 2, 32)
    decode = lambda z: (z.flatten(1) * scales).view(-1, *LATENT)  # noqa: E731
    latents = random_normal(2, *LATENT)
    influence = estimate_influence(decode, latents, IDS[:2], "exact").values
    wanted = measure_distortion(decode, latents, IDS[:2]).values
    torch.testing.assert_close(distortion_bound(influence), wanted, rtol=1e-5, atol=1e-4)


def test_is_finite_for_a_dimension_that_never_shows():
    influence = torch.ones(2, *LATENT)
    influence[0, 0, 0, 0] = 0
    found = distortion_bound(influence)
    assert found.dtype == torch.float64
    assert found.isfinite().all()
    assert found[0] < found[1] == 0
