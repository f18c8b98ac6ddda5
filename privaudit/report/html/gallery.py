"""The images that were recognised most clearly, each with the decoder's influence over it; only when asked for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from PIL import Image, UnidentifiedImageError

from privaudit.escape import escape_control
from privaudit.report.numbers import PAGE
from privaudit.report.plots.canvas import COLOURS, log_influence
from privaudit.report.redact import base_name
from privaudit.results.exemplars import Exemplar

LARGEST = 512
"""Pixels on a side beyond which a thumbnail is none."""
NAMED = 60
"""Letters of a name."""


@dataclass(frozen=True)
class Shown:
    """One image on the page.

    Attributes:
        name: Name of the file.
        label: Label of the manifest; empty without.
        picture: A ``data:`` address of the thumbnail; empty if it cannot be read.
        influence: The same of its influence map.
        about: Score, and how many non-members it beats.
    """

    name: str
    label: str
    picture: str
    influence: str
    about: str


def gallery(exemplars: Sequence[Exemplar]) -> tuple[Shown, ...]:
    """Prepare exemplars for the page."""
    return tuple(
        Shown(
            name=_short(base_name(exemplar.path)),
            label=_short(exemplar.label or ""),
            picture=_picture(exemplar.thumbnail),
            influence=_map(exemplar.influence),
            about=f"{_short(exemplar.attack)}: score {PAGE.number(exemplar.score, 2)}, "
            f"above {PAGE.percent(exemplar.beaten)} of the non-members",
        )
        for exemplar in exemplars
    )


def _short(text: str) -> str:
    shown = escape_control(text)
    return shown if len(shown) <= NAMED else f"{shown[:NAMED]}…"


def _picture(thumbnail: str) -> str:
    """Read and write the image again, so that nothing but its pixels gets onto the page."""
    try:
        with Image.open(BytesIO(base64.b64decode(thumbnail, validate=True)), formats=["PNG"]) as image:
            if max(image.size) > LARGEST:
                return ""
            return _address(image.convert("RGB"))
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return ""


def _map(values: tuple[tuple[float, ...], ...]) -> str:
    logs = log_influence(np.atleast_2d(np.array(values, dtype=np.float64)))
    low, high = float(logs.min()), float(logs.max())
    scaled = (logs - low) / (high - low if high > low else 1.0)
    return _address(Image.fromarray(colormaps[COLOURS](scaled, bytes=True)[..., :3]))


def _address(image: Image.Image) -> str:
    written = BytesIO()
    image.save(written, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode("ascii")
