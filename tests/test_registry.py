"""Plug-ins by name, and frozen dataclasses built from text."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib import import_module
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privaudit.attacks import ATTACKS
from privaudit.decoder_geometry import DISTORTIONS, ESTIMATORS
from privaudit.errors import ConfigError
from privaudit.inversion import SOLVERS
from privaudit.registry import KindRegistry, Named, Registry, build
from privaudit.scorers import SCORERS


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
        ("pie", r"^expected a recipe, one of cake, fussy, tart, got pie; see the book$"),
        ("", r"^expected a recipe, one of cake, fussy, tart, got ; see the book$"),
        ("Cake", r"^expected a recipe, one of cake, fussy, tart, got Cake; did you mean cake\? See the book$"),
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
        (
            "tart@small@plain",
            r"^expected a preset of tart \(plain, small\), got 'small@plain' in tart@small@plain; did you mean "
            r"small\?$",
        ),
        ("cake@small", r"^expected cake alone, which has no presets, got 'small' in cake@small$"),
        ("pie@small", r"^expected a recipe, one of cake, fussy, tart, got pie; see the book$"),
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


@dataclass(frozen=True)
class Recipe(Named):
    """Base of the recipes of a registry."""

    citation = "a cookbook"
    summary = "something to eat"
    layers: int = 2

    def problems(self):
        return self.at_least(1, "layers")


class TestRegistry:
    def test_lists_and_finds_by_name(self):
        found = Registry[str]("a spice")
        found.add("salt", "NaCl")
        found.add("pepper", "piperine")
        assert list(found) == ["pepper", "salt"]
        assert (len(found), found["salt"], "sugar" in found) == (2, "NaCl", False)

    def test_names_in_the_order_of_a_key(self):
        found = Registry[str]("a spice", key=len)
        for name, entry in (("b", "xx"), ("c", "x"), ("a", "xx")):
            found.add(name, entry)
        assert list(found) == ["c", "a", "b"]

    def test_a_name_that_is_taken_is_refused(self):
        found = Registry[str]("a spice")
        found.add("salt", "NaCl")
        with pytest.raises(
            ConfigError, match="^expected a name for a spice that is not taken, got 'salt', which is 'NaCl'; "
        ):
            found.add("salt", "KCl")
        found.add("salt", "NaCl")
        assert dict(found) == {"salt": "NaCl"}


class TestKindRegistry:
    @pytest.fixture
    def recipes(self) -> KindRegistry[Recipe]:
        return KindRegistry[Recipe]("a recipe", listed_by="the book")

    def register(self, recipes, module: str, layers: int = 2):
        """Register a class ``Pie`` that says it is of a module."""
        body = {"name": "pie", "layers": layers, "__annotations__": {"layers": "int"}, "__module__": module}
        made = dataclass(frozen=True)(type("Pie", (Recipe,), body))
        assert recipes.register(made) is made
        return made

    def test_builds_what_it_has_registered(self, recipes):
        pie = self.register(recipes, "json")
        assert recipes["pie"] is pie
        assert recipes.build("pie:layers=3") == pie(layers=3)
        with pytest.raises(ConfigError, match="^expected a recipe, one of pie, got cake; see the book$"):
            recipes.build("cake")
        with pytest.raises(ConfigError, match="^expected layers >= 1 for pie, got 0$"):
            recipes.build("pie:layers=0")

    def test_another_class_of_the_same_name_is_refused(self, recipes):
        first = self.register(recipes, "json")
        with pytest.raises(ConfigError, match="that is not taken, got 'pie', which is json.Pie; choose another name"):
            self.register(recipes, "math")
        assert recipes["pie"] is first

    def test_the_same_class_defined_again_replaces_itself(self, recipes):
        self.register(recipes, "json")
        again = self.register(recipes, "json", layers=5)
        assert recipes["pie"] is again
        assert recipes.build("pie").layers == 5

    def test_its_label_is_its_name(self, recipes):
        assert self.register(recipes, "json")().label == "pie"


class TestDiscovery:
    MODULE = """
from dataclasses import dataclass
from {folder} import IMPORTED, RECIPES
from test_registry_recipe import Recipe

IMPORTED.append("{name}")

@RECIPES.register
@dataclass(frozen=True)
class {name}(Recipe):
    name = "{name}"
"""

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch) -> str:
        """A package of two modules that register a recipe each."""
        name = f"kitchen_{tmp_path.name}"
        monkeypatch.setitem(sys.modules, "test_registry_recipe", SimpleNamespace(Recipe=Recipe))
        package = tmp_path / name
        package.mkdir()
        package.joinpath("__init__.py").write_text(
            f"from privaudit.registry import KindRegistry\nIMPORTED = []\n"
            f"RECIPES = KindRegistry('a recipe', folder='{name}')\n"
        )
        for module in ("cake", "tart"):
            package.joinpath(f"{module}.py").write_text(self.MODULE.format(folder=name, name=module))
        monkeypatch.syspath_prepend(tmp_path)
        yield name
        for module in [known for known in sys.modules if known.partition(".")[0] == name]:
            del sys.modules[module]

    def test_every_module_of_the_folder_is_imported_when_it_is_first_read_and_once(self, folder):
        package = import_module(folder)
        assert package.IMPORTED == []
        assert list(package.RECIPES) == ["cake", "tart"]
        assert package.RECIPES.build("tart:layers=4").layers == 4
        assert package.IMPORTED == ["cake", "tart"]

    def test_importing_one_module_imports_no_other(self, folder):
        import_module(f"{folder}.tart")
        assert import_module(folder).IMPORTED == ["tart"]

    def test_a_name_of_the_folder_is_taken_before_it_is_read(self, folder):
        package = import_module(folder)
        own = dataclass(frozen=True)(type("Cake", (Recipe,), {"name": "cake", "__module__": "__main__"}))
        with pytest.raises(ConfigError, match=f"got 'cake', which is {folder}.cake.cake; choose another name"):
            package.RECIPES.register(own)

    def test_a_module_that_cannot_be_imported_is_an_error_each_time(self, folder, tmp_path):
        tmp_path.joinpath(folder, "broken.py").write_text("import nothing_of_this_name")
        recipes = import_module(folder).RECIPES
        for _ in range(2):
            with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
                list(recipes)


@pytest.mark.parametrize("registry", [ATTACKS, SCORERS, SOLVERS, ESTIMATORS, DISTORTIONS], ids=lambda each: each.what)
def test_every_plug_in_of_privaudit_is_a_module_of_its_folder(registry):
    folders = {kind.__module__.rpartition(".")[0] for kind in registry.values()}
    assert len(folders) == 1
    assert len(registry) >= 3
    for name, kind in registry.items():
        assert kind.name == name
        assert registry.build(name) == kind()


@dataclass(frozen=True)
class Bun(Named):
    name = "bun"
    citation = ""
    summary = ""
    presets: ClassVar = {"big": {"weight": 9.0, "sizes": ()}}
    preset: str = ""
    weight: float = 1.5
    iced: bool = False
    sizes: tuple[int, ...] = (20, 30)


BUNS = {"bun": Bun}


@pytest.mark.parametrize("spec", ["bun", "bun@big", "bun:weight=1.5", "bun@big:iced=true:sizes=1,2", "bun:weight=1e-3"])
def test_what_was_built_knows_its_text(spec):
    assert build(spec, BUNS, "a bun").spec == spec


@pytest.mark.parametrize(
    ("bun", "spec"),
    [
        (Bun(), "bun"),
        (Bun(weight=0.001, iced=True), "bun:weight=0.001:iced=true"),
        (Bun(sizes=(1, 2)), "bun:sizes=1,2"),
        (Bun(preset="big", weight=9.0, sizes=()), "bun@big"),
        (replace(build("bun:weight=2", BUNS, "a bun"), weight=3.0), "bun:weight=3.0"),
    ],
)
def test_what_was_made_in_python_is_written_by_what_differs_from_the_defaults(bun, spec):
    assert bun.spec == spec
    assert build(spec, BUNS, "a bun") == bun


def test_the_text_is_no_part_of_the_value():
    assert build("bun:weight=1.5", BUNS, "a bun") == Bun()
