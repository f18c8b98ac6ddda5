"""Progress on standard error: a bar with the time left on a terminal, a line per stage and a minute elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

EVERY = 60.0
"""Seconds between the lines of a long stage, so that the log of a CI job shows life and is not flooded."""
KNOWN = 1 / 3
"""Share of a stage's steps that has to be done before the time left is estimated: the first ones may be the dearest."""


class TimeLeftColumn(TimeRemainingColumn):
    """The time left, once enough of the steps are done to tell."""

    def render(self, task: Task) -> Text:
        """Draw it."""
        begun = float(task.fields.get("begun", 0.0))
        if not task.finished and not _is_known(task.completed, begun, task.total or 0.0):
            return Text("-:--:--", style="progress.remaining")
        return super().render(task)


class StageProgress:
    """Context manager that is called with (stage, done, total), with text behind the bar if wanted."""

    def __init__(self, *, quiet: bool = False, resumes: bool = True) -> None:
        self._resumes = resumes
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeLeftColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._finished: set[str] = set()
        self._spoken = time.perf_counter()
        self._live = sys.stderr.isatty() and not quiet and not _logged(self._console)

    def __enter__(self) -> StageProgress:
        """Start drawing."""
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing, whatever happened."""
        if self._live:
            self._bars.stop()
        if kind is KeyboardInterrupt:
            resuming = "the same command (without --fresh) resumes where it stopped"
            self._say(f"interrupted; {resuming if self._resumes else 'nothing was written'}")

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` steps of a stage are done."""
        now = time.perf_counter()
        if done < total and stage in self._finished:  # the same again, of another model
            self._finished.remove(stage)
            del self._started[stage]
        since, before = self._started.setdefault(stage, (now, done))
        if self._live:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total, completed=done, note=note, begun=done)
            self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
        elif done >= total and stage not in self._finished:
            self._finished.add(stage)
            self._say(f"{stage}: {total} done in {now - since:.1f} s {note}".rstrip())
        elif done < total and now - self._spoken >= EVERY:
            known = _is_known(done, before, total)
            left = _in_minutes((now - since) / (done - before) * (total - done)) if known else ""
            self._say(f"{stage}: {done} of {total}{left} {note}".rstrip())

    def _say(self, line: str) -> None:
        self._spoken = time.perf_counter()
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _logged(console: Console) -> bool:
    """Whether what looks like a terminal keeps every line: a CI job's, or one that cannot move its cursor."""
    return console.is_dumb_terminal or os.environ.get("CI", "").lower() not in ("", "0", "false")


def _is_known(done: float, before: float, total: float) -> bool:
    """Whether so many steps, of which some were done before, tell how long the others will take."""
    return done - before >= KNOWN * (total - before) > 0


def _in_minutes(seconds: float) -> str:
    return f", about {max(1, round(seconds / 60))} min left"
