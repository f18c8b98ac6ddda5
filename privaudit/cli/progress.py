"""Progress on standard error: a bar with the time left on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class StageProgress:
    """Context manager that is called with (stage, done, total), with text behind the bar if wanted."""

    def __init__(self, *, quiet: bool = False, resumes: bool = True) -> None:
        self._resumes = resumes
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._live = sys.stderr.isatty() and not quiet

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
            self._console.print(f"interrupted; {resuming if self._resumes else 'nothing was written'}")

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` steps of a stage are done."""
        self._started.setdefault(stage, time.perf_counter())
        if self._live:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total, note=note)
            self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
        elif done >= total:
            seconds = time.perf_counter() - self._started[stage]
            self._console.print(f"{stage}: {total} done in {seconds:.1f} s {note}".rstrip(), highlight=False)
