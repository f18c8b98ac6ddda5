"""Progress where no bar can be drawn: a line a stage, one a minute within it."""

from __future__ import annotations

import io
import sys

import pytest
from rich.progress import Progress

from privaudit.cli import progress
from privaudit.cli.progress import StageProgress, TimeLeftColumn


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_stage_speaks_once_a_minute_and_says_what_is_left(clock, capsys):
    with StageProgress() as stages:
        for step in range(301):  # a step a second
            stages("scores", step, 300)
            clock[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "running attacks: 60 of 300",
        "running attacks: 120 of 300, about 3 min left",
        "running attacks: 180 of 300, about 2 min left",
        "running attacks: 240 of 300, about 1 min left",
        "running attacks: 300 done in 300.0 s",
    ]


def test_the_first_steps_of_a_stage_do_not_tell_how_long_the_others_take(clock, capsys):
    with StageProgress() as stages:
        for step in range(31):  # the first ten take a minute each, the others a second
            stages("evaluation", step, 30)
            clock[0] += 60 if step < 10 else 1
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "left" in line and int(line.split()[2]) < 10] == []
    assert "evaluating scores: 1 of 30" in lines


def test_the_bar_says_nothing_of_the_time_left_before_it_can_tell():
    column = TimeLeftColumn()
    clock = iter(range(10_000))
    with Progress(column, get_time=lambda: float(next(clock)), disable=True) as bars:
        task = bars.add_task("scores", total=90, completed=60, begun=60)
        bars.update(task, completed=65)
        assert column.render(bars.tasks[0]).plain == "-:--:--"
        bars.update(task, completed=80)
        assert column.render(bars.tasks[0]).plain.startswith("0:00:")


def test_a_stage_that_reports_its_end_twice_is_named_once(clock, capsys):
    with StageProgress() as stages:
        for done in (0, 5, 5):
            stages("evaluation", done, 5)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_same_stage_of_another_model_has_a_line_of_its_own(clock, capsys):
    with StageProgress() as stages:
        for done in (0, 2, 0, 2):
            stages("scores", done, 2)
            clock[0] += 10
    assert capsys.readouterr().err.splitlines() == [
        "running attacks: 2 done in 10.0 s",
        "running attacks: 2 done in 10.0 s",
    ]


def test_a_resumed_stage_judges_its_speed_by_what_it_did_itself(clock, capsys):
    with StageProgress() as stages:
        stages("latents", 900, 1000)
        clock[0] += 60
        stages("latents", 950, 1000)
    assert capsys.readouterr().err.splitlines() == ["finding latents: 950 of 1000, about 1 min left"]


def test_a_stage_without_a_label_is_shown_by_its_name(capsys):
    with StageProgress() as stages:
        stages("denoiser", 2, 2)
        stages("nonmembers", 2, 2)
    names = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert names == ["denoiser", "reading non-members"]


def test_quiet_says_nothing(clock, capsys):
    with StageProgress(quiet=True) as stages:
        stages("scores", 2, 2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("variables", "drawn"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "CI": "true"}, False)],
)
def test_bars_are_drawn_where_lines_can_be_drawn_over(monkeypatch, variables, drawn):
    for name in ("CI", "TERM", "NO_COLOR", "FORCE_COLOR", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with StageProgress() as stages:
        stages("scores", 1, 2)
        stages("scores", 2, 2)
    written = sys.stderr.getvalue()
    assert ("\x1b" in written) == drawn
    assert ("running attacks: 2 done" in written) != drawn
