"""Each image stops by itself, and costs nothing more from then on."""

from __future__ import annotations

import pytest
import torch
from invertible import Maps, Watched, curved, encoder_only, tag, tagged
from models import random_normal

from privaudit.errors import NonFiniteError
from privaudit.inversion import SOLVERS, invert, require_any_finite

# E(D(z)) = g z and a forward step of 1: the residual is |1 - g|^(k + 1) before step k
GAINS = [1.0, 0.8, 0.5, 4.0, 0.02, -0.001]
ENDS = [
    (1, "converged"),  # at once
    (3, "converged"),  # .2, .04, .008
    (7, "converged"),  # 2^-7 < .01
    (4, "diverged"),  # 3, 9, 27, 81: more than ten times the first
    (20, "budget spent"),
    (20, "stalled"),
]


@pytest.fixture
def images():
    return tag(1 + random_normal(len(GAINS), 4).abs())


def test_every_image_ends_in_its_own_way(images):
    found = invert(tagged(GAINS), images, "forward-step")
    assert list(zip(found.evaluations.tolist(), found.outcomes, strict=True)) == ENDS
    assert found.converged.tolist() == [True, True, True, False, False, False]
    assert found.diverged.tolist() == [False, False, False, True, False, False]
    assert found.stalled.tolist() == [False, False, False, False, False, True]
    assert found.best.tolist() == [0, 2, 6, 0, 19, 0]


def test_an_image_that_has_ended_costs_nothing_more(images):
    watched = Watched(tagged(GAINS))
    found = invert(watched, images, "forward-step")
    wanted = [int((found.evaluations > step).sum()) for step in range(20)]
    assert wanted[:8] == [6, 5, 5, 4, 3, 3, 3, 2]
    assert watched.decoded == wanted
    assert watched.encoded == [6, *wanted]


def test_no_image_changes_what_becomes_of_another(images):
    together = invert(tagged(GAINS), images, "forward-step")
    for row in range(len(GAINS)):
        alone = invert(tagged(GAINS), images[row : row + 1], "forward-step")
        torch.testing.assert_close(alone.latents[0], together.latents[row])
        count = int(alone.evaluations)
        torch.testing.assert_close(alone.residuals[0, :count], together.residuals[row, :count])
        assert alone.outcomes == together.outcomes[row : row + 1]


@pytest.mark.parametrize("name", sorted(set(SOLVERS) - {"encoder", "gradient"}))
def test_memory_follows_the_images_that_are_left(name):
    # images that end at different times; what a solver remembers must go on belonging to the same image
    gains = [0.999, 0.85, 0.999, 0.7, 0.9]
    images = tag(1 + random_normal(5, 4).abs())
    together = invert(tagged(gains), images, SOLVERS.build(name))
    assert len(set(together.evaluations.tolist())) > 1
    for row in range(5):
        alone = invert(tagged(gains), images[row : row + 1], SOLVERS.build(name))
        torch.testing.assert_close(alone.latents[0], together.latents[row], rtol=1e-4, atol=1e-5)
        assert alone.evaluations[0] == together.evaluations[row]


def test_a_diverging_image_returns_its_best_iterate_and_the_least_residual():
    # .5 z - x falls at first; past 1.2 the encoder runs away
    def encode(images):
        return torch.where(images.abs() < 0.9, 0.5 * images, 30 * images)

    autoencoder = encoder_only(encode)
    images = torch.full((1, 3), 0.95)  # E(x) = 28.5: from the far branch
    found = invert(autoencoder, images, "forward-step:rho=0.01:evaluations=60")
    assert found.residual[0] == found.residuals.nan_to_num(nan=torch.inf).min()
    near = invert(autoencoder, images, "forward-step:rho=0.1:evaluations=60")
    assert near.outcomes == ("diverged",)
    assert near.residual[0] == near.residuals.nan_to_num(nan=torch.inf).min()
    torch.testing.assert_close(near.latents, near.encoded)


@pytest.mark.parametrize("solver", ["forward-step", "krasnoselskii-mann", "adam", "gradient"])
def test_nan_later_on_ends_in_the_best_iterate_before_it(solver):
    inner = curved()

    def decode(latents):
        return torch.where((latents.norm(dim=1) > 3.0)[:, None], torch.nan, inner.decode(latents))

    latents = torch.nn.functional.normalize(random_normal(1, 6), dim=1) * 4
    images = inner.decode(latents)  # E(x) is short of the truth by three tenths; on the way there is a wall
    found = invert(Maps(decode, inner.encode), images, f"{solver}:tolerance=0.000001:evaluations=100")
    assert found.outcomes == ("diverged",)
    assert 1 < int(found.evaluations) < 100
    assert found.best[0] < found.evaluations[0] - 1
    assert found.latents.norm() <= 3.0
    assert found.residual.isfinite().all()
    assert found.pixel_residuals[0, -1].isnan()


@pytest.mark.parametrize("name", sorted(set(SOLVERS) - {"encoder"}))
@pytest.mark.parametrize("factor", [1e30, torch.nan])
def test_an_error_that_overflows_is_divergence_at_once(name, factor):
    def decode(latents):
        return latents * torch.where(latents[:, -1:] > 1.5, factor, 1.0)

    images = torch.tensor([[1.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    found = invert(Maps(decode, lambda images: images), images, SOLVERS.build(name))
    assert found.outcomes == ("diverged", "converged")
    assert found.evaluations[0] == 1
    assert torch.equal(found.latents, images)
    assert not found.residual[0].isfinite()


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("factor", [1e30, torch.nan])
def test_errors_that_overflow_for_every_image_are_divergence_and_can_be_refused(name, factor):
    broken = Maps(lambda latents: factor * latents, lambda images: images)
    ids = ["this one", "and that one"]
    found = invert(broken, torch.ones(2, 3), SOLVERS.build(name), sample_ids=ids)
    assert found.outcomes == ("diverged", "diverged")
    with pytest.raises(NonFiniteError, match="decoder output.*this one, and that one"):
        require_any_finite(found.residual, ids)
    require_any_finite(torch.tensor([torch.inf, 0.1]), ids)


@pytest.mark.parametrize("name", sorted(set(SOLVERS) - {"encoder"}))
def test_memory_does_not_grow_with_the_number_of_evaluations(name):
    watched = Watched(curved((100, 3), (12, 30)), count_at=(9, 28))
    images = watched.inner.decode(random_normal(2, 100, 3))
    parameters = "memory=3:" if "memory" in SOLVERS[name].__dataclass_fields__ else ""
    invert(watched, images, f"{name}:{parameters}evaluations=30:tolerance=0")
    early, late = watched.live
    assert late == early > 0


@pytest.mark.parametrize("name", sorted(set(SOLVERS) - {"gradient"}))
def test_nothing_is_recorded_for_gradients(name):
    watched = Watched(curved())
    images = watched.inner.decode(random_normal(2, 6))
    with torch.enable_grad():
        invert(watched, images, SOLVERS.build(name))
    assert not any(watched.gradients)


@pytest.mark.parametrize("solver", ["pixel-mixing", "gradient"])
def test_silence_can_be_inverted(solver):
    # an image of zeros (a silent clip): there is no relative error in pixels, but an error that can fall
    autoencoder = Maps(lambda latents: 0.9 * latents + 20.0, lambda images: images - 19.0)
    found = invert(autoencoder, torch.zeros(1, 4), solver)
    assert found.outcomes != ("diverged",)


def test_silence_is_inverted_by_latent_residuals():
    autoencoder = Maps(lambda latents: 0.9 * latents + 20.0, lambda images: images - 19.0)
    found = invert(autoencoder, torch.zeros(1, 4), "anderson")
    assert found.outcomes == ("converged",)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_latents_of_zero_that_are_right_count_as_converged(name):
    found = invert(encoder_only(lambda images: images), torch.zeros(2, 3), SOLVERS.build(name))
    assert found.outcomes == ("converged", "converged")
    assert torch.equal(found.latents, torch.zeros(2, 3))
    assert found.residual.tolist() == [0.0, 0.0]
