"""From folders of images to influence and distortion, and everything that can be wrong on the way."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from models import DIMENSIONS, LATENT, linear_target, save_small_pipeline, write_images
from safetensors.torch import load_file

from privaudit.data import load_images
from privaudit.decoder_geometry import distortion_bound, estimate_influence, expected_agreement
from privaudit.errors import ConfigError, DataError, TargetError
from privaudit.execution.batching import Batcher
from privaudit.execution.engine import Engine
from privaudit.inversion import SOLVERS
from privaudit.loading import ModelSource, load_target
from privaudit.tasks.geometry_maps import EXTREMES, MAPS, RESULTS, GeometryOptions, run_geometry
from privaudit.tasks.inversion_stage import inversion_stage

SOLVER = "forward-step:evaluations=2:tolerance=0"
WRITTEN = set(RESULTS[:3])
"""What the run writes itself; the others are drawn."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapping")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 4, seed=1)
    write_images(folder / "heldout", 3, seed=2)
    return folder


@pytest.fixture
def run(root, tmp_path):
    """Run with the defaults of these tests, into a folder of the test's own."""

    def start(on_progress=None, **options):
        chosen = {
            "target": str(root / "model"),
            "images": (root / "members", root / "heldout"),
            "out": tmp_path / "out",
            "solver": SOLVER,
            "device": "cpu",
        }
        return run_geometry(GeometryOptions.parse(**{**chosen, **options}), on_progress)

    return start


@pytest.fixture
def linear(monkeypatch, tmp_path):
    """A run on the linear decoder, whose geometry is known and the same everywhere."""
    target = linear_target()
    monkeypatch.setattr("privaudit.tasks.geometry_maps.mapping.load_decoder_target", lambda *args, **options: target)
    images = write_images(tmp_path / "images", 5, side=8)

    def start(on_progress=None, **options):
        chosen = {"target": "linear", "images": (images,), "out": tmp_path / "out", "geometry_latents": "encoder"}
        return run_geometry(GeometryOptions.parse(**{**chosen, **options}), on_progress)

    start.matrix = target.autoencoder.matrix.double()
    return start


class TestLinear:
    def test_influence_is_the_norm_of_each_column(self, linear):
        found = linear(influence="exact")
        wanted = linear.matrix.square().sum(dim=0).view(LATENT)
        for values in found.influence.values:
            torch.testing.assert_close(values.double(), wanted, rtol=1e-5, atol=0)
        table = found.table
        np.testing.assert_allclose(table["influence_total"], float(wanted.sum()), rtol=1e-5)
        for number in range(LATENT[0]):
            np.testing.assert_allclose(
                table[f"channel_{number}"], float(wanted[number].sum() / wanted.sum()), rtol=1e-5
            )
        assert table["kept_agreement"].tolist() == pytest.approx([1.0] * 5, abs=1e-6)
        assert set(table["products"]) == {DIMENSIONS}

    def test_the_exact_distortion_is_the_determinant_and_the_bound_is_above(self, linear):
        exact, bound = linear(influence="exact", distortion="exact"), linear(influence="exact")
        gram = linear.matrix.T @ linear.matrix
        np.testing.assert_allclose(exact.table["distortion"], float(torch.logdet(gram)) / 2, rtol=1e-4)
        np.testing.assert_allclose(bound.table["distortion"], float(gram.diagonal().log().sum()) / 2, rtol=1e-5)
        assert (bound.table["distortion"] > exact.table["distortion"]).all()
        assert exact.table["distortion_error"].tolist() == [0.0] * 5
        assert bound.table["distortion_error"].isna().all()
        assert (exact.table["products"] > bound.table["products"]).all()

    def test_a_method_is_run_batch_by_batch(self, linear):
        calls = []
        found = linear(lambda *call: calls.append(call), distortion="exact", batch_size=2)
        assert [call for call in calls if call[0] == "distortion"] == [("distortion", done, 5) for done in (0, 2, 4, 5)]
        assert list(found.seconds) == ["encoding", "influence", "distortion"]
        assert found.distortion.left_out == "nothing"

    def test_what_is_decoded_is_what_a_file_would_hold(self, linear):
        found = linear()
        row = found.shown[2]
        image = (linear.matrix @ found.latents[row].double().flatten()).view(3, 8, 8).permute(1, 2, 0)
        pixels = (image.clamp(-1, 1) + 1) * 127.5
        assert found.decoded.shape == (5, 8, 8, 3)
        assert np.abs(found.decoded[2] - pixels.numpy()).max() <= 0.51


class TestFiles:
    def test_the_files_hold_what_was_found(self, run):
        found = run()
        assert {path.name for path in found.folder.iterdir()} == WRITTEN
        stored, errors = (load_file(found.folder / name) for name in RESULTS[:2])
        ids = [sample.id for sample in found.samples]
        assert set(stored) == set(errors) == set(ids)
        for row, key in enumerate(ids):
            assert torch.equal(stored[key], found.influence.values[row])
            assert torch.equal(errors[key], found.influence.standard_error[row])
        table = pd.read_csv(found.folder / "geometry.csv", dtype={"id": str})
        assert list(table.columns) == [
            *("id", "path", "set", "distortion", "distortion_error", "quartile", "influence_total", "half_share"),
            *("kept_agreement", "residual", "products", "channel_0", "channel_1"),
        ]
        assert list(table["id"]) == ids
        assert list(table["set"]) == ["members"] * 4 + ["heldout"] * 3
        np.testing.assert_allclose(table["distortion"], distortion_bound(found.influence.values), rtol=1e-12)
        np.testing.assert_allclose(table["channel_0"] + table["channel_1"], 1)
        np.testing.assert_allclose(table["kept_agreement"], expected_agreement(found.influence, 0.4), rtol=1e-6)
        assert sorted(table["quartile"]) == [1, 1, 2, 3, 3, 4, 4]
        assert table.sort_values("distortion")["quartile"].is_monotonic_increasing

    def test_geometry_is_taken_at_the_inverted_latents(self, run, root):
        found = run()
        target = load_target(ModelSource(str(root / "model"), device="cpu"))
        inversion = Engine(found.samples).run(inversion_stage(target, Batcher(64), SOLVERS.build(SOLVER)))
        torch.testing.assert_close(found.latents, inversion.latents, rtol=1e-4, atol=1e-5)
        ids = [sample.id for sample in found.samples]
        wanted = estimate_influence(target.decode, inversion.latents, ids)
        torch.testing.assert_close(found.influence.values, wanted.values, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(found.table["residual"], inversion.residual, rtol=1e-3)

    def test_or_at_those_of_the_encoder(self, run, root):
        found = run(geometry_latents="encoder")
        target = load_target(ModelSource(str(root / "model"), device="cpu"))
        images = torch.from_numpy(load_images(found.samples, target.info.image_size))
        torch.testing.assert_close(found.latents, target.encode(images), rtol=1e-4, atol=1e-5)
        assert found.inversion is None
        assert "residual" not in found.table
        assert list(found.seconds) == ["encoding", "influence"]

    def test_batches_and_order_change_nothing(self, run, root, tmp_path):
        whole = run().table.set_index("id")
        swapped = (root / "heldout", root / "members")
        parts = run(batch_size=2, images=swapped, out=tmp_path / "parts").table.set_index("id").loc[whole.index]
        for name in ("distortion", "influence_total", "residual"):
            np.testing.assert_allclose(parts[name], whole[name], rtol=1e-3)
        assert list(parts["quartile"]) == list(whole["quartile"])

    def test_the_seed_decides_the_probes(self, run, tmp_path):
        first, again, other = (run(seed=seed, out=tmp_path / name) for seed, name in ((3, "a"), (3, "b"), (4, "c")))
        assert torch.equal(first.influence.values, again.influence.values)
        assert not torch.equal(first.influence.values, other.influence.values)

    def test_the_rank_is_by_distortion(self, run):
        found = run()
        assert sorted(found.rank) == list(range(1, 8))
        assert found.distortion.values[np.argsort(found.rank)].diff().le(0).all()

    @pytest.mark.parametrize(("maps", "drawn"), [(0, 0), (3, 3), (100, 7), (None, 7)])
    def test_as_many_are_drawn_as_asked(self, run, maps, drawn):
        found = run(maps=maps, geometry_latents="encoder")
        assert found.drawn == found.shown[:drawn]
        assert len(found.shown) == len(found.decoded) == min(7, max(drawn, 2 * EXTREMES))

    def test_progress_is_told_of_every_stage(self, run):
        calls = []
        run(lambda *call: calls.append(call), batch_size=4)
        for stage in ("inversion", "influence"):
            assert [call for call in calls if call[0] == stage] == [(stage, done, 7) for done in (0, 4, 7)]
        assert [call for call in calls if call[0] == "images"][-1] == ("images", 7, 7)


class TestWrongInput:
    def test_a_missing_folder_is_named_and_nothing_is_made(self, run, tmp_path, root):
        with pytest.raises(DataError, match="nowhere, but it does not exist"):
            run(images=(root / "members", tmp_path / "nowhere"))
        assert not (tmp_path / "out").exists()

    def test_an_empty_folder_is_named(self, run, tmp_path, root):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=r"expected images in .*empty, found none"):
            run(images=(root / "members", tmp_path / "empty"))

    def test_a_missing_model_is_named(self, run, tmp_path):
        with pytest.raises(TargetError, match="absent"):
            run(target=str(tmp_path / "absent"))

    def test_what_an_earlier_run_left_is_gone_and_the_rest_stays(self, run, tmp_path):
        stale = [tmp_path / "out" / name for name in (*RESULTS, f"{MAPS}/01-x.png")]
        own = [tmp_path / "out" / name for name in (f"{MAPS}/notes.png", "mine.txt")]
        (tmp_path / "out" / MAPS).mkdir(parents=True)
        for path in (*stale, *own):
            path.write_bytes(b"old")
        with pytest.raises(TargetError):
            run(target=str(tmp_path / "absent"))
        assert not any(path.exists() for path in stale)
        assert all(path.exists() for path in own)

    @pytest.mark.parametrize("place", ["extremes.png", f"{MAPS}/1-x.png"])
    def test_an_image_that_would_be_overwritten_is_refused(self, run, root, tmp_path, place):
        picture = tmp_path / "out" / place
        picture.parent.mkdir(parents=True)
        shutil.copy(root / "members" / "1-000.png", picture)
        (tmp_path / "list.csv").write_text(f"path\n{picture}\n")
        with pytest.raises(ConfigError, match="expected inputs that the run does not overwrite"):
            run(images=(tmp_path / "list.csv",))
        assert picture.exists()
