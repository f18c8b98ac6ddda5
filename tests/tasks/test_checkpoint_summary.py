"""Picture and summary of sweeps over checkpoints that no model was needed for."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from privaudit.auditing.checkpoint_sweep import CheckpointPoint, CheckpointSweepResult
from privaudit.evaluation import Check, Estimate, fact
from privaudit.loading.checkpoints import Checkpoint, TrainingOutput
from privaudit.results.audit_result import RefusedReport
from privaudit.tasks.checkpoint_plot import plot_checkpoints, positions
from privaudit.tasks.checkpoint_summary import notes, print_checkpoints

STEPS = {"base": 0, "checkpoint-500": 500, "checkpoint-1000": 1000, "final": None}
VALUES = (0.5, 0.55, 0.7, 0.65)


def a_sweep(*attacks: str, values: tuple[float, ...] = VALUES, rate: float = 0.25, **output) -> CheckpointSweepResult:
    checkpoints = tuple(
        Checkpoint(name, step, "base", averages=(f"{name}/unet_ema",) if output.get("averages") else ())
        for name, step in list(STEPS.items())[: len(values)]
    )
    points = [
        CheckpointPoint(attack, each.name, each.step, "a" * 32, Estimate(value, value - 0.06, value + 0.06), rate)
        for attack in attacks
        for each, value in zip(checkpoints, values, strict=True)
    ]
    training = TrainingOutput("runs/output", "step", checkpoints, output.get("averaged", False))
    return CheckpointSweepResult(training, 100, 120, 0.95, tuple(points), output.get("refused", ()))


def printed(found: CheckpointSweepResult, width: int = 100) -> str:
    stream = io.StringIO()
    print_checkpoints(found, [Path("run/checkpoints.csv")], Console(file=stream, width=width))
    return stream.getvalue()


class TestSummary:
    def test_says_where_the_leak_begins_and_where_it_is_largest(self):
        text = printed(a_sweep("sima"))
        (row,) = [line for line in text.splitlines() if line.strip().startswith("sima")]
        assert "step 1000  " in row
        assert row.count("step 1000") == 2
        assert ".700" in row
        assert "0.250" in row
        assert "4 checkpoints, 100 members and 120 non-members" in text

    def test_lists_every_checkpoint(self):
        text = printed(a_sweep("sima", "loss"))
        assert all(f" {name} " in text for name in STEPS)
        assert text.count(".550") == 2

    def test_a_leak_that_is_not_seen(self):
        assert "not seen" in printed(a_sweep("sima", values=(0.5, 0.51)))

    def test_a_base_that_tells_the_sets_apart_is_pointed_out(self):
        text = " ".join(printed(a_sweep("sima", values=(0.6, 0.7))).split())
        assert "The base already tells the sets apart (sima)" in text
        assert "The base already" not in printed(a_sweep("sima"))

    @pytest.mark.parametrize(("averaged", "audited", "advice"), [(False, "raw", "pass"), (True, "averaged", "leave")])
    def test_names_the_weights_that_were_audited_and_the_others(self, averaged, audited, advice):
        text = " ".join(printed(a_sweep("sima", averages=True, averaged=averaged)).split())
        assert f"Audited were the {audited} weights; " in text
        assert f"as in final/unet_ema: {advice} --ema" in text
        assert "The final weights are those that the script saved" in text
        assert "Audited were" not in printed(a_sweep("sima"))

    def test_a_model_that_is_read_otherwise_than_it_was_trained_comes_first(self):
        wrong = Check("prediction", "fail", (fact("adapter_left_out", file="a.safetensors"),))
        (first, *_) = notes(replace(a_sweep("sima"), checks=(Check("latent scale", "warn", ()), wrong)))
        assert first.startswith("The model may be read otherwise than it was trained, so that no curve tells whether")
        assert "check prediction failed: a.safetensors" in first

    def test_what_may_hide_a_leak_rules_out_an_all_clear(self):
        turned = Check("image reading", "warn", (fact("images_may_be_turned", images=5, total=9),))
        (first, *_) = notes(replace(a_sweep("sima"), checks=(turned, Check("captions", "ok", ()))))
        assert first.startswith("A curve without a leak is no all-clear: check image reading warns: 5 of 9 images")

    def test_names_what_was_left_out_and_the_files(self):
        text = printed(a_sweep("sima", refused=(RefusedReport("gsa", "is fitted to a single model"),), rate=math.nan))
        assert "not drawn: gsa is fitted to a single model" in text
        assert "run/checkpoints.csv" in text
        assert "n/a" in text
        assert "nan" not in text


class TestPicture:
    def test_the_last_weights_follow_the_last_checkpoint(self):
        assert positions(a_sweep("sima").curve("sima")) == [0, 500, 1000, 1500]
        curve = a_sweep("sima").curve("sima")
        assert positions((replace(curve[0], step=None),)) == [1]
        assert positions((replace(curve[1]), replace(curve[0], step=None))) == [500, 1000]

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_is_wider_and_higher_with_more_attacks(self, tmp_path, count):
        plot_checkpoints(a_sweep(*[f"attack{n}" for n in range(count)]), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert abs(picture.width - 200 * (1 + 3.3 * min(count, 3))) < 2
            assert abs(picture.height - 200 * (0.7 + 2.6 * -(-count // 3))) < 2

    def test_shows_the_curve(self, tmp_path):
        plot_checkpoints(a_sweep("sima"), tmp_path / "a.png")
        plot_checkpoints(a_sweep("sima", values=(0.5, 0.5, 0.5, 0.5)), tmp_path / "b.png")
        one, two = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
        assert (one != two).any()

    def test_one_checkpoint_can_be_drawn(self, tmp_path):
        plot_checkpoints(a_sweep("sima@$x$", values=(0.5,)), tmp_path / "a.png")
        assert (tmp_path / "a.png").stat().st_size > 1000
