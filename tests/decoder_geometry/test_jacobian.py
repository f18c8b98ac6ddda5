from __future__ import annotations

import pytest
import torch
from models import LATENT, linear_target, random_normal
from reference import jacobian as reverse_mode
from torch.nn import functional

from privaudit.decoder_geometry import Jacobian, dense_jacobian
from privaudit.decoder_geometry import jacobian as module
from privaudit.decoder_geometry.jacobian import MIN_PASSES_TO_TRACE, forward_mode, jvp_by_reverse
from privaudit.errors import ConfigError

EXACT = {"rtol": 1e-10, "atol": 1e-12}


def smooth(z):
    """A cheap decoder: ``(n, 2, 4, 4)`` to ``(n, 4, 4, 4)``."""
    return torch.cat([z.tanh(), (z * z.roll(1, -1)).sin()], dim=1)


class TestProducts:
    @pytest.mark.parametrize("pairs_per_pass", [1, 2, 4, 7, 64])  # vectors of an image in one pass: 1 to 32
    @pytest.mark.parametrize("images", [1, 2])
    @pytest.mark.parametrize("vectors", [1, 5])
    def test_jvp_and_vjp(self, decoder, latents, reference_jacobian, images, pairs_per_pass, vectors):
        jacobian = Jacobian(decoder, latents[:images], pairs_per_pass=pairs_per_pass)
        tangents = random_normal(vectors, images, 2, 4, 4, dtype=torch.float64)
        wanted = torch.einsum("npi,kni->knp", reference_jacobian[:images], tangents.flatten(2))
        torch.testing.assert_close(jacobian.jvp(tangents).flatten(2), wanted, **EXACT)
        cotangents = random_normal(vectors, images, 3, 8, 8, dtype=torch.float64)
        wanted = torch.einsum("npi,knp->kni", reference_jacobian[:images], cotangents.flatten(2))
        torch.testing.assert_close(jacobian.vjp(cotangents).flatten(2), wanted, **EXACT)

    @pytest.mark.parametrize("pairs_per_pass", [1, 7])
    def test_traced(self, latents, pairs_per_pass):
        tangents = random_normal(MIN_PASSES_TO_TRACE * pairs_per_pass + 1, 3, 2, 4, 4, dtype=torch.float64)
        found = Jacobian(smooth, latents, pairs_per_pass=pairs_per_pass).jvp(tangents)
        wanted = torch.stack([jvp_by_reverse(smooth, latents, tangent) for tangent in tangents])
        torch.testing.assert_close(found, wanted, **EXACT)

    def test_jvp_by_reverse_mode_alone(self, decoder, latents, reference_jacobian):
        tangents = random_normal(3, 2, 4, 4, dtype=torch.float64)
        wanted = torch.einsum("npi,ni->np", reference_jacobian, tangents.flatten(1))
        torch.testing.assert_close(jvp_by_reverse(decoder, latents, tangents).flatten(1), wanted, **EXACT)

    def test_no_vectors(self, decoder, latents):
        jacobian = Jacobian(decoder, latents)
        assert jacobian.jvp(torch.empty(0, 3, 2, 4, 4)).shape == (0, 3, 3, 8, 8)
        assert jacobian.vjp(torch.empty(0, 3, 3, 8, 8)).shape == (0, 3, 2, 4, 4)

    def test_wrong_shapes_say_what_is_expected(self, decoder, latents):
        jacobian = Jacobian(decoder, latents)
        with pytest.raises(ConfigError, match=r"expected vectors of shape \(k, 3, 2, 4, 4\), got \(3, 2, 4, 4\)"):
            jacobian.jvp(latents)
        with pytest.raises(ConfigError, match=r"expected vectors of shape \(k, 3, 3, 8, 8\), got \(1, 2, 3, 8, 8\)"):
            jacobian.vjp(torch.empty(1, 2, 3, 8, 8))

    def test_all_products_share_one_reverse_pass(self, latents, decoder):
        passes = []

        def counted(z):
            passes.append(len(z))
            return decoder(z)

        jacobian = Jacobian(counted, latents)
        for _ in range(3):
            jacobian.vjp(random_normal(2, 3, 3, 8, 8, dtype=torch.float64))
        assert (jacobian.image_shape, jacobian.image_size, jacobian.latent_size) == ((3, 8, 8), 192, 32)
        assert passes == [3]

    def test_of_some_images(self, decoder, latents, reference_jacobian):
        some = Jacobian(decoder, latents, channel_axis=2).subset(torch.tensor([True, False, True]))
        assert some.channel_axis == 2
        torch.testing.assert_close(dense_jacobian(some), reference_jacobian[[0, 2]], **EXACT)


class TestColumnsAndRows:
    @pytest.mark.parametrize("chunk", [1, 7, 256])
    def test_columns(self, latents, chunk):
        parts = list(Jacobian(smooth, latents).columns(chunk))
        assert max(len(part) for part in parts) == max(1, min(32, chunk // 3))
        wanted = torch.stack([reverse_mode(smooth, latent) for latent in latents])
        torch.testing.assert_close(torch.cat(parts).flatten(2).permute(1, 2, 0), wanted, **EXACT)

    def test_dense(self, decoder, latents, reference_jacobian):
        torch.testing.assert_close(dense_jacobian(Jacobian(decoder, latents)), reference_jacobian, **EXACT)

    @pytest.mark.parametrize("chunk", [1, 250])
    def test_rows(self, decoder, latents, reference_jacobian, chunk):
        parts = list(Jacobian(decoder, latents[:1]).rows(chunk))
        torch.testing.assert_close(torch.cat(parts).flatten(2).permute(1, 0, 2), reference_jacobian[:1], **EXACT)

    def test_linear_decoder(self):
        target, latents = linear_target(), random_normal(2, *LATENT)
        torch.testing.assert_close(
            dense_jacobian(Jacobian(target.decode, latents)), target.autoencoder.matrix.expand(2, -1, -1)
        )


class _NoForwardMode(torch.autograd.Function):
    """tanh with a backward pass alone."""

    @staticmethod
    def forward(ctx, values):
        ctx.save_for_backward(values)
        return values.tanh()

    @staticmethod
    def backward(ctx, grad):
        (values,) = ctx.saved_tensors
        return grad * (1 - values.tanh().square())


@pytest.mark.parametrize("pairs_per_pass", [1, 10])
@pytest.mark.parametrize("vectors", [1, 70])
def test_reverse_mode_where_torch_has_no_forward_mode(vectors, pairs_per_pass):
    def decode(z):
        return _NoForwardMode.apply(z).repeat(1, 3, 1, 1)

    latents = random_normal(5, *LATENT, dtype=torch.float64)
    tangents = random_normal(vectors, 5, *LATENT, seed=1, dtype=torch.float64)
    jacobian = Jacobian(decode, latents, pairs_per_pass=pairs_per_pass)
    cotangents = random_normal(2, 5, 6, 4, 4, seed=2, dtype=torch.float64)
    pulled = cotangents.view(2, 5, 3, *LATENT).sum(2) * (1 - latents.tanh().square())
    torch.testing.assert_close(jacobian.vjp(cotangents), pulled, **EXACT)
    wanted = (tangents * (1 - latents.tanh().square())).repeat(1, 1, 3, 1, 1)
    for _ in range(2):
        torch.testing.assert_close(jacobian.jvp(tangents), wanted, **EXACT)


class TestTracing:
    @pytest.fixture
    def traces(self, monkeypatch):
        found = []
        original = module._linearise
        monkeypatch.setattr(module, "_linearise", lambda *args: found.append(1) or original(*args))
        return found

    def test_happens_once_when_there_have_been_many_products(self, latents, traces):
        jacobian = Jacobian(smooth, latents)
        for _ in range(7):
            jacobian.jvp(random_normal(9, 3, 2, 4, 4, dtype=torch.float64))
        assert not traces
        for _ in range(3):
            jacobian.jvp(random_normal(1, 3, 2, 4, 4, dtype=torch.float64))
        assert traces == [1]

    def test_of_another_map_is_not_used(self, latents, traces):
        """A decoder with a seeded generator of its own: torch traces it to a map that is not its derivative."""

        def decode(z):
            mixing = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=z.dtype)
            return torch.einsum("ncij,cd->ndij", z.tanh(), mixing)

        tangents = random_normal(MIN_PASSES_TO_TRACE, 3, 2, 4, 4, dtype=torch.float64)
        latents = latents * torch.tensor([0.0, 1.0, 1e3]).view(3, 1, 1, 1)  # also where J does not depend on the place
        jacobian = Jacobian(decode, latents)
        for _ in range(2):
            wanted = torch.stack([jvp_by_reverse(decode, latents, tangent) for tangent in tangents])
            torch.testing.assert_close(jacobian.jvp(tangents), wanted, **EXACT)
        assert traces == [1], "and it is not tried again"

    def test_survives_an_image_without_derivative(self, latents, traces):
        def decode(z):
            return z / (z.flatten(1).abs().sum(1) > 0).view(-1, 1, 1, 1)

        latents = latents * torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1, 1)
        tangents = random_normal(MIN_PASSES_TO_TRACE, 3, 2, 4, 4, dtype=torch.float64)
        found = Jacobian(decode, latents).jvp(tangents)
        assert not found[:, 0].isfinite().any()
        torch.testing.assert_close(found[:, 1:], tangents[:, 1:], **EXACT)

    def test_keeps_its_batch_size(self, latents, traces):
        jacobian = Jacobian(smooth, latents, pairs_per_pass=12)
        jacobian.jvp(random_normal(4 * MIN_PASSES_TO_TRACE, 3, 2, 4, 4, dtype=torch.float64))
        for vectors in (1, 3, 9):
            tangents = random_normal(vectors, 3, 2, 4, 4, seed=vectors, dtype=torch.float64)
            wanted = torch.stack([jvp_by_reverse(smooth, latents, tangent) for tangent in tangents])
            torch.testing.assert_close(jacobian.jvp(tangents), wanted, **EXACT)
        list(jacobian.columns(7))
        assert traces == [1]


class TestForwardMode:
    def test_restores_the_kernels_when_the_model_raises(self):
        before = (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled())

        def broken(_):
            assert not torch.backends.cuda.flash_sdp_enabled()
            raise RuntimeError("boom")

        with pytest.raises(RuntimeError, match="boom"):
            Jacobian(broken, torch.ones(1, *LATENT)).jvp(torch.ones(1, 1, *LATENT))
        assert (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()) == before

    def test_group_norm_of_inputs_that_are_not_contiguous(self):
        values = random_normal(2, 4, 3, 3).transpose(2, 3)
        with forward_mode():
            found = torch.func.jvp(lambda x: functional.group_norm(x, 2), (values,), (torch.ones_like(values),))[1]
        torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-5, rtol=0)
