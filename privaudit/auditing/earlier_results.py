"""The results of an earlier audit in a run folder: kept aside until an audit finishes, never shown as those of another.

CI reads the report of a run folder whatever happened, so a run that fails must not leave a report of an earlier run
where its own belongs. The earlier report may be all that is left of hours of work, so it is moved and not deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from privaudit.auditing.designs.suspect_judgement import TABLE as SUSPECTS
from privaudit.results.exemplars import FILE as EXPOSED
from privaudit.results.report_files import report_files
from privaudit.storage.files import PREVIOUS, discard_previous, make_folder, refuse_inputs, set_aside

REPORT, PAGE = "report.json", "report.html"
RESULT_FILES = ("samples.parquet", "scores/scores.parquet", SUSPECTS, EXPOSED, REPORT)
"""Files of a run folder that only an audit writes."""


def stale_results(folder: Path) -> tuple[str, ...]:
    """List the result files that an earlier run may have left in a folder.

    Returns:
        Files that only a run writes and, if a run has written to the folder, files rendered from its report.
    """
    has_run = any((folder / name).is_file() for name in (REPORT, "run.json"))
    return (*RESULT_FILES, *report_files()) if has_run else RESULT_FILES


def clear_results(folder: Path, inputs: Sequence[Path] = ()) -> None:
    """Make a run folder without results: those of a finished audit are moved to ``previous/``, all others deleted.

    Args:
        folder: Run folder.
        inputs: Files and folders of the audit that must stay as they are.

    Raises:
        ConfigError: The folder cannot be written, or an input is one of the results.
    """
    names = stale_results(folder)
    refuse_inputs(folder, [f"{PREVIOUS}/{name}" for name in names], inputs)  # `discard_earlier` deletes these
    if _has_finished(folder / REPORT):
        # The report last: if this is interrupted, the next run moves the rest.
        set_aside(folder, sorted(set(names), key=lambda name: (name == REPORT, name)), inputs)
    else:
        make_folder(folder, names, inputs)


def discard_earlier(folder: Path) -> None:
    """Delete what `clear_results` has kept, once an audit of the folder has finished."""
    discard_previous(folder, [*RESULT_FILES, *report_files()])


def earlier_report(folder: Path) -> Path | None:
    """Return the report of an earlier audit that `clear_results` has kept: its page if it has one; None without any."""
    place = folder / PREVIOUS
    if not (place / REPORT).is_file():
        return None
    return place / PAGE if (place / PAGE).is_file() else place / REPORT


def _has_finished(report: Path) -> bool:
    """Whether there is a report, and it is not that of an error. One that cannot be read counts, to be safe."""
    if not report.is_file():
        return False
    try:
        return bool(json.loads(report.read_bytes())["verdict"]["status"] != "error")
    except (OSError, ValueError, KeyError, TypeError):
        return True
