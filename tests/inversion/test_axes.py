"""Pictures, videos, audio, plain vectors: the first axis counts, the others are the autoencoder's."""

from __future__ import annotations

from math import prod

import diffusers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invertible import curved
from models import random_normal

from privaudit.errors import PrivauditError
from privaudit.inversion import SOLVERS, invert
from privaudit.loading.autoencoder import wrap_autoencoder

SHAPES = st.permutations([1, 2, 3]).flatmap(
    lambda sizes: st.sampled_from([(6,), (*sizes[:2], 6 // prod(sizes[:2])) if 6 % prod(sizes[:2]) == 0 else (3, 2)])
)


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize(
    ("latent", "image"),
    [((6,), (12,)), ((2, 3), (2, 6)), ((1, 2, 3), (3, 2, 2)), ((1, 1, 2, 3), (2, 1, 2, 3)), ((6,), (3, 2, 2))],
)
def test_reshaping_a_problem_changes_nothing(name, latent, image):
    truth = random_normal(3, 6)
    flat = curved((6,), (12,))
    wanted = invert(flat, flat.decode(truth), SOLVERS.build(name), truth=truth)
    shaped = curved(latent, image)
    images = shaped.decode(truth.view(3, *latent))
    assert images.shape == (3, *image)
    found = invert(shaped, images, SOLVERS.build(name), truth=truth.view(3, *latent))
    assert found.latents.shape == found.encoded.shape == (3, *latent)
    torch.testing.assert_close(found.latents.flatten(1), wanted.latents, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.nmse, wanted.nmse, rtol=1e-3, atol=1e-3)
    assert found.evaluations.tolist() == wanted.evaluations.tolist()
    assert found.outcomes == wanted.outcomes


@settings(max_examples=20, deadline=None)
@given(latent=SHAPES, extra=st.lists(st.integers(1, 3), min_size=0, max_size=3), count=st.integers(1, 4))
def test_any_number_of_axes(latent, extra, count):
    autoencoder = curved(latent, (prod(latent), *extra))
    truth = random_normal(count, *latent)
    images = autoencoder.decode(truth)
    for solver in ("anderson", "pixel-mixing", "krasnoselskii-mann"):
        found = invert(autoencoder, images, solver, truth=truth)
        assert found.latents.shape == truth.shape
        assert found.residuals.shape[0] == found.nmse.shape[0] == count
        assert (found.residual <= found.residuals[:, 0]).all()


def frames() -> diffusers.AutoencoderKLTemporalDecoder:
    return diffusers.AutoencoderKLTemporalDecoder(
        down_block_types=["DownEncoderBlock2D"] * 2, block_out_channels=[32, 32], layers_per_block=1, force_upcast=False
    )


def audio() -> diffusers.AutoencoderOobleck:
    return diffusers.AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[2, 2],
        channel_multiples=[1, 2],
        decoder_channels=8,
        decoder_input_channels=4,
        audio_channels=2,
    )


def video() -> diffusers.AutoencoderKLCogVideoX:
    return diffusers.AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=2
    )


REAL = [
    pytest.param(frames, (2, 3, 4, 4, 4), (2, 3, 3, 8, 8), id="AutoencoderKLTemporalDecoder"),
    pytest.param(audio, (2, 4, 16), (2, 2, 64), id="AutoencoderOobleck"),
    pytest.param(video, (2, 4, 2, 2, 2), (2, 3, 8, 16, 16), id="AutoencoderKLCogVideoX"),
]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(("make", "latent", "image"), REAL)
class TestRealAutoencoders:
    """Untrained: E and D know nothing of each other, so little can be asked of T, but gradients always lead down."""

    def build(self, make):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return wrap_autoencoder(make(), torch.device("cpu"), torch.float32)

    def test_inverts_what_was_decoded(self, make, latent, image):
        autoencoder = self.build(make)
        truth = random_normal(*latent, seed=9)
        with torch.no_grad():
            images = autoencoder.decode(truth)
        assert images.shape == image
        found = invert(autoencoder, images, "anderson:evaluations=15", truth=truth)
        assert found.latents.shape == truth.shape
        assert found.latents.dtype == torch.float32
        assert (found.residual <= found.residuals[:, 0]).all()
        assert (found.residual < found.residuals[:, 0]).any()
        assert found.nmse.isfinite().all()
        by_gradient = invert(autoencoder, images, "gradient:evaluations=10", truth=truth)
        assert (by_gradient.pixel_residual < by_gradient.pixel_residuals[:, 0]).all()

    def test_batches_do_not_mix(self, make, latent, image):
        autoencoder = self.build(make)
        with torch.no_grad():
            images = autoencoder.decode(random_normal(*latent, seed=9))
        together = invert(autoencoder, images, "anderson:evaluations=3:tolerance=0")
        alone = invert(autoencoder, images[1:], "anderson:evaluations=3:tolerance=0")
        torch.testing.assert_close(together.latents[1:], alone.latents, rtol=1e-2, atol=1e-3)

    def test_sizes_that_do_not_round_trip_say_so(self, make, latent, image):
        autoencoder = self.build(make)
        with pytest.raises(PrivauditError, match="does not round-trip its shape; resize"):
            invert(autoencoder, torch.zeros(1, *image[1:-1], image[-1] + 1))
