"""Every class of autoencoder that is read: pictures, videos as frames or whole, audio, codes."""

from __future__ import annotations

from math import prod

import pytest
import torch
from models import CONFIGS, make_autoencoder, random_normal

from privaudit.decoder_geometry import Jacobian, PullbackMetric, estimate_influence, jacobian
from privaudit.loading.autoencoder import wrap_autoencoder

SHAPES = {  # of a latent: few dimensions, but group norm needs some positions
    "AutoencoderKLFlux2": (16, 1, 2),
    "VQModel": (3, 2, 3),
    "AutoencoderKLTemporalDecoder": (2, 4, 2, 2),
    "AutoencoderKLCogVideoX": (4, 2, 1, 2),
    "AutoencoderKLHunyuanVideo": (4, 2, 1, 2),
    "AutoencoderKLLTXVideo": (4, 2, 1, 1),
    "AutoencoderKLQwenImage": (4, 2, 1, 2),
    "AutoencoderKLWan": (4, 2, 1, 2),
    "AutoencoderOobleck": (4, 6),
}
ESTIMATORS = [
    "separable",
    "coloured:spacing=2",
    "adaptive:most=4",
    "deflated:rank=3:probes=2",
    "hutchinson:probes=2:rademacher=true",
]
IDS = list("abcde")
QUICK, SLOW = ("AutoencoderTiny", "AutoencoderDC", "VQModel"), pytest.mark.slow
"""Tracing takes seconds for the others: they share their operations, and run with the slow tests."""
EVERY = pytest.mark.parametrize("kind", CONFIGS)
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning"),
]


def wrap(kind, **changes):
    return wrap_autoencoder(make_autoencoder(kind, **changes), torch.device("cpu"), torch.float32)


def rows(decode, latent):
    """Dense J of one image, one backward pass a row: neither forward mode nor `torch.func`."""
    leaf = latent[None].clone().requires_grad_(True)
    values = decode(leaf).flatten()
    return torch.stack([torch.autograd.grad(value, leaf, retain_graph=True)[0].flatten() for value in values])


@pytest.fixture(scope="module")
def cases():
    """Made once a class: the autoencoder, five latents, and J of the first two."""
    made = {}

    def case(kind):
        if kind not in made:
            autoencoder, latents = wrap(kind), random_normal(5, *SHAPES.get(kind, (4, 2, 3)), seed=1)
            made[kind] = autoencoder, latents, torch.stack([rows(autoencoder.decode, z) for z in latents[:2]])
        return made[kind]

    return case


def assert_near(found, wanted):
    """To rounding: relative to the largest value, since single ones may nearly cancel."""
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


@EVERY
def test_exact_influence_is_the_norm_of_each_column(cases, kind):
    autoencoder, latents, dense = cases(kind)
    found = estimate_influence(autoencoder.decode, latents[:2], IDS[:2], "exact")
    assert_near(found.values, dense.square().sum(dim=1).view_as(found.values))


@EVERY
def test_pullback_metric(cases, kind):
    autoencoder, latents, dense = cases(kind)
    vectors = random_normal(2, prod(latents.shape[1:]), 2, seed=3)
    found = PullbackMetric(Jacobian(autoencoder.decode, latents[:2])) @ vectors
    assert_near(found, dense.transpose(1, 2) @ (dense @ vectors))


@EVERY
def test_estimators_keep_the_shape(cases, kind):
    autoencoder, latents, _ = cases(kind)
    for spec in ESTIMATORS:
        found = estimate_influence(
            autoencoder.decode, latents[:2], IDS[:2], spec, channel_axis=autoencoder.channel_axis
        )
        assert found.values.shape == found.standard_error.shape == latents[:2].shape, spec
        assert found.values.isfinite().all(), spec
        assert (found.values >= 0).all(), spec
        assert found.values.any(), spec


@EVERY
def test_batches_of_any_size_agree(cases, kind):
    """Small batches map over vectors and repeat images, so they run other kernels than large ones."""
    autoencoder, latents, dense = cases(kind)
    tangents = random_normal(3, *latents.shape, seed=4)
    wanted = torch.einsum("npd,knd->knp", dense, tangents[:, :2].flatten(2))
    pulled = {}
    for count in (1, 2, 5):
        products = Jacobian(autoencoder.decode, latents[:count])
        pushed = products.jvp(tangents[:, :count])
        assert_near(pushed[:, :2].flatten(2), wanted[:, :count])
        pulled[count] = products.vjp(pushed)
        back = torch.einsum("npd,knp->knd", dense[:count], pushed[:, :2].flatten(2))
        assert_near(pulled[count][:, :2].flatten(2), back)
    assert_near(pulled[2], pulled[5][:, :2])


@pytest.mark.parametrize("kind", [kind if kind in QUICK else pytest.param(kind, marks=SLOW) for kind in CONFIGS])
def test_the_traced_linear_map_is_the_same(cases, kind, monkeypatch):
    monkeypatch.setattr(jacobian, "MIN_PASSES_TO_TRACE", 1)
    autoencoder, latents, dense = cases(kind)
    tangents = random_normal(3, 2, *latents.shape[1:], seed=5)
    found = Jacobian(autoencoder.decode, latents[:2]).jvp(tangents)
    assert_near(found.flatten(2), torch.einsum("npd,knd->knp", dense, tangents.flatten(2)))


def test_quantisation_has_no_forward_mode_and_needs_none(cases):
    """What the tests above show of `VQModel` is the derivative by reverse mode twice."""
    autoencoder, latents, _ = cases("VQModel")
    with pytest.raises(NotImplementedError), torch.no_grad():
        torch.func.jvp(autoencoder.decode, (latents,), (latents,))


def test_channels_of_frames_are_pooled_as_channels(cases):
    """The axis of the channels only says what is pooled: turned to the front, it gives the same."""
    autoencoder, latents, _ = cases("AutoencoderKLTemporalDecoder")
    assert autoencoder.channel_axis == 2
    found = estimate_influence(autoencoder.decode, latents, IDS, "separable", channel_axis=2)
    turned = estimate_influence(lambda z: autoencoder.decode(z.movedim(1, 2)), latents.movedim(2, 1), IDS, "separable")
    assert_near(found.values.movedim(2, 1), turned.values)
    assert_near(found.standard_error.movedim(2, 1), turned.standard_error)
    other = estimate_influence(autoencoder.decode, latents, IDS, "separable", channel_axis=1)
    assert not torch.allclose(found.values, other.values, rtol=0.05)


def test_frames_that_are_blended_as_the_model_was_released():
    """`AutoencoderKLHunyuanVideo` blends overlapping runs of frames: J is the derivative of the blend."""
    stages = {"block_out_channels": [4] * 3, "norm_num_groups": 2}
    stages |= {f"{way}_block_types": [f"HunyuanVideo{way.capitalize()}Block3D"] * 3 for way in ("down", "up")}
    autoencoder, latents = wrap("AutoencoderKLHunyuanVideo", **stages), random_normal(1, 4, 3, 1, 1)
    with torch.no_grad():
        whole = autoencoder.decode(latents)
        autoencoder.module.tile_sample_min_num_frames, autoencoder.module.tile_sample_stride_num_frames = 8, 4
        blended = autoencoder.decode(latents)
    assert blended.shape == whole.shape
    assert not torch.allclose(blended, whole, atol=1e-3)
    dense = torch.stack([rows(autoencoder.decode, latent) for latent in latents])
    found = estimate_influence(autoencoder.decode, latents, IDS[:1], "exact").values
    assert_near(found, dense.square().sum(dim=1).view_as(found))
    vectors = random_normal(1, 12, seed=2)
    wanted = torch.einsum("npd,npe,ne->nd", dense, dense, vectors)
    assert_near(PullbackMetric(Jacobian(autoencoder.decode, latents)) @ vectors, wanted)
