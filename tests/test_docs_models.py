"""The tables of docs/models.md are those that the code gives."""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType

import pytest
from actions import ROOT

from privaudit.loading.autoencoder.layouts import AUTOENCODERS, UNREADABLE
from privaudit.loading.families import FAMILIES
from privaudit.loading.unsupported import UNSUPPORTED

PAGE = ROOT / "docs" / "models.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    folder = str(ROOT / "docs" / "site")
    sys.path.insert(0, folder)
    yield importlib.import_module("model_tables")
    sys.path.remove(folder)
    sys.modules.pop("model_tables")


def test_the_tables_are_those_of_the_code(script):
    text = PAGE.read_text()
    assert script.with_tables(text) == text, "run python docs/site/model_tables.py"


def test_every_table_has_a_place(script):
    places = re.findall(r"^<!-- here: docs/site/model_tables\.py (\w+) -->$", PAGE.read_text(), re.MULTILINE)
    assert sorted(places) == sorted([
        "families",
        "schedulers",
        "settings",
        "notes",
        "refusals",
        "autoencoders",
        "unreadable",
        "examples",
    ])
    assert all(callable(getattr(script, place)) for place in places)


def test_every_pipeline_and_autoencoder_is_named_once_as_read_or_refused(script):
    read = {name for kind in FAMILIES.values() for name in (kind.pipeline, *kind.variants)}
    assert set(re.findall(r"`(\w+)`", script.families())) == read
    assert set(re.findall(r"`(\w+Pipeline\w*)`", script.refusals())) == set(UNSUPPORTED)
    assert set(re.findall(r"`(\w+)`", script.autoencoders())) == set(AUTOENCODERS)
    assert set(re.findall(r"`(\w+)`", script.unreadable())) == set(UNREADABLE)


def test_every_setting_is_listed(script):
    names = {name for kind in script.kinds() for name in kind.settings}
    assert set(re.findall(r"`condition\.(\w+)`", script.settings())) == names
