from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from privaudit.data import Sample, SampleSet, Skipped
from privaudit.evaluation import assign_folds, evaluate
from privaudit.inversion import SOLVERS
from privaudit.model.target import TargetInfo
from privaudit.tasks.origin_options import MIN_GENERATIONS
from privaudit.tasks.origin_summary import LABELS, MAX_LISTED, print_origin
from privaudit.tasks.origin_test import OriginResult, conformal_p_values, scores
from privaudit.tasks.origin_traces import Traces


def some_traces(remaining) -> Traces:
    remaining = np.asarray(remaining, dtype=np.float64)
    return Traces(np.full(len(remaining), 0.04), 0.04 * remaining, 0.01 * remaining)


def an_origin(remaining, own=None, target="model", folder="images", skipped=0, names=None) -> OriginResult:
    given = some_traces(remaining)
    mine = some_traces(np.linspace(0.1, 0.3, 99) if own is None else own)
    names = names or [f"image-{row:02d}.png" for row in range(len(given.encoder))]
    samples = tuple(Sample(f"{row:032x}", Path(folder) / name) for row, name in enumerate(names))
    both = {name: np.concatenate([values, scores(given)[name]]) for name, values in scores(mine).items()}
    is_own = np.arange(len(mine.encoder) + len(samples)) < len(mine.encoder)
    metrics = {}
    if len(samples) > 1:
        folds = assign_folds([str(number) for number in range(len(is_own))], is_own)
        metrics = evaluate(both, is_own, folds, replicates=99).metrics
    return OriginResult(
        TargetInfo(target, "0" * 32, "1" * 32, "unconditional", "epsilon", (4, 8, 8), (3, 64, 64)),
        SOLVERS.build("anderson:evaluations=10:tolerance=0"),
        SampleSet(samples, tuple(Skipped(Path(f"{n}.png"), "broken") for n in range(skipped))),
        given,
        mine,
        conformal_p_values(given.remaining, mine.remaining),
        metrics,
        Path("out"),
    )


def printed(found: OriginResult, width: int = 120) -> str:
    stream = io.StringIO()
    print_origin(found, Console(file=stream, width=width, highlight=False, color_system=None))
    return stream.getvalue()


def answer(text: str) -> str:
    """The panel, unwrapped."""
    return " ".join(line.strip("│ ") for line in text.split("╰")[0].splitlines()[1:])


def test_the_answer_counts_images_below_the_level():
    # 25 photographs, and 35 that keep as much as own generations do
    text = answer(printed(an_origin([0.9] * 25 + list(np.linspace(0.11, 0.28, 35)))))
    assert text.startswith(
        "25 of 60 images do not look like generations of this model (p < 0.05); 35 are consistent with it. "
        "With 99 generations p is at least 0.01, and 5% of true generations fall below 0.05 by chance."
    )
    assert "same autoencoder" in text


def test_the_limit_itself_is_not_below_it():
    own = np.linspace(0.1, 0.3, 19)  # p = 1 / 20 is the smallest possible
    assert "0 of 3 images do not look" in answer(printed(an_origin([0.9, 0.91, 0.92], own)))


def test_the_fewest_generations_allow_an_answer():
    text = answer(printed(an_origin([0.9, 0.91, 0.92], np.linspace(0.1, 0.3, MIN_GENERATIONS))))
    assert text.startswith("3 of 3 images do not look like generations of this model (p < 0.05); 0 are consistent")
    assert f"With {MIN_GENERATIONS} generations p is at least 0.048, " in text


@pytest.mark.parametrize(("remaining", "unlike"), [(0.9, 1), (0.1, 0)])
def test_a_single_image_has_an_answer_and_no_areas(remaining, unlike):
    text = printed(an_origin([remaining]))
    assert answer(text).startswith(f"{unlike} of 1 image does not look like generations of this model (p < 0.05); ")
    assert f"; {'0 are' if unlike else '1 is'} consistent with it. " in answer(text)
    assert "AUROC" not in text
    assert not any(line.startswith(label) for line in text.splitlines() for label in LABELS.values())
    assert "images/image-00.png" in text
    assert "images  1 distinct, 0 copies dropped, 0 unreadable\n" in text


def test_every_statistic_has_its_medians_and_auroc():
    found = an_origin(np.linspace(0.5, 0.9, 21))
    lines = printed(found, width=140).splitlines()
    for name, label in LABELS.items():
        line = next(line for line in lines if line.startswith(label))
        own, given = (float(np.median(getattr(part, name))) for part in (found.generations, found.traces))
        assert line.removeprefix(label).split()[:2] == [f"{own:.4g}", f"{given:.4g}"]
    remaining = next(line for line in lines if line.startswith(LABELS["remaining"]))
    assert "1.000 [" in remaining
    encoder = next(line for line in lines if line.startswith(LABELS["encoder"]))
    assert ".500 (n/a)" in encoder, "all are alike, which bounds nothing"
    assert set(LABELS) == set(scores(found.generations))


def test_images_most_like_own_come_first():
    found = an_origin([0.9, 0.12, 0.5, *np.linspace(0.6, 0.8, 20)])
    text = printed(found)
    listed = text.split("(all images in origin.csv)")[1].strip().split("\n\n")[0].splitlines()[1:]
    assert len(listed) == MAX_LISTED
    assert listed[0].split() == ["0.120", f"{found.p_values[1]:.3f}", "images/image-01.png"]
    assert listed[1].split() == ["0.500", "0.010", "images/image-02.png"]
    assert [float(line.split()[0]) for line in listed] == sorted(float(line.split()[0]) for line in listed)


@pytest.mark.parametrize("name", ["[red]a.png", "a[/b].png"])
def test_paths_are_printed_as_they_are(name):
    assert f"images/{name}" in printed(an_origin([0.9, 0.8], names=[name, "other.png"]))


def test_the_targets_name_and_files_are_printed_as_they_are():
    text = printed(an_origin([0.9, 0.8], target="models/[red]x", skipped=2))
    assert "target  models/[red]x\n" in text
    assert "images  2 distinct, 0 copies dropped, 2 unreadable\n" in text
    assert "against 99 generations of the target\n" in text
    assert "solver  anderson (evaluations 10, tolerance 0, memory 5" in text
    assert "files   out/origin.csv" in text


def test_80_columns_cut_nothing():
    found = an_origin(np.linspace(0.2, 0.9, 30), folder="a/rather/long/folder/of/images")
    text = printed(replace(found, folder=Path("out" * 40)), width=80)
    tables, rest = text.split("\n\ntarget ")
    assert all(len(line) <= 80 for line in tables.splitlines())
    assert "…" not in text
    for label in ("AUROC", "TPR@1%FPR", "remaining", "a/rather/long/folder/of/images/image-00.png", *LABELS.values()):
        assert label in tables
    assert rest.endswith(f"\nfiles   {'out' * 40}/origin.csv\n")  # not broken, so that it can be copied
