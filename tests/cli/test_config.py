"""Options by flag, variable and file: which one applies, where it came from, and everything that is wrong at once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from results import make_result
from typer.main import get_command

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import config_hash
from privaudit.cli import app
from privaudit.cli.command import ConfiguredCommand, key_of, variable_of

COMMANDS = get_command(app).commands
CONFIGURED = sorted(name for name, command in COMMANDS.items() if isinstance(command, ConfiguredCommand))
SETTABLE = {key_of(p): p for p in COMMANDS["scan"].params if not p.is_eager}
VALUES = {
    "target": ("model", "model"),
    "members": ("images/a", "images/a"),
    "nonmembers": ("images/b", "images/b"),
    "suspects": ("images/c", "images/c"),
    "canaries": ("drawn", "drawn"),
    "strict": (True, "true"),
    "orientation": ("stored", "stored"),
    "transparency": ("white", "white"),
    "resampling": ("bilinear", "bilinear"),
    "crop": ("none", "none"),
    "buckets": ("64:2048", "64:2048"),
    "caption": ("a photo of sks dog", "a photo of sks dog"),
    "caption-column": ("blip", "blip"),
    "revision": ("v2", "v2"),
    "variant": ("fp16", "fp16"),
    "lora": (["style.safetensors@0.8", "detail.safetensors"], "style.safetensors@0.8 detail.safetensors"),
    "component": (["unet=checkpoint-500/unet", "vae=other"], "unet=checkpoint-500/unet vae=other"),
    "embedding": (["cat.safetensors@<cat-toy>"], "cat.safetensors@<cat-toy>"),
    "config-from": ("owner/base", "owner/base"),
    "offload": (True, "1"),
    "resolution": ("768x1024", "768x1024"),
    "override": (
        ["vae.scaling_factor=2", "scheduler.prediction_type=sample"],
        "vae.scaling_factor=2 scheduler.prediction_type=sample",
    ),
    "attack": (["sima:levels=20,40", "pia"], "sima:levels=20,40 pia"),
    "reference": ("owner/base", "owner/base"),
    "drop": ([0.2, 0.5], "0.2,0.5"),
    "gamma": (2.5, "2.5"),
    "mask-scope": ("set", "set"),
    "influence": ("exact", "exact"),
    "geometry-latents": ("encoder", "encoder"),
    "attack-latents": ("inversion", "inversion"),
    "solver": ("encoder", "encoder"),
    "seed": (7, "7"),
    "fail-on": (["auroc>0.6", "epsilon>1"], "auroc > 0.6; epsilon>1"),
    "gate-bound": ("upper", "upper"),
    "inconclusive": ("fail", "fail"),
    "exit-zero": (True, "1"),
    "out": ("runs/x", "runs/x"),
    "format": (["md", "junit"], "md,junit"),
    "include-images": (True, "yes"),
    "json": (True, "1"),
    "fresh": (True, "1"),
    "dry-run": (True, "1"),
    "device": ("cpu", "cpu"),
    "dtype": ("float32", "float32"),
    "batch-size": (8, "8"),
    "memory": (1.5, "1.5"),
    "quiet": (True, "1"),
}
"""For every option of `scan` another value than the default: as a file and as a variable has it."""


@pytest.fixture
def root(tmp_path):
    return tmp_path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PRIVAUDIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def resolved(privaudit):
    """What `privaudit config --json` says."""

    def run(*arguments: object) -> dict:
        return json.loads(privaudit("config", "--json", *arguments).stdout)

    return run


@pytest.fixture
def asked(monkeypatch):
    """The options that an audit was started with."""
    found: list[AuditOptions] = []

    def run_audit(options, progress=None):
        found.append(options)
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "report.json").write_text("{}")
        return make_result(images=40, attacks=("sima",), learned=False)

    monkeypatch.setattr("privaudit.auditing.run.run_audit", run_audit)
    return found


def toml(value: object) -> str:
    return json.dumps(value)  # the same for texts, numbers, truth and lists of them


def listed(key: str, value: object) -> object:
    """What the option then is."""
    if key in ("drop", "format") and isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if key == "batch-size" else value


def test_every_option_of_scan_is_tried_below():
    assert set(VALUES) == set(SETTABLE)


@pytest.mark.parametrize("key", VALUES)
def test_every_option_can_be_set_in_every_place_and_the_strongest_wins(resolved, root, monkeypatch, key):
    value, variable = VALUES[key]
    wanted = listed(key, value)
    default = resolved()["options"][key]
    assert default["source"] == "default"
    assert default["value"] != wanted

    (root / "pyproject.toml").write_text(f"[tool.privaudit]\n\n{key} = {toml(value)}\n")
    found = resolved()["options"][key]
    assert (found["value"], found["source"], found["where"]) == (wanted, "file", "pyproject.toml, line 3")

    (root / "privaudit.toml").write_text(f"{key.replace('-', '_')} = {toml(value)}\n")
    assert resolved()["options"][key]["where"] == "privaudit.toml, line 1"

    monkeypatch.setenv(variable_of(key), variable)
    found = resolved()["options"][key]
    assert (found["value"], found["source"], found["where"]) == (wanted, "environment", variable_of(key))

    flag = SETTABLE[key].opts[0]
    if key == "target":
        arguments = [value]
    elif value is True:
        arguments = [flag]
    else:
        values = value if isinstance(value, list) and key not in ("drop", "format") else [wanted]
        arguments = [word for item in values for word in (flag, item)]
    found = resolved("scan", *arguments)["options"][key]
    assert (found["value"], found["source"], found["where"]) == (wanted, "flag", "TARGET" if key == "target" else flag)


class TestScan:
    """What reaches the audit."""

    @pytest.fixture(autouse=True)
    def _files(self, root):
        (root / "privaudit.toml").write_text(
            "target = 'model'\nmembers = 'a'\nnonmembers = 'b'\nseed = 7\ndrop = 0.5\n"
        )

    def test_needs_no_arguments_where_a_file_has_them(self, privaudit, asked):
        assert privaudit("scan", "--format", "json").returncode == 0
        (options,) = asked
        assert (options.target, options.members, options.seed, options.drop) == ("model", Path("a"), 7, 0.5)
        assert options.out == Path("privaudit-runs/model")

    def test_knows_the_file_that_options_came_from(self, privaudit, asked, root):
        privaudit("scan", "--format", "json")
        (root / "other.toml").write_text("members = 'a'\nnonmembers = 'b'\n")
        privaudit("scan", "model", "--config", "other.toml", "--format", "json")
        (root / "privaudit.toml").unlink()
        privaudit("scan", "model", "--members", "a", "--nonmembers", "b", "--format", "json")
        assert [options.config_file for options in asked] == [Path("privaudit.toml"), Path("other.toml"), None]

    def test_a_chosen_file_is_the_only_one(self, privaudit, asked, root):
        (root / "other.toml").write_text("members = 'c'\nnonmembers = 'd'\n")
        privaudit("scan", "model", "--config", "other.toml", "--format", "json")
        assert (asked[0].members, asked[0].seed) == (Path("c"), 0)

    def test_a_variable_may_choose_the_file(self, privaudit, asked, root, monkeypatch):
        (root / "other.toml").write_text("members = 'c'\nnonmembers = 'd'\n")
        monkeypatch.setenv("PRIVAUDIT_CONFIG", "other.toml")
        privaudit("scan", "model", "--format", "json")
        assert asked[0].members == Path("c")

    def test_paths_of_a_file_are_relative_to_it(self, privaudit, asked, root, monkeypatch):
        (root / "ci" / "model").mkdir(parents=True)
        (root / "ci" / "audit.toml").write_text(
            "target = 'model'\nreference = 'owner/base'\nmembers = '../a'\nnonmembers = '/b'\nout = 'runs'\n"
        )
        privaudit("scan", "--config", "ci/audit.toml", "--format", "json")
        (options,) = asked
        assert options.target == "ci/model"
        assert options.reference == "owner/base", "no folder beside the file: a hub id"
        assert (options.members, options.nonmembers, options.out) == (Path("ci/../a"), Path("/b"), Path("ci/runs"))

    def test_the_file_decides_no_hash(self, tmp_path):
        given = {"target": "x", "members": Path("a"), "nonmembers": Path("b"), "out": tmp_path}
        plain, filed = AuditOptions(**given), AuditOptions(**given, config_file=Path("privaudit.toml"))
        assert config_hash(plain) == config_hash(filed)
        assert config_hash(plain) != config_hash(AuditOptions(**given, seed=1))


def test_a_flag_against_sets_of_a_file_says_where_these_come_from(privaudit, root):
    (root / "privaudit.toml").write_text("members = 'a'\nnonmembers = 'b'\n")
    done = privaudit("scan", "model", "--canaries", "drawn")
    assert done.returncode == 2
    assert done.stderr == (
        "error: expected --canaries alone, which are both sets, got --members, --nonmembers, too; leave one or the "
        "other out (members in privaudit.toml, line 1; nonmembers in privaudit.toml, line 2)\n"
    )


def test_all_that_is_wrong_in_all_places_is_named_at_once_with_where_it_came_from(privaudit, root, monkeypatch):
    (root / "pyproject.toml").write_text("[tool.privaudit]\nmembers = 3\nquiet = 'yes'\n")
    (root / "privaudit.toml").write_text("sede = 1\ngamma = 'much'\nfail-on = ['auroc>2']\nbatch_size = 'many'\n")
    monkeypatch.setenv("PRIVAUDIT_MEMORY", "lots")
    monkeypatch.setenv("PRIVAUDIT_DROP", "1.5")
    done = privaudit("scan", "model", "--nonmembers", "b", "--seed", "x", "--mask-scope", "all", "--format", "pdf")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines), "one line a problem, and nothing else"
    for expected, where in (
        ("got sede", "privaudit.toml, line 1); did you mean seed?"),
        ("expected gamma as a number, got 'much'", "gamma in privaudit.toml, line 2"),
        ("got 'auroc>2': the limit of auroc must be", "fail-on in privaudit.toml, line 3"),
        ("expected --batch-size auto or a number, got many", "batch-size in privaudit.toml, line 4"),
        ("expected members as a path, got 3", "members in pyproject.toml, line 2"),
        ("expected quiet as true or false, got 'yes'", "quiet in pyproject.toml, line 3"),
        ("expected memory as a number, got lots", "(PRIVAUDIT_MEMORY)"),
        ("expected 0 <= drop < 1, got 1.5", "(PRIVAUDIT_DROP)"),
        ("expected seed as a whole number, got x", "(--seed)"),
        ("expected --mask-scope to be one of image, set, got all", "all"),
        ("got 'pdf'", "(--format)"),
    ):
        assert any(expected in line and where in line for line in lines), (expected, done.stderr)
    assert len(lines) == 11, "and not that there are no members, which follows"


def test_a_missing_argument_is_named_with_the_rest(privaudit):
    done = privaudit("scan", "--seed", "x")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: expected TARGET, got none; privaudit scan --help describes it",
        "error: expected seed as a whole number, got x (--seed)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1.5", "expected seed as a whole number, got 1.5"),
        ("seed = true", "expected seed as a whole number, got true"),
        ("gamma = '1'", "expected gamma as a number, got '1'"),
        ("drop = true", "expected drop as a text, got true"),
        ("drop = []", "expected drop as a text, got []"),
        ("attack = 3", "expected attack as a text or a list of texts, got 3"),
        ("attack = ['sima', 3]", "expected attack as a text or a list of texts, got ['sima', 3]"),
        ("[seed]\nx = 1", "expected seed as a whole number, got a table"),
        ("strict = 'true'", "expected strict as true or false, got 'true'"),
        ("seed = x", "cannot read privaudit.toml: Invalid value (at line 1, column 8)"),
        ("batch-size = 1\nbatch_size = 2", "expected batch-size once, got it again (privaudit.toml, line 2)"),
        ("sede = 1", "expected an option of privaudit, got sede (privaudit.toml, line 1); did you mean seed?"),
        ("help = true", "expected an option of privaudit, got help"),
        ("config = 'x'", "expected an option of privaudit, got config"),
        ("xyzzy = 1", "got xyzzy (privaudit.toml, line 1); privaudit config lists them"),
    ],
)
def test_what_a_file_cannot_say(privaudit, root, text, message):
    (root / "privaudit.toml").write_text(text)
    done = privaudit("scan", "model", "--members", "a", "--nonmembers", "b")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("no.toml", None, "expected a TOML file at no.toml, found none"),
        (
            "pyproject.toml",
            b"[tool]\nprivaudit = 3\n",
            "expected [tool.privaudit] of pyproject.toml to be a table, got 3",
        ),
        ("latin.toml", b"target = '\xe9'\n", "cannot read latin.toml"),
    ],
)
def test_files_that_cannot_be_read(privaudit, root, name, content, message):
    if content is not None:
        (root / name).write_bytes(content)
    done = privaudit("scan", "model", "--members", "a", "--nonmembers", "b", "--config", name)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_byte_order_mark_is_no_mistake(resolved, root):
    (root / "privaudit.toml").write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert resolved()["options"]["seed"]["value"] == 3


def test_lines_are_found_below_the_right_heading(resolved, root):
    (root / "pyproject.toml").write_text(
        "[tool.other]\nseed = 1\n\n[tool.privaudit]\nattack = [\n  'sima',\n]\nseed = 2\n"
    )
    options = resolved()["options"]
    assert (options["seed"]["value"], options["seed"]["where"]) == (2, "pyproject.toml, line 8")
    assert options["attack"]["where"] == "pyproject.toml, line 5"


def test_what_another_command_knows_is_no_mistake(resolved, root):
    (root / "privaudit.toml").write_text("points = 9\nmaps = 'all'\nmargin = 0.01\n")
    assert resolved("scan")["problems"] == []
    assert resolved("sweep")["options"]["points"]["value"] == 9
    assert resolved("geometry")["options"]["maps"]["value"] == "all"


def test_the_demo_takes_no_images_and_no_folder_from_a_file(resolved, root, monkeypatch):
    (root / "privaudit.toml").write_text("out = 'runs/mine'\nsuspects = 'x'\nreference = 'y'\nseed = 3\n")
    options = resolved("demo")["options"]
    assert [options[key]["value"] for key in ("out", "suspects", "reference")] == [None, None, None]
    assert options["seed"]["value"] == 3
    monkeypatch.setenv("PRIVAUDIT_OUT", "runs/demo")
    assert resolved("demo")["options"]["out"]["value"] == "runs/demo"


@pytest.mark.parametrize("name", CONFIGURED)
def test_showing_the_options_of_a_command_runs_nothing(privaudit, root, name):
    done = privaudit("config", name)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "default" in done.stdout
    assert list(root.iterdir()) == []


class TestConfig:
    """The command as its user sees it."""

    def test_lists_every_option_with_its_place(self, privaudit, root, monkeypatch):
        (root / "privaudit.toml").write_text("seed = 7\n")
        monkeypatch.setenv("PRIVAUDIT_GAMMA", "2")
        done = privaudit("config", "scan", "model", "--drop", "0.5")
        rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
        assert set(SETTABLE) <= set(rows)
        assert rows["seed"] == ["7", "privaudit.toml,", "line", "1"]
        assert rows["gamma"] == ["2.0", "PRIVAUDIT_GAMMA"]
        assert rows["drop"] == ["0.5", "--drop"]
        assert rows["target"] == ["model", "TARGET"]
        assert rows["members"] == ["-", "default"]
        assert rows["files"] == ["read:", "privaudit.toml"]

    def test_says_what_is_wrong_and_exits_2(self, privaudit, root):
        (root / "privaudit.toml").write_text("seed = 'x'\ndrop = 2\n")
        done = privaudit("config")
        assert done.returncode == 2
        assert "x (wrong)" in done.stdout
        assert done.stderr.splitlines() == [
            "error: expected seed as a whole number, got 'x' (seed in privaudit.toml, line 1)",
            "error: expected 0 <= drop < 1, got 2.0 (drop in privaudit.toml, line 2)",
        ]
        found = json.loads(privaudit("config", "--json").stdout)
        assert [f"error: {problem}" for problem in found["problems"]] == done.stderr.splitlines()

    def test_what_is_missing_may_come_with_the_flags(self, privaudit):
        assert privaudit("config").returncode == 0, "neither a target nor images are there yet"

    def test_sets_that_do_not_go_together_are_wrong(self, privaudit, root):
        (root / "privaudit.toml").write_text("canaries = 'x'\nmembers = 'y'\n")
        assert "expected --canaries alone" in privaudit("config").stderr

    def test_options_need_no_command_for_scan(self, resolved):
        assert resolved("--seed", "5")["options"]["seed"]["value"] == 5

    def test_a_variable_that_nothing_reads_is_noted(self, privaudit, resolved, monkeypatch):
        monkeypatch.setenv("PRIVAUDIT_SEDE", "1")
        (note,) = resolved()["notes"]
        assert note == "the variable PRIVAUDIT_SEDE is set and not read; did you mean PRIVAUDIT_SEED?"
        assert "PRIVAUDIT_SEDE" in privaudit("config").stdout

    def test_another_command_is_refused(self, privaudit):
        done = privaudit("config", "lab")
        assert done.returncode == 2
        assert done.stderr.startswith("error: expected a command that files can configure, one of scan, demo")

    def test_a_flag_that_the_command_lacks_exits_2(self, privaudit):
        assert privaudit("config", "scan", "--no-such").returncode == 2


def test_help_does_not_read_the_files(privaudit, root):
    (root / "privaudit.toml").write_text("= broken")
    done = privaudit("scan", "--help")
    assert done.returncode == 0
    assert "--fail-on" in done.stdout


def test_what_could_not_be_read_is_not_said_to_be_missing(privaudit, root):
    (root / "privaudit.toml").write_text("nonmembers = 3\n")
    done = privaudit("scan", "model", "--members", "a")
    assert done.stderr.splitlines() == [
        "error: expected nonmembers as a path, got 3 (nonmembers in privaudit.toml, line 1)"
    ]


def test_a_variable_that_names_no_file_is_named(privaudit, monkeypatch):
    monkeypatch.setenv("PRIVAUDIT_CONFIG", "no.toml")
    done = privaudit("scan", "model", "--members", "a", "--nonmembers", "b")
    assert "error: expected a TOML file at no.toml, found none (PRIVAUDIT_CONFIG)\n" in done.stderr
    done = privaudit("scan", "model", "--members", "a", "--nonmembers", "b", "--config", "none.toml")
    assert "error: expected a TOML file at none.toml, found none\n" in done.stderr


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        (("scan",), "scan [OPTIONS] TARGET"),
        (("compare",), "compare [OPTIONS] OLD NEW"),
        (("geometry",), "geometry [OPTIONS] TARGET IMAGES..."),
        (("canaries", "make"), "make [OPTIONS] CANDIDATES"),
    ],
)
def test_arguments_are_named_as_manuals_do(privaudit, command, usage):
    assert usage in privaudit(*command, "--help").stdout
