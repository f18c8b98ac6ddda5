"""How the image sets were read, in words."""

from __future__ import annotations

from privaudit.report.numbers import counted
from privaudit.results.data_report import DataReport, SetReport


def set_lines(data: DataReport) -> tuple[tuple[str, str], ...]:
    """Say how each set was read.

    Returns:
        Name of the set and what was read, such as ``folder; captions of 40 of 40 images from .txt files``; none for a
        report of an earlier version. Sets that were read alike share a line.
    """
    lines: dict[str, list[str]] = {}
    for part in data.sets:
        lines.setdefault(_read(part), []).append(part.name)
    return tuple((" and ".join(names), text) for text, names in lines.items())


def _read(part: SetReport) -> str:
    clauses = [part.layout]
    if part.captioned:
        clauses.append(f"captions of {part.captioned} of {counted(part.images, 'image')} from {part.caption_source}")
    else:
        clauses.append("no captions")
    if part.unused_captions:
        clauses.append(f"those in {part.unused_captions} not used")
    if left_out := sum(item.files for item in part.left_out):
        clauses.append(f"{counted(left_out, 'other file')} not read")
    return "; ".join(clauses)
