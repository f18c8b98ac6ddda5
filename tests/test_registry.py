"""Frozen dataclasses by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privaudit.errors import ConfigError
from privaudit.registry import build


@dataclass(frozen=True)
class Cake:
    weight: float = 1.5
    layers: int = 2
    iced: bool = False
    sizes: tuple[int, ...] = (20, 30)


@dataclass(frozen=True)
class Fussy:
    layers: int = 2

    def __post_init__(self):
        if self.layers < 1:
            raise ConfigError([f"expected layers >= 1, got {self.layers}"])


@dataclass(frozen=True)
class Tart:
    presets: ClassVar = {"small": {"weight": 0.3, "sizes": (10,)}, "plain": {}}
    preset: str = ""
    weight: float = 1.5
    sizes: tuple[int, ...] = (20, 30)
    angles: tuple[float, ...] = ()


REGISTRY = {"cake": Cake, "fussy": Fussy, "tart": Tart}


def made(spec: str):
    return build(spec, REGISTRY, "a recipe", "the book")


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("cake", Cake()),
        ("cake:weight=2", Cake(weight=2.0)),
        ("cake:weight=1e-3:layers=-4", Cake(weight=1e-3, layers=-4)),
        ("cake:layers=3:sizes=1,2,3", Cake(layers=3, sizes=(1, 2, 3))),
        ("cake:sizes=7", Cake(sizes=(7,))),
        ("cake:iced=true", Cake(iced=True)),
        ("cake:iced=YES", Cake(iced=True)),
        ("cake:iced=1", Cake(iced=True)),
        ("cake:iced=false", Cake(iced=False)),
        ("cake:iced=No", Cake(iced=False)),
        ("cake:iced=0", Cake(iced=False)),
    ],
)
def test_types(spec, wanted):
    found = made(spec)
    assert found == wanted
    assert [type(value) for value in vars(found).values()] == [float, int, bool, tuple]


@given(
    weight=st.floats(allow_nan=False),
    layers=st.integers(-(10**9), 10**9),
    iced=st.booleans(),
    sizes=st.lists(st.integers(-99, 99), min_size=1).map(tuple),
)
def test_reads_what_str_writes(weight, layers, iced, sizes):
    spec = f"cake:weight={weight}:layers={layers}:iced={iced}:sizes={','.join(map(str, sizes))}"
    assert made(spec) == Cake(weight, layers, iced, sizes)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pie", r"^expected a recipe of cake, fussy, tart, got pie; see the book$"),
        ("", r"^expected a recipe of cake, fussy, tart, got ; see the book$"),
        ("Cake", r"^expected a recipe of cake, fussy, tart, got Cake; see the book$"),
        (
            "cake:cream=1",
            r"^expected a parameter of cake \(weight, layers, iced, sizes\), got 'cream' in cake:cream=1$",
        ),
        ("cake:", r"^expected a parameter of cake \(weight, layers, iced, sizes\), got '' in cake:$"),
        ("cake:layers=two", r"^expected layers=<int> in cake:layers=two, got 'two'$"),
        ("cake:layers=2.0", r"^expected layers=<int> in cake:layers=2\.0, got '2\.0'$"),
        ("cake:layers", r"^expected layers=<int> in cake:layers, got ''$"),
        ("cake:weight=", r"^expected weight=<float> in cake:weight=, got ''$"),
        ("cake:iced=maybe", r"^expected iced=<bool> in cake:iced=maybe, got 'maybe'$"),
        ("cake:sizes=1,,2", r"^expected sizes=<tuple\[int, \.\.\.\]> in cake:sizes=1,,2, got '1,,2'$"),
        ("cake:weight=1=2", r"^expected weight=<float> in cake:weight=1=2, got '1=2'$"),
    ],
)
def test_errors_say_what_would_be_right(spec, message):
    with pytest.raises(ConfigError, match=message):
        made(spec)


def test_without_a_hint_nothing_is_pointed_at():
    with pytest.raises(ConfigError, match="got pie$"):
        build("pie", REGISTRY, "a recipe")


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as error:
        made("cake:cream=1:layers=x:iced=perhaps:sizes=a:weight=2")
    assert len(error.value.problems) == 4


def test_problems_of_the_dataclass_itself_are_passed_on():
    with pytest.raises(ConfigError, match="expected layers >= 1, got 0"):
        made("fussy:layers=0")


def test_wrong_names_do_not_hide_wrong_values():
    with pytest.raises(ConfigError) as error:
        made("fussy:layers=0:cream=1")
    assert len(error.value.problems) == 2


def test_a_parameter_given_twice_is_a_problem():
    with pytest.raises(ConfigError, match="layers"):
        made("cake:layers=3:layers=4")


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("tart", Tart()),
        ("tart@small", Tart("small", 0.3, (10,))),
        ("tart@plain", Tart("plain")),
        ("tart@small:weight=2", Tart("small", 2.0, (10,))),
        ("tart@small:sizes=1,2:weight=2", Tart("small", 2.0, (1, 2))),
        ("tart:angles=0.5,-90", Tart(angles=(0.5, -90.0))),
    ],
)
def test_a_preset_gives_parameters_that_others_override(spec, wanted):
    assert made(spec) == wanted


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tart@large", r"^expected a preset of tart \(plain, small\), got 'large' in tart@large$"),
        ("tart@", r"^expected a preset of tart \(plain, small\), got '' in tart@$"),
        ("tart@small@plain", r"^expected a preset of tart \(plain, small\), got 'small@plain' in tart@small@plain$"),
        ("cake@small", r"^expected cake alone, which has no presets, got 'small' in cake@small$"),
        ("pie@small", r"^expected a recipe of cake, fussy, tart, got pie; see the book$"),
        (
            "tart:preset=small",
            r"^expected a parameter of tart \(weight, sizes, angles\), got 'preset' in tart:preset=small$",
        ),
        ("tart:angles=a", r"^expected angles=<tuple\[float, \.\.\.\]> in tart:angles=a, got 'a'$"),
    ],
)
def test_a_preset_that_does_not_exist_is_named_with_those_that_do(spec, message):
    with pytest.raises(ConfigError, match=message):
        made(spec)


def test_a_wrong_preset_does_not_hide_wrong_values():
    with pytest.raises(ConfigError) as error:
        made("tart@large:weight=x:cream=1")
    assert len(error.value.problems) == 3


def test_presets_are_not_changed_by_what_overrides_them():
    made("tart@small:weight=9")
    assert Tart.presets["small"] == {"weight": 0.3, "sizes": (10,)}
