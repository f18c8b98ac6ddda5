"""Canaries on the terminal: what an audit with them shows."""

from __future__ import annotations

import math

from rich.console import Group
from rich.text import Text

from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.report.console import rows, section
from privaudit.report.numbers import percent


def canary_section(report: CanaryReport, *, stated: bool = True) -> Group:
    """Lay out what canaries show."""
    title = "Canaries: drawn by lot, so that the false-positive rate is known"
    if not report.guesses:
        return section(title, Text(f"not measured: {report.reason}"))
    delta = f", delta {report.delta:g}" if report.delta else ""
    lines = [
        (
            "canaries",
            f"{report.canaries}: {report.pilot} to choose on, {report.audited} audited "
            f"({report.included} of them trained on)",
        ),
        ("chosen", f"{report.chosen}, of {len(report.search_space)} scores"),
        (
            "guesses",
            f"{report.guesses_in} in, {report.guesses_out} out; {report.correct} of {report.guesses} right",
        ),
        (
            "epsilon",
            f">= {report.epsilon_lower:.3f} ({percent(report.confidence)}{delta}; even a perfect attack "
            f"could have shown only {report.epsilon_most:.3f})",
        ),
        ("p", _p(report)),
    ]
    found = rows([(Text(name), Text(line)) for name, line in lines], 9)
    return section(title, Group(found, Text(report.statement)) if stated else found)


def _p(report: CanaryReport) -> str:
    if math.isnan(report.p):
        return f"n/a: {report.reason}"
    rests = f"{report.draws} rearrangements of the audited coins"
    return f"{report.p:.4g}: the chance of such scores if the model knew nothing of the coins ({rests})"
