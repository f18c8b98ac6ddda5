"""Origin: p-values that are valid, and own generations that are told from photographs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from models import save_small_pipeline, write_images
from PIL import Image

from privaudit.data import load_images
from privaudit.errors import ConfigError, DataError
from privaudit.evaluation import auroc
from privaudit.inversion import SOLVERS
from privaudit.lab.demo_target import SPLIT, TARGET
from privaudit.lab.photographs import unpack
from privaudit.loading import ModelSource, load_target
from privaudit.tasks.origin_options import MIN_GENERATIONS, OriginOptions
from privaudit.tasks.origin_test import conformal_p_values, run_origin, scores
from privaudit.tasks.origin_traces import Traces, generate, to_eight_bits, trace

COLUMNS = ["id", "path", "error_encoder", "error_inverted", "remaining", "residual", "p_own"]
CHEAP = "anderson:evaluations=5:tolerance=0"


def save_png(images: torch.Tensor, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for row, image in enumerate(images):
        values = ((image + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(values).save(folder / f"{row:03d}.png")
    return folder


class TestConformal:
    def literal(self, values, own):
        return [(1 + sum(o >= value for o in own)) / (1 + len(own)) for value in values]

    def test_is_the_formula(self):
        generator = np.random.default_rng(0)
        for _ in range(20):
            # few distinct values: many ties, within and between
            own, values = generator.integers(0, 6, 17) / 4, generator.integers(-1, 8, 23) / 4
            np.testing.assert_array_equal(conformal_p_values(values, own), self.literal(values, own))
        own, values = generator.normal(size=9), generator.normal(size=30)
        np.testing.assert_array_equal(conformal_p_values(values, own), self.literal(values, own))

    def test_extremes_and_ties(self):
        own = np.array([0.1, 0.2, 0.2, 0.4])
        values = np.array([0.0, 0.1, 0.2, 0.4, 0.5, np.inf, -np.inf])
        np.testing.assert_allclose(conformal_p_values(values, own), [1, 1, 0.8, 0.4, 0.2, 0.2, 1])
        assert conformal_p_values(np.array([]), own).shape == (0,)
        np.testing.assert_allclose(conformal_p_values(np.full(3, 0.2), np.full(9, 0.2)), 1)

    def test_order_does_not_matter(self):
        generator = np.random.default_rng(1)
        own, values = generator.normal(size=11), generator.normal(size=7)
        p, shuffled = conformal_p_values(values, own), conformal_p_values(values[::-1], generator.permutation(own))
        np.testing.assert_array_equal(p[::-1], shuffled)

    @pytest.mark.parametrize("kind", ["continuous", "ties"])
    def test_is_valid_for_one_more_of_the_same(self, kind):
        draws, own = 20_000, 19
        generator = np.random.default_rng(2)
        values = generator.normal(size=(draws, own + 1))
        values = values if kind == "continuous" else values.round()
        p = np.array([conformal_p_values(row[:1], row[1:])[0] for row in values])
        for k in range(1, own + 2):
            level, share = k / (own + 1), float(np.mean(p <= k / (own + 1) + 1e-12))
            deviation = 5 * np.sqrt(level * (1 - level) / draws)
            assert share <= level + deviation
            if kind == "continuous":  # then it is uniform, not only no smaller
                assert share >= level - deviation


class TestTraces:
    def test_remaining_is_a_share(self):
        traces = Traces(np.array([0.5, 0.2, 0.0]), np.array([0.1, 0.2, 0.0]), np.array([0.01, 0.02, 0.0]))
        np.testing.assert_allclose(traces.remaining, [0.2, 1, 0])

    def test_scores_are_higher_for_own_generations(self):
        own = Traces(np.array([0.02, 0.03]), np.array([0.001, 0.002]), np.array([1e-4, 2e-4]))
        other = Traces(np.array([0.05, 0.06]), np.array([0.04, 0.05]), np.array([1e-3, 2e-3]))
        mine, theirs = scores(own), scores(other)
        assert list(mine) == list(theirs) == ["remaining", "inverted", "encoder", "residual"]
        for name in mine:
            assert mine[name].min() > theirs[name].max(), name
        np.testing.assert_allclose(mine["remaining"], [-1 / 20, -1 / 15])


class TestEightBits:
    def test_gives_the_values_of_a_file(self):
        images = torch.linspace(-1.5, 1.5, 3 * 64 * 64).view(1, 3, 64, 64)
        found = to_eight_bits(images)
        steps = (found + 1) * 127.5
        torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
        assert (found.min(), found.max()) == (-1, 1)
        assert len(steps.round().unique()) == 256
        assert (found - images.clamp(-1, 1)).abs().max() <= 0.5 / 127.5 + 1e-6
        torch.testing.assert_close(to_eight_bits(found), found, rtol=0, atol=1e-6)

    def test_a_file_gives_the_same_back(self, tmp_path):
        images = to_eight_bits(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        folder = save_png(images, tmp_path / "png")
        read = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])
        torch.testing.assert_close(torch.from_numpy(read).permute(0, 3, 1, 2) / 127.5 - 1, images, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("origin")
    save_small_pipeline(folder / "model")
    write_images(folder / "images", 5, seed=1)
    return folder


@pytest.fixture(scope="module")
def small(root):
    return load_target(ModelSource(str(root / "model"), device="cpu"))


@pytest.fixture
def run(root, tmp_path):
    def start(on_progress=None, **options):
        chosen = {
            "target": str(root / "model"),
            "images": root / "images",
            "out": tmp_path / "out",
            "generated": MIN_GENERATIONS,
            "steps": 2,
            "solver": CHEAP,
            "device": "cpu",
        }
        return run_origin(OriginOptions.parse(**{**chosen, **options}), on_progress)

    return start


class TestGenerate:
    def test_an_image_belongs_to_its_key(self, small):
        keys = ["a", "b", "c", "d"]
        whole = generate(small, keys, 3, None, 0)
        assert whole.shape == (4, 3, 16, 16)
        assert len({tuple(image.flatten().tolist()) for image in whole}) == 4
        level = 1 / 127.5  # a value at the edge of two may be rounded either way in another batch
        torch.testing.assert_close(generate(small, keys, 3, None, 0), whole, rtol=0, atol=0)
        torch.testing.assert_close(generate(small, keys[::-1], 3, None, 0).flip(0), whole, rtol=0, atol=1.01 * level)
        alone = torch.cat([generate(small, [key], 3, None, 0) for key in keys])
        torch.testing.assert_close(alone, whole, rtol=0, atol=1.01 * level)
        assert (alone != whole).float().mean() < 0.01
        assert not torch.allclose(generate(small, keys, 3, None, 1), whole, atol=2 * level)

    def test_values_are_those_of_a_file(self, small):
        found = generate(small, ["a"], 2, None, 0)
        torch.testing.assert_close(to_eight_bits(found), found, rtol=0, atol=1e-6)

    def test_the_global_generator_is_left_alone(self, small):
        before = torch.random.get_rng_state()
        generate(small, ["a"], 2, None, 0)
        assert torch.equal(torch.random.get_rng_state(), before)


class TestRun:
    def test_the_table(self, run, small):
        found = run()
        table = pd.read_csv(found.folder / "origin.csv", dtype={"id": str})
        assert list(table.columns) == COLUMNS
        assert list(table["id"]) == [sample.id for sample in found.images.samples]
        np.testing.assert_allclose(table["remaining"], table["error_inverted"] / table["error_encoder"])
        np.testing.assert_allclose(
            table["p_own"], conformal_p_values(table["remaining"].to_numpy(), found.generations.remaining)
        )
        assert {path.name for path in found.folder.iterdir()} == {"origin.csv"}
        assert len(found.generations.encoder) == MIN_GENERATIONS
        assert list(found.metrics) == ["remaining", "inverted", "encoder", "residual"]
        own = generate(small, [f"own generation {number}" for number in range(MIN_GENERATIONS)], 2, None, 0)
        wanted = trace(small, own, SOLVERS.build(CHEAP), [str(number) for number in range(MIN_GENERATIONS)])
        np.testing.assert_allclose(found.generations.remaining, wanted.remaining, rtol=0.05)

    def test_errors_are_root_mean_squares_in_pixels(self, run, small):
        found = run()
        images = torch.from_numpy(load_images(found.images.samples, (16, 16)))
        with torch.no_grad():
            gaps = small.decode(small.encode(images)).clamp(-1, 1) - images
        wanted = gaps.double().square().flatten(1).mean(dim=1).sqrt()
        np.testing.assert_allclose(found.traces.encoder, wanted.numpy(), rtol=1e-4)
        assert (found.traces.inverted >= 0).all()

    def test_auroc_is_of_own_against_images(self, run):
        found = run()
        member = np.repeat([True, False], [MIN_GENERATIONS, 5])
        for name, values in scores(found.generations).items():
            both = np.concatenate([values, scores(found.traces)[name]])
            assert found.metrics[name].auroc.value == pytest.approx(auroc(both, member))

    def test_batch_size_changes_nothing_that_counts(self, run, tmp_path):
        whole, parts = run(), run(batch_size=7, out=tmp_path / "parts")
        for name in ("encoder", "inverted", "residual"):
            np.testing.assert_allclose(getattr(whole.traces, name), getattr(parts.traces, name), rtol=1e-3)
            # a rounded value of an own generation may fall on the other side
            np.testing.assert_allclose(getattr(whole.generations, name), getattr(parts.generations, name), rtol=0.05)

    def test_progress(self, run):
        calls = []
        run(lambda stage, done, total: calls.append((stage, done, total)), batch_size=4, generated=22)
        own = [call for call in calls if call[0] == "generations"]
        assert own == [("generations", done, 22) for done in (0, 4, 8, 12, 16, 20, 22)]
        assert [call for call in calls if call[0] == "traces"] == [("traces", n, 5) for n in (0, 4, 5)]
        assert [call for call in calls if call[0] == "images"][-1] == ("images", 5, 5)

    def test_missing_images_and_folders_that_cannot_be_made(self, run, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            run(images=tmp_path / "nowhere")
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="expected a folder that can be written"):
            run(out=tmp_path / "file")

    def test_unreadable_files_are_counted(self, run, root, tmp_path):
        folder = shutil.copytree(root / "images", tmp_path / "partly")
        (folder / "broken.png").write_bytes(b"no image")
        assert len(run(images=folder).images.skipped) == 1
        with pytest.raises(DataError, match=r"broken\.png"):
            run(images=folder, strict=True)

    def test_a_single_image_can_be_asked_about(self, run, root, tmp_path):
        (tmp_path / "one").mkdir()
        shutil.copy(root / "images" / "1-000.png", tmp_path / "one")
        found = run(images=tmp_path / "one")
        assert len(found.p_values) == len(pd.read_csv(found.folder / "origin.csv")) == 1
        assert found.p_values == conformal_p_values(found.traces.remaining, found.generations.remaining)
        assert found.metrics == {}

    def test_a_prompt_is_for_text_to_image_targets(self, run, root, tmp_path):
        with pytest.raises(ConfigError, match="text-to-image target for --prompt, got .*model; leave it out"):
            run(prompt="a dog")
        assert not (tmp_path / "out" / "origin.csv").exists()

    def test_a_failed_run_keeps_an_earlier_result_aside(self, run, root, tmp_path):
        folder = run().folder
        (folder / "notes.txt").write_text("mine")
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="found none"):
            run(images=tmp_path / "empty")
        assert {path.name for path in folder.iterdir()} == {"notes.txt", "previous"}
        assert (folder / "previous" / "origin.csv").is_file()

    def test_the_table_of_an_earlier_run_in_the_same_folder_is_refused_and_kept(self, run):
        path = run().folder / "origin.csv"
        with pytest.raises(ConfigError, match="does not overwrite"):
            run(images=path)
        assert path.is_file()

    def test_too_many_steps_are_an_option_problem(self, run, tmp_path):
        with pytest.raises(ConfigError, match="DDIM steps for this target, got 1001"):
            run(steps=1001)
        assert not (tmp_path / "out" / "origin.csv").exists()


def test_all_option_problems_are_named_at_once():
    with pytest.raises(ConfigError) as error:
        OriginOptions.parse(
            target="model",
            images=Path("images"),
            out=Path("out"),
            generated=1,
            steps=0,
            solver="anderson:depth=1",
            confidence=0.5,
            seed=-1,
            batch_size=0,
        )
    assert len(error.value.problems) == 6
    for part in ("'depth'", f"{MIN_GENERATIONS} or more generated", "DDIM steps", "batch size", "confidence", "seed"):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match="confidence"):
        OriginOptions("model", Path("images"), Path("out"), confidence=1.0)


def test_generations_are_as_many_as_p_below_the_usual_level_takes():
    with pytest.raises(ConfigError, match=r"expected 20 or more generated images, .* got 19"):
        OriginOptions("model", Path("images"), Path("out"), generated=19)
    assert OriginOptions("model", Path("images"), Path("out"), generated=20).generated == MIN_GENERATIONS == 20
    assert (
        conformal_p_values(np.ones(1), np.zeros(MIN_GENERATIONS)) < 0.05 <= conformal_p_values(np.ones(1), np.zeros(19))
    )


COUNT, STEPS = 24, 5


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's target asked about its own generations, saved as PNG files, and about photographs it never saw."""
    folder = tmp_path_factory.mktemp("demo-origin")
    target = load_target(ModelSource(str(TARGET), device="cpu"))
    images = generate(target, [f"in question {number}" for number in range(COUNT)], STEPS, None, 1)
    save_png(images, folder / "images" / "generated")
    table = pd.read_csv(SPLIT, dtype=str)
    heldout = table.loc[table["set"] == "heldout", "id"]
    chosen = set(heldout.iloc[:: len(heldout) // COUNT].iloc[:COUNT])
    unpack(lambda crop: folder / "images" / "photographs" / crop.name if crop.id in chosen else None)
    options = OriginOptions.parse(
        **{"target": TARGET, "images": folder / "images", "out": folder / "out", "device": "cpu"},
        **{"generated": COUNT, "steps": STEPS, "solver": CHEAP},
    )
    return run_origin(options)


class TestDemoTarget:
    """A trained model: its own generations look like its own, photographs do not."""

    def rows(self, demo, name):
        """p-values and what remains of the images of one folder, and the area against the model's generations."""
        chosen = np.array([sample.path.parent.name == name for sample in demo.images.samples])
        assert chosen.sum() == COUNT
        remaining = demo.traces.remaining[chosen]
        both = np.concatenate([-demo.generations.remaining, -remaining])
        return demo.p_values[chosen], remaining, auroc(both, np.repeat([True, False], COUNT))

    def test_own_generations_look_like_own(self, demo):
        p_values, _, area = self.rows(demo, "generated")
        assert abs(area - 0.5) < 0.35  # four standard deviations of 24 against 24
        assert np.mean(p_values < 0.05) < 0.3
        assert np.median(p_values) > 0.1

    def test_photographs_do_not(self, demo):
        p_values, remaining, area = self.rows(demo, "photographs")
        assert area > 0.9
        assert np.median(p_values) == pytest.approx(1 / (1 + COUNT))
        assert np.median(remaining) > 2 * np.median(demo.generations.remaining)

    def test_together_they_are_half_told_apart(self, demo):
        """The reported area is against all images in question, own or not."""
        areas = [self.rows(demo, name)[2] for name in ("generated", "photographs")]
        assert demo.metrics["remaining"].auroc.value == pytest.approx(np.mean(areas))
