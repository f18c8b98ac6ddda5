"""Canaries that were drawn, on the terminal: how many, their seal, and what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from privaudit.canaries import ASSIGNMENT, SEAL, TRAIN, Drawn
from privaudit.report.terminal.console import standard_output

SEEDED = "drawn from a seed: anyone who knows it knows every coin; no proof to anyone else"


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
        *([SEEDED] if drawn.assignment.seeded else []),
        f"seal {drawn.assignment.seal}",
        f"1. Publish the seal ({folder / SEAL}) before training, and keep {folder / ASSIGNMENT} to yourself.",
        f"2. Train on {folder / TRAIN}, with whatever else; no other candidate may be in the training data.",
        f"3. Afterwards: privaudit scan TARGET --canaries {folder}",
    ]
    out.print(Text("\n".join(lines)), soft_wrap=True)
