import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from privaudit.errors import TargetError
from privaudit.loading.heads import FLOW, PREDICTION_TYPES, noise_from_output

VALUES = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


@given(data=st.data(), angle=st.floats(0.01, math.pi / 2 - 0.01), kind=st.sampled_from(PREDICTION_TYPES))
def test_a_perfect_output_gives_back_the_noise(data: st.DataObject, angle: float, kind: str) -> None:
    x0 = torch.tensor(data.draw(VALUES), dtype=torch.float64)
    eps = torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64)
    alpha, sigma = math.cos(angle), math.sin(angle)
    outputs = {"epsilon": eps, "v_prediction": alpha * eps - sigma * x0, "sample": x0}
    found = noise_from_output(kind, outputs[kind], alpha * x0 + sigma * eps, alpha, sigma)
    torch.testing.assert_close(found, eps, rtol=1e-9, atol=1e-9)


@given(data=st.data(), sigma=st.floats(0, 1))
def test_a_perfect_velocity_gives_back_the_noise(data: st.DataObject, sigma: float) -> None:
    x0 = torch.tensor(data.draw(VALUES), dtype=torch.float64)
    eps = torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64)
    found = noise_from_output(FLOW, eps - x0, (1 - sigma) * x0 + sigma * eps, 1 - sigma, sigma)
    torch.testing.assert_close(found, eps, rtol=1e-9, atol=1e-9)


def test_unknown_prediction_type() -> None:
    with pytest.raises(TargetError, match="expected a prediction type of epsilon, v_prediction, sample, flow, got odd"):
        noise_from_output("odd", torch.zeros(1), torch.zeros(1), 0.6, 0.8)
