"""Progress on standard error: bars with the time left on a terminal; elsewhere one line per stage and per minute."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

SECONDS_BETWEEN_LINES = 60.0
"""Seconds between the lines of a long stage, so that the log of a CI job shows progress and is not flooded."""
LABELS: Mapping[str, str] = {
    "images": "reading images",
    "members": "reading members",
    "nonmembers": "reading non-members",
    "suspects": "reading suspects",
    "candidates": "reading candidates",
    "included canaries": "reading included canaries",
    "excluded canaries": "reading excluded canaries",
    "canaries": "checking canaries",
    "calibration": "timing one batch",
    "pixels": "measuring pixels",
    "encoding": "encoding images",
    "model fit": "checking the model",
    "latents": "finding latents",
    "inversion": "inverting the decoder",
    "influence": "measuring the decoder",
    "scores": "running attacks",
    "reference": "attacking the reference",
    "evaluation": "evaluating scores",
    "reports": "writing reports",
    "maps": "drawing maps",
}
"""What a user reads for a stage; any other stage is shown by its name."""
MIN_FRACTION_DONE = 1 / 3
"""Minimum fraction of a stage's steps before the time left is estimated; the first steps may take much longer."""


class TimeLeftColumn(TimeRemainingColumn):
    """Column of the time left, once enough steps are done to estimate it."""

    def render(self, task: Task) -> Text:
        """Render the column for one bar."""
        begun = float(task.fields.get("begun", 0.0))
        if not task.finished and not _can_estimate(task.completed, begun, task.total or 0.0):
            return Text("-:--:--", style="progress.remaining")
        return super().render(task)


class StageProgress:
    """Context manager that shows progress; it is called with (stage, done, total) and optionally a note.

    Args:
        quiet: Whether to show nothing.
        resumes: Whether an interrupted command can be resumed, for the message about an interruption.
    """

    def __init__(self, *, quiet: bool = False, resumes: bool = True) -> None:
        self._resumes = resumes
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<25}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeLeftColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._finished: set[str] = set()
        self._last_line = time.perf_counter()
        self._live = sys.stderr.isatty() and not quiet and not _is_log(self._console)

    def __enter__(self) -> StageProgress:
        """Start drawing the bars."""
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing the bars; name what an interruption leaves."""
        if self._live:
            self._bars.stop()
        if kind is KeyboardInterrupt:
            resuming = "the same command (without --fresh) resumes where it stopped"
            self._print_line(f"interrupted; {resuming if self._resumes else 'nothing was written'}")

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` steps of a stage are done.

        Args:
            stage: Name of the stage.
            done: Number of steps done.
            total: Number of all steps.
            note: Text after the bar or line.
        """
        now = time.perf_counter()
        if done < total and stage in self._finished:  # the stage starts again, for another model
            self._finished.remove(stage)
            del self._started[stage]
        # A resumed stage starts with steps done earlier, which took no time now and must not count for its speed.
        started, resumed = self._started.setdefault(stage, (now, done))
        if self._live:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(
                    LABELS.get(stage, stage), total=total, completed=done, note=note, begun=done
                )
            self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
        elif done >= total and stage not in self._finished:
            self._finished.add(stage)
            self._print_line(f"{LABELS.get(stage, stage)}: {total} done in {now - started:.1f} s {note}".rstrip())
        elif done < total and now - self._last_line >= SECONDS_BETWEEN_LINES:
            remaining = ""
            if _can_estimate(done, resumed, total):
                remaining = _in_minutes((now - started) / (done - resumed) * (total - done))
            self._print_line(f"{LABELS.get(stage, stage)}: {done} of {total}{remaining} {note}".rstrip())

    def _print_line(self, line: str) -> None:
        self._last_line = time.perf_counter()
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _is_log(console: Console) -> bool:
    """Whether the terminal cannot redraw a line: that of a CI job, or one that cannot move its cursor."""
    return console.is_dumb_terminal or os.environ.get("CI", "").lower() not in ("", "0", "false")


def _can_estimate(done: float, resumed: float, total: float) -> bool:
    """Whether enough steps are done to estimate the time left; ``resumed`` of them were done in an earlier run."""
    return done - resumed >= MIN_FRACTION_DONE * (total - resumed) > 0


def _in_minutes(seconds: float) -> str:
    return f", about {max(1, round(seconds / 60))} min left"
