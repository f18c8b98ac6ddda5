"""The GitHub action: its steps are run here as a runner runs them, on a small real model."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from actions import ROOT, read_yaml, run_action
from models import save_small_pipeline, write_images
from typer.main import get_command

from privaudit.cli import app
from privaudit.report.formats import FORMATS

ACTION = read_yaml(ROOT / "action.yml")
STEPS = ACTION["runs"]["steps"]
HERE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
SMALL = "--attack=loss:levels=100\n--device=cpu\n--quiet"
ALL_REPORTS = ("report.json", "report.html", "report.md", "report.sarif", "junit.xml")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model and two sets, in the folder that the jobs work in."""
    folder = tmp_path_factory.mktemp("action") / "work"
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 24, seed=1)
    write_images(folder / "nonmembers", 24, seed=2)
    return folder


def scan(place: Path, **inputs: str):
    defaults = {"target": "model", "members": "members", "nonmembers": "nonmembers", "install": "false", "args": SMALL}
    return run_action(place, HERE, **(defaults | inputs))


@pytest.mark.parametrize(
    ("gates", "inconclusive", "code", "verdict"),
    [
        ("auroc>0.75", "", 0, "pass"),
        ("\nauroc > 0.75\nauroc>0.2\n", "", 1, "fail"),
        ("tpr@0.1%fpr>0.05", "", 3, "inconclusive"),
    ],
)
def test_the_job_ends_as_the_scan_did_and_keeps_its_reports(place, gates, inconclusive, code, verdict):
    job = scan(place, fail_on=gates, inconclusive=inconclusive)
    assert job.outputs["action"] == {"exit-code": str(code), "verdict": verdict, "report": "privaudit-run"}, job.log
    assert job.failed == code
    report = json.loads((place / "privaudit-run" / "report.json").read_text())
    assert report["verdict"]["status"] == verdict
    assert [gate["gate"] for gate in report["verdict"]["gates"]] == [line for line in gates.splitlines() if line]
    assert all((place / "privaudit-run" / name).stat().st_size for name in ALL_REPORTS)
    assert job.summary.endswith((place / "privaudit-run" / "report.md").read_text())
    assert job.uploaded


def test_an_error_is_reported_too(place):
    job = scan(place, target="no-such-model", fail_on="auroc>0.75", out="failed-run")
    assert job.outputs["action"] == {"exit-code": "2", "verdict": "error", "report": "failed-run"}
    assert job.failed == 2
    assert "no-such-model" in job.log
    assert json.loads((place / "failed-run" / "report.json").read_text())["verdict"]["status"] == "error"
    assert job.summary.endswith((place / "failed-run" / "report.md").read_text())


def test_reports_of_an_earlier_run_are_not_passed_on(place):
    """A run folder that was cached, and a mistake in the arguments, which leaves nothing to report."""
    stale = place / "stale-run"
    stale.mkdir()
    for form in FORMATS.values():
        (stale / form.file).write_text("{}")
    job = scan(place, out="stale-run", args="--no-such-option")
    assert (job.failed, job.outputs["action"]["verdict"]) == (2, "error")
    assert "exit code 2" in job.summary or (stale / "report.md").read_text() in job.summary
    assert not [path.name for path in stale.iterdir() if path.read_bytes() == b"{}"]


HOSTILE = ("'; touch pwned; '", "$(touch pwned)", "`touch pwned`", '"; touch pwned; "', "x\ntouch pwned")


@pytest.mark.parametrize("name", ["target", "members", "fail_on", "format", "args", "config", "inconclusive", "out"])
def test_no_input_is_read_as_shell_code(place, tmp_path, name):
    """The command is stood in for by one that prints what it is given: what arrives is the text itself."""
    for number, text in enumerate(HOSTILE):
        folder = tmp_path / str(number) / "work"
        job = run_action(
            folder, stand_in(tmp_path, "privaudit", "exit 2"), **({"install": "false", "target": "m"} | {name: text})
        )
        assert not list(tmp_path.rglob("pwned"))
        assert not Path("pwned").exists()
        lines = text.splitlines() if name in ("fail_on", "args") else [text]
        assert all(line in job.log for line in lines)
        assert job.outputs["action"]["exit-code"] == "2"


def stand_in(folder: Path, name: str, then: str) -> str:
    """PATH with a command that prints its arguments, one a line."""
    command = folder / "stand-in" / name
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/bash\nprintf \'%s\\n\' "$0" "$@"\n{then}\n')
    command.chmod(0o755)
    return f"{command.parent}{os.pathsep}{os.environ['PATH']}"


def test_a_value_that_looks_like_an_option_stays_a_value(tmp_path):
    job = run_action(
        tmp_path / "work",
        stand_in(tmp_path, "privaudit", "exit 2"),
        install="false",
        target="--help",
        members="--quiet",
    )
    given = job.log.splitlines()
    assert "--members=--quiet" in given
    assert given[-4:-2] == ["--", "--help"]


def test_nothing_that_the_scan_prints_is_obeyed_by_the_runner(tmp_path):
    job = run_action(tmp_path / "work", stand_in(tmp_path, "privaudit", "echo ::error::x"), install="false", target="m")
    first, *_, printed, _, last = job.log.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert token != first
    assert len(token) > 8
    assert (printed, last) == ("::error::x", f"::{token}::")


@pytest.mark.parametrize("out", [".", ""])
def test_only_reports_of_an_earlier_run_are_deleted(tmp_path, out):
    work = tmp_path / "work"
    folder = work / (out or "privaudit-run")
    folder.mkdir(parents=True)
    for name in ("report.html", "metrics.csv", "report.tex", "metrics.py"):
        (folder / name).touch()
    job = run_action(work, stand_in(tmp_path, "privaudit", "exit 2"), install="false", target="m", out=out)
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.py", "report.tex"]
    assert job.outputs["scan"]["report"] == (out or "privaudit-run")


def test_blanks_around_a_value_are_none_of_its_own(tmp_path):
    job = run_action(
        tmp_path / "work",
        stand_in(tmp_path, "privaudit", "exit 2"),
        install="false",
        target=" model\n",
        members="a b\n",
        **{"fail-on": "\n   \n auroc > 0.75 \n", "args": "  --seed=3\n \n"},
    )
    given = job.log.splitlines()
    assert {"--members=a b", "--fail-on=auroc > 0.75", "--seed=3"} <= set(given)
    assert sum(line.startswith("--fail-on") for line in given) == 1
    assert given[-4:-2] == ["--", "model"]


class TestInstallation:
    def run(self, tmp_path, **inputs):
        """With a stand-in for python whose venv holds a stand-in, too."""
        copy = '[ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }'
        return run_action(tmp_path / "work", stand_in(tmp_path, "python", copy), target="model", **inputs)

    def test_takes_the_versions_that_were_tested(self, tmp_path):
        job = self.run(tmp_path)
        installed = job.log[job.log.index("\npip\n") :].splitlines()[2:6]
        assert installed == ["install", "-c", str(ROOT / "constraints.txt"), str(ROOT)]
        assert (ROOT / "constraints.txt").is_file()
        assert not job.file("path").exists(), "later steps keep their python"
        assert job.used("actions/setup-python") == [{"python-version": "3.11"}]

    def test_is_what_the_scan_runs(self, tmp_path):
        installed = 'cp "$0" "$3/bin/privaudit"'
        copy = f'[ "$2" != venv ] || {{ mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; {installed}; }}'
        job = run_action(tmp_path / "work", stand_in(tmp_path, "python", copy), target="model")
        assert f"\n{tmp_path}/privaudit/bin/privaudit\nscan\n" in job.log

    def test_takes_other_constraints(self, tmp_path):
        assert "-c\nmine.txt\n" in self.run(tmp_path, constraints="mine.txt").log

    def test_is_left_out_on_request(self, tmp_path):
        assert not {"Set up Python", "Install privaudit"} & set(self.run(tmp_path, install="false").ran)

    def test_that_fails_is_an_error(self, tmp_path):
        job = run_action(tmp_path / "work", stand_in(tmp_path, "python", "exit 1"), target="model")
        assert "Scan" not in job.ran
        assert job.ran[-1] == "Exit as the scan did"
        assert job.failed


class TestWhatLeavesTheMachine:
    def test_only_aggregates_are_uploaded(self, tmp_path):
        path = stand_in(tmp_path, "privaudit", "exit 0")
        job = run_action(tmp_path / "work", path, target="m", install="false", out="o")
        wanted = {f"o/{form.file}" for form in FORMATS.values() if form.aggregates}
        assert job.uploaded == {"privaudit-report": wanted}

    def test_report_json_is_opt_in(self, tmp_path):
        path = stand_in(tmp_path, "privaudit", "exit 0")
        job = run_action(tmp_path / "work", path, target="m", install="false", out="o", upload_json="true")
        assert job.uploaded["privaudit-report-json"] == {"o/report.json"}

    def test_images_and_code_scanning_are_opt_in(self, tmp_path):
        path = stand_in(tmp_path, "privaudit", "exit 0")
        quiet = run_action(tmp_path / "a" / "work", path, target="m", install="false", artifact_name="")
        assert "--include-images" not in quiet.log
        assert not quiet.uploaded
        assert not quiet.used("github/codeql-action/upload-sarif")
        asked = run_action(
            tmp_path / "b" / "work", path, target="m", install="false", include_images="true", upload_sarif="true"
        )
        assert "--include-images" in asked.log
        (sarif,) = asked.used("github/codeql-action/upload-sarif")
        assert sarif["sarif_file"] == "privaudit-run/report.sarif"


class TestText:
    def test_scripts_hold_no_expression(self):
        assert not [step["name"] for step in STEPS if "${{" in step.get("run", "")]

    def test_every_used_action_is_pinned_to_a_commit(self):
        text = (ROOT / "action.yml").read_text()
        used = re.findall(r"uses: (.*)", text)
        assert len(used) == sum("uses" in step for step in STEPS)
        for line in used:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line

    def test_every_input_is_used_and_described(self):
        text = (ROOT / "action.yml").read_text()
        for name, declared in ACTION["inputs"].items():
            assert f"inputs.{name} " in text, f"{name} is not used"
            assert declared["description"]

    def test_every_option_exists(self):
        (script,) = [step["run"] for step in STEPS if step.get("id") == "scan"]
        known = {name for parameter in get_command(app).commands["scan"].params for name in parameter.opts}
        assert set(re.findall(r"--[a-z][a-z-]+", script)) <= known


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "ci").glob("*.y*ml")) + [ROOT / ".github/workflows/ci.yml"]
)
def test_examples_give_inputs_that_the_action_has(path):
    for job in read_yaml(path).get("jobs", {}).values():
        for step in job["steps"]:
            if re.match(r"\./$|\S+/privaudit@", step.get("uses", "")):
                assert step["with"].keys() <= ACTION["inputs"].keys()
                assert "target" in step["with"]
