"""What docs/python.md says works, works, and prints what it shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from models import save_small_pipeline, write_images

from privaudit.attacks import ATTACKS

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:```text\n(?P<printed>.*?)^```\n)?", re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The folder that the page speaks of; what it registers is forgotten afterwards."""
    save_small_pipeline(tmp_path / "model")
    for seed, (name, count) in enumerate({"members": 40, "nonmembers": 40, "suspects": 20}.items(), start=1):
        write_images(tmp_path / name, count, seed=seed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ATTACKS, "_entries", dict(ATTACKS))
    return tmp_path


def pattern(shown: str) -> str:
    """What the page shows, as a pattern: … stands for what is another number or hash on another machine."""
    return r"[\w.-]+".join(map(re.escape, shown.split("…")))


def test_what_is_left_out_may_be_a_number_and_nothing_longer():
    assert re.fullmatch(pattern("a: … [1]\n"), "a: 0.5 [1]\n")
    assert not re.fullmatch(pattern("a: …\n"), "a: 0.5 [1]\n")
    assert not re.fullmatch(pattern("a: …\n"), "b: 0.5\n")


def test_the_page_runs_from_top_to_bottom(folder):
    text, names = PAGE.read_text(), {"__name__": "__main__"}
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python\n")
    for block in blocks:
        line = text[: block.start()].count("\n") + 1
        code = compile("\n" * line + block["code"], str(PAGE), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        wanted, found = block["printed"] or "", printed.getvalue()
        assert re.fullmatch(pattern(wanted), found), f"{PAGE.name}, line {line}: expected {wanted!r}, got {found!r}"
    for file in ("first.html", "first.csv", "with-images.html", "sima.png", "runs/suspects/suspects.csv"):
        assert (folder / file).stat().st_size > 0
