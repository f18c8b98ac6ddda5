"""Pictures and summary of sweeps that no model was needed for."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import flow_target, linear_target
from PIL import Image
from rich.console import Console

from privaudit.auditing.sweep import Point, SweepResult
from privaudit.decoder_geometry import MASKS
from privaudit.evaluation import Estimate
from privaudit.results.audit_result import RefusedReport
from privaudit.tasks.sweep_plot import plot_sweep, round_levels
from privaudit.tasks.sweep_summary import print_sweep

LEVELS = (0, 10, 40, 90, 160, 250, 360, 490)


def a_sweep(
    *attacks: str, levels: tuple[int, ...] = LEVELS, target=None, refused=(), rate: float = 0.25
) -> SweepResult:
    target = target or linear_target()
    points = []
    for attack in attacks:
        for number, mask in enumerate(MASKS):
            for level in levels:
                value = 0.5 + 0.3 * math.exp(-(((level - 160) / 150) ** 2)) + 0.01 * number
                area = Estimate(value, value - 0.03, value + 0.03)
                points.append(Point(attack, mask, level, target.schedule.log_snr(level), area, rate))
    return SweepResult(target.info, target.schedule, 100, 120, 0.95, tuple(points), tuple(refused))


def printed(found: SweepResult, width: int = 80) -> str:
    stream = io.StringIO()
    print_sweep(found, [Path("run/sweep.csv"), Path("run/sweep.png")], Console(file=stream, width=width))
    return stream.getvalue()


class TestPicture:
    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_is_wider_and_higher_with_more_attacks(self, tmp_path, count):
        plot_sweep(a_sweep(*[f"attack{n}" for n in range(count)]), tmp_path / "sweep.png")
        with Image.open(tmp_path / "sweep.png") as picture:
            across, down = min(count, 3), -(-count // 3)
            assert abs(picture.width - 200 * (1 + 3.3 * across)) < 2
            assert abs(picture.height - 200 * (0.9 + 2.9 * down)) < 2
        assert [path.name for path in tmp_path.iterdir()] == ["sweep.png"]

    def test_shows_the_curves(self, tmp_path):
        flat = a_sweep("sima")
        flat = replace(flat, points=tuple(replace(p, auroc=Estimate(0.6, 0.59, 0.61)) for p in flat.points))
        plot_sweep(a_sweep("sima"), tmp_path / "a.png")
        plot_sweep(flat, tmp_path / "b.png")
        one, two = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
        assert (one != two).any()

    @pytest.mark.parametrize("levels", [(100,), (0, 100), (0,)])
    def test_one_level_or_one_without_noise_can_be_drawn(self, tmp_path, levels):
        plot_sweep(a_sweep("flow_mc", levels=levels, target=flow_target()), tmp_path / "sweep.png")
        assert (tmp_path / "sweep.png").stat().st_size > 1000

    def test_a_name_is_no_formula(self, tmp_path):
        found = a_sweep("sima@$x$")
        info = replace(found.info, id="models/$\\frac{1$")
        plot_sweep(replace(found, info=info), tmp_path / "sweep.png")
        assert (tmp_path / "sweep.png").is_file()


class TestLevelsOnTheAxis:
    def test_are_round_and_have_room(self):
        schedule = linear_target().schedule
        chosen = round_levels(schedule, 0, 599, 1.4)
        places = [schedule.log_snr(level) for level in chosen]
        assert all(str(level).strip("0") in ("", "1", "2", "5") for level in chosen)
        assert (-np.diff(places) >= 1.4).all()
        assert chosen[-1] == 500

    def test_all_are_written_where_there_is_room(self):
        assert round_levels(linear_target().schedule, 0, 25, 0.0) == [0, 1, 2, 5, 10, 20]

    def test_the_last_stands_for_a_range_without_a_round_one(self):
        assert round_levels(linear_target().schedule, 31, 49, 1.0) == [49]


class TestSummary:
    def test_names_the_best_level_of_each_mask(self):
        text = printed(a_sweep("sima", "loss"))
        rows = [line.split() for line in text.splitlines() if "160" in line]
        assert len(rows) == 8
        assert rows[0][:3] == ["sima", "none", "160"]
        assert ".800" in rows[0][4]
        assert rows[3][:2] == ["weighted", "160"]
        assert "0.250" in rows[3]
        assert "Best of 8 levels, 100 members and 120 non-members" in text

    def test_says_that_the_best_is_optimistic(self):
        text = " ".join(printed(a_sweep("sima")).split())
        assert "chosen on these images, looks better than it is" in text
        assert "privaudit scan chooses the level by cross-fitting" in text

    def test_names_what_was_left_out_and_the_files(self):
        text = printed(a_sweep("sima", refused=[RefusedReport("gsa", "has one score")]))
        assert "not swept: gsa has one score" in text
        assert "run/sweep.csv" in text
        assert "run/sweep.png" in text

    def test_what_is_unknown_is_no_number(self):
        text = printed(a_sweep("sima", rate=math.nan))
        assert "n/a" in text
        assert "nan" not in text

    def test_a_long_name_breaks_no_interval(self):
        text = printed(a_sweep("rediffuse@paper-and-a-long-preset"), 80)
        assert text.count("[.") == 4
        assert max(map(len, text.splitlines())) <= 80
        assert "".join(line.split(" ")[0] for line in text.splitlines() if line[:1] not in " ").count("preset") >= 1
