"""Terminal summary of an image set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from rich.console import Console
from rich.text import Text

from privaudit.auditing.assess.set_checks import left_out_fact
from privaudit.report.numbers import counted, listed
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.terminal.console import rows, standard_output
from privaudit.tasks.data_overview import DataOverview

MAX_NAMED = 6
"""Maximum number of formats, classes and reasons that are named."""
MAX_CAPTION = 90
"""Maximum number of characters of a caption that are shown."""


def print_overviews(overviews: Iterable[DataOverview], console: Console | None = None) -> None:
    """Print what would be read of each set, as what, with captions, and what is left out."""
    out = console or standard_output()
    for number, overview in enumerate(overviews):
        if number:
            out.print()
        out.print(Text(overview.source, style="bold"), soft_wrap=True)
        out.print(rows([(Text(name), Text(line)) for name, line in _lines(overview)], 10))


def _lines(overview: DataOverview) -> Iterator[tuple[str, str]]:
    yield "layout", overview.layout
    yield "images", _images(overview)
    yield "captions", _captions(overview)
    for example in overview.examples if overview.captioned else ():
        yield "", f"{PurePath(example.path).name}: {_shown(example.caption)}"
    if overview.unused_captions:
        replaced = overview.caption_source == "--caption"
        choose = "replaced by --caption" if replaced else "choose with --caption-column"
        yield "", f"not used: {overview.unused_captions}; {choose}"
    if overview.classes:
        yield "classes", f"{len(overview.classes)}: {_named(overview.classes, '{} ({})')}"
    if overview.groups:
        yield "groups", str(overview.groups)
    for number, line in enumerate(_readings(overview)):
        yield "" if number else "reading", line
    for number, item in enumerate(overview.left_out):
        yield "" if number else "left out", fact_text(left_out_fact(item.kind, item.suffix, item.count))
    for number, (reason, count) in enumerate(list(overview.unreadable.items())[:MAX_NAMED]):
        yield "" if number else "unreadable", f"{count}: {reason}"
    if (further := len(overview.unreadable) - MAX_NAMED) and further > 0:
        yield "", f"and {counted(further, 'further reason')}"


def _images(overview: DataOverview) -> str:
    small, large = ("x".join(map(str, side)) for side in (overview.smallest, overview.largest))
    sizes = small if small == large else f"{small} to {large}"
    copies = f", {counted(overview.duplicates, 'copy')} left out" if overview.duplicates else ""
    return f"{overview.images} ({_named(overview.formats)}), {sizes} pixels (height x width){copies}"


def _captions(overview: DataOverview) -> str:
    if not overview.captioned and not overview.empty_captions:
        return "none"
    parts = [f"{overview.captioned} of {overview.images}, from {overview.caption_source}"]
    if overview.empty_captions:
        parts.append(f"{overview.empty_captions} empty")
    if overview.several_captions:
        parts.append(f"{overview.several_captions} with several, of which the first is used")
    return "; ".join(parts)


def _readings(overview: DataOverview) -> Iterator[str]:
    size, reading = "x".join(map(str, overview.size)), overview.reading
    if overview.turned:
        differ = _open_choice(reading.orientation, "--orientation upright or stored")
        yield f"{counted(overview.turned, 'image')} with an orientation tag{differ}"
    if overview.transparent:
        differ = _open_choice(reading.transparency, "--transparency drop, white or black")
        yield f"{counted(overview.transparent, 'image')} with transparent pixels{differ}"
    if overview.cropped:
        differ = _open_choice(reading.crop, "--crop center or none, or --buckets 64")
        yield f"{counted(overview.cropped, 'image')} cropped by more than a tenth of the area to {size}{differ}"
    if overview.enlarged:
        yield f"{counted(overview.enlarged, 'image')} enlarged to {size}"


def _open_choice(chosen: str, options: str) -> str:
    """Name the options between which trainers differ, unless the user has chosen one."""
    return f"; trainers differ: {options}" if chosen == "auto" else ""


def _named(counts: Mapping[str, int], form: str = "{} {}") -> str:
    parts = [form.format(name, count) for name, count in list(counts.items())[:MAX_NAMED]]
    further = len(counts) - MAX_NAMED
    return listed([*parts, *([f"{further} more"] if further > 0 else [])])


def _shown(caption: str | None) -> str:
    if caption is None:
        return "no caption"
    return f"“{caption[:MAX_CAPTION]}{'…' if len(caption) > MAX_CAPTION else ''}”"
