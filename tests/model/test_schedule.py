"""Levels of diffusion and flow models, and which level has a given signal-to-noise ratio."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import linear_schedule

from privaudit.errors import ConfigError
from privaudit.model.schedule import DiffusionSchedule, EDMSchedule, FlowSchedule

EDM = EDMSchedule(tuple(0.002 * 1.02**level for level in range(500)))
SCHEDULES = [linear_schedule(), FlowSchedule(), FlowSchedule(50), DiffusionSchedule((0.9,)), EDM]


@pytest.mark.parametrize("level", range(0, 1001, 100))
def test_a_flow_interpolates_between_data_and_noise(level: int) -> None:
    alpha, sigma = FlowSchedule().alpha_sigma(level)
    assert sigma == pytest.approx(level / 1000)
    assert alpha + sigma == pytest.approx(1)


def test_the_ends_of_a_flow() -> None:
    flow = FlowSchedule(200)
    assert (flow.last, flow.alpha_sigma(0), flow.alpha_sigma(200)) == (200, (1.0, 0.0), (0.0, 1.0))
    assert (flow.log_snr(0), flow.log_snr(200), flow.log_snr(100)) == (math.inf, -math.inf, 0.0)
    with pytest.raises(ConfigError, match="expected a noise level from 0 to 200 for this target, got 201"):
        flow.log_snr(201)


def test_a_preconditioned_model_preserves_variance_and_is_told_the_logarithm() -> None:
    assert all(math.hypot(*EDM.alpha_sigma(level)) == pytest.approx(1) for level in range(500))
    assert EDM.log_snr(100) == pytest.approx(-2 * math.log(0.002 * 1.02**100))
    assert EDM.network_time(100) == pytest.approx(math.log(0.002 * 1.02**100) / 4)
    assert (linear_schedule().network_time(7), FlowSchedule().network_time(7)) == (7, 7)


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (linear_schedule(), 999),
        (FlowSchedule(), 999),
        (DiffusionSchedule((0.9, 0.2, 0.0)), 1),
        (DiffusionSchedule((0.9, 0.2, 2**-24)), 1),  # how some schedulers write zero terminal SNR
    ],
)
def test_the_last_level_with_signal(schedule: DiffusionSchedule, last: int) -> None:
    assert schedule.last_with_signal == last


def test_log_snr_by_hand() -> None:
    assert DiffusionSchedule((0.9, 0.2)).log_snr(1) == pytest.approx(math.log(0.2 / 0.8))
    assert DiffusionSchedule((0.9, 0.0)).log_snr(1) == -math.inf
    assert FlowSchedule().log_snr(250) == pytest.approx(2 * math.log(3))


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(wanted=st.floats(-30, 30))
def test_the_nearest_level_is_the_nearest_of_all(schedule: FlowSchedule, wanted: float) -> None:
    distances = [abs(schedule.log_snr(level) - wanted) for level in range(schedule.last + 1)]
    found = schedule.nearest(wanted)
    assert distances[found] == min(distances)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_level_is_nearest_to_its_own_ratio(schedule: FlowSchedule) -> None:
    for level in range(schedule.last + 1):
        assert schedule.nearest(schedule.log_snr(level)) == level


def test_ratios_beyond_the_levels() -> None:
    assert [linear_schedule().nearest(value) for value in (math.inf, -math.inf)] == [0, 999]
    assert [FlowSchedule().nearest(value) for value in (math.inf, -math.inf)] == [0, 1000]
