"""What a scan can be told to choose: shares to drop and parameters of an attack, by flag, variable and file."""

from __future__ import annotations

import json

import pytest
from models import save_small_pipeline, write_images

from privaudit.results.audit_result import AuditResult


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("choices")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 12, seed=1)
    write_images(folder / "others", 12, seed=2)
    return folder


@pytest.fixture
def report(privaudit, root):
    """Scan with the cheapest geometry and return the report as JSON."""

    def run(*arguments: str) -> dict:
        done = privaudit(
            *("scan", "model", "--members", "members", "--nonmembers", "others", "--device", "cpu", "--json"),
            *("--format", "json"),
            *("--geometry-latents", "encoder", *arguments),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_shares_to_drop_by_flag_variable_and_file(report, root, monkeypatch):
    fixed = ("--attack", "sima:levels=20")
    assert report(*fixed)["config"]["drop"] == 0.4
    assert report(*fixed, "--drop", "0.5")["config"]["drop"] == 0.5
    by_flag = report(*fixed, "--drop", "0.2,0.6")
    assert by_flag["config"]["drop"] == [0.2, 0.6]
    (root / "list.toml").write_text("drop = [0.2, 0.6]\n")
    (root / "text.toml").write_text("drop = '0.2,0.6'\n")
    for name in ("list.toml", "text.toml"):
        assert report(*fixed, "--config", name)["attacks"][0]["choices"] == by_flag["attacks"][0]["choices"]
    monkeypatch.setenv("PRIVAUDIT_DROP", "0.3,0.6")
    assert report(*fixed, "--config", "list.toml")["config"]["drop"] == [0.3, 0.6]


def test_the_report_lists_what_was_compared_and_what_each_fold_chose(report, root):
    arguments = ("--attack", "sima:order=2,4:levels=20,60", "--attack", "selected", "--drop", "0.2,0.6", "--out", "all")
    found = {attack["name"]: attack for attack in report(*arguments)["attacks"]}
    sima = found["sima"]
    assert sima["search_space"] == [f"order {order}, level {level}" for order in (2, 4) for level in (20, 60)]
    candidates, drop = sima["choices"]
    assert (candidates["search_space"], drop["search_space"]) == (sima["search_space"], [0.2, 0.6])
    for choice in sima["choices"]:
        assert len(choice["by_fold"]) == 5
        assert set(choice["by_fold"]) <= set(choice["search_space"])
    assert sima["parameters"]["order"] == [2.0, 4.0]
    assert sima["passes"] == 2
    assert found["selected"]["choices"][0]["what"] == "attack, level and mask"
    assert AuditResult.load(root / "all").attacks[0].choices[1].search_space == (0.2, 0.6)


def test_what_was_fixed_has_no_choices(report):
    (sima,) = report("--attack", "sima:levels=20")["attacks"]
    assert (sima["choices"], sima["learners"]) == ([], [])


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("0.2,x", "expected --drop as a number, or as several such as 0.2,0.4,0.6, got 0.2,x"),
        ("0.2,1", "expected 0 <= drop < 1, got 1.0"),
        ("0.2,0.2", "expected one fraction to drop, or several that differ, got (0.2, 0.2)"),
    ],
)
def test_shares_that_are_none(privaudit, drop, message):
    sets = ("--members", "members", "--nonmembers", "others")
    done = privaudit("scan", "model", *sets, "--drop", drop, "--batch-size", "many")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "auto or a number" in done.stderr, "all problems at once"


def test_an_estimator_that_settles_one_cut_has_one_share(privaudit):
    sets = ("--members", "members", "--nonmembers", "others")
    done = privaudit("scan", "model", *sets, "--drop", "0.2,0.4", "--influence", "adaptive")
    assert done.returncode == 2
    assert "expected one fraction to drop with adaptive, which settles one cut" in " ".join(done.stderr.split())


@pytest.mark.parametrize("grouped", [False, True])
def test_two_images_a_set_are_enough_where_everything_is_fixed(report, root, tmp_path, grouped):
    """Folds then serve the bound on epsilon and the blind baseline alone, which say that they could not be measured."""
    arguments = []
    for number, name in enumerate(("members", "nonmembers")):
        images = sorted(write_images(tmp_path / name, 2, seed=number).iterdir())
        lines = [f"{path},{name if grouped else ''}" for path in images]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,group", *lines]) + "\n")
        arguments += [f"--{name}", str(tmp_path / f"{name}.csv")]
    found = report(*arguments, "--attack", "sima:levels=20", "--out", str(tmp_path / "run"))
    metrics = found["attacks"][0]["masks"]["none"]
    assert metrics["auroc"]["value"] is not None
    assert metrics["epsilon_lower"]["value"] is None
    assert metrics["epsilon_lower"]["reason"]
    assert next(check["status"] for check in found["checks"] if check["name"] == "blind baseline") == "warn"


def test_two_images_of_one_group_are_not_where_something_is_chosen(privaudit, root, tmp_path):
    images = sorted(write_images(tmp_path / "few", 2, seed=9).iterdir())
    (tmp_path / "few.csv").write_text("\n".join(["path,group", *(f"{path},a" for path in images)]) + "\n")
    done = privaudit(
        *("scan", "model", "--members", tmp_path / "few.csv", "--nonmembers", "others"),
        *("--attack", "sima:levels=20,60", "--out", tmp_path / "run", "--device", "cpu"),
    )
    assert done.returncode == 2
    assert "expected at least 2 members that are not of one group" in " ".join(done.stderr.split())
