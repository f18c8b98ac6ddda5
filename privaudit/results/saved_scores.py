"""What a run folder keeps of single images: scores, and what was measured of each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from privaudit.errors import ResultError

if TYPE_CHECKING:
    import pandas as pd

SHORTEST = 6
"""Letters of an id that name an image, if no other begins with them."""


def load_scores(folder: str | Path) -> pd.DataFrame:
    """Read the scores from which the metrics of an audit follow.

    Args:
        folder: Run folder.

    Returns:
        One row per image, attack and mask: ``id``, ``path``, ``set`` (``member``, ``nonmember`` or ``suspect``),
        ``attack``, ``mask``, ``level``, ``score``; a higher score means more likely a member.

    Raises:
        ResultError: There are none.
    """
    return _table(Path(folder), Path("scores") / "scores.parquet")


def load_samples(folder: str | Path) -> pd.DataFrame:
    """Read what was measured of the images themselves.

    Args:
        folder: Run folder.

    Returns:
        One row per image: ``id``, ``path``, ``set``, ``label``, ``group``, ``caption``, ``distortion``, and how its
        inversion ended.

    Raises:
        ResultError: There is nothing.
    """
    return _table(Path(folder), Path("samples.parquet"))


def explain(folder: str | Path, image: str | Path) -> pd.DataFrame:
    """Compare one image's scores with those of the other non-members.

    Args:
        folder: Run folder.
        image: The beginning of its id, at least six letters, or its path or the end of that.

    Returns:
        One row per attack and mask: ``level`` and ``score``; ``beaten``, the share of the other non-members that score
        lower; ``p``, the chance that one more non-member would score as high as this image, (1 + those that score as
        high) / (1 + all). Of many images, some have a small p by chance.

    Raises:
        ResultError: No image is called so, or several are.
    """
    import pandas as pd

    scores = load_scores(folder)
    own = scores[scores["id"] == _find(scores, image)]
    others = scores[(scores["set"] == "nonmember") & (scores["id"] != own["id"].iloc[0])]
    known = {pair: part["score"].to_numpy() for pair, part in others.groupby(["attack", "mask"], sort=False)}
    rows = []
    for row in own.to_dict("records"):
        rivals = known.get((row["attack"], row["mask"]), np.empty(0))
        rows.append({
            "attack": row["attack"],
            "mask": row["mask"],
            "level": row["level"],
            "score": row["score"],
            "beaten": float((rivals < row["score"]).mean()) if rivals.size else float("nan"),
            "p": (1 + int((rivals >= row["score"]).sum())) / (1 + rivals.size),
        })
    return pd.DataFrame(rows)


def _find(scores: pd.DataFrame, image: str | Path) -> str:
    """The id of an image."""
    images, wanted = scores.drop_duplicates("id"), str(image)
    is_id = bool(re.fullmatch(rf"[0-9a-f]{{{SHORTEST},}}", wanted))
    found = images[images["id"].str.startswith(wanted)] if is_id else images[:0]
    if found.empty:
        parts = Path(wanted).parts
        found = images[[Path(path).parts[-len(parts) :] == parts for path in images["path"]]]
    if len(found) != 1:
        several = f"{len(found)}: {', '.join(sorted(found['path'])[:5])}" if len(found) else "none"
        raise ResultError(
            f"expected one image whose id begins with or whose path ends in {wanted!r}, got {several}; see "
            "load_samples(folder)"
        )
    return str(found["id"].iloc[0])


def _table(folder: Path, name: Path) -> pd.DataFrame:
    import pandas as pd

    file = folder / name
    if not file.is_file():
        raise ResultError(f"expected {name} in {folder}, found none; images have scores in a run folder only")
    return pd.read_parquet(file)
