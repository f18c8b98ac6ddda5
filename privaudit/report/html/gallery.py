"""The images that were recognised most clearly, each with the decoder's influence over it; only on request."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from PIL import Image, UnidentifiedImageError

from privaudit.escape import escape_control
from privaudit.report.numbers import PAGE
from privaudit.report.plots.canvas import COLOURS, log_influence
from privaudit.report.redact import base_name
from privaudit.results.exemplars import Exemplar

MAX_PIXELS = 512
"""Maximum pixels per side; larger images are not thumbnails and not shown."""
MAX_NAME = 60
"""Maximum number of characters of a name."""


class Shown(NamedTuple):
    """One image on the page.

    Attributes:
        name: Name of the file.
        label: Label from the manifest; may be empty.
        thumbnail: ``data:`` URL of the image; empty if it cannot be read.
        influence: ``data:`` URL of its influence map.
        about: Score, and the fraction of non-members with lower ones.
    """

    name: str
    label: str
    thumbnail: str
    influence: str
    about: str


def gallery(exemplars: Sequence[Exemplar]) -> tuple[Shown, ...]:
    """Prepare exemplars for the page."""
    return tuple(
        Shown(
            name=_short(base_name(exemplar.path)),
            label=_short(exemplar.label or ""),
            thumbnail=_thumbnail(exemplar.thumbnail),
            influence=_map(exemplar.influence),
            about=f"{_short(exemplar.attack)}: score {PAGE.number(exemplar.score, 2)}, "
            f"above {PAGE.percent(exemplar.beaten)} of the non-members",
        )
        for exemplar in exemplars
    )


def _short(text: str) -> str:
    shown = escape_control(text)
    return shown if len(shown) <= MAX_NAME else f"{shown[:MAX_NAME]}…"


def _thumbnail(content: str) -> str:
    """Decode and encode the image again, so that nothing but its pixels gets onto the page."""
    try:
        with Image.open(BytesIO(base64.b64decode(content, validate=True)), formats=["PNG"]) as image:
            return _data_url(image.convert("RGB")) if max(image.size) <= MAX_PIXELS else ""
    except (binascii.Error, UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return ""


def _map(values: tuple[tuple[float, ...], ...]) -> str:
    logs = log_influence(np.atleast_2d(np.array(values, dtype=np.float64)))
    low, high = float(logs.min()), float(logs.max())
    scaled = (logs - low) / (high - low if high > low else 1.0)
    return _data_url(Image.fromarray(colormaps[COLOURS](scaled, bytes=True)[..., :3]))


def _data_url(image: Image.Image) -> str:
    content = BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
