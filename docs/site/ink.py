"""One SVG for dark and light: drawn in stand-in colours, which the file maps to those of the reader's scheme."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, fields
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Ink:
    """Colours of the pictures; contrast with the page is at least 4.5 for text and 3 for lines.

    Attributes:
        text: Words and axes.
        muted: Grid, guessing, what matters less.
        paper: Behind words that lie on lines.
        member: Members.
        other: Non-members.
        accent: What a picture is about.
        fill: Boxes.
    """

    text: str
    muted: str
    paper: str
    member: str
    other: str
    accent: str
    fill: str


STAND_IN = Ink("#010101", "#020202", "#030303", "#040404", "#050505", "#060606", "#070707")
LIGHT = Ink("#1f2328", "#6a737d", "#ffffff", "#b3400c", "#0b62b0", "#7a3ea1", "#eef2f6")
DARK = Ink("#e6e6ea", "#9aa1ad", "#14151a", "#ff9d5c", "#6cb6ff", "#d2a8ff", "#2a2e38")


def _variables(ink: Ink) -> str:
    return "".join(f"--{field.name}:{getattr(ink, field.name)};" for field in fields(ink))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG that follows the reader's colour scheme; the same figure gives the same bytes.

    Args:
        figure: Drawn in the colours of `STAND_IN`.
        path: Of the SVG file.
    """
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.family": "sans-serif"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for field in fields(STAND_IN):
        text = text.replace(getattr(STAND_IN, field.name), f"var(--{field.name})")
    sheet = f":root{{{_variables(LIGHT)}}}@media(prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    text = re.sub(r'<style type="text/css">', f'<style type="text/css">{sheet}', text, count=1)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", text)
    path.write_text(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE), encoding="utf-8")
