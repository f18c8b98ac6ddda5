"""Images of several sizes through the stages: every size as if it were audited by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from models import linear_target, save_small_pipeline, write_images
from PIL import Image
from safetensors.torch import load_file
from settings import changed

from privaudit.auditing.measurements import Measurements
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run_stages import measure, measure_fit, measure_unmasked
from privaudit.auditing.size_runs import by_size
from privaudit.data import Sample, read_set
from privaudit.data.reading import ImageReading
from privaudit.decoder_geometry import DECILES, MASKS
from privaudit.errors import TargetError
from privaudit.execution.progress import no_progress
from privaudit.loading import load_target
from privaudit.loading.image_sizes import at_size
from privaudit.model.target import Target
from privaudit.scorers import parse_methods

COUNT = 4
"""Images of each shape."""
SIZES = ((8, 16), (16, 8), (16, 16))
SPECS = ("sima:levels=20,60", "mirror:levels=50", "pfami:levels=100", "recon", "gsa:levels=100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sizes")


@pytest.fixture(scope="module")
def target(folder: Path) -> Target:
    return load_target(save_small_pipeline(folder / "model"))


@pytest.fixture(scope="module")
def reference(folder: Path) -> Target:
    return load_target(save_small_pipeline(folder / "reference", seed=5))


@pytest.fixture(scope="module")
def samples(folder: Path) -> tuple[Sample, ...]:
    """Images of 32x16, 16x32 and 32x32 pixels (width first) in buckets of half their sides, in the order of ids."""
    images = write_images(folder / "images", 3 * COUNT, side=32)
    for place, path in enumerate(sorted(images.iterdir())):
        height, width = SIZES[place % 3]
        Image.open(path).resize((2 * width, 2 * height)).save(path)
    read = read_set(images, (16, 16), reading=ImageReading(buckets=8)).samples
    return tuple(sorted(read, key=lambda sample: sample.id))


@pytest.fixture
def run(tmp_path: Path, samples: tuple[Sample, ...]):
    def run(target: Target, samples: Sequence[Sample] = samples, **changes: object) -> Measurements:
        methods = parse_methods(changes.pop("specs", SPECS))
        methods = replace(methods, attacks=tuple(attack.for_target(target) for attack in methods.attacks))
        apart = {name: changes.pop(name) for name in ("reference", "rules") if name in changes}
        on_progress = changes.pop("on_progress", no_progress)
        options = AuditOptions("target", tmp_path, tmp_path, tmp_path / "run", geometry_latents="encoder")
        return measure(target, samples, methods, changed(options, **changes), on_progress, **apart)

    return run


def of_each_size(samples: Sequence[Sample], target: Target) -> Iterator[tuple[Target, list[int], list[Sample]]]:
    for size, positions in by_size(samples, (0, 0)).items():
        yield at_size(target, size), list(positions), [samples[position] for position in positions]


def assert_equal(one: Measurements, two: Measurements, dimensions: float = 1.0) -> None:
    """Equal but for the unit of errors that are sums over dimensions, of which the first has so many times as many."""
    for ours, theirs in zip((*one.tables, *one.references), (*two.tables, *two.references), strict=True):
        assert list(ours.by_mask) == list(theirs.by_mask)
        for mask, values in ours.by_mask.items():
            sums = ours.name.startswith(("sima", "recon")) and mask in (*MASKS, *DECILES) and mask != "weighted"
            np.testing.assert_array_equal(values, theirs.by_mask[mask] * (dimensions if sums else 1.0))
    for part in ("statistics", "traces"):
        np.testing.assert_array_equal(getattr(one.pixels, part), getattr(two.pixels, part))
    for part in ("distortion", "channels"):
        np.testing.assert_array_equal(getattr(one.geometry, part), getattr(two.geometry, part))
    for part in ("residual", "evaluations", "diverged"):
        np.testing.assert_array_equal(getattr(one.convergence, part), getattr(two.convergence, part))


def test_images_fall_into_their_buckets(samples: tuple[Sample, ...], target: Target) -> None:
    assert {size: len(positions) for size, positions in by_size(samples, (0, 0)).items()} == dict.fromkeys(SIZES, COUNT)
    shapes = [sized.info.latent_shape for sized, _, _ in of_each_size(samples, target)]
    assert shapes == [(2, 4, 8), (2, 8, 4), (2, 8, 8)]


@pytest.mark.parametrize("scope", ["image", "set"])
def test_scores_are_those_of_each_size_by_itself(
    run, samples: tuple[Sample, ...], target: Target, reference: Target, tmp_path: Path, scope: str
) -> None:
    both = run(target, reference=reference, mask_scope=scope, geometry_latents="inversion")
    of_target = prod(target.info.latent_shape)
    assert len(both.tables) == len(both.references) == len(SPECS)
    for sized, positions, images in of_each_size(samples, target):
        alone = run(
            sized,
            images,
            reference=at_size(reference, sized.info.image_size),
            mask_scope=scope,
            geometry_latents="inversion",
            out=tmp_path / str(sized.info.image_size),
        )
        assert_equal(both.rows(np.array(positions)), alone, dimensions=of_target / prod(sized.info.latent_shape))


def test_scores_of_a_custom_mask_are_those_of_each_size(run, samples: tuple[Sample, ...], target: Target) -> None:
    rules = {"first row": lambda influence: (torch.arange(influence.shape[2])[:, None] == 0).expand_as(influence) * 1.0}
    both = run(target, specs=("sima:levels=20",), rules=rules)
    for sized, positions, images in of_each_size(samples, target):
        alone = run(sized, images, specs=("sima:levels=20",), rules=rules)
        assert_equal(both.rows(np.array(positions)), alone, dimensions=2 if len(set(sized.info.image_size)) > 1 else 1)


def test_the_order_of_images_does_not_matter(run, samples: tuple[Sample, ...], target: Target, tmp_path: Path) -> None:
    forward, backward = run(target), run(target, samples[::-1], out=tmp_path / "backward")
    for ours, theirs in zip(forward.tables, backward.tables, strict=True):
        for mask in (*MASKS, *(DECILES if DECILES[0] in ours.by_mask else ())):
            np.testing.assert_allclose(ours.by_mask[mask], theirs.by_mask[mask][::-1], rtol=1e-4, atol=1e-5)


def test_a_run_is_resumed_size_by_size(run, samples: tuple[Sample, ...], target: Target, passes: Counter[str]) -> None:
    sized, _, images = next(of_each_size(samples, target))
    run(sized, images)
    first = passes["forward"]
    whole = run(target)
    assert passes["forward"] == 3 * first, "the first size was read"
    assert_equal(run(target), whole)
    assert passes["forward"] == 3 * first, "and then all of them"


def test_latents_have_the_shape_of_their_bucket(run, target: Target, tmp_path: Path) -> None:
    run(target, specs=("sima:levels=20",))
    shapes = {tuple(load_file(path)["encoded"].shape) for path in (tmp_path / "run" / "latents").iterdir()}
    assert shapes == {(COUNT, 2, 4, 8), (COUNT, 2, 8, 4), (COUNT, 2, 8, 8)}


def test_progress_counts_the_images_of_all_sizes(run, target: Target) -> None:
    seen: dict[str, list[int]] = {}

    def note(stage: str, done: int, total: int) -> None:
        assert total == 3 * COUNT
        seen.setdefault(stage, []).append(done)

    measured = run(target, on_progress=note, batch_size=2)
    assert set(seen) == {"pixels", "latents", "influence", "scores"} == set(measured.seconds)
    for counts in seen.values():
        assert counts == sorted(counts)
        assert (counts.count(0), counts[-1]) == (1, 3 * COUNT)


def test_maps_have_one_shape_and_keep_their_mean(run, samples: tuple[Sample, ...], target: Target) -> None:
    maps = run(target).geometry.maps
    assert maps.shape == (3 * COUNT, 8, 8)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), 1, rtol=1e-5)
    wide = [position for position, sample in enumerate(samples) if sample.size == (8, 16)]
    np.testing.assert_array_equal(maps[wide, ::2], maps[wide, 1::2])  # a row of its map stands for two


def test_the_fit_is_measured_on_all_sizes(samples: tuple[Sample, ...], target: Target, tmp_path: Path) -> None:
    options = AuditOptions("target", tmp_path, tmp_path, tmp_path / "run")
    both = measure_fit(target, samples, options, no_progress)
    for sized, positions, images in of_each_size(samples, target):
        alone = measure_fit(sized, images, options, no_progress)
        np.testing.assert_array_equal(both.recorded[positions], alone.recorded)
        np.testing.assert_array_equal(both.power[positions], alone.power)


def test_scores_without_a_mask_are_those_of_the_stages_with_masks(
    run, samples: tuple[Sample, ...], target: Target, tmp_path: Path
) -> None:
    attacks = parse_methods(["sima:levels=20,60"]).attacks
    options = AuditOptions("target", tmp_path, tmp_path, tmp_path / "unmasked", geometry_latents="encoder")
    (unmasked,) = measure_unmasked(target, samples, attacks, options, no_progress)
    np.testing.assert_array_equal(unmasked.by_mask["none"], run(target).tables[0].by_mask["none"])


def test_a_target_that_is_not_read_from_a_pipeline_has_one_size(run, samples: tuple[Sample, ...]) -> None:
    with pytest.raises(TargetError, match="expected images of 8x8 for linear, got 8x16"):
        run(linear_target())
