"""`privaudit geometry` and `estimators` as a user meets them."""

from __future__ import annotations

import shutil
from dataclasses import asdict

import pandas as pd
import pytest
from models import save_small_pipeline, write_images
from safetensors.torch import load_file

from privaudit.decoder_geometry import DISTORTIONS, ESTIMATORS
from privaudit.tasks.geometry_maps import BOUND, RESULTS


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli-geometry")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 5, seed=1)
    write_images(folder / "heldout", 4, seed=2)
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def geometry(privaudit):
    cheap = ("--device", "cpu", "--geometry-latents", "encoder", "--maps", 2)

    def run(*arguments: object):
        return privaudit("geometry", "model", "members", *arguments, *cheap)

    return run


class TestGeometry:
    def test_end_to_end(self, root, privaudit):
        done = privaudit("geometry", "model", "members", "heldout", "--out", "run", "--device", "cpu", "--maps", 3)
        assert done.returncode == 0, done.stderr
        folder = root / "run"
        assert {path.name for path in folder.iterdir()} == {*RESULTS, "maps"}
        assert len(list((folder / "maps").iterdir())) == 3
        table = pd.read_csv(folder / "geometry.csv", dtype={"id": str})
        assert set(load_file(folder / "influence.safetensors")) == set(table["id"])
        lines = done.stdout.splitlines()
        for name in ("members", "heldout"):
            own = table[table["set"] == name]["distortion"]
            cells = next(line for line in lines if line.startswith(name)).split()
            assert cells[1:5:3] == [str(len(own)), f"{own.median():.1f}"]
        top = table.loc[table["distortion"].idxmax()]
        assert any(line.split()[:2] == ["1", f"{top['distortion']:.1f}"] for line in lines if line)
        assert "maps        3 of 9 images" in done.stdout
        assert "files       run/influence.safetensors\n" in done.stdout
        assert "inverting the decoder: 9 done" in done.stderr
        assert "maps: 3 done" in done.stderr

    def test_every_option_reaches_the_run(self, root, privaudit):
        done = privaudit(
            *("geometry", "model", "members", "--out", "options", "--quiet", "--device", "cpu"),
            *("--geometry-latents", "encoder", "--influence", "hutchinson:probes=3", "--distortion", BOUND),
            *("--drop", 0.25, "--maps", "all", "--batch-size", 2, "--seed", 5, "--dtype", "float32"),
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "influence   hutchinson:probes=3, 3 products" in done.stdout
        assert "a mask that drops 25%" in done.stdout
        assert "the encoder's latents" in done.stdout
        assert "maps        5 of 5 images\n" in done.stdout
        assert set(pd.read_csv(root / "options" / "geometry.csv")["products"]) == {3}

    def test_without_out_the_folder_is_named_after_the_target(self, root, geometry):
        assert geometry().returncode == 0
        assert (root / "privaudit-runs" / "model-geometry" / "geometry.csv").is_file()

    def test_the_maps_of_an_earlier_run_are_gone(self, root, geometry):
        stale = root / "twice" / "maps" / "9-of-an-earlier-run.png"
        stale.parent.mkdir(parents=True)
        stale.touch()
        assert geometry("--out", "twice").returncode == 0
        assert len(list(stale.parent.iterdir())) == 2
        assert not stale.exists()

    def test_a_second_set_of_the_same_images_is_refused(self, root, geometry):
        shutil.copytree(root / "members", root / "copies")
        done = geometry("copies", "--out", "copied")
        assert done.returncode == 2
        assert "copies that are not in an earlier set, but all 5 of them are; leave it out" in done.stderr

    def test_an_interruption_does_not_promise_to_resume(self, root, geometry, monkeypatch):
        def interrupted(*arguments, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr("privaudit.auditing.stages.decoder_influence.estimate_influence", interrupted)
        done = geometry("--out", "interrupted")
        assert done.returncode == 130
        assert "interrupted; nothing was written" in done.stderr
        assert list((root / "interrupted").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "members"), "error: expected a diffusers folder"),
        (("model", "nowhere"), "at nowhere, but it does not exist"),
        (("model", "empty"), "expected images in empty, found none"),
        (("model", "members", "members"), "members 2 times"),
        (("model", "members", "--out", "members/run"), "outside of the images"),
        (("model", "members", "--influence", "guess"), "expected an influence estimator, one of"),
        (("model", "members", "--distortion", "guess"), "got guess; see privaudit estimators"),
        (("model", "members", "--solver", "newton"), "expected an inversion solver, one of"),
        (("model", "members", "--geometry-latents", "both"), "got both"),
        (("model", "members", "--maps", "many"), "expected --maps all or a number, got many"),
        (("model", "members", "--drop", "1"), "0 <= drop < 1"),
        (("model", "members", "--batch-size", "0"), "expected a batch size >= 1"),
        (("model", "members", "--device", "tpu"), "auto, cuda or cpu"),
        (("model", "members", "--config", "no.toml"), "found none"),
    ],
)
def test_errors_are_one_line_and_exit_2(privaudit, arguments, message):
    done = privaudit("geometry", *arguments)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_sets_the_options(root, geometry, tmp_path):
    (root / "settings.toml").write_text("drop = 0.5\ninfluence = 'hutchinson:probes=3'\nattack = ['sima']\nmaps = 1\n")
    done = geometry("--config", "settings.toml", "--out", "from-file")
    assert done.returncode == 0, done.stderr
    assert "influence   hutchinson:probes=3, 3 products" in done.stdout
    assert "a mask that drops 50% agrees with the exact one" in done.stdout
    assert "maps        2 of 5" in done.stdout, "a flag beats the file"


class TestEstimators:
    def test_every_one_is_listed_with_every_parameter(self, privaudit):
        done = privaudit("estimators")
        assert done.returncode == 0
        first, second = done.stdout.split("--distortion")
        for text, registry, make in ((first, ESTIMATORS, ESTIMATORS.build), (second, DISTORTIONS, DISTORTIONS.build)):
            lines = text.splitlines()
            names = [*registry, BOUND] if registry is DISTORTIONS else list(registry)
            starts = [number for number, line in enumerate(lines) if line[:1] == " " and line[1:2].strip()]
            starts = [number for number in starts if lines[number].split()[0] != "--influence"]
            assert [lines[number].split()[0] for number in starts] == sorted(names)
            for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
                name, words = lines[start].split()[0], " ".join(" ".join(lines[start:stop]).split())
                if name == BOUND:
                    assert "Hadamard's upper bound" in words
                    continue
                assert " ".join(registry[name].summary.split()) in words
                assert registry[name].citation in words
                for key, value in asdict(make(name)).items():
                    assert f"{key}={str(value).lower()}" in words.split()

    def test_the_commands_point_to_it(self, privaudit):
        for option in ("--influence", "--distortion"):
            assert option in privaudit("geometry", "--help").stdout
        assert "privaudit estimators" in " ".join(privaudit("geometry", "--help").stdout.split())
