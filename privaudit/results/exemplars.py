"""The most exposed images: saved in the run folder, shown in a report only on request."""

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
    """One image with its score and influence map.

    Attributes:
        id: Id of the sample.
        path: File that it was read from.
        label: Label in the manifest; None without one.
        attack: Attack that the score is from.
        score: Unmasked score, higher = more likely a member.
        beaten: Fraction of the non-members that score lower.
        influence: ``(height, width)``, the decoder's influence summed over channels, scaled to a mean of 1.
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
    """Write exemplars to a run folder."""
    write_text(folder / FILE, json.dumps(encode(exemplars), allow_nan=False) + "\n")


def load_exemplars(folder: str | Path) -> tuple[Exemplar, ...]:
    """Read the most exposed images of a run.

    Args:
        folder: Run folder.

    Returns:
        Exemplars, most exposed first.

    Raises:
        ResultError: The folder has no exemplars, or they cannot be read.
    """
    file = Path(folder) / FILE
    if not file.is_file():
        raise ResultError(f"expected {FILE} in {folder}, found none; images can be shown from a run folder only")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultError(f"expected {file} as privaudit wrote it: {error}") from error
    exemplars: tuple[Exemplar, ...] = decode(tuple[Exemplar, ...], values, FILE)
    return exemplars
