from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from privaudit.errors import ResultError
from privaudit.results.saved_scores import explain, load_samples, load_scores

IDS = ["aaaa1111", "aaaa2222", "bbbb1111", "bbbb2222", "bbbb3333", "bbbb4444"]
PATHS = ["in/cat.png", "in/dog.png", "out/cat.png", "out/dog.png", "out/cow.png", "out/pig.png"]


@pytest.fixture
def folder(tmp_path):
    """Two members and four non-members; under the mask, every score is minus the one without."""
    scores = np.array([3.0, 0.5, 0.0, 1.0, 1.0, 2.0])
    base = {"id": IDS, "path": PATHS, "set": ["member"] * 2 + ["nonmember"] * 4, "attack": "sima", "level": 20.0}
    signs = {"none": 1, "influence": -1}
    table = pd.concat([pd.DataFrame({**base, "mask": mask, "score": sign * scores}) for mask, sign in signs.items()])
    (tmp_path / "scores").mkdir()
    table.to_parquet(tmp_path / "scores" / "scores.parquet", index=False)
    pd.DataFrame({"id": IDS, "path": PATHS}).to_parquet(tmp_path / "samples.parquet", index=False)
    return tmp_path


def test_reads_what_a_run_keeps(folder):
    assert load_scores(folder)["id"].tolist() == IDS * 2
    assert load_samples(str(folder))["path"].tolist() == PATHS


def test_a_member_is_compared_with_all_nonmembers(folder):
    found = explain(folder, "in/dog.png").set_index("mask")
    assert found.loc["none", ["score", "beaten", "p"]].tolist() == [0.5, 1 / 4, 4 / 5]
    assert found.loc["influence", ["score", "beaten", "p"]].tolist() == [-0.5, 3 / 4, 2 / 5]
    assert explain(folder, "in/cat.png")["p"].tolist() == [1 / 5, 1.0]


def test_a_nonmember_is_compared_with_the_others(folder):
    """And not with itself: (1 + those as high) / (1 + 3); the one that scores the same is as high."""
    found = explain(folder, "out/dog.png").set_index("mask")
    assert found.loc["none", ["beaten", "p"]].tolist() == [1 / 3, 3 / 4]


def test_an_image_has_many_names(folder):
    wanted = explain(folder, "aaaa1111")
    for name in ("aaaa11", "in/cat.png", folder.joinpath("in", "cat.png").relative_to(folder)):
        pd.testing.assert_frame_equal(explain(folder, name), wanted)


@pytest.mark.parametrize(
    ("name", "found"),
    [("cow.jpg", "none"), ("cat.png", "2: in/cat.png, out/cat.png"), ("aaaa", "none"), ("at.png", "none")],
)
def test_a_name_that_is_not_of_one_image(folder, name, found):
    with pytest.raises(ResultError, match=f"ends in '{name}', got {found}"):
        explain(folder, name)


@pytest.mark.parametrize("read", [load_scores, load_samples])
def test_no_run_folder(tmp_path, read):
    with pytest.raises(ResultError, match="found none; images have scores in a run folder only"):
        read(tmp_path)


def test_without_another_nonmember_there_is_nothing_to_compare_with(folder):
    table = load_scores(folder).query("set == 'member' or id == 'bbbb1111'")
    table.to_parquet(folder / "scores" / "scores.parquet", index=False)
    found = explain(folder, "bbbb1111")
    assert found["beaten"].isna().all()
    assert found["p"].tolist() == [1.0, 1.0]
