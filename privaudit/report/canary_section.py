"""Canaries on the terminal: what was drawn and what to do next; what an audit with them shows."""

from __future__ import annotations

import math

from rich.console import Console, Group
from rich.text import Text

from privaudit.canaries import ASSIGNMENT, SEAL, TRAIN, Drawn
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.report.console import rows, section, standard_output
from privaudit.report.numbers import percent


def print_drawn(drawn: Drawn, console: Console | None = None) -> None:
    """Print how many canaries were drawn, what was left out, the seal, and three lines on what to do next."""
    out = console or standard_output()
    count, folder = len(drawn.assignment.candidates), drawn.folder
    left_out = {
        "unreadable": len(drawn.unreadable),
        "copies": drawn.copies,
        "near-duplicates": drawn.similar,
        "of a group": drawn.grouped,
    }
    omitted = ", ".join(f"{number} {why}" for why, number in left_out.items() if number)
    lines = [
        f"{count} canaries, a fair coin each: {drawn.included} included, {count - drawn.included} kept back",
        *([f"left out: {omitted}"] if omitted else []),
        *(["drawn from a seed: whoever knows it knows every coin; no proof to anybody else"] if _seeded(drawn) else []),
        f"seal {drawn.assignment.seal}",
        f"1. Publish the seal ({folder / SEAL}) before training, and keep {folder / ASSIGNMENT} to yourself.",
        f"2. Train on {folder / TRAIN}, with whatever else; no other candidate may be in the training data.",
        f"3. Afterwards: privaudit scan TARGET --canaries {folder}",
    ]
    out.print(Text("\n".join(lines)), soft_wrap=True)


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


def _seeded(drawn: Drawn) -> bool:
    return drawn.assignment.seeded
