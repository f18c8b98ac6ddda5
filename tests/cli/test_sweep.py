"""`privaudit sweep` as a user meets it."""

from __future__ import annotations

import pandas as pd
import pytest
from models import save_small_pipeline, write_images
from PIL import Image

from privaudit.attacks.parsing import DEFAULT


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 12, seed=1)
    write_images(folder / "others", 12, seed=2)
    return folder


@pytest.fixture
def sweep(privaudit):
    def run(*arguments: object):
        common = ("--members", "members", "--nonmembers", "others", "--device", "cpu", "--geometry-latents", "encoder")
        return privaudit("sweep", "model", *common, *arguments)

    return run


def test_writes_table_and_picture_and_prints_the_best_levels(root, sweep):
    done = sweep("--attack", "sima", "--attack", "pfami", "--points", 3)
    assert done.returncode == 0, done.stderr
    assert "Best of 3 levels, 12 members and 12 non-members" in done.stdout
    assert "not swept: pfami has no score for each of its levels" in done.stdout
    assert "running attacks: 24 done" in done.stderr
    folder = root / "privaudit-runs" / "model-sweep"
    table = pd.read_csv(folder / "sweep.csv")
    assert sorted(set(table["level"])) == [0, 150, 599]
    with Image.open(folder / "sweep.png") as picture:
        assert picture.width > 500


def test_the_default_attacks_are_swept_without_the_scorer(sweep):
    done = sweep("--points", 2, "--quiet", "--out", "default")
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(f"\n{name} " in done.stdout for name in DEFAULT)
    assert "not swept" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--points", "1"), "expected at least 2 points"),
        (("--attack", "gsa"), "expected an attack that can be swept: gsa"),
        (("--mask-scope", "x"), "expected --mask-scope to be one of"),
        (("--batch-size", "many"), "auto or a number"),
    ],
)
def test_errors_are_one_line_and_exit_2(sweep, arguments, message):
    done = sweep(*arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert message in line


def test_all_problems_are_named_at_once(sweep):
    done = sweep("--points", "1", "--drop", "2")
    assert done.returncode == 2
    text = " ".join(done.stderr.split())
    assert "expected 0 <= drop < 1, got 2.0 (--drop)" in text
    assert "expected at least 2 points (25 is usual), got 1 (--points)" in text
