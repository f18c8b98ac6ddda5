"""The same images and captions in layouts of every kind: equal ids, captions and scores, down to scores.parquet."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import privaudit

sys.path.append(str(Path(__file__).parents[1] / "loading"))
from pipelines import save_sd

COUNT, SIDE = 10, 16
SETS = {"members": 0, "nonmembers": 100}


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def caption(number: int) -> str:
    return "cat " * (number % 3 + 1) + "ab"[number % 2]


def files(folder: Path, first: int, texts: Callable[[int], Mapping[str, bytes]]) -> Path:
    folder.mkdir(parents=True)
    for number in range(first, first + COUNT):
        (folder / f"{number}.png").write_bytes(picture(number))
        for name, data in texts(number).items():
            (folder / name).write_bytes(data)
    return folder


def manifest(folder: Path, first: int) -> Path:
    files(folder, first, lambda number: {})
    rows = [{"path": f"{number}.png", "caption": caption(number)} for number in range(first, first + COUNT)]
    pd.DataFrame(rows).to_csv(folder / "set.csv", index=False)
    return folder / "set.csv"


def sidecars(folder: Path, first: int) -> Path:
    return files(folder, first, lambda number: {f"{number}.txt": caption(number).encode()})


def tarred(folder: Path, first: int) -> Path:
    sidecars(folder, first)
    (folder.parent / f"{folder.name}-shards").mkdir()
    shard = folder.parent / f"{folder.name}-shards" / "00000.tar"
    with tarfile.open(shard, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return shard.parent


def embedded(folder: Path, first: int) -> Path:
    folder.mkdir(parents=True)
    rows = [
        {"image": {"bytes": picture(n), "path": f"{n}.png"}, "text": caption(n)} for n in range(first, first + COUNT)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "train-00000-of-00001.parquet", row_group_size=4)
    return folder


LAYOUTS = {made.__name__: made for made in (manifest, tarred, embedded)}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory) -> dict[str, tuple[pd.DataFrame, pd.DataFrame, privaudit.AuditResult]]:
    """Scores, samples and result of a scan of each layout."""
    root = tmp_path_factory.mktemp("layouts")
    model = save_sd(root / "model", root / "vocabulary")
    results = {}
    for name, make in LAYOUTS.items():
        sets = {
            part: make(root / name / part, first)
            for part, first in SETS.items()
            if (root / name).mkdir(exist_ok=True) is None
        }
        result = privaudit.audit(
            model,
            **sets,
            out=root / f"run-{name}",
            attacks=("sima:levels=100",),
            geometry_latents="encoder",
            influence="exact",
            resolution=SIDE,
            replicates=100,
            device="cpu",
        )
        run = root / f"run-{name}"
        results[name] = (
            pd.read_parquet(run / "scores" / "scores.parquet"), pd.read_parquet(run / "samples.parquet"), result,
        )  # fmt: skip
    return results


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "manifest"])
def test_ids_captions_and_scores_are_those_of_the_manifest(scanned, name):
    scores, samples, result = scanned[name]
    expected_scores, expected_samples, expected = scanned["manifest"]
    pd.testing.assert_frame_equal(scores.drop(columns="path"), expected_scores.drop(columns="path"), check_exact=True)
    columns = ["id", "set", "caption", "unit", "fold"]
    pd.testing.assert_frame_equal(samples[columns], expected_samples[columns])
    assert result.data.split_hash == expected.data.split_hash


@pytest.mark.parametrize(
    ("name", "layout", "source"),
    [
        ("manifest", "manifest .csv", "column caption"),
        ("tarred", "tar", ".txt files"),
        ("embedded", "images in parquet", "column text"),
    ],
)
def test_the_report_says_what_was_read(scanned, name, layout, source):
    for part in scanned[name][2].data.sets:
        assert (part.layout, part.caption_source, part.captioned, part.uncaptioned) == (layout, source, COUNT, 0)
