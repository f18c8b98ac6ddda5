"""Audits of files whose names are hostile, or in no encoding: they run to their end, and their tables do nothing."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas as pd
import pytest
from models import save_small_pipeline, write_images

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit

NAMES = (b"caf\xe9.png", b'=HYPERLINK("evil").png', b"\x1b[31mred\n.png", b"<script>.png")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("names")
    suspects = write_images(root / "suspects", 8, seed=1)
    for name, file in zip(NAMES, sorted(suspects.iterdir()), strict=False):
        os.rename(os.fsencode(file), os.path.join(os.fsencode(suspects), name))
    options = AuditOptions.parse(
        target=str(save_small_pipeline(root / "model")),
        members=None,
        suspects=suspects,
        nonmembers=write_images(root / "others", 8, seed=2),
        out=root / "run",
        device="cpu",
        replicates=100,
        attacks=("loss:levels=50",),
    )
    run_audit(options)
    return options.out


def test_every_table_is_written(run: Path) -> None:
    for table in ("samples.parquet", "scores/scores.parquet"):
        paths = [Path(path).name for path in pd.read_parquet(run / table)["path"]]
        assert r"caf\udce9.png" in paths, "bytes that are no UTF-8 are shown"
        assert "\x1b[31mred\n.png" in paths, "everything else is exact: a program reads it"


def test_a_spreadsheet_shows_the_names_of_suspects_and_runs_none(run: Path) -> None:
    with (run / "suspects.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {7}
    assert any(row[1].endswith(r"\x1b[31mred\n.png") for row in rows)
    assert not any(cell.startswith(("=", "@", "\t")) for row in rows for cell in row)
