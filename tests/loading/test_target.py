import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from privaudit.errors import ConfigError, NonFiniteError
from privaudit.model.schedule import DiffusionSchedule
from privaudit.model.target import require_finite


@given(powers=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5))
def test_signal_and_noise_have_unit_power(powers: list[float]) -> None:
    schedule = DiffusionSchedule(tuple(powers))
    for level, power in enumerate(powers):
        alpha, sigma = schedule.alpha_sigma(level)
        assert alpha == pytest.approx(math.sqrt(power))
        assert alpha**2 + sigma**2 == pytest.approx(1.0)


@pytest.mark.parametrize("level", [-1, 2, 1000])
def test_level_out_of_range(level: int) -> None:
    with pytest.raises(ConfigError, match=f"expected a noise level from 0 to 1 for this target, got {level}"):
        DiffusionSchedule((0.9, 0.5)).alpha_sigma(level)


def test_finite_values_pass_unchanged() -> None:
    values = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert require_finite(values, "decoder output", ["a", "b", "c"]) is values
    assert require_finite(torch.zeros(0, 2), "decoder output", []).shape == (0, 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_images_with_other_values_are_named(bad: float) -> None:
    values = torch.zeros(3, 2, 2)
    values[1, 0, 1] = bad
    with pytest.raises(NonFiniteError, match="expected a finite residual, got NaN or infinity for the images b; try"):
        require_finite(values, "residual", ["a", "b", "c"])


def test_many_images_are_counted() -> None:
    names = [f"i{n}" for n in range(8)]
    with pytest.raises(NonFiniteError, match="i0, i1, i2, i3, i4 and 3 more; try --dtype float32"):
        require_finite(torch.full((8, 1), torch.nan), "score", names)
