"""`privaudit invert`, `origin` and `solvers` as a user meets them."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from models import save_small_pipeline, write_images
from safetensors.torch import load_file, save_file

from privaudit.inversion import SOLVERS
from privaudit.results.audit_result import AuditResult

SOLVER = "forward-step:evaluations=3:tolerance=0"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli-invert")
    save_small_pipeline(folder / "model")
    write_images(folder / "images", 5, seed=1)
    write_images(folder / "others", 30, seed=2)
    write_images(folder / "members", 30, seed=3)
    return folder


@pytest.fixture
def invert(privaudit):
    def run(*arguments: object):
        return privaudit("invert", "model", "images", "--device", "cpu", "--solver", SOLVER, *arguments)

    return run


@pytest.fixture
def origin(privaudit):
    cheap = ("--generated", 20, "--steps", 2, "--solver", "anderson:evaluations=3:tolerance=0")

    def run(*arguments: object):
        return privaudit("origin", "model", "images", "--device", "cpu", *cheap, *arguments)

    return run


def cells(text: str, label: str) -> list[str]:
    """Best, median, 90 % and worst of a row."""
    return next(line for line in text.splitlines() if line.startswith(label)).split()[-4:]


class TestInvert:
    def test_prints_what_the_table_holds(self, root, invert):
        done = invert("--out", "run")
        assert done.returncode == 0, done.stderr
        table = pd.read_csv(root / "run" / "inversion.csv")
        for label, name in (
            ("relative residual, latent", "residual"),
            ("relative residual, pixel", "pixel_residual"),
        ):
            ordered = sorted(table[name])  # nothing is interpolated: each cell is the value of an image
            assert cells(done.stdout, label) == [f"{ordered[row]:.4g}" for row in (0, 2, 4, 4)]
        assert cells(done.stdout, "evaluations of E(D(z))") == ["3"] * 4
        for outcome, count in table["outcome"].value_counts().items():
            assert f"{count:>6}  {outcome}: " in done.stdout
        assert {path.name for path in (root / "run").iterdir()} == {
            "latents.safetensors",
            "inversion.csv",
            "residuals.png",
        }
        names = ("run/latents.safetensors", "run/inversion.csv", "run/residuals.png")
        assert "files   {}\n        {}\n        {}\n".format(*names) in done.stdout
        assert "inverting the decoder: 5 done" in done.stderr
        assert "inverting the decoder: 5 done" not in done.stdout

    def test_quiet_has_nothing_on_standard_error(self, invert):
        assert invert("--out", "quiet", "--quiet").stderr == ""

    def test_without_out_the_folder_is_named_after_the_target(self, root, invert):
        assert invert().returncode == 0
        assert (root / "privaudit-runs" / "model-inversion" / "latents.safetensors").is_file()

    def test_truth_prints_the_error_against_it(self, root, invert):
        invert("--out", "first")
        latents = load_file(root / "first" / "latents.safetensors")
        # every value 10 % too large: 20 log10(.1 / 1.1)
        save_file({key: 1.1 * latent for key, latent in latents.items()}, root / "truth.safetensors")
        done = invert("--out", "second", "--truth", "truth.safetensors")
        assert done.returncode == 0, done.stderr
        wanted = f"{20 * math.log10(0.1 / 1.1):.4g}"
        assert cells(done.stdout, "NMSE to the truth, dB") == [wanted] * 4
        assert "nmse" in pd.read_csv(root / "second" / "inversion.csv").columns

    def test_the_same_command_again_gives_the_same(self, root, invert):
        first = invert("--out", "again", "--quiet").stdout
        latents = load_file(root / "again" / "latents.safetensors")
        second = invert("--out", "again", "--quiet", "--batch-size", 2).stdout
        assert cells(first, "evaluations") == cells(second, "evaluations")
        for key, latent in load_file(root / "again" / "latents.safetensors").items():
            torch.testing.assert_close(latent, latents[key], rtol=1e-4, atol=1e-5)

    def test_a_solver_from_the_environment(self, privaudit, monkeypatch):
        monkeypatch.setenv("PRIVAUDIT_SOLVER", "encoder")
        done = privaudit("invert", "model", "images", "--device", "cpu", "--out", "from-environment")
        assert "5 images inverted by encoder (evaluations 1, tolerance 0.02)" in done.stdout

    def test_the_encoder_has_a_picture_too(self, root, invert):
        assert invert("--solver", "encoder", "--out", "encoder").returncode == 0
        assert (root / "encoder" / "residuals.png").is_file()

    def test_the_default_solver(self, privaudit):
        done = privaudit("invert", "model", "images", "--device", "cpu", "--out", "default", "--quiet")
        assert "5 images inverted by anderson (evaluations 20, tolerance 0.01, memory 5" in done.stdout

    def test_the_encoder_is_not_told_to_evaluate_more(self, invert):
        text = invert("--solver", "encoder", "--out", "encoder").stdout
        assert "budget spent: evaluated once, not iterated" in text
        assert "more evaluations" not in text

    def test_an_interrupted_inversion_does_not_promise_to_resume(self, root, invert, monkeypatch):
        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr("privaudit.tasks.inversion_stage.invert", interrupted)
        done = invert("--out", "interrupted")
        assert done.returncode == 130
        assert "interrupted; nothing was written" in done.stderr
        assert "resumes" not in done.stderr
        assert list((root / "interrupted").iterdir()) == []


class TestAutoencoderAlone:
    @pytest.fixture
    def vae(self, root):
        """The autoencoder of the model, copied out of its pipeline."""
        return shutil.copytree(root / "model" / "vqvae", root / "alone" / "vqvae", dirs_exist_ok=True)

    def test_invert_and_geometry_give_what_the_pipeline_gives(self, root, vae, privaudit):
        for number, model in enumerate(("model", vae)):
            cheap = ("--device", "cpu", "--resolution", 16, "--quiet")
            done = privaudit("invert", model, "images", *cheap, "--solver", SOLVER, "--out", f"alone/{number}")
            assert done.returncode == 0, done.stderr
            assert f"target  {model}\nlatents 2x8x8" in done.stdout
            cheap += ("--geometry-latents", "encoder", "--maps", 0)
            done = privaudit("geometry", model, "images", *cheap, "--out", f"alone/geometry-{number}")
            assert done.returncode == 0, done.stderr
        for name in ("{}/inversion.csv", "geometry-{}/geometry.csv", "{}/latents.safetensors"):
            first, second = ((root / "alone" / name.format(number)).read_bytes() for number in range(2))
            assert first == second, name

    def test_a_size_that_it_does_not_decode_is_one_line(self, vae, privaudit):
        done = privaudit("invert", vae, "images", "--device", "cpu", "--resolution", 17, "--out", "alone/odd")
        assert done.returncode == 2
        assert "expected a resolution of multiples of 2 for " in done.stderr
        assert "pass --resolution 16x16\n" in done.stderr

    def test_origin_says_what_it_needs(self, vae, privaudit):
        done = privaudit("origin", vae, "images", "--device", "cpu", "--out", "alone/origin")
        assert done.returncode == 2
        assert "is an autoencoder alone (AutoencoderKL), which 'privaudit invert' and 'geometry' read; " in done.stderr


class TestOrigin:
    def test_end_to_end(self, root, origin):
        done = origin("--out", "origin-run")
        assert done.returncode == 0, done.stderr
        table = pd.read_csv(root / "origin-run" / "origin.csv")
        assert len(table) == 5
        unlike = int((table["p_own"] < 0.05).sum())
        assert f"{unlike} of 5 images do not look like" in done.stdout
        line = next(line for line in done.stdout.splitlines() if line.startswith("error that remains"))
        assert f"{table['remaining'].median():.4g}" in line.split()
        assert f"{table['remaining'].min():.3f}" in done.stdout
        assert "against 20 generations of the target\n" in done.stdout
        assert "files   origin-run/origin.csv\n" in done.stdout
        assert "generations: 20 done" in done.stderr

    def test_a_single_image(self, root, origin, privaudit):
        (root / "single").mkdir()
        shutil.copy(root / "images" / "1-000.png", root / "single")
        cheap = ("--generated", 20, "--steps", 2, "--solver", "encoder", "--device", "cpu")
        done = privaudit("origin", "model", "single", *cheap, "--out", "single-run")
        assert done.returncode == 0, done.stderr
        assert " of 1 image does not look like" in done.stdout
        assert "AUROC" not in done.stdout

    def test_an_interruption_does_not_promise_to_resume(self, root, origin, monkeypatch):
        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr("privaudit.tasks.origin_test.generate", interrupted)
        done = origin("--out", "interrupted-origin")
        assert done.returncode == 130
        assert "interrupted; nothing was written" in done.stderr
        assert list((root / "interrupted-origin").iterdir()) == []

    def test_without_out_the_folder_is_named_after_the_target(self, root, origin):
        assert origin("--quiet").stderr == ""
        assert (root / "privaudit-runs" / "model-origin" / "origin.csv").is_file()

    def test_the_seed_decides_the_generations(self, root, origin):
        def p_values(seed, out):
            origin("--seed", seed, "--out", out)
            return pd.read_csv(root / out / "origin.csv")

        first, again, other = p_values(3, "s1"), p_values(3, "s2"), p_values(4, "s3")
        pd.testing.assert_frame_equal(first, again)
        np.testing.assert_allclose(first["remaining"], other["remaining"])


@pytest.mark.parametrize("command", ["invert", "origin"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--solver", "newton"), "error: expected an inversion solver, one of adam, anderson"),
        (("--solver", "anderson:depth=3"), "got 'depth' in anderson:depth=3"),
        (("--solver", "anderson:memory=many"), "expected memory=<int> in anderson:memory=many, got 'many'"),
        (("--solver", "anderson:evaluations=0"), "expected evaluations >= 1 for anderson, got 0"),
        (("--solver", "encoder:evaluations=2"), "expected evaluations = 1 for encoder, got 2"),
        (("--batch-size", "x"), "expected --batch-size auto or a number, got x"),
        (("--batch-size", "0"), "got 0"),
        (("--batch-size", "-3"), "expected --batch-size auto or a number, got -3"),
        (("--device", "tpu"), "auto, cuda or cpu"),
        (("--dtype", "float64"), "expected --dtype auto, float32"),
        (("--config", "no.toml"), "found none"),
    ],
)
def test_errors_are_one_line_and_exit_2(privaudit, command, arguments, message):
    done = privaudit(command, "model", "images", *arguments, "--out", "errors")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("invert", "nowhere", "images"), "error: expected a diffusers folder"),
        (("invert", "model", "nowhere"), "at nowhere, but it does not exist"),
        (("invert", "model", "images", "--truth", "nowhere"), "safetensors file nowhere"),
        (("invert", "model", "images", "--solver", "gradient", "--cocoercivity"), "got gradient; try forward-step"),
        (("invert", "model", "images", "--out", "images/1-000.png"), "expected a folder that can be written"),
        (("origin", "model", "nowhere"), "at nowhere, but it does not exist"),
        (("origin", "model", "images", "--generated", "1"), "expected 20 or more generated images, so that"),
        (("origin", "model", "images", "--generated", "19"), "got 19"),
        (("origin", "model", "images", "--prompt", "a dog"), "expected a text-to-image target for --prompt, got model"),
        (("origin", "model", "images", "--steps", "1001"), "expected 1 to 1000 DDIM steps for this target, got 1001"),
    ],
)
def test_errors_of_one_command(privaudit, arguments, message):
    done = privaudit(*arguments)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr


def test_two_errors_of_one_command_have_a_line_each(privaudit):
    done = privaudit("origin", "model", "images", "--steps", "0", "--seed", "-1")
    assert done.returncode == 2
    steps, seed = done.stderr.splitlines()
    assert steps.endswith("DDIM steps, got 0 (--steps)")
    assert seed.startswith("error: expected 0 <= seed")


def test_solvers_lists_every_solver_with_every_parameter(privaudit):
    done = privaudit("solvers")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() and line.split()[0] in SOLVERS]
    assert [lines[number].split()[0] for number in starts] == sorted(SOLVERS)
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        name, text = lines[start].split()[0], " ".join(" ".join(lines[start:stop]).split())
        assert SOLVERS[name].summary in text
        assert SOLVERS[name].citation in text
        for key, value in asdict(SOLVERS.build(name)).items():
            assert f"{key}={str(value).lower()}" in text.split()


def test_what_solvers_prints_can_be_passed_back(privaudit):
    text = privaudit("solvers").stdout
    for name in SOLVERS:
        assert name in text
        listed = [f"{key}={str(value).lower()}" for key, value in asdict(SOLVERS.build(name)).items()]
        assert SOLVERS.build(":".join([name, *listed])) == SOLVERS.build(name)


def test_an_unknown_solver_points_to_the_list(invert):
    assert "see privaudit solvers" in invert("--solver", "newton").stderr


@pytest.mark.parametrize("command", ["invert", "origin", "scan"])
def test_help_names_the_section_of_pyproject(privaudit, command):
    assert "[tool.privaudit]" in privaudit(command, "--help").stdout


class TestSharedConfiguration:
    """One privaudit.toml serves every command: each takes from it what it knows."""

    FILE = """
        attack = ['sima:levels=20']
        drop = 0.5
        geometry-latents = 'encoder'
        fail_on = ['auroc>0.99']
        inconclusive = 'pass'
        batch_size = '2'
        device = 'cpu'
        solver = 'forward-step:evaluations=4:tolerance=0'
        generated = 20
        steps = 2
        quiet = true
    """

    @pytest.fixture
    def folder(self, root, tmp_path, monkeypatch):
        for name in ("model", "images", "members", "others"):
            (tmp_path / name).symlink_to(root / name)
        return tmp_path

    @pytest.fixture
    def call(self, privaudit, folder, monkeypatch):
        def run(*arguments):
            monkeypatch.chdir(folder)
            return privaudit(*arguments)

        return run

    @pytest.mark.parametrize("place", ["privaudit.toml", "pyproject.toml"])
    def test_serves_every_command(self, folder, call, place):
        text = self.FILE if place == "privaudit.toml" else "[tool.privaudit]\n" + self.FILE
        (folder / place).write_text("\n".join(line.strip() for line in text.splitlines()))
        inverted = call("invert", "model", "images", "--out", "inverted")
        assert (inverted.returncode, inverted.stderr) == (0, "")
        assert "inverted by forward-step (evaluations 4, tolerance 0" in inverted.stdout
        if place == "pyproject.toml":
            return
        compared = call("origin", "model", "images", "--out", "compared")
        assert (compared.returncode, compared.stderr) == (0, "")
        assert "against 20 generations of the target\n" in compared.stdout
        scanned = call("scan", "model", "--members", "members", "--nonmembers", "others", "--out", "scanned", "--json")
        assert (scanned.returncode, scanned.stderr) == (0, "")
        config = json.loads(scanned.stdout)["config"]
        assert (config["drop"], config["batch_size"], config["fail_on"]) == (0.5, 2, ["auroc>0.99"])
        assert AuditResult.load(folder / "scanned").data.positives == 30

    @pytest.mark.parametrize("command", ["invert", "origin", "scan"])
    def test_a_key_that_no_command_knows_is_named(self, folder, call, command):
        (folder / "privaudit.toml").write_text("drop = 0.5\nsolvr = 'anderson'\ngenerated = 7\n")
        images = ("--members", "members", "--nonmembers", "others") if command == "scan" else ("images",)
        done = call(command, "model", *images)
        assert done.returncode == 2
        assert "got solvr (privaudit.toml, line 2); did you mean solver?" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("key", ["config", "help"])
    def test_what_is_only_a_flag_is_no_key(self, folder, call, key):
        (folder / "privaudit.toml").write_text(f"{key} = true\n")
        done = call("invert", "model", "images")
        assert done.returncode == 2
        assert f"got {key}" in done.stderr

    def test_a_flag_beats_the_file(self, folder, call):
        (folder / "privaudit.toml").write_text("solver = 'encoder'\ndevice = 'cpu'\n")
        assert "inverted by encoder" in call("invert", "model", "images", "--out", "a").stdout
        assert "inverted by forward-step" in call("invert", "model", "images", "--solver", SOLVER, "--out", "b").stdout


class ClosedPipe(io.StringIO):
    """Standard output whose reader has gone; with a file number of its own to be redirected."""

    def __init__(self, path) -> None:
        super().__init__()
        self._file = path.open("w")

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("command", ["invert", "origin"])
def test_a_reader_that_closes_the_pipe_does_not_change_the_exit_code(invert, origin, monkeypatch, tmp_path, command):
    monkeypatch.setattr(sys, "stdout", ClosedPipe(tmp_path / "nothing"))
    assert {"invert": invert, "origin": origin}[command]("--out", "piped").returncode == 0


def test_skipped_files_are_told(root, invert, privaudit):
    folder = shutil.copytree(root / "images", root / "partly")
    (folder / "broken.png").write_bytes(b"no image")
    done = privaudit("invert", "model", "partly", "--device", "cpu", "--solver", SOLVER, "--out", "partly-run")
    assert "images  5 distinct, 0 copies dropped, 1 unreadable\n" in done.stdout
    strict = privaudit("invert", "model", "partly", "--device", "cpu", "--strict", "--out", "partly-run")
    assert strict.returncode == 2
    assert "partly/broken.png" in strict.stderr


def test_the_command_line_alone_loads_nothing_heavy():
    heavy = "('torch', 'diffusers', 'transformers', 'pandas', 'matplotlib', 'scipy', 'sklearn')"
    code = f"import sys, privaudit.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
