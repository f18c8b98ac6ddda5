"""Decoders that are no differentiable function of each latent alone, and latents that do not fit."""

from __future__ import annotations

import pytest
import torch
from models import LATENT, linear_target, make_autoencoder, random_normal
from torch import nn

from privaudit.decoder_geometry import estimate_influence
from privaudit.decoder_geometry.decoder_checks import check_decoder
from privaudit.errors import DataError, NonFiniteError, TargetError
from privaudit.loading.autoencoder import wrap_autoencoder

IDS = ["a", "b", "c"]
pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")


class Small(nn.Module):
    """4 channels of 4 positions to 3 of 4, with something in between."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first, self.middle, self.last = nn.Conv1d(4, 8, 1), middle, nn.Conv1d(8, 3, 1)

    def forward(self, latents):
        return self.last(self.middle(self.first(latents)))


class Rounded(nn.Module):
    def forward(self, values):
        return values.round()


class Cut(nn.Module):
    def forward(self, values):
        return values.detach()


class StraightThrough(nn.Module):
    def forward(self, values):
        return values + (values.round() - values).detach()


class WithoutDerivative(nn.Module):
    def forward(self, values):
        return torch.igamma(values.exp(), torch.ones_like(values))


def latents(count=3, scale=1.0):
    return scale * random_normal(count, 4, 4, seed=1)


def check(decode, count=3, **choices):
    check_decoder(decode, latents(count), IDS[:count], **choices)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_good_decoder_passes_and_is_tried_on_few_images(count):
    model, passes = Small(nn.GELU()).eval(), []
    check(lambda z: passes.append(len(z)) or model(z), count, latent_shape=(4, 4))
    assert passes == ([2, 2, 2, 1] if count else [])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("count", [1, 3])
def test_rounding_is_no_difference(dtype, count):
    model = Small(nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), nn.BatchNorm1d(8), nn.Dropout(0.5))).eval().to(dtype)
    check(lambda z: model(z.to(dtype)).float(), count)


@pytest.mark.parametrize("kind", ["AutoencoderKL", "VQModel", "AutoencoderOobleck", "AutoencoderKLTemporalDecoder"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_real_autoencoders_pass(kind, dtype):
    shape = {"VQModel": (3, 4, 4), "AutoencoderOobleck": (4, 6), "AutoencoderKLTemporalDecoder": (2, 4, 2, 2)}
    autoencoder = wrap_autoencoder(make_autoencoder(kind), torch.device("cpu"), dtype, upcast=False)
    check_decoder(autoencoder.decode, random_normal(2, *shape.get(kind, (4, 4, 4))), ["a", "b"])


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e3])
def test_the_scale_of_the_latents_does_not_matter(scale):
    model = Small(nn.BatchNorm1d(8)).eval()
    check_decoder(model, latents(scale=scale), IDS)
    with pytest.raises(TargetError, match="changes with the other latents of the batch"):
        check_decoder(model.train(), latents(scale=scale or 1e-4), IDS)


def test_straight_through_quantisation_passes():
    check(Small(StraightThrough()))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("middle", "message"),
    [
        (nn.Dropout(0.5), "two different images from one latent: dropout .* call .eval"),
        (nn.BatchNorm1d(8), "changes with the other latents of the batch: batch normalisation in training mode"),
    ],
    ids=["dropout", "batch norm"],
)
def test_training_mode_is_explained(middle, message, count):
    model = Small(middle).train()
    with pytest.raises(TargetError, match=message):
        check(model, count)
    assert all(part.training for part in model.modules())
    check(model.eval(), count)


def test_injected_noise_is_explained():
    with pytest.raises(TargetError, match="injected noise"):
        check(lambda z: z + 0.01 * torch.randn(z.shape))


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        (Cut(), "cut off from the latent: hard quantisation.*straight-through estimator"),
        (Rounded(), "derivative that is zero everywhere for the image a: hard quantisation"),
        (WithoutDerivative(), "torch cannot: the derivative for 'igamma: input' is not implemented"),
    ],
)
def test_decoders_without_derivative_are_explained(middle, message):
    model = Small(middle).requires_grad_(False)
    with pytest.raises(TargetError, match=message):
        check(model)


def test_weights_that_want_gradients_do_not_hide_a_cut():
    with pytest.raises(TargetError, match="zero everywhere"):
        check(Small(Cut()))


def test_no_grad_inside_is_explained():
    with pytest.raises(TargetError, match=r"torch\.no_grad"):
        check(torch.no_grad()(Small(nn.GELU())))


@pytest.mark.parametrize(
    ("decode", "got"),
    [
        (lambda z: (z * 255).to(torch.uint8), r"torch.uint8 of shape \(2, 4, 4\)"),
        (lambda z: z.mean(dim=0, keepdim=True), r"torch.float32 of shape \(1, 4, 4\)"),
        (lambda z: z.mean(dim=(1, 2)), r"torch.float32 of shape \(2,\)"),
    ],
)
def test_outputs_that_are_no_images_are_explained(decode, got):
    with pytest.raises(TargetError, match=f"one floating-point image per latent, got {got} for 2 latents"):
        check(decode)


@pytest.mark.parametrize(
    ("values", "choices", "message"),
    [
        (torch.zeros(3, 4, 4), {"latent_shape": (2, 4)}, r"expected latents of shape \(n, 2, 4\), got \(3, 4, 4\)"),
        (torch.zeros(0, 4), {"latent_shape": (2, 4)}, r"expected latents of shape \(n, 2, 4\), got \(0, 4\)"),
        (torch.zeros(3), {}, r"expected latents of shape \(n, \*latent\), got \(3,\)"),
        (torch.zeros(2, 4, 4), {}, "expected one sample id per latent, got 3 for 2"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), {}, "expected floating-point latents, got torch.int64"),
    ],
)
def test_latents_that_do_not_fit_are_explained(values, choices, message):
    with pytest.raises(DataError, match=message):
        check_decoder(lambda _: pytest.fail("the decoder has run"), values, IDS, **choices)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_images_are_named_where_something_is_not_finite(bad):
    points = latents()
    points[2, 0, 0] = bad
    with pytest.raises(NonFiniteError, match="finite latent, .* images c;"):
        check_decoder(Small(nn.GELU()), points, IDS)
    with pytest.raises(NonFiniteError, match="finite decoder output, .* images b;"):
        check(lambda z: z + torch.where(z[:, :1, :1] == latents()[1, 0, 0], bad, 0.0))
    with pytest.raises(NonFiniteError, match="finite derivative of the decoder, .* images a;"):
        check_decoder(lambda z: z.abs().sqrt(), torch.zeros(3, 4, 4), IDS)


def test_a_single_image_is_not_blamed_for_its_neighbour():
    """The second latent of the pair is made up, and may overflow."""
    check_decoder(lambda z: (z / 1e38 * torch.finfo(torch.float32).max / 3).clone(), torch.full((1, 2, 2), 1e38), ["a"])


def test_global_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    with pytest.raises(TargetError):
        check(Small(nn.Dropout(0.5)))
    check(Small(nn.GELU()))
    assert torch.equal(before, torch.random.get_rng_state())
    points, model = latents().requires_grad_(True), Small(nn.GELU())
    check_decoder(model, points, IDS)
    assert points.grad is None
    assert model.first.weight.grad is None
    with torch.inference_mode():
        check(model)


class TestEstimateInfluence:
    def test_checks_unless_told_not_to(self):
        rounded = Small(Rounded())
        with pytest.raises(TargetError, match="zero everywhere"):
            estimate_influence(rounded, latents(), IDS, "hutchinson:probes=1")
        found = estimate_influence(rounded, latents(), IDS, "hutchinson:probes=1", check=False)
        assert not found.values.any()

    def test_no_images_have_no_influence(self):
        found = estimate_influence(linear_target().decode, torch.zeros(0, *LATENT), [])
        assert found.values.shape == found.standard_error.shape == (0, *LATENT)
        assert (found.products.shape, found.products.dtype) == ((0,), torch.int64)
