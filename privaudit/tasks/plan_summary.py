"""Terminal summary of the plan of an audit: its passes, which of them are shared, and how long it takes."""

from __future__ import annotations

from rich.console import Console, Group
from rich.table import Column, Table
from rich.text import Text

from privaudit.attacks.batch import Work
from privaudit.attacks.plan import Step
from privaudit.auditing.dry_run import Forecast
from privaudit.report.terminal.console import TABLE, rows, section, standard_output


def print_plan(forecast: Forecast, console: Console | None = None) -> None:
    """Print the cost of each attack, and the totals."""
    out = console or standard_output()
    out.print(_steps(forecast))
    out.print()
    out.print(rows([(Text(name), Text(line)) for name, line in _totals(forecast)], 7))


def _steps(forecast: Forecast) -> Group:
    numbers = [Column(name, justify="right") for name in ("passes alone", "added", "time")]
    title = "Denoiser passes per image (back: backward passes; enc, dec: autoencoder passes)"
    table = Table("attack", *numbers, "shares passes with", **TABLE)
    for step in forecast.steps:
        passes = (_passes(step, added=added) for added in (False, True))
        table.add_row(step.label, *passes, duration(forecast.cost(step)), ", ".join(step.shares))
    for name in forecast.scorers:  # they combine the scores of the attacks and run no model
        table.add_row(name, "0", "0", "", "all")
    return section(title, table)


MAX_SIZES = 8
"""Maximum number of image sizes that are listed."""
ABBREVIATIONS: tuple[tuple[Work, str], ...] = (("backward", "back"), ("encode", "enc"), ("decode", "dec"))
"""Abbreviation of each kind of pass in the table; denoiser passes are a plain number."""


def _passes(step: Step, *, added: bool) -> str:
    work = step.added if added else step.alone
    parts = [str(work["forward"])]
    parts += [f"{work[kind]} {word}" for kind, word in ABBREVIATIONS if work[kind]]
    return " + ".join(parts)


def _totals(forecast: Forecast) -> list[tuple[str, str]]:
    forward = sum(step.added["forward"] for step in forecast.steps)
    alone = sum(step.alone["forward"] for step in forecast.steps)
    sets = ", ".join(f"{count} {name}" for name, count in forecast.sets.items())
    stages = ", ".join(f"{name} {duration(seconds)}" for name, seconds in forecast.seconds.items())
    twice = ", twice, for the reference model" if forecast.models > 1 else ""
    if twice and forecast.reference:
        twice += f" ({forecast.reference})"
    return [
        ("images", f"{sets}, before duplicates are removed"),
        *((("sizes", _sizes(forecast)),) if len(forecast.sizes) > 1 else ()),
        ("passes", f"{forward} per image instead of {alone}{twice}; every attack under all four masks"),
        (
            "time",
            f"about {duration(sum(forecast.seconds.values()))} for {forecast.images} images on {forecast.device}, "
            f"{forecast.batch_size} at a time: {stages}; evaluation not included",
        ),
        ("memory", _memory(forecast)),
        *(("not run", f"{item.name} {item.reason}") for item in forecast.refused),
    ]


def _sizes(forecast: Forecast) -> str:
    """Count the images of each bucket, the most frequent first, with the time that they take."""
    seconds = forecast.seconds_by_size
    frequent = sorted(forecast.sizes, key=lambda size: (-forecast.sizes[size], size))
    listed = [f"{forecast.sizes[size]} of {size} ({duration(seconds[size])})" for size in frequent]
    shown, rest = listed[:MAX_SIZES], frequent[MAX_SIZES:]
    if rest:
        shown.append(f"{sum(forecast.sizes[size] for size in rest)} of {len(rest)} other sizes")
    return f"{', '.join(shown)}; height first, timed at {forecast.timed}"


def _memory(forecast: Forecast) -> str:
    """Say what the model needs on its device, and what offloading saves."""
    weights = ", ".join(f"{name} {gibibytes(size)}" for name, size in forecast.weights.items())
    together, offloaded = map(gibibytes, forecast.peak_bytes)
    return (
        f"about {together} on the device, {offloaded} with --offload: weights of {weights}, and "
        f"{gibibytes(forecast.batch_bytes)} for {forecast.batch_size} images; the geometry takes up to --memory more"
    )


def gibibytes(size: int) -> str:
    """Format a number of bytes in a suitable unit: ``3 MiB``, ``1.4 GiB``."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**29 else f"{size / 2**20:.1f} MiB"


def duration(seconds: float) -> str:
    """Format a duration in a suitable unit: ``40 s``, ``3 min``, ``2.5 h``."""
    if seconds < 0.5:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
