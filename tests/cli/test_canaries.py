"""`privaudit canaries`, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in range(20):
        blocks = np.random.default_rng(place).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        path = tmp_path / "candidates" / f"{place:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(blocks).resize((32, 32), Image.Resampling.BICUBIC).save(path)
    return tmp_path


def test_make_and_verify(privaudit, root):
    made = privaudit("canaries", "make", "candidates", "--out", "drawn", "--quiet")
    assert (made.returncode, made.stderr) == (0, "")
    saved = json.loads((root / "drawn" / "canaries.json").read_text())
    included = sum(c["included"] for c in saved["candidates"])
    lines = made.stdout.splitlines()
    assert lines[0] == f"20 canaries, one fair coin per image: {included} included, {20 - included} held out"
    assert lines[1] == f"seal {saved['seal']}"
    assert [line[:2] for line in lines[2:]] == ["1.", "2.", "3."]
    assert saved["key"] not in made.stdout
    done = privaudit("canaries", "verify", "drawn", "--seal", saved["seal"])
    assert done.returncode == 0
    assert done.stdout.startswith(f"20 canaries, {included} included, drawn {saved['created']}; seal {saved['seal']}\n")
    assert "agree with the published seal" in done.stdout
    assert "--seal" in privaudit("canaries", "verify", "drawn").stdout


def test_a_seed_is_called_no_proof(privaudit, root):
    made = privaudit("canaries", "make", "candidates", "--out", "drawn", "--seed", "1", "--copy")
    assert "anyone who knows it knows every coin" in made.stdout
    assert "drawn from a seed" in privaudit("canaries", "verify", "drawn").stdout
    assert (
        len(list((root / "drawn" / "train").iterdir())) == len((root / "drawn" / "train.csv").read_text().split()) - 1
    )


def test_what_is_left_out_is_counted(privaudit, root):
    (root / "candidates" / "broken.png").write_bytes(b"")
    (root / "candidates" / "copy.png").write_bytes((root / "candidates" / "00.png").read_bytes())
    made = privaudit("canaries", "make", "candidates", "--out", "drawn")
    assert "left out: 1 unreadable, 1 copies\n" in made.stdout


def test_errors_are_one_line_and_exit_2(privaudit, root):
    privaudit("canaries", "make", "candidates", "--out", "drawn")
    again = privaudit("canaries", "make", "candidates", "--out", "drawn", "--quiet")
    wrong = privaudit("canaries", "verify", "drawn", "--seal", "0" * 64, "--quiet")
    missing = privaudit("canaries", "verify", "nowhere", "--quiet")
    (root / "candidates" / "00.png").write_bytes(b"other")
    changed = privaudit("canaries", "verify", "drawn", "--quiet")
    for done, message in (
        (again, "coins are tossed only once"),
        (wrong, "expected the published seal 000000000000"),
        (missing, "found none"),
        (changed, "00.png was changed"),
    ):
        assert done.returncode == 2
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert message in line
