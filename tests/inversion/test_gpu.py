"""The same on a CUDA device, and what batches must save there."""

from __future__ import annotations

import time

import pytest
import torch

from privaudit.inversion import SOLVERS, invert
from privaudit.lab.demo_target import TARGET
from privaudit.loading import ModelSource, load_target
from privaudit.model.ddim import ddim_sample
from privaudit.model.noise import normal_for

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(scope="module")
def generated():
    target = load_target(ModelSource(TARGET, device="cuda"))
    noise = normal_for(0, [str(number) for number in range(64)], target.info.latent_shape, "generation")
    latents = ddim_sample(target, noise, 20)
    with torch.no_grad():
        return target, latents, target.decode(latents)


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_agrees_with_the_cpu(generated, name):
    target, latents, images = generated
    solver = SOLVERS.build(name if name == "encoder" else f"{name}:evaluations=6:tolerance=0")
    there = invert(target, images[:8], solver, truth=latents[:8])
    here = invert(load_target(ModelSource(TARGET, device="cpu")), images[:8].cpu(), solver, truth=latents[:8].cpu())
    torch.testing.assert_close(there.residuals.cpu(), here.residuals, rtol=0.05, atol=1e-4, equal_nan=True)
    torch.testing.assert_close(there.nmse.cpu(), here.nmse, rtol=0, atol=0.5)


def test_64_images_at_once_cost_less_than_a_quarter_of_64_single_ones(generated):
    target, _, images = generated

    def seconds(parts) -> float:
        torch.cuda.synchronize()
        started = time.perf_counter()
        for part in parts:
            invert(target, part, "anderson:evaluations=5:tolerance=0")
        torch.cuda.synchronize()
        return time.perf_counter() - started

    seconds([images])  # kernels are chosen once
    seconds(images[:2].split(1))
    assert seconds([images]) < seconds(images.split(1)) / 4
