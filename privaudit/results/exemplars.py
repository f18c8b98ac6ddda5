"""The images that an attack recognises most clearly: kept in the run folder, shown in a report only when asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from privaudit.errors import ResultError
from privaudit.storage.exact_json import decode, encode
from privaudit.storage.files import write_text

FILE = "exposed.json"


@dataclass(frozen=True)
class Exemplar:
    """One image, its score and where the decoder is sensitive to it.

    Attributes:
        id: Id of the sample.
        path: Where it was read from.
        label: Label in the manifest; None without.
        attack: Attack whose unmasked score it is.
        score: Higher = more likely a member.
        beaten: Fraction of the non-members that score lower.
        influence: ``(height, width)``: the decoder's influence summed over channels, scaled to a mean of 1.
        thumbnail: PNG of at most 160 pixels on a side, in base64.
    """

    id: str
    path: str
    label: str | None
    attack: str
    score: float
    beaten: float
    influence: tuple[tuple[float, ...], ...]
    thumbnail: str


def save_exemplars(folder: Path, exemplars: tuple[Exemplar, ...]) -> None:
    """Write them next to the scores."""
    write_text(folder / FILE, json.dumps(encode(exemplars), allow_nan=False) + "\n")


def load_exemplars(folder: str | Path) -> tuple[Exemplar, ...]:
    """Read them.

    Args:
        folder: A run folder.

    Returns:
        The most clearly recognised first.

    Raises:
        ResultError: There are none.
    """
    file = Path(folder) / FILE
    if not file.is_file():
        raise ResultError(f"expected {FILE} in {folder}, found none; images can be shown from a run folder only")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultError(f"expected {file} as privaudit wrote it: {error}") from error
    found: tuple[Exemplar, ...] = decode(tuple[Exemplar, ...], values, FILE)
    return found
