"""Deterministic diffusion against Gaussian data, whose noise prediction and whose flow are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import LATENT, GaussianDenoiser, linear_schedule, linear_target, random_normal

from privaudit.errors import ConfigError
from privaudit.loading.heads import FLOW, noise_from_output
from privaudit.model.ddim import CLEAN, ddim_follow, ddim_invert, ddim_levels, ddim_sample, ddim_step
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule
from privaudit.model.target import Target


def gaussian(count: int = 1000) -> Target:
    target = linear_target()
    schedule = linear_schedule(count)
    return replace(target, schedule=schedule, denoiser=GaussianDenoiser(schedule, target.denoiser.variance))


def exact_flow(target: Target, noise: torch.Tensor) -> torch.Tensor:
    """Without noise of its own, diffusion of Gaussian data only scales: by the ratio of standard deviations."""
    alpha, sigma = target.alpha_sigma(len(target.schedule.alphas_cumprod) - 1)
    variance = target.denoiser.variance
    return noise * (variance / (alpha**2 * variance + sigma**2)).sqrt()


@given(count=st.integers(1, 1200), data=st.data())
def test_levels_run_from_the_noisiest_to_clean(count, data):
    steps = data.draw(st.integers(1, count))
    target = replace(
        linear_target(), schedule=DiffusionSchedule(tuple(1 - (level + 1) / 2000 for level in range(count)))
    )
    found = ddim_levels(target, steps)
    assert len(found) == steps + 1
    assert found[0] == count - 1
    assert found[-1] == CLEAN
    assert all(a > b for a, b in zip(found[:-1], found[1:], strict=True))
    if steps > 1:
        assert found[-2] == 0
        gaps = [a - b for a, b in zip(found[:-2], found[1:-1], strict=True)]
        assert max(gaps) - min(gaps) <= 1, "evenly spaced"


def test_levels_by_hand():
    assert ddim_levels(gaussian(), 4) == (999, 666, 333, 0, CLEAN)
    assert ddim_levels(gaussian(), 1) == (999, CLEAN)
    assert ddim_levels(gaussian(5), 5) == (4, 3, 2, 1, 0, CLEAN)


@pytest.mark.parametrize("steps", [0, -3, 1001])
@pytest.mark.parametrize("walk", [ddim_sample, ddim_invert])
def test_steps_that_the_target_does_not_have(walk, steps):
    with pytest.raises(ConfigError, match=f"expected 1 to 1000 DDIM steps for this target, got {steps}"):
        walk(gaussian(), random_normal(1, *LATENT), steps)


@dataclass(frozen=True)
class Recorder:
    """A denoiser that is no function of noise: what it gives can be put into the formula by hand."""

    asked: list[tuple[int, object]]

    def predict_noise(self, noisy, level, condition):
        self.asked.append((level, condition))
        return noisy.sin() + level / 1000


@pytest.mark.parametrize(
    ("start", "stop", "asked"), [(500, 300, 500), (300, 500, 300), (0, CLEAN, 0), (CLEAN, 0, 0), (999, CLEAN, 999)]
)
def test_a_step_is_the_papers(start, stop, asked):
    target = replace(linear_target(), denoiser=Recorder([]))
    latents, condition = random_normal(2, *LATENT), torch.ones(2, 1)
    found = ddim_step(target, latents, start, stop, condition)
    powers = [*target.schedule.alphas_cumprod, 1.0]  # the last is CLEAN
    noise = latents.sin() + asked / 1000
    clean = (latents - (1 - powers[start]) ** 0.5 * noise) / powers[start] ** 0.5
    torch.testing.assert_close(found, powers[stop] ** 0.5 * clean + (1 - powers[stop]) ** 0.5 * noise)
    assert [level for level, _ in target.denoiser.asked] == [asked]
    assert target.denoiser.asked[0][1] is condition


def test_going_nowhere_changes_nothing():
    latents = random_normal(2, *LATENT)
    torch.testing.assert_close(ddim_step(gaussian(), latents, 400, 400), latents)


def test_follow_takes_the_steps_in_turn():
    target, latents = gaussian(), random_normal(2, *LATENT)
    wanted = ddim_step(target, ddim_step(target, latents, 900, 500), 500, CLEAN)
    torch.testing.assert_close(ddim_follow(target, latents, [900, 500, CLEAN]), wanted, rtol=0, atol=0)
    assert ddim_follow(target, latents, [900]) is latents


def test_a_path_asks_the_denoiser_once_a_step():
    target = gaussian()
    noise = random_normal(2, *LATENT)
    latents = ddim_sample(target, noise, 4)
    assert target.denoiser.passes == [999, 666, 333, 0]
    target.denoiser.passes.clear()
    ddim_invert(target, latents, 4)
    assert target.denoiser.passes == [0, 0, 333, 666], "at the start of each step, clean counts as 0"
    target.denoiser.passes.clear()
    ddim_sample(target, noise)
    assert len(target.denoiser.passes) == 50


def test_condition_reaches_every_pass():
    target, condition = replace(linear_target(), denoiser=Recorder([])), torch.ones(2, 1)
    ddim_sample(target, random_normal(2, *LATENT), 3, condition)
    ddim_invert(target, random_normal(2, *LATENT), 3, condition)
    assert len(target.denoiser.asked) == 6
    assert all(given is condition for _, given in target.denoiser.asked)


def test_sampling_gives_the_data_as_steps_grow():
    target, noise = gaussian(), random_normal(4, *LATENT)
    wanted = exact_flow(target, noise)
    errors = [float((ddim_sample(target, noise, steps) - wanted).norm() / wanted.norm()) for steps in (10, 50, 250)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.01


def test_unit_noise_becomes_the_variance_of_the_data():
    # sampling scales each coordinate, so one unit of noise is enough to see the standard deviation
    target = gaussian()
    found = ddim_sample(target, torch.ones(1, *LATENT), 500)[0]
    torch.testing.assert_close(found.square(), target.denoiser.variance, rtol=0.02, atol=0)


def test_inversion_finds_the_noise_as_steps_grow():
    target, noise = gaussian(), random_normal(4, *LATENT)
    errors = []
    for steps in (10, 50, 250):
        found = ddim_invert(target, ddim_sample(target, noise, steps), steps)
        assert found.shape == noise.shape
        errors.append(float((found - noise).norm() / noise.norm()))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.02


def test_inversion_of_data_is_standard_noise():
    target = gaussian()
    noise = random_normal(2, *LATENT)
    found = ddim_invert(target, exact_flow(target, noise), 500)
    torch.testing.assert_close(found, noise, rtol=0.02, atol=1e-3)


def test_one_step_samples_and_inverts():
    target, noise = gaussian(), random_normal(2, *LATENT)
    assert ddim_sample(target, noise, 1).isfinite().all()
    assert ddim_invert(target, noise, 1).isfinite().all()


def test_images_of_a_batch_do_not_meet():
    target, noise = gaussian(), random_normal(3, *LATENT)
    whole = ddim_sample(target, noise, 5)
    parts = torch.cat([ddim_sample(target, part, 5) for part in noise.split(1)])
    torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize("walk", [ddim_sample, ddim_invert])
def test_no_gradients_are_recorded_and_the_input_is_left_alone(walk):
    target = gaussian()
    start = random_normal(2, *LATENT).requires_grad_()
    before = start.detach().clone()
    assert not walk(target, start, 3).requires_grad
    assert torch.equal(start.detach(), before)


def test_a_schedule_whose_last_level_is_pure_noise():
    # rescale_betas_zero_snr of diffusers (Lin et al. 2023): the noisiest level has no signal at all
    powers = [*linear_schedule().alphas_cumprod[:-1], 0.0]
    schedule = DiffusionSchedule(tuple(powers))
    target = replace(linear_target(), schedule=schedule)
    target = replace(target, denoiser=GaussianDenoiser(schedule, target.denoiser.variance))
    try:
        found = ddim_sample(target, random_normal(1, *LATENT), 10)
    except ConfigError:
        return
    assert found.isfinite().all()


# ------------------------------------------------------------------------------- flow


def flow_target():
    target, schedule = linear_target(), FlowSchedule()
    return replace(target, schedule=schedule, denoiser=GaussianDenoiser(schedule, target.denoiser.variance))


def test_levels_of_a_flow_begin_below_pure_noise_and_end_at_zero():
    assert ddim_levels(flow_target(), 3) == (999, 666, 333, 0)
    assert ddim_levels(flow_target(), 1) == (999, 0)
    assert ddim_levels(flow_target(), 999) == tuple(range(999, -1, -1))
    with pytest.raises(ConfigError, match="expected 1 to 999 DDIM steps for this target, got 1000"):
        ddim_levels(flow_target(), 1000)


def test_a_flow_spends_one_pass_a_step():
    target = flow_target()
    ddim_sample(target, random_normal(1, *LATENT), 3)
    assert target.denoiser.passes == [999, 666, 333]


@dataclass(frozen=True)
class Velocity:
    """Gives the noise that a velocity field implies, through the head that real flow models go through."""

    schedule: FlowSchedule

    def field(self, latents, level):
        return latents.cos() - level / 500

    def predict_noise(self, noisy, level, condition):
        alpha, sigma = self.schedule.alpha_sigma(level)
        return noise_from_output(FLOW, self.field(noisy, level), noisy, alpha, sigma)


@pytest.mark.parametrize(("start", "stop"), [(999, 700), (700, 200), (200, 0), (0, 300), (0, CLEAN), (CLEAN, 40)])
def test_a_step_of_a_flow_is_eulers(start, stop):
    denoiser = Velocity(FlowSchedule())
    target = replace(linear_target(), schedule=denoiser.schedule, denoiser=denoiser)
    latents = random_normal(2, *LATENT)
    begin, end = max(start, 0), max(stop, 0)
    wanted = latents + (end - begin) / 1000 * denoiser.field(latents, begin)
    torch.testing.assert_close(ddim_step(target, latents, start, stop), wanted, rtol=1e-4, atol=1e-5)


def test_sampling_a_flow_gives_the_data_as_steps_grow():
    # the flow of Gaussian data only scales, from the standard deviation at level 999 to that of the data
    target, noise = flow_target(), random_normal(4, *LATENT)
    alpha, sigma = target.alpha_sigma(999)
    variance = target.denoiser.variance
    wanted = noise * (variance / (alpha**2 * variance + sigma**2)).sqrt()
    errors = [float((ddim_sample(target, noise, steps) - wanted).norm() / wanted.norm()) for steps in (10, 50, 250)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.02
    found = ddim_invert(target, wanted, 500)
    torch.testing.assert_close(found, noise, rtol=0.02, atol=1e-3)
