"""Whole audits of images in aspect-ratio buckets."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from models import write_images
from PIL import Image
from pipelines import save_dit, save_flux, save_sd, save_sdxl
from safetensors.torch import load_file
from settings import changed

from privaudit.auditing.dry_run import plan_audit
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.auditing.sweep import run_sweep
from privaudit.auditing.sweep_options import SweepOptions
from privaudit.errors import TargetError
from privaudit.results.audit_result import AuditResult
from privaudit.results.exemplars import load_exemplars

WIDE, TALL, SQUARE = (32, 64), (64, 32), (64, 64)
"""Height and width of the files; their buckets at 32x32 with a step of 16 have half these sides."""
COUNT = 12
"""Images of each shape in a set."""


def write_set(root: Path, name: str, shapes: tuple[tuple[int, int], ...], seed: int) -> Path:
    """Images of some shapes in turn, with captions and classes."""
    write_images(root / name, COUNT * len(shapes), seed=seed, side=64)
    rows = []
    for place, path in enumerate(sorted((root / name).iterdir())):
        height, width = shapes[place % len(shapes)]
        Image.open(path).resize((width, height)).save(path)
        rows.append({"path": f"{name}/{path.name}", "caption": ("cat", "dog")[place % 2], "class_label": place % 7})
    (root / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root / f"{name}.jsonl"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("buckets")
    write_set(root, "members", (WIDE, TALL, SQUARE), seed=1)
    write_set(root, "others", (WIDE, TALL, SQUARE), seed=2)
    write_set(root, "wide", (WIDE,), seed=3)
    write_set(root, "tall", (TALL,), seed=4)
    return root


def options(target: Path, images: Path, out: Path, **changes: object) -> AuditOptions:
    return AuditOptions.parse(**{
        "target": str(target),
        "members": images / "members.jsonl",
        "nonmembers": images / "others.jsonl",
        "out": out,
        "attacks": ("sima:levels=20", "loss:levels=50", "recon"),
        "geometry_latents": "encoder",
        "device": "cpu",
        "replicates": 200,
        "resolution": "32",
        "buckets": 16,
        **changes,
    })


def scores(run: Path) -> pd.Series:
    return pd.read_parquet(run / "scores" / "scores.parquet").set_index(["attack", "mask", "id"])["score"].sort_index()


@pytest.fixture(scope="module")
def audited(sd_master: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[AuditResult, Path]:
    out = tmp_path_factory.mktemp("run") / "run"
    return run_audit(options(sd_master, images, out)), out


def test_every_bucket_has_latents_of_its_shape(audited: tuple[AuditResult, Path]) -> None:
    _, out = audited
    shapes = {tuple(load_file(path)["encoded"].shape) for path in (out / "latents").iterdir()}
    assert shapes == {(2 * COUNT, 4, 8, 16), (2 * COUNT, 4, 16, 8), (2 * COUNT, 4, 16, 16)}


def test_exemplars_have_the_shape_of_their_image(audited: tuple[AuditResult, Path]) -> None:
    result, out = audited
    sides = set()
    for exemplar in load_exemplars(out):
        width, height = Image.open(io.BytesIO(base64.b64decode(exemplar.thumbnail))).size
        sides.add((height, width))
        assert np.shape(exemplar.influence) == (height // 2, width // 2)
    assert sides <= {(16, 32), (32, 16), (32, 32)}
    assert len(sides) > 1
    assert np.shape(result.influence.everywhere) == np.shape(result.influence.exposed) == (16, 16)


@pytest.mark.parametrize(
    "save",
    [
        lambda folder: save_sd(folder, folder.parent / "vocabulary"),
        lambda folder: save_sdxl(folder, folder.parent / "vocabulary"),
        lambda folder: save_flux(folder, folder.parent / "vocabulary"),
    ],
    ids=["sd", "sdxl", "flux"],
)
def test_scores_are_those_of_an_audit_at_the_resolution_of_the_bucket(
    save: Callable[[Path], Path], images: Path, tmp_path: Path
) -> None:
    chosen = options(save(tmp_path / "model"), images, tmp_path / "buckets")
    run_audit(chosen)
    run_audit(changed(chosen, out=tmp_path / "wide", resolution="16x32", buckets=None))
    both, wide = scores(tmp_path / "buckets"), scores(tmp_path / "wide")
    shared = both.index.intersection(wide.index)
    assert len(shared) == len(wide) / 3, "a third of the images has this shape, and other pixels in the other audit"
    # the sum of errors is that of as many dimensions as an image of 32x32 has
    unit = np.where(shared.get_level_values("mask") == "weighted", 1, 2)
    np.testing.assert_allclose(both[shared], unit * wide[shared], rtol=1e-4, atol=1e-6)


def test_the_same_again_reads_what_there_is(
    audited: tuple[AuditResult, Path], sd_master: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, out = audited
    before = scores(out)
    monkeypatch.setattr("privaudit.auditing.stages.scoring.score_batch", None)
    again = run_audit(options(sd_master, images, out))
    assert again.verdict == result.verdict
    pd.testing.assert_series_equal(scores(out), before)


def test_the_plan_counts_images_and_time_by_size(sd_master: Path, images: Path, tmp_path: Path) -> None:
    chosen = options(sd_master, images, tmp_path / "run", members=images / "wide.jsonl")
    forecast = plan_audit(chosen)
    assert forecast.sizes == {"16x32": 2 * COUNT, "32x16": COUNT, "32x32": COUNT}
    assert forecast.timed == "16x32"
    shares = {size: seconds / sum(forecast.seconds.values()) for size, seconds in forecast.seconds_by_size.items()}
    assert shares == pytest.approx({"16x32": 2 / 5, "32x16": 1 / 5, "32x32": 2 / 5})
    assert forecast.seconds["scores"] == pytest.approx(sum(map(forecast.cost, forecast.steps)))
    assert forecast.seconds["influence"] == pytest.approx(5 * COUNT * forecast.seconds_per_image["influence"])
    assert plan_audit(changed(chosen, buckets=None)).sizes == {"32x32": 4 * COUNT}


def test_a_sweep_covers_all_sizes(sd_master: Path, images: Path, tmp_path: Path) -> None:
    given = vars(options(sd_master, images, tmp_path / "sweep", attacks=("sima:levels=20,60",)))
    names = SweepOptions.__dataclass_fields__
    swept = run_sweep(SweepOptions.parse(**{name: value for name, value in given.items() if name in names}))
    assert (swept.members, swept.nonmembers) == (3 * COUNT, 3 * COUNT)
    assert all(np.isfinite(point.auroc.value) for point in swept.points)


def test_sets_of_different_shapes_are_told_apart_without_the_model(
    sd_master: Path, images: Path, tmp_path: Path
) -> None:
    chosen = options(
        sd_master, images, tmp_path / "run", members=images / "wide.jsonl", nonmembers=images / "tall.jsonl"
    )
    result = run_audit(chosen)
    assert result.blind.auroc.value > 0.9
    assert {check.name: check.status for check in result.checks}["blind baseline"] == "fail"


@pytest.mark.parametrize("start", [run_audit, plan_audit])
def test_a_network_of_one_size_is_refused_before_anything_is_computed(
    start: Callable[[AuditOptions], object], images: Path, tmp_path: Path
) -> None:
    chosen = options(save_dit(tmp_path / "model"), images, tmp_path / "run")
    with pytest.raises(
        TargetError, match="cannot read images of .*: networks of DiTPipeline are .*leave out --buckets"
    ):
        start(chosen)
    assert not (tmp_path / "run" / "latents").exists()
