"""What `invert` refuses, and what it takes."""

from __future__ import annotations

import inspect

import pytest
import torch
from invertible import Watched, curved, encoder_only, linear, spread, symmetric
from models import random_normal

import privaudit.inversion
from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.inversion import SOLVERS, invert, nmse_db


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (0, 10), (3,), ()])
def test_no_images(shape):
    with pytest.raises(DataError, match=r"expected one or more images to invert, \(n, \*image\), got shape"):
        invert(curved(), torch.zeros(shape))


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "b", "c"]])
def test_a_wrong_number_of_ids(ids):
    with pytest.raises(DataError, match=f"expected one sample id for each of 2 images, got {len(ids)}"):
        invert(curved(), torch.zeros(2, 10), sample_ids=ids)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_images_that_are_not_finite_are_named_before_any_work(bad):
    images = torch.zeros(3, 10)
    images[1, 4] = bad
    watched = Watched(curved())
    with pytest.raises(NonFiniteError, match="expected a finite image, got NaN or infinity for the images cat.png;"):
        invert(watched, images, sample_ids=["a.png", "cat.png", "b.png"])
    assert not watched.encoded
    with pytest.raises(NonFiniteError, match="for the images 1;"):
        invert(watched, images)


@pytest.mark.parametrize("shape", [(2, 6), (3, 5), (3, 6, 1), (1, 6), (6,)])
def test_true_latents_of_another_shape(shape):
    with pytest.raises(DataError, match=r"expected true latents of shape \(3, 6\), like the encoder's, got \("):
        invert(curved(), torch.ones(3, 10), truth=torch.ones(shape))


def test_an_unknown_solver():
    with pytest.raises(ConfigError, match="expected an inversion solver, one of adam, anderson, .*, got newton"):
        invert(curved(), torch.ones(1, 10), "newton")
    with pytest.raises(ConfigError, match="condition .13. of Theorem 2"):
        invert(curved(), torch.ones(1, 10), "krasnoselskii-mann:lam=2")


def test_anderson_is_the_default():
    autoencoder = curved()
    images = autoencoder.decode(random_normal(2, 6))
    found = invert(autoencoder, images)
    assert torch.equal(found.latents, invert(autoencoder, images, SOLVERS.build("anderson")).latents)


def test_truth_gives_the_error_in_decibel():
    autoencoder, latents = linear(symmetric(spread(0.8, 1.0))), random_normal(3, 6)
    images = autoencoder.decode(latents)
    found = invert(autoencoder, images, "forward-step:tolerance=0.001", truth=latents)
    torch.testing.assert_close(found.nmse, nmse_db(found.latents, latents))
    assert (found.nmse < -55).all()
    assert (found.nmse < invert(autoencoder, images, "encoder", truth=latents).nmse).all()
    doubled = invert(autoencoder, images, "forward-step:tolerance=0.001", truth=latents.double())
    torch.testing.assert_close(doubled.nmse, found.nmse)


def test_truth_that_remembers_gradients_leaves_no_trace():
    latents = random_normal(3, 6).requires_grad_()
    found = invert(curved(), torch.ones(3, 10), truth=latents)
    assert not found.nmse.requires_grad


def test_one_image_is_enough():
    assert invert(encoder_only(lambda images: 0.9 * images), torch.ones(1, 3)).outcomes == ("converged",)


def test_everything_public_is_documented():
    for name in privaudit.inversion.__all__:
        public = getattr(privaudit.inversion, name)
        if inspect.isclass(public) or inspect.isfunction(public):
            assert public.__doc__, name
