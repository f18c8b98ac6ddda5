import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from privaudit.model.noise import generator_for, normal_for

SHAPE = (4, 3, 2)
IDS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=6), min_size=1, max_size=6)


def test_shape_dtype_and_device() -> None:
    drawn = normal_for(0, ["a", "b"], SHAPE, "noise", 50, 0)
    assert (drawn.shape, drawn.dtype, drawn.device.type) == ((2, *SHAPE), torch.float32, "cpu")
    assert normal_for(0, [], SHAPE).shape == (0, *SHAPE)


@settings(max_examples=50, deadline=None)
@given(ids=IDS, seed=st.integers(0, 2**40), level=st.integers(0, 999), cut=st.integers(0, 6), data=st.data())
def test_an_image_has_its_noise_in_any_batch(
    ids: list[str], seed: int, level: int, cut: int, data: st.DataObject
) -> None:
    together = normal_for(seed, ids, SHAPE, "noise", level)
    alone = torch.cat([normal_for(seed, [key], SHAPE, "noise", level) for key in ids])
    halves = torch.cat([normal_for(seed, part, SHAPE, "noise", level) for part in (ids[:cut], ids[cut:])])
    order = data.draw(st.permutations(range(len(ids))))
    shuffled = normal_for(seed, [ids[place] for place in order], SHAPE, "noise", level)
    assert torch.equal(together, alone)
    assert torch.equal(together, halves)
    assert torch.equal(together[list(order)], shuffled)


def test_each_of_seed_id_and_purpose_changes_it() -> None:
    arguments = [
        (0, "a", "noise", 50, 0),
        (1, "a", "noise", 50, 0),
        (0, "b", "noise", 50, 0),
        (0, "a", "probe", 50, 0),
        (0, "a", "noise", 51, 0),
        (0, "a", "noise", 50, 1),
        (0, "a", "noise", 5, 0),
        (0, "a", "noise", "50"),
        (0, "a"),
        (-1, "a"),
        (0, "an", "oise"),
    ]
    drawn = [normal_for(seed, [key], SHAPE, *purpose) for seed, key, *purpose in arguments]
    distinct = {tuple(values.flatten().tolist()) for values in drawn}
    assert len(distinct) == len(arguments)


def test_the_values_are_pinned() -> None:
    # Old scores can be reproduced only while these stay, in any process (a str's own hash would differ in each)
    assert generator_for(7, "00ff", "noise", 100, 0).initial_seed() == 11694459128538313320
    found = normal_for(7, ["00ff"], (3,), "noise", 100, 0)
    np.testing.assert_allclose(found[0].numpy(), [-1.886889, -1.692217, 0.035357], atol=1e-5)


def test_the_global_generator_is_neither_read_nor_set() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = normal_for(0, ["a"], SHAPE, "noise")
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    assert torch.equal(first, normal_for(0, ["a"], SHAPE, "noise"))


def test_global_defaults_change_nothing() -> None:
    expected = normal_for(0, ["a"], SHAPE, "noise")
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            found, none = normal_for(0, ["a"], SHAPE, "noise"), normal_for(0, [], SHAPE)
    finally:
        torch.set_default_dtype(default)
    assert torch.equal(found, expected)
    assert (none.dtype, none.device.type) == (torch.float32, "cpu")


@pytest.mark.parametrize("purpose", [("noise", 50), ("probe",)])
def test_it_is_standard_normal_and_independent_between_images(purpose: tuple) -> None:
    drawn = normal_for(0, [f"{n:x}" for n in range(200)], (250,), *purpose).double().numpy()
    # 50 000 values: a sound generator fails each of these once in about ten thousand seeds, and this seed is fixed
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-4
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / drawn.size)
    correlations = np.corrcoef(drawn)[np.triu_indices(200, 1)]
    assert abs(correlations.mean()) < 4 / np.sqrt(250 * correlations.size)
    assert abs(correlations).max() < 6 / np.sqrt(250)
