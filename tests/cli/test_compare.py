"""`privaudit compare` as a user types it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from runs import labels, write_run

from privaudit.compare import ComparisonResult
from privaudit.compare.comparison_schema import shipped_comparison_schema
from privaudit.evaluation import Check
from privaudit.evaluation.facts import fact

MEMBER = labels(300)


def simulate(strength: float, noise: int) -> dict:
    of_images, own = np.random.default_rng(7).normal(size=600), np.random.default_rng(noise)
    return {
        ("sima", mask): of_images + 0.4 * own.normal(size=600) + strength * MEMBER for mask in ("none", "influence")
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    broken = (Check("blind baseline", "fail", (fact("blind_not_measured"),)),)
    write_run(folder / "weak", simulate(0.3, 1), MEMBER)
    write_run(folder / "strong", simulate(1.0, 2), MEMBER)
    write_run(folder / "broken", simulate(1.0, 3), MEMBER, checks=broken)
    write_run(folder / "seeded", simulate(1.0, 3), MEMBER, config={"seed": 5, "drop": 0.2})
    return folder


@pytest.mark.parametrize(
    ("new", "flags", "code"),
    [
        ("strong", (), 0),
        ("strong", ("--fail-on-regression",), 1),
        ("strong", ("--fail-on-regression", "--exit-zero"), 0),
        ("strong", ("--fail-on-regression", "--margin", "0.4"), 0),
        ("weak", ("--fail-on-regression",), 0),
        ("broken", (), 0),
        ("broken", ("--fail-on-regression",), 3),
        ("broken", ("--fail-on-regression", "--inconclusive", "fail"), 1),
        ("broken", ("--fail-on-regression", "--inconclusive", "pass"), 0),
        ("seeded", (), 2),
        ("seeded", ("--allow", "seed,masks"), 0),
        ("seeded", ("--allow", "seed", "--allow", "masks", "--fail-on-regression"), 1),
        ("seeded", ("--allow", "all"), 0),
        ("seeded", ("--exit-zero",), 2),
        ("absent", (), 2),
    ],
)
def test_exit_codes(privaudit, new, flags, code):
    assert privaudit("compare", "weak", new, *flags).returncode == code


def test_what_is_not_comparable_is_named_at_once(privaudit):
    done = privaudit("compare", "weak", "seeded")
    assert "same seed in both runs, got 0 in OLD and 5 in NEW" in done.stderr
    assert "same drop in both runs, got 0.4 in OLD and 0.2 in NEW" in done.stderr
    assert done.stdout == ""


def test_wrong_options_are_named_at_once(privaudit):
    done = privaudit("compare", "weak", "strong", "--margin", "2", "--allow", "colour", "--format", "pdf,md")
    assert done.returncode == 2
    for problem in ("margin", "'colour'", "'pdf'", "--out"):
        assert problem in done.stderr


def test_json_alone_goes_to_standard_output(privaudit):
    done = privaudit("compare", "weak", "strong", "--json")
    found = ComparisonResult.from_json(done.stdout)
    change = next(c for c in found.changes if (c.mask, c.metric) == ("none", "auroc"))
    assert change.difference.lo > 0.1
    assert done.stderr == ""


def test_files(privaudit, root):
    done = privaudit("compare", "weak", "strong", "--out", "both")
    assert {path.name for path in (root / "both").iterdir()} == {"comparison.json", "comparison.md", "comparison.html"}
    assert "both/comparison.html" in done.stdout
    privaudit("compare", "weak", "strong", "--out", "one", "--format", "md")
    assert {path.name for path in (root / "one").iterdir()} == {"comparison.md"}
    assert (root / "one" / "comparison.md").read_text() == (root / "both" / "comparison.md").read_text()


def test_the_schema_needs_no_runs(privaudit, monkeypatch):
    assert privaudit("compare", "--schema").stdout == shipped_comparison_schema()
    monkeypatch.setenv("PRIVAUDIT_SCHEMA", "1")  # what a file or a variable says of reports is not asked here
    assert "LEAKS MORE" in privaudit("compare", "weak", "strong").stdout


def test_a_refused_comparison_leaves_no_old_files(privaudit, root):
    privaudit("compare", "weak", "strong", "--out", "stale")
    assert privaudit("compare", "weak", "seeded", "--out", "stale").returncode == 2
    assert list((root / "stale").iterdir()) == []


def test_options_of_a_scan_do_not_apply(privaudit, root, monkeypatch):
    """What CI configures for a scan says nothing about where a comparison goes."""
    monkeypatch.setenv("PRIVAUDIT_FORMAT", "html,junit")
    monkeypatch.setenv("PRIVAUDIT_OUT", "elsewhere")
    assert privaudit("compare", "weak", "strong").returncode == 0
    assert not (root / "elsewhere").exists()


def test_variables_and_files_set_the_rest(privaudit, root, monkeypatch):
    monkeypatch.setenv("PRIVAUDIT_FAIL_ON_REGRESSION", "1")
    assert privaudit("compare", "weak", "strong").returncode == 1
    (root / "own.toml").write_text("margin = 0.4\nformat = 'html'\nout = 'elsewhere'\n")
    assert privaudit("compare", "weak", "strong", "--config", "own.toml").returncode == 0
    assert not (root / "elsewhere").exists()


def test_summary(privaudit):
    done = privaudit("compare", "weak", "strong", "--fail-on-regression")
    assert "LEAKS MORE" in done.stdout
    assert "--fail-on-regression: FAIL" in done.stdout
    assert json.loads(privaudit("compare", "weak", "strong", "--json").stdout)["tests"] == 2
