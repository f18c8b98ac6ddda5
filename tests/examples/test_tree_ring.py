"""The watermark example finds its marks, and inversion helps it."""

from __future__ import annotations

import io
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest, wilcoxon

from privaudit.model.noise import normal_for

ENCODER, FREE, GRADIENT = "encoder", "anderson:evaluations=20:tolerance=0.001", "gradient:evaluations=3"
KEYS, SHAPE = 16, (4, 8, 8)


@pytest.fixture(scope="module")
def example(import_example) -> ModuleType:
    return import_example("tree_ring")


@pytest.fixture(scope="module")
def run(example, tmp_path_factory):
    out = tmp_path_factory.mktemp("tree_ring") / "tables" / "tree_ring.md"
    sizes = ["--images", "32", "--unmarked", "10", "--steps", "20"]
    (found,) = example.main([*sizes, "--solvers", ENCODER, FREE, GRADIENT, "--out", str(out)])
    return found, out.read_text()


def outcome(run, name):
    return next(found for found in run[0].outcomes if found.name == name)


def test_the_table_has_every_way_and_what_it_was_made_on(run, example):
    text = run[1]
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert list(rows) == ["latent by", ENCODER, FREE, GRADIENT, example.CEILING]
    for found in run[0].outcomes:
        assert f"{sum(found.correct)}/32" in rows[found.name]
    assert torch.__version__ in text
    assert "--images 32" in text


@pytest.mark.parametrize("name", [ENCODER, FREE, "true latent"])
def test_marks_are_told_apart_far_better_than_by_chance(run, name):
    found = outcome(run, name)
    assert binomtest(sum(found.correct), len(found.correct), 1 / KEYS, alternative="greater").pvalue < 1e-4
    assert found.auroc_interval[0] > 0.6


def test_gradient_free_inversion_recovers_more_of_the_noise_than_the_encoder(run):
    encoder, free = outcome(run, ENCODER), outcome(run, FREE)
    assert np.mean(free.nmse) < np.mean(encoder.nmse) - 3
    assert np.mean(free.similarity) > np.mean(encoder.similarity) + 0.04
    assert wilcoxon(free.similarity, encoder.similarity, alternative="greater").pvalue < 1e-3


def test_gradient_free_inversion_finds_no_fewer_marks_than_the_encoder(run):
    (paired,) = [c for c in run[0].comparisons if c.names == (ENCODER, FREE)]
    assert paired.only_first <= paired.only_second or paired.p > 0.05
    assert sum(outcome(run, FREE).correct) - sum(outcome(run, ENCODER).correct) == (
        paired.only_second - paired.only_first
    )


def test_backpropagation_needs_more_memory_and_the_encoder_least(run):
    peaks = [outcome(run, name).peak_bytes for name in (ENCODER, FREE, GRADIENT)]
    assert peaks[0] < peaks[1] < peaks[2] / 3
    assert run[0].weight_bytes > 0


def test_a_mark_is_in_the_noise_and_the_noise_stays_real_and_nearly_normal(example):
    keys = example.make_keys(KEYS, SHAPE, 2, seed=0)
    chosen = torch.arange(64) % KEYS
    plain = normal_for(0, [str(number) for number in range(64)], SHAPE, "test")
    marked = example.embed(plain, keys, chosen)
    gaps = example.distances(marked, keys)
    torch.testing.assert_close(gaps[torch.arange(64), chosen], torch.zeros(64), atol=1e-5, rtol=0)
    assert gaps.argmin(dim=1).tolist() == chosen.tolist()
    assert torch.equal(marked[:, [0, 1, 3]], plain[:, [0, 1, 3]])
    outside = ~keys.mask
    spectra = example.spectrum(plain, 2), example.spectrum(marked, 2)
    torch.testing.assert_close(*(part[:, outside] for part in spectra), atol=1e-5, rtol=0)
    assert marked[:, 2].std() == pytest.approx(1, abs=0.05)


def test_the_first_keys_do_not_depend_on_how_many_there_are(example):
    few, many = (example.make_keys(count, SHAPE, 0, seed=1).patterns for count in (3, 9))
    assert torch.equal(few, many[:3])
    assert torch.equal(few, torch.flip(torch.roll(few, (-1, -1), (1, 2)), (1, 2)))  # own mirror image


def test_without_a_mark_the_answer_is_chance(example):
    keys = example.make_keys(KEYS, SHAPE, 0, seed=0)
    noise = normal_for(0, [str(number) for number in range(800)], SHAPE, "unmarked")
    right = (example.distances(noise, keys).argmin(dim=1) == torch.arange(800) % KEYS).sum()
    assert binomtest(int(right), 800, 1 / KEYS).pvalue > 1e-4


def test_rounded_images_are_what_a_png_file_keeps(example):
    images = 1.3 * normal_for(0, ["a"], (3, 8, 8), "image")
    rounded = example.as_8_bit(images)
    file = io.BytesIO()
    Image.fromarray(((rounded[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).save(file, "png")
    read = torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    torch.testing.assert_close(rounded, read, atol=1e-6, rtol=0)


def test_peak_memory_counts_what_is_alive_at_once(example):
    mebi = 2**20

    def compute():
        for _ in range(3):
            (torch.zeros(mebi) + 1).sum()  # 4 MiB, then 4 more; freed each time

    assert example.peak_memory(torch.device("cpu"), compute) == pytest.approx(8 * mebi, rel=0.01)


def test_mcnemar_of_two_ways(example, run):
    base = outcome(run, ENCODER)
    first, second = (
        example.replace(base, name=name, correct=correct)
        for name, correct in (("a", (True,) * 2 + (False,) * 10), ("b", (True,) + (False,) + (True,) * 10))
    )
    paired = example.compare(first, second)
    assert (paired.only_first, paired.only_second) == (1, 10)
    assert paired.p == pytest.approx(2 * 12 / 2**11)
    assert example.compare(first, first).p == 1


def test_studies_of_several_channels_are_counted_together(example, run):
    text = example.pooled_text([run[0], run[0]])
    assert f"{2 * sum(outcome(run, ENCODER).correct)}/64" in text
