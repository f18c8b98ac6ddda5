"""From a folder of images to a file of latents, and everything that can be wrong on the way."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from models import random_normal, save_small_pipeline, write_images
from PIL import Image
from safetensors.torch import load_file, save_file

from privaudit.data import load_images, read_set
from privaudit.errors import ConfigError, DataError, NonFiniteError, TargetError
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.inversion import DEFAULT, OUTCOMES, SOLVERS, Inversion, invert, nmse_db
from privaudit.loading import ModelSource, load_target
from privaudit.model.target import Autoencoder
from privaudit.tasks.inversion_stage import inversion_stage
from privaudit.tasks.invert_options import InvertOptions
from privaudit.tasks.inverting import describe_solver, run_inversion

SOLVER = "forward-step:evaluations=3:tolerance=0"
COLUMNS = ["id", "path", "outcome", "residual", "pixel_residual", "evaluations"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inverting")
    save_small_pipeline(folder / "model")
    write_images(folder / "images", 5, seed=1)
    return folder


@pytest.fixture(scope="module")
def target(root):
    return load_target(ModelSource(str(root / "model"), device="cpu"))


@pytest.fixture
def run(root, tmp_path):
    """Run with the defaults of these tests, into a folder of the test's own."""

    def start(on_progress=None, **options):
        chosen = {
            "target": str(root / "model"),
            "images": root / "images",
            "out": tmp_path / "out",
            "solver": SOLVER,
            "device": "cpu",
        }
        return run_inversion(InvertOptions.parse(**{**chosen, **options}), on_progress)

    return start


def corrupt(model: Path, copy: Path, part: str = "") -> Path:
    """A copy of the pipeline whose autoencoder (or the part of that name) overflows to infinity."""
    shutil.copytree(model, copy)
    path = copy / "vqvae" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    save_file({name: w * 1e37 if name.startswith(part) else w for name, w in weights.items()}, path)
    return copy


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


@dataclass(frozen=True)
class FailsAt:
    """An autoencoder whose decoder gives NaN for one latent."""

    inner: Autoencoder
    point: torch.Tensor

    @property
    def dtype(self) -> torch.dtype:
        return self.inner.dtype

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return self.inner.encode(images)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        at = (latents - self.point).flatten(1).norm(dim=1) < 1e-3
        return torch.where(at[:, None, None, None], torch.nan, self.inner.decode(latents))


class TestFiles:
    def test_latents_are_those_of_each_image_alone(self, run, target):
        found = run()
        stored = load_file(found.folder / "latents.safetensors")
        assert set(stored) == {sample.id for sample in found.images.samples}
        for row, sample in enumerate(found.images.samples):
            pixels = torch.from_numpy(load_images([sample], target.info.image_size))
            alone = invert(target, pixels, SOLVER, clip=True)
            assert stored[sample.id].dtype == torch.float32
            torch.testing.assert_close(stored[sample.id], alone.latents[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found.inversion.residuals[row], alone.residuals[0], rtol=1e-4, atol=1e-6)

    def test_the_table_holds_what_was_found(self, run):
        found = run()
        table = pd.read_csv(found.folder / "inversion.csv", dtype={"id": str})
        assert list(table.columns) == COLUMNS
        assert list(table["id"]) == [sample.id for sample in found.images.samples]
        assert list(table["path"]) == [str(sample.path) for sample in found.images.samples]
        assert list(table["outcome"]) == list(found.inversion.outcomes)
        assert set(table["outcome"]) <= set(OUTCOMES)
        assert list(table["evaluations"]) == [3] * 5
        for name in ("residual", "pixel_residual"):
            np.testing.assert_allclose(table[name], getattr(found.inversion, name).numpy(), rtol=1e-12)

    def test_the_latents_have_the_residual_that_the_table_says(self, run, target):
        found = run()
        stored = load_file(found.folder / "latents.safetensors")
        table = pd.read_csv(found.folder / "inversion.csv", dtype={"id": str})
        images = torch.from_numpy(load_images(found.images.samples, target.info.image_size))
        latents = torch.stack([stored[key] for key in table["id"]])
        with torch.no_grad():
            decoded, goal = target.decode(latents).clamp(-1, 1), target.encode(images)
            apart = (target.encode(decoded) - goal).flatten(1).norm(dim=1) / goal.flatten(1).norm(dim=1)
            pixels = (decoded - images).flatten(1).norm(dim=1) / images.flatten(1).norm(dim=1)
        np.testing.assert_allclose(table["residual"], apart.numpy(), rtol=1e-3)
        np.testing.assert_allclose(table["pixel_residual"], pixels.numpy(), rtol=1e-3)

    def test_nothing_but_the_two_files_is_left(self, run, tmp_path):
        assert written(run(out=tmp_path / "deep" / "out").folder) == {"latents.safetensors", "inversion.csv"}

    @pytest.mark.parametrize("size", [1, 2, 5, 64])
    def test_batch_size_changes_nothing(self, run, tmp_path, size):
        whole, parts = run(), run(batch_size=size, out=tmp_path / "parts")
        assert [s.id for s in whole.images.samples] == [s.id for s in parts.images.samples]
        torch.testing.assert_close(whole.inversion.latents, parts.inversion.latents, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(whole.inversion.residuals, parts.inversion.residuals, rtol=1e-4, atol=1e-6)
        assert whole.inversion.outcomes == parts.inversion.outcomes

    def test_batches_that_stop_at_different_times_are_joined(self, run, tmp_path):
        # the tolerance lies between the first residuals of the images, so their histories differ in width
        first = run(solver="forward-step:evaluations=1:tolerance=0").inversion.residual
        middle = float(first.sort().values[2:4].mean())  # between two of them: rounding may differ with the threads
        found = run(solver=f"forward-step:evaluations=3:tolerance={middle}", batch_size=1, out=tmp_path / "stops")
        assert found.inversion.residuals.shape == (5, 3)
        stopped = first <= middle
        assert found.inversion.evaluations[stopped].tolist() == [1] * int(stopped.sum())
        assert found.inversion.residuals[stopped, 1:].isnan().all()
        assert [name == "converged" for name in found.inversion.outcomes] == found.inversion.converged.tolist()

    def test_progress_is_told_of_every_batch(self, run):
        calls = []
        run(lambda stage, done, total: calls.append((stage, done, total)), batch_size=2)
        assert [call for call in calls if call[0] == "inversion"] == [("inversion", done, 5) for done in (0, 2, 4, 5)]
        assert [call for call in calls if call[0] == "images"][-1] == ("images", 5, 5)


class TestImages:
    def test_gray_and_other_sizes_are_converted(self, run, target, tmp_path):
        folder = tmp_path / "odd"
        folder.mkdir()
        ramp = np.linspace(0, 255, 40 * 24).reshape(24, 40).astype(np.uint8)
        Image.fromarray(ramp).save(folder / "gray.png")
        Image.fromarray(np.stack([ramp] * 4, axis=2)[:16, :16]).save(folder / "alpha.png")
        found = run(images=folder)
        pixels = torch.from_numpy(load_images(found.images.samples, target.info.image_size))
        assert pixels.shape == (2, 3, 16, 16)
        wanted = invert(target, pixels, SOLVER, clip=True)
        torch.testing.assert_close(found.inversion.latents, wanted.latents, rtol=1e-4, atol=1e-5)

    def test_copies_are_inverted_once(self, run, root, tmp_path):
        folder = shutil.copytree(root / "images", tmp_path / "twice")
        shutil.copy(folder / "1-000.png", folder / "copy.png")
        found = run(images=folder)
        assert (len(found.images), found.images.duplicates, len(found.table)) == (5, 1, 5)

    def test_unreadable_files_are_skipped_and_counted(self, run, root, tmp_path):
        folder = shutil.copytree(root / "images", tmp_path / "partly")
        (folder / "broken.png").write_bytes(b"no image")
        found = run(images=folder)
        assert [skipped.path.name for skipped in found.images.skipped] == ["broken.png"]
        assert len(found.table) == 5
        with pytest.raises(DataError, match=r"broken\.png"):
            run(images=folder, strict=True, out=tmp_path / "strict")
        assert written(tmp_path / "strict") == set()

    def test_a_missing_folder_is_named_and_nothing_is_made(self, run, tmp_path):
        with pytest.raises(DataError, match="nowhere, but it does not exist"):
            run(images=tmp_path / "nowhere")
        assert not (tmp_path / "out").exists()

    def test_an_empty_folder_is_named(self, run, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=r"expected images in .*empty, found none"):
            run(images=tmp_path / "empty")
        assert written(tmp_path / "out") == set()

    def test_a_missing_model_is_named(self, run, tmp_path):
        with pytest.raises(TargetError, match="absent"):
            run(target=str(tmp_path / "absent"))


@pytest.fixture(scope="module")
def truth(root, target):
    """Latents that are not those of the inversion, by path."""
    samples = read_set(root / "images", target.info.image_size).samples
    return {sample.path: random_normal(*target.info.latent_shape, seed=row) for row, sample in enumerate(samples)}


class TestTruth:
    def check(self, found, truth):
        wanted = nmse_db(found.inversion.latents, torch.stack([truth[s.path] for s in found.images.samples]))
        assert found.inversion.nmse is not None
        torch.testing.assert_close(found.inversion.nmse, wanted)
        table = pd.read_csv(found.folder / "inversion.csv")
        assert list(table.columns) == [*COLUMNS, "nmse"]
        np.testing.assert_allclose(table["nmse"], wanted.numpy())

    def test_by_sample_id_in_any_batch_size(self, run, root, target, truth, tmp_path):
        samples = read_set(root / "images", target.info.image_size).samples
        save_file({sample.id: truth[sample.path] for sample in reversed(samples)}, tmp_path / "t.safetensors")
        self.check(run(truth=tmp_path / "t.safetensors"), truth)
        self.check(run(truth=tmp_path / "t.safetensors", batch_size=2), truth)

    def test_by_file_stem(self, run, truth, tmp_path):
        save_file({path.stem: latent for path, latent in truth.items()}, tmp_path / "t.safetensors")
        self.check(run(truth=tmp_path / "t.safetensors"), truth)

    def test_by_the_manifests_id(self, run, truth, tmp_path):
        rows = [f"{path},{100 + row}\n" for row, path in enumerate(truth)]
        (tmp_path / "list.csv").write_text("path,id\n" + "".join(rows))
        latents = {str(100 + row): latent for row, latent in enumerate(truth.values())}
        save_file(latents, tmp_path / "t.safetensors")
        self.check(run(images=tmp_path / "list.csv", truth=tmp_path / "t.safetensors"), truth)

    def test_sample_id_before_manifest_id_before_stem(self, run, root, target, truth, tmp_path):
        samples = read_set(root / "images", target.info.image_size).samples
        stored = {sample.path.stem: torch.zeros(target.info.latent_shape) for sample in samples}
        stored |= {sample.id: truth[sample.path] for sample in samples}
        save_file(stored, tmp_path / "t.safetensors")
        self.check(run(truth=tmp_path / "t.safetensors"), truth)

    @pytest.fixture
    def namesakes(self, root, tmp_path):
        """Two images of one stem in two folders, and one of a stem of its own."""
        for number, name in enumerate(("a/same.png", "b/same.png", "b/other.png")):
            (tmp_path / "sets" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / "images" / f"1-00{number}.png", tmp_path / "sets" / name)
        return tmp_path / "sets"

    def test_a_stem_of_two_images_is_no_key(self, run, namesakes, tmp_path):
        save_file({name: torch.zeros(2, 8, 8) for name in ("same", "other")}, tmp_path / "t.safetensors")
        with pytest.raises(DataError, match="a file stem that no other image has") as error:
            run(images=namesakes, truth=tmp_path / "t.safetensors")
        assert str(error.value).count("(same.png)") == 2
        assert "other.png" not in str(error.value)

    def test_a_stem_of_two_images_does_not_hinder_ids(self, run, target, namesakes, tmp_path):
        samples = read_set(namesakes, target.info.image_size).samples
        latents = {s.path: random_normal(*target.info.latent_shape, seed=row) for row, s in enumerate(samples)}
        stored = {s.path.stem if s.path.stem == "other" else s.id: latents[s.path] for s in samples}
        save_file({"same": torch.zeros(2, 8, 8), **stored}, tmp_path / "t.safetensors")
        self.check(run(images=namesakes, truth=tmp_path / "t.safetensors"), latents)

    @pytest.mark.parametrize(("option", "name"), [("truth", "latents.safetensors"), ("images", "inversion.csv")])
    def test_a_result_of_an_earlier_run_in_the_same_folder_is_refused_and_kept(self, run, option, name):
        path = run().folder / name
        with pytest.raises(ConfigError, match=f"does not overwrite, got .*{name}; pass another --out"):
            run(**{option: path})
        assert path.is_file()

    def test_further_latents_and_16_bits_are_fine(self, run, truth, tmp_path):
        halves = {path: latent.half() for path, latent in truth.items()}
        stored = {path.stem: latent for path, latent in halves.items()}
        save_file({**stored, "other": torch.zeros(1)}, tmp_path / "t.safetensors")
        self.check(run(truth=tmp_path / "t.safetensors"), {path: latent.float() for path, latent in halves.items()})

    def test_missing_latents_are_named(self, run, root, truth, tmp_path):
        save_file({"1-000": torch.zeros(2, 8, 8)}, tmp_path / "t.safetensors")
        with pytest.raises(DataError, match=r"t\.safetensors for every image.*1-001\.png.* and 1 more") as error:
            run(truth=tmp_path / "t.safetensors")
        assert "1-000" not in str(error.value)
        assert written(tmp_path / "out") == set()

    def test_a_wrong_shape_is_named(self, run, truth, tmp_path):
        save_file({path.stem: torch.zeros(2, 8, 9) for path in truth}, tmp_path / "t.safetensors")
        with pytest.raises(DataError, match=r"\(2, 8, 8\) in .*t\.safetensors, got \(2, 8, 9\)"):
            run(truth=tmp_path / "t.safetensors")

    @pytest.mark.parametrize("kind", ["missing", "text", "empty", "folder"])
    def test_what_is_no_safetensors_file_is_named(self, run, tmp_path, kind):
        path = tmp_path / "t.safetensors"
        if kind == "folder":
            path.mkdir()
        elif kind != "missing":
            path.write_bytes(b"id,latent\n" * 10 if kind == "text" else b"")
        with pytest.raises(DataError, match=r"safetensors file .*t\.safetensors: "):
            run(truth=path)
        assert written(tmp_path / "out") == set()


class TestFailures:
    def test_an_out_path_that_is_a_file_is_an_option_problem(self, run, tmp_path):
        (tmp_path / "file").write_text("mine")
        for out in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(ConfigError, match="expected a folder that can be written"):
                run(out=out)
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize("part", ["", "encoder", "decoder"])
    def test_a_model_that_gives_nan_names_the_images_and_writes_nothing(self, run, root, target, tmp_path, part):
        broken = corrupt(root / "model", tmp_path / "broken", part)
        samples = read_set(root / "images", target.info.image_size).samples
        with pytest.raises(NonFiniteError) as error:
            run(target=str(broken))
        assert all(sample.id in str(error.value) for sample in samples)
        assert written(tmp_path / "out") == set()

    def test_a_failed_run_keeps_an_earlier_result_aside(self, run, tmp_path):
        folder = run().folder
        for name in ("residuals.png", "notes.txt"):
            (folder / name).write_text("of an earlier run")
        (tmp_path / "empty").mkdir()
        before = (folder / "inversion.csv").read_bytes()
        with pytest.raises(DataError, match="found none") as caught:
            run(images=tmp_path / "empty")
        assert written(folder) == {"notes.txt", "previous"}
        assert (folder / "previous" / "inversion.csv").read_bytes() == before
        assert caught.value.__notes__ == [f"the results of the earlier run are kept in {folder / 'previous'}"]
        run()
        assert "previous" not in written(folder)

    @pytest.mark.parametrize(
        "size",
        [1, 3, 4, 5],
    )
    def test_an_image_that_the_decoder_fails_on_alone_diverges(self, root, target, size):
        samples = read_set(root / "images", target.info.image_size).samples
        start = target.encode(torch.from_numpy(load_images(samples[4:], target.info.image_size)))
        broken = replace(target, autoencoder=FailsAt(target.autoencoder, start))
        found = Engine(samples).run(inversion_stage(broken, Batcher(size), SOLVERS.build(SOLVER)))
        assert found.outcomes == ("budget spent",) * 4 + ("diverged",)
        torch.testing.assert_close(found.latents[4:], start, rtol=1e-4, atol=1e-5)

    def test_a_failure_at_the_last_batch_leaves_nothing(self, run, tmp_path, monkeypatch):
        calls = []

        def broken(*arguments, **options):
            calls.append(options["sample_ids"])
            if len(calls) == 3:
                raise NonFiniteError("no more")
            return invert(*arguments, **options)

        monkeypatch.setattr("privaudit.tasks.inversion_stage.invert", broken)
        with pytest.raises(NonFiniteError):
            run(batch_size=2)
        assert written(tmp_path / "out") == set()


class TestOptions:
    def options(self, **changes):
        return InvertOptions.parse(**{"target": "model", "images": Path("images"), "out": Path("out"), **changes})

    def test_defaults(self):
        assert self.options().solver.spec == DEFAULT == "anderson"

    def test_all_problems_are_named_at_once(self):
        with pytest.raises(ConfigError) as error:
            self.options(solver="anderson:depth=3:memory=x:rho=-1", batch_size=0)
        assert len(error.value.problems) == 4
        for part in ("'depth'", "memory=<int>", "rho > 0", "batch size >= 1 or auto, got 0"):
            assert part in str(error.value)

    @pytest.mark.parametrize("solver", ["gradient", "encoder"])
    def test_no_cocoercivity_without_steps_along_t(self, solver):
        with pytest.raises(ConfigError) as error:
            self.options(solver=solver, cocoercivity=True, batch_size=-1)
        assert len(error.value.problems) == 2
        assert f"got {solver}" in str(error.value)
        assert self.options(solver="anderson", cocoercivity=True).cocoercivity

    def test_unknown_solvers_are_answered_with_the_known_ones(self):
        with pytest.raises(ConfigError, match="anderson, encoder.*got newton"):
            self.options(solver="newton")

    def test_a_solver_is_described_with_every_parameter(self):
        text = describe_solver(SOLVERS.build("forward-step:evaluations=7:tolerance=0:rho=0.5"))
        assert text == "forward-step (evaluations 7, tolerance 0, rho 0.5)"


class TestJoin:
    def part(self, count: int, width: int, seed: int, **extra) -> Inversion:
        history = random_normal(count, width, seed=seed).abs() + 0.1
        return Inversion(
            latents=random_normal(count, 2, seed=seed + 1),
            encoded=random_normal(count, 2, seed=seed + 2),
            residuals=history,
            pixel_residuals=2 * history,
            best=history.argmin(dim=1),
            evaluations=torch.full((count,), width),
            tolerance=0.2,
            diverged=torch.arange(count) % 2 == 0,
            floor=torch.full((count,), math.nan),
            **extra,
        )

    def test_histories_of_different_width_are_filled_with_nan(self):
        parts = [self.part(2, 3, 0), self.part(1, 5, 10), self.part(3, 1, 20)]
        joined = Inversion.join(parts)
        assert joined.residuals.shape == joined.pixel_residuals.shape == (6, 5)
        start = 0
        for part in parts:
            rows, width = slice(start, start + len(part.latents)), part.residuals.shape[1]
            assert torch.equal(joined.residuals[rows, :width], part.residuals)
            assert torch.equal(joined.pixel_residuals[rows, :width], part.pixel_residuals)
            assert joined.residuals[rows, width:].isnan().all()
            start = rows.stop
        for name in ("latents", "encoded", "best", "evaluations", "diverged", "residual", "converged", "stalled"):
            assert torch.equal(getattr(joined, name), torch.cat([getattr(part, name) for part in parts])), name
        assert joined.outcomes == sum((part.outcomes for part in parts), ())
        assert joined.tolerance == 0.2

    def test_one_part_stays_as_it_is(self):
        part = self.part(2, 3, 0, nmse=torch.tensor([1.0, 2.0]))
        joined = Inversion.join([part])
        assert torch.equal(joined.residuals, part.residuals)
        assert joined.cocoercivity is None

    def test_what_only_some_parts_know_is_left_out(self):
        known = self.part(1, 2, 0, nmse=torch.tensor([-3.0]), cocoercivity=torch.tensor([0.5]))
        other = self.part(1, 2, 5, nmse=torch.tensor([-4.0]))
        joined = Inversion.join([known, other])
        assert joined.nmse.tolist() == [-3.0, -4.0]
        assert joined.cocoercivity is None
        assert Inversion.join([known, known]).cocoercivity.tolist() == [0.5, 0.5]

    def test_to_moves_tensors_and_keeps_the_rest(self):
        part = self.part(2, 3, 0, nmse=torch.tensor([1.0, 2.0]))
        moved = part.to("meta")
        assert moved.latents.device.type == moved.nmse.device.type == moved.diverged.device.type == "meta"
        assert (moved.tolerance, moved.cocoercivity) == (0.2, None)
        assert part.latents.device.type == "cpu"
        same = replace(part, tolerance=0.3).to("cpu")
        assert torch.equal(same.residuals, part.residuals)


def test_a_stage_without_truth_knows_no_error(root, target):
    samples = read_set(root / "images", target.info.image_size).samples
    done = []
    engine = Engine(samples, lambda stage, count, total: done.append((stage, count, total)))
    found = engine.run(inversion_stage(target, Batcher(3), SOLVERS.build(SOLVER)))
    assert done == [("inversion", count, 5) for count in (0, 3, 5)]
    assert found.nmse is None
    assert found.cocoercivity is None
    assert found.latents.device.type == "cpu"
