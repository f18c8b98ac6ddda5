"""Verdict and flags decide the exit code, and the reports that were asked for exist whatever it is."""

from __future__ import annotations

import csv
import io
import itertools
import json
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from models import save_small_pipeline, write_images
from results import make_result, noted

from privaudit.auditing.earlier_results import clear_results, discard_earlier, stale_results
from privaudit.errors import PrivauditError, TargetError
from privaudit.evaluation import Check, fact
from privaudit.report.formats import FORMATS
from privaudit.results.audit_result import AuditFailure, load_report
from privaudit.storage.files import locked, write_text

FILES = tuple(form.file for form in FORMATS.values())
BROKEN = Check("blind baseline 2", "fail", noted("the sets differ in their colours"))
OUTCOMES = {
    "pass": ("auroc>0.9",),
    "fail": ("auroc>0.6",),
    "inconclusive": ("auroc>0.9",),
    "no gates": (),
    "no gates, a check failed": (),
}
"""Gates on simulated scores of AUROC .8, and of which verdict they make."""
ERRORS = {
    "a model that cannot be loaded": TargetError("expected a diffusers folder, got x"),
    "a disk that is full": OSError(28, "No space left on device"),
    "a defect": RuntimeError("a defect of ours"),
}
FLAGS = [
    (inconclusive, zero) for inconclusive in ((), ("pass",), ("fail",), ("error",)) for zero in ((), ("--exit-zero",))
]


def expected_code(outcome: str, inconclusive: tuple[str, ...], zero: tuple[str, ...]) -> int:
    """The contract, written out."""
    if zero or outcome in ("pass", "no gates", "no gates, a check failed"):
        return 0
    if outcome == "fail":
        return 1
    return {"pass": 0, "fail": 1, "error": 3}[inconclusive[0] if inconclusive else "error"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exit")
    write_images(folder / "members", 2, seed=1)
    write_images(folder / "others", 2, seed=2)
    return folder


@pytest.fixture
def audits(monkeypatch):
    """Let an audit end with a result or an error, without a model; the run folder is prepared as it always is."""

    def end_with(outcome):
        def run_audit(options, progress=None):
            clear_results(options.out, options.sources)
            if isinstance(outcome, Exception):
                raise outcome
            write_text(options.out / "report.json", outcome.to_json())
            discard_earlier(options.out)
            return outcome

        monkeypatch.setattr("privaudit.auditing.run.run_audit", run_audit)

    return end_with


@pytest.fixture
def scan(privaudit):
    def run(*arguments: object):
        return privaudit("scan", "model", "--members", "members", "--nonmembers", "others", *arguments)

    return run


def made(outcome: str):
    failed = (BROKEN,) if outcome in ("inconclusive", "no gates, a check failed") else ()
    return make_result(images=200, attacks=("sima",), gates=OUTCOMES[outcome], checks=failed)


def assert_well_formed(folder, status: str) -> None:
    """Every format can be read by what reads it, and says how the audit ended."""
    assert sorted(path.name for path in folder.iterdir() if path.name in FILES) == sorted(FILES)
    report = load_report(folder)
    assert report.verdict.status == status
    HTMLParser().feed((folder / "report.html").read_text())
    assert (folder / "report.html").read_text().lower().startswith("<!doctype html>")
    assert (folder / "report.md").read_text().strip()
    assert (folder / "model-card.md").read_text().strip()
    suites = ET.parse(folder / "junit.xml").getroot()
    assert (suites.find(".//error") is not None) == (status == "error")
    if report.verdict.status == "fail":
        assert suites.find(".//failure") is not None
    (run,) = json.loads((folder / "report.sarif").read_text())["runs"]
    assert run["invocations"][0]["executionSuccessful"] == (status != "error")
    assert list(csv.reader(io.StringIO((folder / "metrics.csv").read_text())))
    pd.read_parquet(folder / "metrics.parquet")


@pytest.mark.parametrize(("outcome", "flags"), list(itertools.product(OUTCOMES, FLAGS)))
def test_verdict_and_flags_decide_the_exit_code(scan, audits, tmp_path, outcome, flags):
    inconclusive, zero = flags
    result = made(outcome)
    assert result.verdict.status == {"no gates": "pass", "no gates, a check failed": "inconclusive"}.get(
        outcome, outcome
    )
    audits(result)
    chosen = [f"--inconclusive={choice}" for choice in inconclusive]
    done = scan("--out", tmp_path / "run", *chosen, *zero, "--quiet", "--format", "junit")
    assert done.returncode == expected_code(outcome, inconclusive, zero), done.stderr
    for gate in result.verdict.gates:
        assert f"gate {gate.gate}: {gate.status.upper()}" in done.stdout, "what is printed is what decides"
    assert done.stdout.rstrip().endswith(f"; exit code {done.returncode}"), "the last line, without a page to open"
    assert done.stderr == ""


@pytest.mark.parametrize("outcome", list(OUTCOMES))
def test_all_reports_exist_whatever_the_verdict(scan, audits, tmp_path, outcome):
    result = made(outcome)
    audits(result)
    done = scan("--out", tmp_path / "run", "--format", ",".join(FORMATS))
    assert_well_formed(tmp_path / "run", result.verdict.status)
    for file in FILES:
        assert str(tmp_path / "run" / file) in done.stdout, "a path is never broken over lines"
    assert done.stdout.splitlines()[-1] == f"open {tmp_path / 'run' / 'report.html'}"


@pytest.mark.parametrize("flags", [(), ("--exit-zero",), ("--inconclusive", "pass")])
@pytest.mark.parametrize("error", list(ERRORS))
def test_an_error_exits_2_and_all_reports_say_so(scan, audits, tmp_path, error, flags):
    audits(ERRORS[error])
    done = scan("--out", tmp_path / "run", "--format", ",".join(FORMATS), "--fail-on", "auroc>0.6", *flags)
    assert done.returncode == 2
    assert_well_formed(tmp_path / "run", "error")
    failure = load_report(tmp_path / "run")
    assert isinstance(failure, AuditFailure)
    assert failure.kind == type(ERRORS[error]).__name__
    assert failure.defect == (error == "a defect")
    assert ("Traceback" in done.stderr) == failure.defect
    assert failure.config["fail_on"] == ["auroc>0.6"]
    assert failure.verdict.reasons[0] in done.stderr.replace("\n", " ")


def test_reports_of_an_earlier_run_are_not_in_place_of_those_of_an_error(scan, audits, tmp_path):
    audits(made("pass"))
    scan("--out", tmp_path / "run", "--format", ",".join(FORMATS))
    audits(ERRORS["a disk that is full"])
    assert scan("--out", tmp_path / "run", "--format", "md").returncode == 2
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["previous", "report.json", "report.md"]
    assert "No space left" in (tmp_path / "run" / "report.md").read_text()


class TestAFinishedReport:
    """A command that fails must not destroy what an earlier one has found."""

    @pytest.fixture
    def run(self, scan, audits, tmp_path):
        folder = tmp_path / "run"
        audits(made("pass"))
        assert scan("--out", folder, "--format", ",".join(FORMATS)).returncode == 0
        (folder / "scores").mkdir()
        for name in ("samples.parquet", "exposed.json", "scores/scores.parquet"):
            (folder / name).write_text(name)
        return folder

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--nope",),
            ("--drop", "1"),
            ("--members", "nowhere"),
            ("--members", "others"),
            (),
        ],
    )
    def test_survives_an_error(self, scan, audits, run, arguments):
        before = {name: (run / name).read_bytes() for name in [*FILES, "samples.parquet", "exposed.json"]}
        audits(ERRORS["a model that cannot be loaded"])
        done = scan("--out", run, *arguments, "--format", ",".join(FORMATS))
        assert done.returncode == 2
        assert_well_formed(run, "error")
        assert not (run / "samples.parquet").exists()
        assert {name: (run / "previous" / name).read_bytes() for name in before} == before
        assert (run / "previous" / "scores" / "scores.parquet").read_text() == "scores/scores.parquet"
        kept = run / "previous" / "report.html"
        assert f"note: the report of the earlier audit is kept: open {kept}\n" in done.stderr
        told = "The report of the earlier audit is kept: previous/report.html"
        assert load_report(run).verdict.reasons[-1] == told
        assert told in (run / "report.html").read_text()

    def test_survives_error_after_error(self, scan, audits, run):
        before = (run / "report.json").read_bytes()
        for error in ERRORS.values():
            audits(error)
            done = scan("--out", run)
            assert done.returncode == 2
            assert "the report of the earlier audit is kept" in done.stderr
        assert (run / "previous" / "report.json").read_bytes() == before
        assert load_report(run).verdict.reasons[0] == "RuntimeError: a defect of ours"

    def test_is_replaced_by_the_next_one(self, scan, audits, run):
        (run / "previous").mkdir()
        (run / "previous" / "notes.txt").write_text("mine")
        audits(ERRORS["a defect"])
        scan("--out", run)
        audits(made("fail"))
        done = scan("--out", run)
        assert "previous" not in done.stdout + done.stderr
        assert load_report(run).verdict.status == "fail"
        assert [path.name for path in (run / "previous").iterdir()] == ["notes.txt"], "only what a run wrote is deleted"

    def test_leaves_no_folder_behind_once_replaced(self, scan, audits, run):
        audits(ERRORS["a defect"])
        scan("--out", run)
        audits(made("pass"))
        scan("--out", run)
        assert not (run / "previous").exists()

    def test_of_two_the_later_one_is_kept(self, scan, audits, run):
        audits(ERRORS["a defect"])
        scan("--out", run)
        later = made("inconclusive")
        (run / "report.json").write_text(later.to_json())  # as if an audit had been killed before it cleaned up
        scan("--out", run)
        assert (run / "previous" / "report.json").read_text() == later.to_json()
        assert not (run / "previous" / "samples.parquet").exists(), "nothing of two runs is mixed"

    def test_survives_an_interruption(self, scan, run, monkeypatch):
        def interrupted(options, progress=None):
            clear_results(options.out, options.sources)
            raise KeyboardInterrupt

        monkeypatch.setattr("privaudit.auditing.run.run_audit", interrupted)
        done = scan("--out", run)
        assert done.returncode == 130
        assert f"the report of the earlier audit is kept: open {run / 'previous' / 'report.html'}" in done.stderr

    def test_is_no_input_of_the_run_that_would_move_it(self, scan, audits, run):
        audits(ERRORS["a defect"])
        scan("--out", run)
        audits(made("pass"))
        done = scan("--out", run, "--members", run / "previous" / "samples.parquet")
        assert done.returncode == 2
        assert "expected inputs that the run does not overwrite" in done.stderr
        assert (run / "previous" / "samples.parquet").read_text() == "samples.parquet"


def test_every_file_of_every_format_is_known_to_be_stale(tmp_path):
    assert not set(FILES) <= set(stale_results(tmp_path)), "in a folder that is no run they may be the user's"
    (tmp_path / "report.json").write_text("")
    assert set(FILES) <= set(stale_results(tmp_path))


def test_files_of_that_name_in_a_folder_that_is_no_run_are_kept(scan, audits, tmp_path):
    (tmp_path / "metrics.csv").write_text("mine")
    audits(made("pass"))
    assert scan("--out", tmp_path, "--format", "md").returncode == 0
    assert (tmp_path / "metrics.csv").read_text() == "mine"


def test_json_of_an_error_is_on_standard_output(scan, audits, tmp_path):
    audits(ERRORS["a model that cannot be loaded"])
    done = scan("--out", tmp_path / "run", "--json", "--quiet")
    assert json.loads(done.stdout)["verdict"] == {"status": "error", "reasons": ["expected a diffusers folder, got x"]}
    assert done.stdout == (tmp_path / "run" / "report.json").read_text()


class TestWrongOptions:
    def test_are_reported_where_the_run_folder_is_known(self, scan, tmp_path):
        done = scan("--drop", "1", "--seed", "x", "--out", tmp_path / "run", "--format", ",".join(FORMATS))
        assert done.returncode == 2
        assert_well_formed(tmp_path / "run", "error")
        reasons = load_report(tmp_path / "run").verdict.reasons
        assert reasons == (
            "expected seed as a whole number, got x (--seed)",
            "expected 0 <= drop < 1, got 1.0 (--drop)",
        )
        assert done.stderr == "".join(f"error: {reason}\n" for reason in reasons)
        config = load_report(tmp_path / "run").config
        assert (config["seed"], config["drop"], config["attacks"], config["members"]) == ("x", "1", [], "members")

    def test_leave_no_folder_behind_where_it_is_not(self, scan, root):
        assert scan("--drop", "1").returncode == 2
        assert not (root / "privaudit-runs").exists()

    def test_replace_the_reports_of_an_earlier_run_in_the_default_folder(
        self, scan, audits, root, tmp_path, monkeypatch
    ):
        for name in ("members", "others"):
            (tmp_path / name).symlink_to(root / name)
        monkeypatch.chdir(tmp_path)
        audits(made("pass"))
        assert scan().returncode == 0
        assert scan("--drop", "1").returncode == 2
        assert load_report(tmp_path / "privaudit-runs" / "model").verdict.status == "error"

    def test_never_overwrite_an_input(self, scan, tmp_path):
        (tmp_path / "report.json").write_text("a manifest")
        done = scan("--members", tmp_path / "report.json", "--out", tmp_path, "--drop", "1")
        assert done.returncode == 2
        assert (tmp_path / "report.json").read_text() == "a manifest"

    @pytest.mark.parametrize("command", ["scan", "demo"])
    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--nope",), "No such option: --nope"),
            (("model", "mine/x", "y"), "Got unexpected extra argument"),
            ((), "expected TARGET, got none; privaudit scan --help describes it"),
        ],
    )
    def test_of_usage_are_reported_in_place_of_an_earlier_run(
        self, privaudit, scan, audits, tmp_path, command, arguments, reason
    ):
        if command == "demo" and not arguments:
            pytest.skip("needs no arguments")
        out = ("--out", tmp_path / "run", "--format", ",".join(FORMATS))
        audits(made("pass"))
        assert scan(*out).returncode == 0
        done = privaudit(command, *arguments, *out)
        assert done.returncode == 2
        assert_well_formed(tmp_path / "run", "error")
        assert load_report(tmp_path / "run").verdict.reasons[0].startswith(reason)
        for form in FORMATS.values():
            if form.aggregates:
                assert b"mine/x" not in (tmp_path / "run" / form.file).read_bytes()

    def test_of_usage_are_on_standard_output_as_json(self, privaudit, tmp_path):
        done = privaudit("scan", "model", "--out", tmp_path / "run", "--nope", "--json")
        assert json.loads(done.stdout)["verdict"]["status"] == "error"
        assert "No such option" in done.stderr

    def test_of_usage_write_nothing_where_nothing_is_to_be_written(self, privaudit, root, tmp_path):
        assert privaudit("scan", "model", "--nope").returncode == 2
        assert privaudit("scan", "--out").returncode == 2
        assert privaudit("scan", "--out", tmp_path / "run", "--dry-run").returncode == 2
        assert privaudit("config", "scan", "--out", tmp_path / "run", "--nope").returncode == 2
        assert not (tmp_path / "run").exists()
        assert not (root / "privaudit-runs").exists()

    def test_of_usage_never_overwrite_an_input(self, privaudit, tmp_path):
        (tmp_path / "report.json").write_text("a manifest")
        done = privaudit("scan", "--members", tmp_path / "report.json", "--out", tmp_path)
        assert done.returncode == 2
        assert (tmp_path / "report.json").read_text() == "a manifest"

    def test_of_a_dry_run_write_nothing(self, scan, tmp_path):
        assert scan("--drop", "1", "--out", tmp_path / "run", "--dry-run").returncode == 2
        assert not (tmp_path / "run").exists()


def test_one_report_that_cannot_be_made_does_not_hide_the_audit(scan, audits, tmp_path, monkeypatch):
    def broken(result):
        raise PrivauditError("expected less, got more")

    monkeypatch.setitem(FORMATS._entries, "md", replace(FORMATS["md"], result=broken))
    audits(made("fail"))
    done = scan("--out", tmp_path / "run", "--format", "md,junit")
    assert done.returncode == 2
    assert "gate auroc>0.6: FAIL" in done.stdout
    assert "error: expected less, got more" in done.stderr
    assert load_report(tmp_path / "run").verdict.status == "fail", "the result stands"
    assert (tmp_path / "run" / "junit.xml").is_file()
    assert not (tmp_path / "run" / "report.md").exists()


def test_a_report_of_an_error_that_cannot_be_made_does_not_hide_the_error(scan, audits, tmp_path, monkeypatch):
    def broken(failure):
        raise RuntimeError("another")

    monkeypatch.setitem(FORMATS._entries, "md", replace(FORMATS["md"], failure=broken))
    audits(ERRORS["a model that cannot be loaded"])
    done = scan("--out", tmp_path / "run", "--format", "md")
    assert done.returncode == 2
    assert "error: expected a diffusers folder, got x" in done.stderr
    assert "not every report of this error could be written: another" in done.stderr
    assert load_report(tmp_path / "run").verdict.status == "error"


def test_an_interrupted_audit_exits_130_without_a_report(scan, audits, tmp_path, monkeypatch):
    audits(made("pass"))
    scan("--out", tmp_path / "run")

    def interrupted(options, progress=None):
        clear_results(options.out, options.sources)
        raise KeyboardInterrupt

    monkeypatch.setattr("privaudit.auditing.run.run_audit", interrupted)
    done = scan("--out", tmp_path / "run")
    assert done.returncode == 130
    assert "resumes where it stopped" in done.stderr
    assert not (tmp_path / "run" / "report.json").exists()


@pytest.mark.parametrize(
    "arguments", [("scan",), ("scan", "model", "--no-such-option"), ("scan", "a", "b"), ("nonsense",)]
)
def test_wrong_usage_exits_2(privaudit, arguments):
    assert privaudit(*arguments).returncode == 2


class TestEndToEnd:
    """The same with a real, small model: what is patched above is what really happens."""

    @pytest.fixture(scope="class")
    @classmethod
    def root(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("real")
        save_small_pipeline(folder / "model")
        write_images(folder / "members", 12, seed=1)
        write_images(folder / "others", 12, seed=2)
        return folder

    def test_nothing_that_leaves_names_a_folder_an_image_or_a_group(self, privaudit, root, tmp_path):
        if not (root / "clinic").exists():
            (root / "clinic").mkdir()
            (root / "clinic" / "model").symlink_to(root / "model")
        names = sorted(path.name for path in (root / "members").iterdir())
        (root / "members" / "jane doe.png").write_text("no image")
        rows = [f"members/{name},{'mrs smith' if place % 2 else 'bob'}" for place, name in enumerate(names)]
        (root / "mine.csv").write_text("\n".join(["path,group", *rows, "members/jane doe.png,bob"]))
        quick = ("--attack", "sima:levels=20", "--geometry-latents", "encoder", "--device", "cpu")
        sets = ("--members", "mine.csv", "--nonmembers", "others")
        out = ("--out", tmp_path / "run", "--format", ",".join(FORMATS))
        done = privaudit("scan", "clinic/model", *sets, *quick, *out)
        assert done.returncode == 0, done.stderr
        result = load_report(tmp_path / "run")
        assert result.folders == ("target",)
        assert {group.name for group in result.attacks[0].groups} == {"mrs smith", "bob"}
        (check,) = [check for check in result.checks if check.name == "unreadable files"]
        assert check.facts == (fact("files_skipped", files=1),)
        for form in FORMATS.values():
            content = (tmp_path / "run" / form.file).read_bytes()
            for name in (b"smith", b"jane", b"clinic"):
                named = not form.aggregates or (form.name, name) == (
                    "sarif",
                    b"clinic",
                )  # its locations, see formats.md
                assert (name in content) == named, (form.name, name)
        assert "smith" not in done.stdout
        assert "jane" not in done.stdout
        assert "jane" not in result._repr_html_()
        assert "clinic" not in result._repr_html_() + repr(result)

    @pytest.mark.parametrize("strict", [("--strict",), ()])
    def test_no_report_that_leaves_names_an_image(self, scan, root, tmp_path, strict):
        (root / "some broken").mkdir(exist_ok=True)
        (root / "some broken" / "mrs smith.png").write_text("no image")
        done = scan("--members", "some broken", *strict, "--out", tmp_path / "run", "--format", ",".join(FORMATS))
        assert done.returncode == 2
        assert "mrs smith.png: not a readable image" in done.stderr, "whoever runs it is told"
        for form in FORMATS.values():
            content = (tmp_path / "run" / form.file).read_bytes()
            assert (b"smith" in content) == (not form.aggregates), form.name
            assert b"not a readable image" in content, form.name

    @pytest.mark.parametrize(
        ("flags", "code", "status"),
        [
            (("--fail-on", "auroc>0.01"), 1, "fail"),
            (("--fail-on", "tpr@0.1%fpr>0.5"), 3, "inconclusive"),
            (("--nonmembers", "nowhere"), 2, "error"),
            (("--reference", "nowhere"), 2, "error"),
        ],
    )
    def test_codes_and_reports(self, scan, tmp_path, flags, code, status):
        quick = ("--attack", "sima:levels=20", "--geometry-latents", "encoder", "--device", "cpu")
        done = scan(*quick, *flags, "--out", tmp_path / "run", "--format", ",".join(FORMATS))
        assert done.returncode == code, done.stderr
        assert_well_formed(tmp_path / "run", status)


def test_a_folder_that_another_run_writes_to_is_left_alone(scan, audits, tmp_path):
    audits(made("pass"))

    def other() -> None:
        with locked(tmp_path / "run"):
            started.set()
            done.wait(60)

    started, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    started.wait(60)
    refused = [scan("--out", tmp_path / "run"), scan("--out", tmp_path / "run", "--drop", "1")]
    done.set()
    thread.join()
    assert [run.returncode for run in refused] == [2, 2]
    assert "error: expected a folder that no other run writes to" in refused[0].stderr
    assert list((tmp_path / "run").iterdir()) == []
    assert scan("--out", tmp_path / "run").returncode == 0


def test_a_closed_standard_output_is_no_defect(scan, audits, tmp_path, monkeypatch):
    audits(made("pass"))
    monkeypatch.setattr("sys.stdout", None)
    assert scan("--out", tmp_path / "run").returncode == 0
