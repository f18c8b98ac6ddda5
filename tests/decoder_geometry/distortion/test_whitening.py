from __future__ import annotations

import pytest
import torch
from models import random_normal

from privaudit.decoder_geometry.distortion.whitening import measure_whitening
from privaudit.decoder_geometry.jacobian import Jacobian

IDS = ["a", "b"]
MIXING = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.01], [0.0, 0.01, 1e-3]], dtype=torch.float64)


def mixing(z):
    """Mixes three channels at each position: one combination hardly shows."""
    return torch.einsum("dc,nc...->nd...", MIXING.to(z), z)


@pytest.mark.parametrize("positions", [(64,), (8, 8), (4, 4, 4)])
def test_evens_out_the_channels(positions):
    jacobian = Jacobian(mixing, random_normal(2, 3, *positions, dtype=torch.float64))
    found = measure_whitening(jacobian, 64, 1e-6, IDS, 0)
    evened = MIXING @ found.matrices
    assert torch.linalg.cond(MIXING) > 100
    assert (torch.linalg.cond(evened) < 1.2).all()
    # every position has the same mixing, so that S alone nearly tells the distortion
    wanted = 64 * torch.linalg.svdvals(MIXING).log().sum()
    torch.testing.assert_close(-found.log_det, wanted.expand(2), rtol=0.02, atol=0)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_apply_is_the_matrix_whose_determinant_it_says(axis):
    shape = (3, 4, 5) if axis == 1 else (4, 3, 5) if axis == 2 else (4, 5, 3)
    jacobian = Jacobian(
        lambda z: mixing(z.movedim(axis, 1)).movedim(1, axis), random_normal(2, *shape, dtype=torch.float64), axis
    )
    found = measure_whitening(jacobian, 5, 1e-6, IDS, 0)
    basis = torch.eye(60, dtype=torch.float64).view(60, 1, *shape).expand(60, 2, *shape)
    dense = found.apply(basis).flatten(2)
    torch.testing.assert_close(dense.permute(1, 0, 2), dense.permute(1, 2, 0))
    for image in range(2):
        torch.testing.assert_close(torch.logdet(dense[:, image]), found.log_det[image])


@pytest.mark.parametrize(("shape", "probes"), [((3, 8, 8), 0), ((3, 2, 1), 5), ((12,), 16)])
def test_too_few_samples_leave_the_channels_as_they_are(shape, probes):
    jacobian = Jacobian(lambda z: z**3, random_normal(2, *shape, dtype=torch.float64))
    found = measure_whitening(jacobian, probes, 1e-6, IDS, 0)
    vectors = random_normal(4, 2, *shape, dtype=torch.float64)
    assert torch.equal(found.apply(vectors), vectors)
    assert not found.log_det.any()


def test_a_channel_that_never_shows_is_not_blown_up():
    jacobian = Jacobian(lambda z: z[:, :2], random_normal(2, 3, 8, 8, dtype=torch.float64))
    found = measure_whitening(jacobian, 8, 1e-4, IDS, 0)
    assert found.matrices.isfinite().all()
    assert (torch.linalg.cond(found.matrices) < 2).all()


def test_what_is_not_finite_leaves_the_channels_of_that_image():
    def broken(z):
        return z / (z.flatten(1).abs().sum(1) > 0).view(-1, 1, 1, 1)

    latents = torch.stack([torch.ones(3, 8, 8), torch.zeros(3, 8, 8)])
    found = measure_whitening(Jacobian(broken, latents), 4, 1e-4, IDS, 0)
    assert torch.equal(found.matrices[1], torch.eye(3))
    assert not torch.equal(found.matrices[0], torch.eye(3))
    assert found.matrices.isfinite().all()
