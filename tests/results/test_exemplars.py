from __future__ import annotations

import pytest
from results import make_exemplars

import privaudit
from privaudit.errors import ResultError
from privaudit.results.exemplars import FILE, load_exemplars, save_exemplars


def test_come_back_as_they_were_saved(tmp_path):
    saved = make_exemplars("one.png", "<b>.png")
    save_exemplars(tmp_path, saved)
    assert load_exemplars(tmp_path) == saved


def test_a_folder_without(tmp_path):
    with pytest.raises(ResultError, match="expected exposed.json"):
        load_exemplars(tmp_path)


@pytest.mark.parametrize("text", ["no json", '[{"id": 3}]'])
def test_a_broken_file(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ResultError, match="expected"):
        load_exemplars(tmp_path)


def test_the_former_name_still_loads_them():
    assert privaudit.load_exemplars is load_exemplars
