"""The command line as a user meets it: arguments in, both streams and the exit code out."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import pytest
from models import save_small_pipeline, write_images
from typer.main import get_command

from privaudit import __version__
from privaudit.attacks import ATTACKS
from privaudit.cli import app
from privaudit.results.audit_result import SCHEMA_VERSION, AuditResult, load_report
from privaudit.scorers import SCORERS


@pytest.fixture
def scan(privaudit):
    def run(*arguments: object):
        return privaudit(
            "scan",
            "model",
            "--members",
            "members",
            "--nonmembers",
            "others",
            "--attack",
            "sima:levels=20",
            "--device",
            "cpu",
            "--format",
            "json,md",
            *arguments,
        )

    return run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 30, seed=1)
    write_images(folder / "others", 30, seed=2)
    return folder


class TestScan:
    def test_prints_the_finding_and_writes_the_report(self, root, scan):
        done = scan()
        assert done.returncode == 0, done.stderr
        assert "NO LEAK FOUND" in done.stdout
        assert "privaudit-runs/model/report.json" in done.stdout
        assert "finding latents: 60 done" in done.stderr
        assert "latents:" not in done.stdout
        assert AuditResult.load(root / "privaudit-runs" / "model").data.positives == 30

    def test_json_is_alone_on_standard_output(self, root, scan):
        done = scan("--json", "--out", "json-run")
        report = json.loads(done.stdout)
        assert report["schema_version"] == SCHEMA_VERSION
        assert done.stdout == (root / "json-run" / "report.json").read_text()

    def test_quiet_has_no_progress(self, root, scan):
        assert scan("--quiet").stderr == ""

    def test_a_file_sets_options_a_variable_beats_it_and_a_flag_beats_both(self, root, scan, monkeypatch):
        (root / "settings.toml").write_text("seed = 7\ndrop = 0.5\nfail-on = ['auroc>0.85']\n")
        config = json.loads(scan("--json", "--config", "settings.toml").stdout)["config"]
        assert (config["seed"], config["drop"], config["fail_on"]) == (7, 0.5, ["auroc>0.85"])
        monkeypatch.setenv("PRIVAUDIT_SEED", "8")
        monkeypatch.setenv("PRIVAUDIT_DROP", "0.6")
        done = scan("--json", "--config", "settings.toml")
        assert (json.loads(done.stdout)["config"]["seed"], json.loads(done.stdout)["config"]["drop"]) == (8, 0.6)
        done = scan("--json", "--config", "settings.toml", "--seed", "9")
        assert json.loads(done.stdout)["config"]["seed"] == 9

    def test_privaudit_toml_beats_pyproject(self, root, tmp_path, scan, monkeypatch):
        for name in ("model", "members", "others"):
            (tmp_path / name).symlink_to(root / name)
        (tmp_path / "pyproject.toml").write_text("[tool.privaudit]\nseed = 3\ndrop = 0.3\n")
        (tmp_path / "privaudit.toml").write_text("seed = 4\n")
        monkeypatch.chdir(tmp_path)
        config = json.loads(scan("--json").stdout)["config"]
        assert (config["seed"], config["drop"]) == (4, 0.3)


class TestDryRun:
    """What would be run, before anything is."""

    @pytest.fixture
    def scan(self, scan):
        return partial(scan, "--geometry-latents", "encoder")

    def test_prints_the_plan_and_writes_nothing(self, root, scan):
        before = sorted(root.rglob("*"))
        done = scan("--attack", "pia", "--attack", "pian", "--attack", "clid", "--dry-run", "--out", "not-run")
        assert done.returncode == 0, done.stderr
        assert sorted(root.rglob("*")) == before
        rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
        alone, added = (int(cell) for cell in rows["pian"][1:3])
        assert added == alone - 1, "eps_hat(z_0, 0) is shared"
        assert "pia" in rows["pian"][-1]
        assert "not run clid needs a text-to-image target" in " ".join(done.stdout.split())
        assert "30 members, 30 nonmembers" in done.stdout
        assert "timing one batch" in done.stderr

    def test_json_is_alone_on_standard_output(self, scan):
        plan = json.loads(scan("--dry-run", "--json", "--out", "not-run").stdout)
        assert (plan["sets"], plan["models"]) == ({"members": 30, "nonmembers": 30}, 1)
        assert [step["title"] for step in plan["steps"]] == ["sima"]
        assert plan["steps"][0]["alone"]["forward"] == 1

    def test_no_report_of_an_earlier_run_is_lost(self, root, scan):
        scan("--out", "earlier")
        before = (root / "earlier" / "report.json").read_bytes()
        assert scan("--dry-run", "--out", "earlier").returncode == 0
        assert (root / "earlier" / "report.json").read_bytes() == before

    def test_a_gate_does_not_decide_its_exit_code(self, scan):
        assert scan("--dry-run", "--fail-on", "auroc>0.01").returncode == 0


def test_a_reference_adds_a_line_for_the_difference(root, scan):
    save_small_pipeline(root / "base", seed=4)
    done = scan("--reference", "base", "--json", "--out", "reference-run")
    report = json.loads(done.stdout)
    assert [attack["name"] for attack in report["attacks"]] == ["sima", "sima-reference"]
    assert report["config"]["reference"] == "base"
    text = scan("--reference", "base", "--out", "reference-run").stdout
    assert "Gain over the strongest published attack that was run (by AUROC), sima" in " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--reference", "nowhere"),
            "expected a diffusers folder",
        ),
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--attack", "clid"),
            "expected an attack that can run: clid needs a text-to-image target",
        ),
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--attack", "pia@kong"),
            "expected a preset of pia",
        ),
        (("scan", "model", "--members", "nowhere", "--nonmembers", "others", "--dry-run"), "it does not exist"),
        (("scan", "nowhere", "--members", "members", "--nonmembers", "others"), "error: expected a diffusers folder"),
        (("scan", "model", "--members", "nowhere", "--nonmembers", "others"), "at nowhere, but it does not exist"),
        (("scan", "model", "--members", "members", "--nonmembers", "members"), "the same 30 files for both"),
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--attack", "x"),
            "expected an attack, one of",
        ),
        (("scan", "model", "--members", "members", "--nonmembers", "others", "--drop", "1"), "0 <= drop < 1"),
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--batch-size", "many"),
            "auto or a number",
        ),
        (
            ("scan", "model", "--members", "members", "--nonmembers", "others", "--inconclusive", "x"),
            "pass, fail or error",
        ),
        (("scan", "model", "--members", "members", "--nonmembers", "others", "--fail-on", "x"), "'x'"),
        (("scan", "model", "--members", "members", "--nonmembers", "others", "--device", "tpu"), "auto, cuda or cpu"),
        (("scan", "model", "--members", "members", "--nonmembers", "others", "--config", "no.toml"), "found none"),
        (("lab", "train", "--images", "members", "--out", "lab-out"), "lower --members and --heldout"),
        (("lab", "train", "--images", "members", "--out", "lab-out", "--batch", "0"), "denoiser_batch > 0"),
    ],
)
def test_errors_are_one_line_and_exit_2(privaudit, arguments, message):
    done = privaudit(*arguments)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr


def test_a_crash_exits_2_with_its_traceback(scan, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr("privaudit.auditing.run.load_target", broken)
    done = scan()
    assert done.returncode == 2
    assert "RuntimeError: a defect of ours" in done.stderr
    assert "Traceback" in done.stderr


def test_an_interrupted_scan_says_that_it_resumes(scan, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("privaudit.auditing.run.load_target", interrupted)
    done = scan()
    assert done.returncode == 130
    assert "resumes where it stopped" in done.stderr


def test_runs_as_a_module(root):
    done = subprocess.run([sys.executable, "-m", "privaudit", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:10]) == (0, "privaudit ")


def test_usage_errors_exit_2(privaudit):
    assert privaudit("scan").returncode == 2
    assert privaudit("nonsense").returncode == 2


def test_version_and_attacks(privaudit):
    assert privaudit("--version").stdout.strip() == f"privaudit {__version__}"
    listed = privaudit("attacks").stdout
    assert all(name in listed for name in (*ATTACKS, *SCORERS, "arXiv:2509.25003"))
    words = " ".join(listed.split())
    for name, kind in ATTACKS.items():
        assert all(f"{name}@{preset}" in words for preset in kind.presets)
    rows = {line.split()[0]: line.split() for line in listed.splitlines() if line.strip()}
    assert rows["sima"][1] == str(len(ATTACKS["sima"].grid)), "a pass a level"
    assert rows["recon"][1] == "0"
    assert rows["gsa"][1:4] == ["10", "+", "10"]
    assert "captions" in rows["clid"]


def test_lab_train_then_scan(privaudit, tmp_path):
    images = write_images(tmp_path / "images", 30, seed=3)
    done = privaudit(
        "lab",
        "train",
        "--images",
        images,
        "--out",
        tmp_path / "target",
        "--members",
        10,
        "--heldout",
        10,
        "--resolution",
        16,
        "--autoencoder-width",
        8,
        "--denoiser-width",
        32,
        "--autoencoder-steps",
        3,
        "--denoiser-steps",
        3,
        "--batch",
        4,
    )
    assert done.returncode == 0, done.stderr
    command = done.stdout.split()
    assert command[:2] == ["privaudit", "scan"]
    scanned = privaudit(*command[1:], "--attack", "sima:levels=20", "--out", tmp_path / "run", "--device", "cpu")
    assert scanned.returncode == 0, scanned.stderr
    assert AuditResult.load(tmp_path / "run").data.positives == 10


def test_the_demo_takes_every_option_of_scan():
    commands = get_command(app).commands
    options = {name: {p.name for p in commands[name].params} for name in ("scan", "demo")}
    assert options["scan"] - options["demo"] == {"target", "members", "nonmembers", "canaries"}
    assert options["demo"] < options["scan"]


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_reader_that_closes_the_pipe_does_not_change_the_exit_code(root, extra):
    scan = [sys.executable, "-m", "privaudit", "scan", "model", "--members", "members", "--nonmembers", "others"]
    command = [*scan, "--attack", "sima:levels=20", "--device", "cpu", "--quiet", *extra]
    running = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait() == 0


def test_several_problems_are_named_at_once_in_a_line_each(scan):
    done = scan("--drop", "1", "--seed", "-1", "--fail-on", "x", "--batch-size", "many", "--inconclusive", "x")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("note: the report of the earlier audit")]
    assert all(line.startswith("error:") for line in lines)
    for part in ("0 <= drop < 1", "0 <= seed", "'x'", "auto or a number", "pass, fail or error"):
        assert sum(part in line for line in lines) == 1
    assert len(lines) == 5


def test_a_failed_run_leaves_no_results_of_an_earlier_one_behind(root, scan):
    scan("--out", "again")
    assert load_report(root / "again").verdict.status == "pass"
    (root / "broken").mkdir(exist_ok=True)
    (root / "broken" / "x.png").write_bytes(b"no image")
    assert scan("--out", "again", "--nonmembers", "broken").returncode == 2
    assert load_report(root / "again").verdict.status == "error"
    assert not (root / "again" / "scores" / "scores.parquet").exists()


def test_fresh_deletes_nothing_of_the_users(root, scan):
    for stage in ("scores", "latents", "influence", "pixels"):
        (root / "user" / stage).mkdir(parents=True)
        (root / "user" / stage / "mine.txt").write_text("mine")
    assert scan("--out", "user").returncode == 0
    assert scan("--out", "user", "--fresh").returncode == 0
    assert all((root / "user" / stage / "mine.txt").is_file() for stage in ("scores", "latents", "influence", "pixels"))


def test_a_folder_that_cannot_be_made_is_one_line(root, privaudit):
    (root / "file").write_text("")
    done = privaudit("demo", "--out", "file/run")
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
    assert "file" in done.stderr


def test_a_single_attack_in_a_file_needs_no_list(root, scan):
    (root / "one.toml").write_text("attack = 'loss:levels=50'\nbatch_size = '8'\n")
    report = json.loads(scan("--json", "--config", "one.toml").stdout)
    assert report["config"]["batch_size"] == 8


def test_an_unreadable_file_is_reported_and_with_strict_an_error(root, scan):
    write_images(root / "partly", 25, seed=5)
    (root / "partly" / "broken.png").write_bytes(b"no image")
    done = scan("--members", "partly", "--json", "--out", "partly-run")
    report = json.loads(done.stdout)
    assert [skipped["path"] for skipped in report["data"]["skipped"]] == ["partly/broken.png"]
    assert {check["name"]: check["status"] for check in report["checks"]}["unreadable files"] == "warn"
    strict = scan("--members", "partly", "--strict", "--out", "partly-run")
    assert strict.returncode == 2
    assert "partly/broken.png" in strict.stderr


class TestOutput:
    """What reaches a pipe, a CI log and a terminal."""

    def test_a_pipe_gets_no_codes_and_no_line_of_its_own_is_wider_than_80_columns(self, root, scan, monkeypatch):
        monkeypatch.delenv("COLUMNS")
        done = scan("--out", "piped")
        assert "\x1b" not in done.stdout + done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80

    def test_a_log_has_one_line_a_stage(self, scan):
        lines = scan("--out", "logged", "--fresh").stderr.splitlines()
        stages = [line.split(":")[0] for line in lines]
        assert stages == [
            "reading members",
            "reading non-members",
            "checking the model",
            "measuring pixels",
            "finding latents",
            "measuring the decoder",
            "running attacks",
            "evaluating scores",
            "writing reports",
        ]

    def test_file_names_cannot_write_to_the_terminal(self, root, scan):
        folder = write_images(root / "named", 12, seed=8)
        (folder / "a\x1b[2J.png").write_bytes(b"no image")
        for arguments in ((), ("--strict",)):
            done = scan("--members", "named", "--out", "named-run", *arguments)
            assert "\x1b" not in done.stdout + done.stderr
        assert "a\\x1b[2J.png" in done.stderr


def test_every_set_that_is_missing_has_a_line(privaudit):
    done = privaudit("scan", "model", "--members", "nowhere", "--nonmembers", "neither")
    assert done.stderr.splitlines()[:2] == [
        f"error: expected images for {flag} at {name}, but it does not exist; check the path"
        for flag, name in (("--members", "nowhere"), ("--nonmembers", "neither"))
    ]


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
def test_messages_name_flags_and_suggest_what_was_meant(privaudit, extra):
    done = privaudit("scan", "model", "--members", "membrs", "--nonmembers", "others", *extra)
    assert "for --members at membrs, but it does not exist; did you mean members?" in done.stderr
    done = privaudit("scan", "model", "--members", ".", "--nonmembers", "others", *extra)
    assert "for --members and --nonmembers, but all 30 files of --nonmembers (others) are also among" in done.stderr
    sets = ("scan", "model", "--members", "members", "--nonmembers", "others", *extra)
    done = privaudit(*sets, "--attack", "sma", "--mask-scope", "img", "--fail-on", "tpr@1fpr>0.05")
    for part in (
        "got sma; did you mean sima? See privaudit attacks (--attack)",
        "expected --mask-scope to be one of image, set, got img; did you mean image?\n",
        "got 'tpr@1fpr>0.05': unknown metric 'tpr@1fpr'; did you mean tpr@1%fpr? (--fail-on)",
    ):
        assert part in done.stderr
