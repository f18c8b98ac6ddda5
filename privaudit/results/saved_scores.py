"""Saved values of single images in a run folder: scores and measurements."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from privaudit.errors import ResultError

MIN_ID_PREFIX = 6
"""Minimum number of characters of an id that name an image."""


def load_scores(folder: str | Path) -> pd.DataFrame:
    """Read the scores from which the metrics of an audit are computed.

    Args:
        folder: Run folder.

    Returns:
        One row per image, attack and mask, with the columns ``id``, ``path``, ``set`` (``member``, ``nonmember`` or
        ``suspect``), ``attack``, ``mask``, ``level`` and ``score``; a higher score means more likely a member.

    Raises:
        ResultError: The folder has no scores.
    """
    return _table(Path(folder), Path("scores") / "scores.parquet")


def load_samples(folder: str | Path) -> pd.DataFrame:
    """Read the measurements of the images themselves.

    Args:
        folder: Run folder.

    Returns:
        One row per image, with the columns ``id``, ``path``, ``set``, ``label``, ``group``, ``caption``,
        ``distortion``, and the outcome of its inversion.

    Raises:
        ResultError: The folder has no measurements.
    """
    return _table(Path(folder), Path("samples.parquet"))


def explain(folder: str | Path, image: str | Path) -> pd.DataFrame:
    """Compare one image's scores with those of the other non-members.

    Args:
        folder: Run folder.
        image: First characters of the image's id, at least six, or its path or last parts of its path.

    Returns:
        One row per attack and mask, with the columns ``attack``, ``mask``, ``level``, ``score``; ``beaten``, the
        fraction of the other non-members that score lower; and ``p``, the probability that one more non-member would
        score at least as high as this image, (1 + number that score at least as high) / (1 + number of all). Among many
        images, some have a small p by chance.

    Raises:
        ResultError: The folder has no scores, or ``image`` does not name exactly one image.
    """
    scores = load_scores(folder)
    image_rows = scores[scores["id"] == _find(scores, image)]
    # A non-member is not compared with itself, which would bound its p-value from below by 2 / (1 + n).
    others = scores[(scores["set"] == "nonmember") & (scores["id"] != image_rows["id"].iloc[0])]
    by_score = {pair: part["score"].to_numpy() for pair, part in others.groupby(["attack", "mask"], sort=False)}
    rows = []
    for row in image_rows.to_dict("records"):
        other_scores = by_score.get((row["attack"], row["mask"]), np.empty(0))
        rows.append({
            "attack": row["attack"],
            "mask": row["mask"],
            "level": row["level"],
            "score": row["score"],
            "beaten": float((other_scores < row["score"]).mean()) if other_scores.size else float("nan"),
            "p": (1 + int((other_scores >= row["score"]).sum())) / (1 + other_scores.size),
        })
    return pd.DataFrame(rows)


def _find(scores: pd.DataFrame, image: str | Path) -> str:
    """The id of the image that a text names."""
    images, name = scores.drop_duplicates("id"), str(image)
    may_be_id = bool(re.fullmatch(rf"[0-9a-f]{{{MIN_ID_PREFIX},}}", name))
    matches = images[images["id"].str.startswith(name)] if may_be_id else images[:0]
    if matches.empty:
        # Compare whole parts: the end "at.png" must not match "cat.png".
        parts = Path(name).parts
        matches = images[[Path(path).parts[-len(parts) :] == parts for path in images["path"]]]
    if len(matches) != 1:
        count = f"{len(matches)}: {', '.join(sorted(matches['path'])[:5])}" if len(matches) else "none"
        raise ResultError(
            f"expected one image whose id begins with or whose path ends in {name!r}, got {count}; see "
            "load_samples(folder)"
        )
    return str(matches["id"].iloc[0])


def _table(folder: Path, name: Path) -> pd.DataFrame:
    file = folder / name
    if not file.is_file():
        raise ResultError(f"expected {name} in {folder}, found none; images have scores in a run folder only")
    return pd.read_parquet(file)
