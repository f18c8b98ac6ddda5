"""What every attack promises, with its defaults and with each preset, on a network on which it can run."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cases import ALL, SPECS, a_batch, agree, an_attack, counted, everything, ones, scored, some_masks
from models import LATENT, random_normal

from privaudit.attacks import ATTACKS, Batch, PassCache, score_batch
from privaudit.errors import NonFiniteError

every_attack = pytest.mark.parametrize("spec", SPECS)


@every_attack
def test_scores_are_float64_by_image_and_column(spec):
    attack, target = an_attack(spec)
    tensors = len(list(target.denoiser.module.parameters()))
    columns = tensors if attack.learned else len(attack.candidates) or 1
    masks = some_masks()
    found = score_batch([attack], a_batch(target), masks)
    assert set(found) == {(spec, mask) for mask in masks}
    for values in found.values():
        assert values.shape == (4, columns)
        assert values.dtype == torch.float64
        assert torch.isfinite(values).all()
        assert len(values.unique()) == values.numel(), "no two images or columns score the same"


@every_attack
def test_scores_do_not_depend_on_batch_or_order(spec):
    attack, target = an_attack(spec)
    whole = scored(attack, a_batch(target), some_masks())
    for rows in ([2], [3, 0], [1, 3, 2, 0]):
        part = scored(attack, a_batch(target, rows), some_masks(rows))
        agree(part, {mask: values[rows] for mask, values in whole.items()})


@every_attack
def test_other_masks_do_not_change_a_score(spec):
    attack, target = an_attack(spec)
    whole = scored(attack, a_batch(target), some_masks())
    for mask, values in some_masks().items():
        agree(scored(attack, a_batch(target), {mask: values}), {mask: whole[mask]})


@every_attack
def test_a_mask_of_ones_equals_none_and_complementary_masks_add_up_where_errors_are_additive(spec):
    attack, target = an_attack(spec)
    first = some_masks()["influence"]
    found = scored(attack, a_batch(target), {"none": ones(), "first": first, "second": 1 - first, "ones": 1.0 * ones()})
    assert torch.equal(found["ones"], found["none"])
    total = found["first"] + found["second"]
    assert torch.allclose(total, found["none"], rtol=1e-9, atol=0) == attack.additive


@every_attack
def test_a_mask_changes_the_score(spec):
    attack, target = an_attack(spec)
    found = scored(attack, a_batch(target), some_masks())
    for mask in ("random", "influence"):
        assert not torch.isclose(found[mask], found["none"], rtol=1e-9, atol=0).any()


@every_attack
def test_the_seed_matters_where_noise_is_drawn_and_nowhere_else(spec):
    attack, target = an_attack(spec)
    first, second = (scored(attack, a_batch(target, seed=seed))["none"] for seed in (1, 2))
    if attack.name in {"sima", "pia", "pian", "secmi", "recon", "mirror"}:
        assert torch.equal(first, second)
    else:
        assert not torch.isclose(first, second, rtol=1e-9, atol=0).any()


@every_attack
def test_same_seed_same_score_and_no_global_generator_is_read_or_moved(spec):
    attack, target = an_attack(spec)
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    first = scored(attack, a_batch(target))
    now = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(now[0], states[0])
    assert now[1:] == states[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        assert torch.equal(scored(attack, a_batch(target))["none"], first["none"])


@every_attack
def test_the_inputs_are_left_alone(spec):
    attack, target = an_attack(spec)
    batch, masks = a_batch(target), some_masks()
    before = [value.clone() for value in (batch.latents, batch.images, *masks.values())]
    scored(attack, batch, masks)
    assert all(
        torch.equal(old, new) for old, new in zip(before, (batch.latents, batch.images, *masks.values()), strict=True)
    )


@every_attack
def test_an_image_with_nan_is_named_with_the_attack(spec):
    attack, target = an_attack(spec)
    batch = a_batch(target)
    batch.latents[2, 0, 1, 1] = float("nan")
    batch.images[2, 0, 1, 1] = float("nan")
    with pytest.raises(
        NonFiniteError, match=rf"^expected a finite error of {spec}.*, got NaN or infinity for the images c;"
    ):
        scored(attack, batch)


# ------------------------------------------------------------------------------- a model that raises


class Broken(RuntimeError):
    """What the model raises."""


class Breaking:
    """A part of a target that raises when it has been asked often enough."""

    def __init__(self, inner: Any, left: list[int]) -> None:
        self.inner, self.left = inner, left

    def _ask(self, method: str, *arguments: Any) -> Any:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise Broken(method)
        return getattr(self.inner, method)(*arguments)

    def encode(self, *arguments: Any) -> Any:
        return self._ask("encode", *arguments)

    def decode(self, *arguments: Any) -> Any:
        return self._ask("decode", *arguments)

    def predict_noise(self, *arguments: Any) -> Any:
        return self._ask("predict_noise", *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def calls(attack, target) -> int:
    """How often the parts of a target are asked for a batch."""
    left = [10**9]
    scored(attack, breaking(target, left))
    return 10**9 - left[0]


def breaking(target, left: list[int]) -> Batch:
    parts = {part: Breaking(getattr(target, part), left) for part in ("autoencoder", "denoiser")}
    return replace(a_batch(target), target=replace(target, **parts))


@every_attack
@pytest.mark.parametrize("when", ["middle", "last"])
def test_nothing_global_is_left_changed_when_the_model_raises(spec, when):
    attack, target = an_attack(spec)
    weights = list(target.denoiser.module.parameters())
    weights[0].requires_grad_(True)  # one that was trainable stays so
    before = [(weight.requires_grad, weight.clone()) for weight in weights]
    total = calls(attack, target)
    left = [{"middle": total // 2, "last": total - 1}[when]]
    batch = breaking(target, left)
    with pytest.raises(Broken):
        scored(attack, batch)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    for weight, (required, value) in zip(weights, before, strict=True):
        assert weight.requires_grad == required
        assert torch.equal(weight, value)
        assert weight.grad is None


@every_attack
def test_a_batch_that_was_broken_off_scores_as_if_nothing_had_happened(spec):
    attack, target = an_attack(spec)
    wanted = scored(attack, a_batch(target), some_masks())
    left = [calls(attack, target) // 2]
    batch = breaking(target, left)
    with pytest.raises(Broken):
        scored(attack, batch, some_masks())
    agree(scored(attack, a_batch(target), some_masks()), wanted)
    left[0] = 10**9
    agree(scored(attack, batch, some_masks()), wanted)


@every_attack
def test_gradients_that_the_caller_does_not_want_are_not_kept(spec):
    attack, target = an_attack(spec)
    target.denoiser.module.requires_grad_(True)
    batch = a_batch(target)
    found = scored(attack, batch)
    assert not found["none"].requires_grad
    kept = [value for value in batch.cache._results.values() if isinstance(value, torch.Tensor)]
    assert not any(value.requires_grad for value in kept)


# ------------------------------------------------------------------------------- all of them together


@pytest.mark.parametrize("kind", ["loss", "clid", "flow_mc"], ids=["unconditional", "text", "flow"])
def test_attacks_in_one_batch_score_as_they_do_alone_in_any_order(kind):
    attacks, target = everything(kind)
    alone = {attack.label: scored(attack, a_batch(target))["none"] for attack in attacks}
    for order in (attacks, attacks[::-1]):
        found = score_batch(order, a_batch(target), {"none": ones()})
        agree({title: values for (title, _), values in found.items()}, alone)


def test_two_batches_share_nothing():
    attack, target = an_attack("sima")
    first, second = a_batch(target), a_batch(target, latents=random_normal(4, *LATENT, seed=77, dtype=torch.float64))
    wanted = scored(attack, replace(second, cache=PassCache()))["none"]
    scored(attack, first)
    assert first.cache is not second.cache
    assert torch.equal(scored(attack, second)["none"], wanted)


@pytest.mark.parametrize("name", sorted(ATTACKS))
class TestDescription:
    def test_says_what_it_is_and_where_it_was_published(self, name):
        kind = ATTACKS[name]
        assert kind.name == name
        assert kind.summary
        assert ("arXiv:" in kind.citation) == kind.published
        assert kind.__doc__

    def test_is_one_file(self, name):
        assert ATTACKS[name].__module__ == f"privaudit.attacks.{name}"

    def test_presets_are_parameters_of_the_attack(self, name):
        kind = ATTACKS[name]
        for preset, values in kind.presets.items():
            made = kind(preset=preset, **values)
            assert made.label == f"{name}@{preset}"


def test_every_image_is_seen_by_the_denoiser_that_is_counted():
    """The counting target does count: four images, one level."""
    attack, target = an_attack("sima:levels=20")
    watched, images = counted(target)
    scored(attack, replace(a_batch(target, ALL), target=watched))
    assert images["forward"] == 4
