from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from models import random_normal
from PIL import Image

from privaudit.inversion import Inversion
from privaudit.tasks.residual_plot import MAX_LINES, plot_residuals

NAN = math.nan


def an_inversion(residuals: torch.Tensor, pixels: torch.Tensor | None = None, tolerance: float = 0.01) -> Inversion:
    count = len(residuals)
    return Inversion(
        latents=torch.zeros(count, 2),
        encoded=torch.zeros(count, 2),
        residuals=residuals,
        pixel_residuals=2 * residuals if pixels is None else pixels,
        best=torch.zeros(count, dtype=torch.int64),
        evaluations=(~residuals.isnan()).sum(dim=1),
        tolerance=tolerance,
        diverged=torch.zeros(count, dtype=torch.bool),
        floor=torch.full((count,), NAN),
    )


def falling(count: int, width: int) -> torch.Tensor:
    start = random_normal(count, 1).abs() + 0.5
    return start * 0.7 ** torch.arange(width)


def stopped() -> torch.Tensor:
    """Images that stop after 2, 3, ... evaluations."""
    history = falling(6, 8)
    for row in range(6):
        history[row, row + 2 :] = NAN
    return history


def lost() -> torch.Tensor:
    history = falling(4, 3)
    history[0, 1], history[1] = math.inf, 0
    return history


ONLY_PIXELS = torch.full((5, 4), NAN)
CASES = {
    "usual": an_inversion(falling(12, 10)),
    "one image": an_inversion(falling(1, 5)),
    "one evaluation": an_inversion(falling(7, 1)),
    "one image, one evaluation": an_inversion(falling(1, 1)),
    "stopped": an_inversion(stopped()),
    "gradient": an_inversion(ONLY_PIXELS, falling(5, 4)),
    "infinite and zero": an_inversion(lost()),
    "no tolerance": an_inversion(falling(3, 4), tolerance=0),
    "many": an_inversion(falling(MAX_LINES + 50, 6)),
}


def colours(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)


def has_tolerance(found: np.ndarray) -> bool:
    """Whether there is a red line."""
    return bool(((found[:, 0] > 180) & (found[:, 1] < 80)).sum() > 50)


@pytest.mark.parametrize("name", CASES)
def test_writes_a_picture(name, tmp_path, recwarn):
    path = tmp_path / "residuals.png"
    plot_residuals(CASES[name], f"{name}: 3 images, solver anderson", path, by_pixel=name == "gradient")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert path.stat().st_size > 8_000
    assert [entry.name for entry in tmp_path.iterdir()] == ["residuals.png"]
    assert not [str(warning.message) for warning in recwarn]
    found = colours(path)
    blue = (found[:, 2] > found[:, 0] + 60).sum()
    assert blue > 100, "the median is drawn"
    assert has_tolerance(found) == (CASES[name].tolerance > 0 and name != "gradient")


def test_no_tolerance_is_drawn_where_pixels_are(tmp_path):
    plot_residuals(CASES["gradient"], "", tmp_path / "residuals.png", by_pixel=True)
    assert not has_tolerance(colours(tmp_path / "residuals.png"))


def test_pixels_are_drawn_for_the_gradient_even_if_one_start_was_best(tmp_path):
    pixels, known = falling(5, 4), ONLY_PIXELS.clone()
    known[0, 0], known[1:, 3] = 0.3, 0.1  # at the best iterates, which is all that solver knows
    plot_residuals(an_inversion(known, pixels), "", tmp_path / "found.png", by_pixel=True)
    plot_residuals(an_inversion(ONLY_PIXELS, pixels), "", tmp_path / "wanted.png", by_pixel=True)
    assert np.array_equal(colours(tmp_path / "found.png"), colours(tmp_path / "wanted.png"))


def test_images_that_are_exact_at_once_warn_of_nothing(tmp_path, recwarn):
    history = torch.zeros(5, 4)
    plot_residuals(an_inversion(history, history), "", tmp_path / "residuals.png")
    assert not [str(warning.message) for warning in recwarn]


def test_an_earlier_picture_is_replaced_and_a_failure_keeps_it(tmp_path, monkeypatch):
    path = tmp_path / "residuals.png"
    path.write_bytes(b"old")

    def broken(*arguments):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr("privaudit.storage.files.os.replace", broken)
        with pytest.raises(OSError, match="disk full"):
            plot_residuals(CASES["usual"], "", path)
    assert path.read_bytes() == b"old"
    plot_residuals(CASES["usual"], "", path)
    assert path.stat().st_size > 8_000


def test_titles_with_dollars_and_brackets_are_drawn(tmp_path):
    plot_residuals(CASES["usual"], "100 $ of [red] images", tmp_path / "residuals.png")


def test_matplotlib_is_left_as_it_was(tmp_path):
    code = f"""
import sys, matplotlib, torch
from pathlib import Path
from privaudit.inversion import Inversion
from privaudit.tasks.residual_plot import plot_residuals
one = torch.ones(1, 3)
rows = torch.zeros(1, dtype=torch.int64)
found = Inversion(one, one, one, one, rows, rows, .1, rows > 0, torch.ones(1))
plot_residuals(found, "", Path({str(tmp_path / "residuals.png")!r}))
print("matplotlib.pyplot" in sys.modules)
print(matplotlib.get_backend())
"""
    environment = {**os.environ, "MPLBACKEND": "svg"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (0, "False\nsvg\n"), done.stderr
    assert (tmp_path / "residuals.png").is_file()
