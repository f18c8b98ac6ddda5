"""A target at another image size: what it shares with the target, and which sizes it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import linear_target

from privaudit.errors import TargetError
from privaudit.loading import load_target
from privaudit.loading.image_sizes import at_size, try_size
from privaudit.model.target import Target


@pytest.fixture(scope="module")
def target(ldm_master: Path) -> Target:
    return load_target(ldm_master)


def test_nothing_is_copied(target: Target) -> None:
    sized = at_size(target, (32, 8))
    assert (sized.info.sample_shape, sized.info.latent_shape) == ((3, 32, 8), (4, 16, 4))
    assert target.info.image_size == (16, 16)
    assert sized.autoencoder is target.autoencoder
    assert sized.denoiser.module is target.denoiser.module
    assert sized.residence is target.residence


def test_its_own_size_is_the_target_itself(target: Target) -> None:
    assert at_size(target, (16, 16)) is target
    linear = linear_target()
    assert at_size(linear, linear.info.image_size) is linear


def test_a_size_between_the_steps_of_the_network(target: Target) -> None:
    with pytest.raises(
        TargetError, match=r"images of 16x17 .*: its network takes multiples of 2 .*, as in --buckets 2"
    ):
        at_size(target, (16, 17))


def test_a_size_that_the_network_cannot_halve_as_often(target: Target) -> None:
    at_size(target, (18, 16))  # its shape is no problem yet
    with pytest.raises(
        TargetError, match="does not take latents of this shape; pass a larger step, or leave out --buc"
    ):
        try_size(target, (18, 16))
    try_size(target, (20, 16))


def test_an_autoencoder_that_decodes_another_size(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privaudit.loading.image_sizes.same_size", lambda blank, shape: None)
    with pytest.raises(TargetError, match="AutoencoderKL does not decode them to their own size; leave out --buckets"):
        at_size(target, (16, 32))


def test_memory_that_runs_out_is_no_fault_of_the_size(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def full(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(target.denoiser.module, "forward", full)
    with pytest.raises(torch.OutOfMemoryError):
        try_size(target, (20, 16))
