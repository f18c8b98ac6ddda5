"""The same on a CUDA device, where one pass takes several vectors an image."""

from __future__ import annotations

import pytest
import torch
from models import random_normal

from privaudit.decoder_geometry import (
    ESTIMATORS,
    Jacobian,
    PullbackMetric,
    estimate_influence,
    images_at_once,
    measure_distortion,
)
from privaudit.lab.demo_target import TARGET
from privaudit.loading import ModelSource, load_target

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
IDS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def both():
    return load_target(ModelSource(TARGET, device="cuda")), load_target(ModelSource(TARGET, device="cpu"))


@pytest.fixture(scope="module")
def latents():
    return random_normal(3, 4, 8, 8)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_influence_agrees_with_the_cpu(both, latents, name):
    there, here = (estimate_influence(t.decode, latents.to(t.device), IDS, name, seed=1) for t in both)
    assert there.values.device.type == "cuda"
    torch.testing.assert_close(there.values.cpu(), here.values, rtol=1e-2, atol=1e-4)
    assert torch.equal(there.products.cpu(), here.products)


@pytest.mark.parametrize("name", ["exact", "truncated", "lanczos"])
def test_distortion_agrees_with_the_cpu(both, latents, name):
    there, here = (measure_distortion(t.decode, latents.to(t.device), IDS, name, seed=1) for t in both)
    torch.testing.assert_close(there.values.cpu(), here.values, rtol=1e-2, atol=1.0)


def test_several_vectors_a_pass_give_the_products_of_one(both, latents):
    target = both[0]
    points = latents.to(target.device)
    many, one = Jacobian(target.decode, points), Jacobian(target.decode, points, pairs_per_pass=1)
    assert many.pairs_per_pass > 1
    tangents = random_normal(30, 3, 4, 8, 8, seed=1).to(target.device)
    pushed = many.jvp(tangents)
    torch.testing.assert_close(pushed, one.jvp(tangents), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(many.vjp(pushed), one.vjp(pushed), rtol=1e-3, atol=1e-4)
    vectors = tangents[:2].flatten(2).permute(1, 2, 0)
    torch.testing.assert_close(PullbackMetric(many) @ vectors, PullbackMetric(one) @ vectors, rtol=1e-3, atol=1e-4)


def test_a_small_budget_makes_small_batches_that_stay_within_it(both, latents):
    target, estimator = both[0], ESTIMATORS.build("hutchinson:probes=4")
    points = random_normal(64, 4, 8, 8).to(target.device)
    ids = [str(number) for number in range(64)]
    budget = 2**27
    size = images_at_once(target.decode, points, ids, estimator, 64, budget=budget)
    assert 1 <= size < 64
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    estimate_influence(target.decode, points[:size], ids[:size], estimator, at_once=size, check=False)
    assert torch.cuda.max_memory_allocated() - before <= budget
