import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privaudit.errors import ResultError
from privaudit.storage.exact_json import decode, encode


@dataclass(frozen=True)
class Inner:
    value: float
    level: int
    word: str | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    flag: bool
    status: Literal["pass", "fail", 3]
    place: Path
    pair: tuple[int, float]
    parts: tuple[Inner, ...]
    named: Mapping[str, Inner]
    free: Mapping[str, Any]
    inner: Inner | None = None
    rate: float = math.nan
    more: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INNERS = st.builds(Inner, FLOATS, st.integers(), st.none() | st.text())
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OUTERS = st.builds(
    Outer,
    name=st.text(),
    flag=st.booleans(),
    status=st.sampled_from(["pass", "fail", 3]),
    place=st.text("abc/.", min_size=1).map(Path),
    pair=st.tuples(st.integers(), FLOATS),
    parts=st.lists(INNERS, max_size=3).map(tuple),
    named=st.dictionaries(st.text(), INNERS, max_size=3),
    free=st.dictionaries(st.text(), PLAIN, max_size=3),
    inner=st.none() | INNERS,
    rate=FLOATS,
    more=st.dictionaries(st.text(), st.lists(FLOATS, max_size=3).map(tuple), max_size=3),
)


def example(**changes: Any) -> dict:
    plain = encode(Outer("n", True, "pass", Path("a/b"), (1, 2.5), (Inner(0.1, 2),), {"k": Inner(3.0, 4, "w")}, {}))
    return plain | changes


@settings(max_examples=50, deadline=None)
@given(value=OUTERS)
def test_round_trips_are_exact_through_text(value: Outer) -> None:
    text = json.dumps(encode(value), allow_nan=False)
    assert decode(Outer, json.loads(text)) == value


@given(value=st.floats(allow_infinity=False))
def test_every_float_keeps_its_bits(value: float) -> None:
    found = decode(Inner, json.loads(json.dumps(encode(Inner(value, 1)), allow_nan=False))).value
    assert type(found) is float
    assert (
        math.isnan(found) if math.isnan(value) else (found, math.copysign(1, found)) == (value, math.copysign(1, value))
    )


def test_nan_is_null_and_comes_back_at_any_depth() -> None:
    value = Outer(
        "n",
        False,
        3,
        Path(),
        (1, math.nan),
        (Inner(math.nan, 1),),
        {"k": Inner(math.nan, 2)},
        {},
        more={"m": (1.0, math.nan)},
    )
    plain = encode(value)
    assert plain["pair"] == [1, None]
    assert (plain["parts"][0]["value"], plain["rate"], plain["more"]) == (None, None, {"m": [1.0, None]})
    found = decode(Outer, plain)
    nans = (found.pair[1], found.parts[0].value, found.named["k"].value, found.rate, found.more["m"][1])
    assert all(math.isnan(number) for number in nans)
    assert found.inner is None


def test_types_come_back() -> None:
    found = decode(Outer, json.loads(json.dumps(example())))
    assert (found.place, type(found.pair), type(found.parts[0])) == (Path("a/b"), tuple, Inner)
    assert isinstance(decode(Inner, {"value": 3, "level": 1}).value, float)


def test_missing_keys_with_a_default_and_unknown_keys_are_fine() -> None:
    plain = example(novel=[1])
    del plain["inner"], plain["rate"], plain["more"]
    found = decode(Outer, plain)
    assert (found.inner, found.more, math.isnan(found.rate)) == (None, {}, True)


@pytest.mark.parametrize("value", [math.inf, -math.inf, np.float64("inf")])
def test_infinity_is_refused(value: float) -> None:
    with pytest.raises(ResultError, match="expected finite numbers or NaN in a result, got -?inf"):
        encode({"a": [1, {"b": value}]})


@pytest.mark.parametrize("value", [object(), {1, 2}, np.float32(1), np.arange(2), 1j, Inner])
def test_values_without_an_exact_form_are_refused(value: object) -> None:
    with pytest.raises(ResultError, match=f"expected plain values in a result, got {type(value).__name__}"):
        encode({"a": value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, "expected str at report.name, got 3"),
        ({"flag": 1}, "expected bool at report.flag, got 1"),
        ({"flag": None}, "expected bool at report.flag, got None"),
        ({"status": "maybe"}, "expected one of .*pass.* at report.status, got 'maybe'"),
        ({"status": None}, "expected one of .* at report.status, got None"),
        ({"place": 3}, "expected str at report.place, got 3"),
        ({"pair": [1]}, "expected 2 values at report.pair, got 1"),
        ({"pair": {"a": 1}}, "expected a list at report.pair, got dict"),
        ({"pair": [True, 1.0]}, r"expected int at report.pair\[0\], got True"),
        ({"pair": [1.5, 1.0]}, r"expected int at report.pair\[0\], got 1.5"),
        ({"pair": [1, "x"]}, r"expected a number at report.pair\[1\], got 'x'"),
        ({"pair": [1, True]}, r"expected a number at report.pair\[1\], got True"),
        (
            {"parts": [{"value": 1.0, "level": 2}, {"value": 1.0}]},
            r"expected the key level at report.parts\[1\], found value",
        ),
        ({"parts": [{}]}, r"expected the key value at report.parts\[0\], found none"),
        ({"parts": [7]}, r"expected an object at report.parts\[0\], got int"),
        ({"named": [1]}, "expected an object at report.named, got list"),
        ({"named": {"k": {"value": "x", "level": 1}}}, "expected a number at report.named.k.value, got 'x'"),
        ({"inner": 5}, "expected an object at report.inner, got int"),
    ],
)
def test_errors_say_where(changes: dict, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        decode(Outer, example(**changes))


def test_the_root_is_named_by_the_caller() -> None:
    with pytest.raises(ResultError, match="expected an object at run.json, got list"):
        decode(Outer, [], "run.json")


@dataclass(frozen=True)
class Either:
    label: str | float
    drop: float | tuple[float, ...]
    maybe: int | None = None


@pytest.mark.parametrize(
    "either", [Either("order 4", 0.4), Either(20.0, (0.2, 0.4), 3), Either(2.0, 1), Either("", ())]
)
def test_of_a_text_a_list_and_a_number_json_tells_which_it_is(either):
    assert decode(Either, json.loads(json.dumps(encode(either)))) == either


@pytest.mark.parametrize("wrong", [{"label": [1], "drop": 1}, {"label": "a", "drop": "1"}, {"label": {}, "drop": 1}])
def test_what_is_none_of_them_is_refused(wrong):
    with pytest.raises(ResultError, match="expected one of"):
        decode(Either, wrong)
