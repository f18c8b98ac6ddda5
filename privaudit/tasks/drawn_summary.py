"""Terminal summary of a canary draw: how many canaries, their seal, and what to do next."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from privaudit.canaries import ASSIGNMENT, SEAL, TRAIN, Drawn
from privaudit.report.terminal.console import standard_output

SEEDED_NOTE = "drawn from a seed: anyone who knows it knows every coin, so the draw proves nothing to others"


def print_drawn(drawn: Drawn, console: Console | None = None) -> None:
    """Print how many canaries were drawn, what was left out, the seal, and the next three steps."""
    out = console or standard_output()
    count, folder = len(drawn.assignment.candidates), drawn.folder
    left_out = {
        "unreadable": len(drawn.unreadable),
        "copies": drawn.copies,
        "near-duplicates": drawn.similar,
        "of a group": drawn.grouped,
    }
    omitted = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
    lines = [
        f"{count} canaries, one fair coin per image: {drawn.included} included, {count - drawn.included} held out",
        *([f"left out: {omitted}"] if omitted else []),
        *([SEEDED_NOTE] if drawn.assignment.seeded else []),
        f"seal {drawn.assignment.seal}",
        f"1. Publish the seal ({folder / SEAL}) before training, and keep {folder / ASSIGNMENT} secret.",
        f"2. Train on {folder / TRAIN}, and on other data as needed, but on no other candidate.",
        f"3. After training, run: privaudit scan TARGET --canaries {folder}",
    ]
    out.print(Text("\n".join(lines)), soft_wrap=True)
