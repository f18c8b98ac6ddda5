import math

import pytest
import torch
from diffusers import EDMEulerScheduler
from hypothesis import given
from hypothesis import strategies as st

from privaudit.errors import TargetError
from privaudit.loading.heads import (
    EDM,
    EDM_V,
    FLOW,
    PREDICTION_TYPES,
    REVERSED_FLOW,
    alternatives,
    network_input,
    noise_from_output,
    reinterpret,
)

VALUES = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


@given(data=st.data(), angle=st.floats(0.01, math.pi / 2 - 0.01), kind=st.sampled_from(PREDICTION_TYPES))
def test_a_perfect_output_gives_back_the_noise(data: st.DataObject, angle: float, kind: str) -> None:
    x0 = torch.tensor(data.draw(VALUES), dtype=torch.float64)
    eps = torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64)
    alpha, sigma = math.cos(angle), math.sin(angle)
    outputs = {"epsilon": eps, "v_prediction": alpha * eps - sigma * x0, "sample": x0}
    found = noise_from_output(kind, outputs[kind], alpha * x0 + sigma * eps, alpha, sigma)
    torch.testing.assert_close(found, eps, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "sign"), [(FLOW, 1), (REVERSED_FLOW, -1)])
@given(data=st.data(), sigma=st.floats(0, 1))
def test_a_perfect_velocity_gives_back_the_noise(data: st.DataObject, sigma: float, kind: str, sign: int) -> None:
    x0 = torch.tensor(data.draw(VALUES), dtype=torch.float64)
    eps = torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64)
    found = noise_from_output(kind, sign * (eps - x0), (1 - sigma) * x0 + sigma * eps, 1 - sigma, sigma)
    torch.testing.assert_close(found, eps, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "stated"), [(EDM, "epsilon"), (EDM_V, "v_prediction")])
@given(data=st.data(), scale=st.floats(0.002, 80))
def test_preconditioning_is_that_of_the_scheduler(data: st.DataObject, scale: float, kind: str, stated: str) -> None:
    scheduler = EDMEulerScheduler(prediction_type=stated)
    x0 = torch.tensor(data.draw(VALUES), dtype=torch.float64)
    eps = torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64)
    output = torch.tensor(
        data.draw(st.lists(st.floats(-5, 5), min_size=len(x0), max_size=len(x0))), dtype=torch.float64
    )
    alpha, sigma, raw = 1 / math.hypot(1, scale), scale / math.hypot(1, scale), x0 + scale * eps
    torch.testing.assert_close(
        network_input(kind, alpha * raw, alpha, sigma), scheduler.precondition_inputs(raw, torch.tensor(scale).double())
    )
    clean = scheduler.precondition_outputs(raw, output, scale)
    noise = noise_from_output(kind, output, alpha * raw, alpha, sigma)
    torch.testing.assert_close(raw - scale * noise, clean, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("kind", [*PREDICTION_TYPES, FLOW, REVERSED_FLOW])
def test_other_networks_receive_the_latent_itself(kind: str) -> None:
    noisy = torch.arange(4.0)
    assert network_input(kind, noisy, 0.6, 0.8) is noisy


HEADS = (*PREDICTION_TYPES, FLOW, REVERSED_FLOW)


@given(data=st.data(), angle=st.floats(0.1, math.pi / 2 - 0.1), kinds=st.tuples(*[st.sampled_from(HEADS)] * 2))
def test_an_output_can_be_read_as_another(data: st.DataObject, angle: float, kinds: tuple[str, str]) -> None:
    output, noisy = (torch.tensor(data.draw(st.lists(st.floats(-5, 5), min_size=4, max_size=4))).double() for _ in "12")
    alpha, sigma, (recorded, other) = math.cos(angle), math.sin(angle), kinds
    noise = noise_from_output(recorded, output, noisy, alpha, sigma)
    read = reinterpret(noise, noisy, (recorded, alpha, sigma), (other, alpha / 2, sigma / 2))
    wanted = noise_from_output(other, output, noisy, alpha / 2, sigma / 2)
    torch.testing.assert_close(read, wanted, rtol=1e-7, atol=1e-7)


def test_alternatives_are_those_of_the_same_schedule() -> None:
    assert alternatives("epsilon", flow=False) == ("v_prediction", "sample")
    assert alternatives("epsilon", flow=True) == (FLOW, REVERSED_FLOW, "sample")
    assert alternatives(FLOW, flow=True) == (REVERSED_FLOW, "epsilon", "sample")
    assert alternatives(EDM, flow=False) == (EDM_V,)
    assert alternatives("unknown", flow=False) == ()


def test_unknown_prediction_type() -> None:
    with pytest.raises(TargetError, match="expected a prediction type of epsilon, .*, edm_v, got odd"):
        noise_from_output("odd", torch.zeros(1), torch.zeros(1), 0.6, 0.8)
