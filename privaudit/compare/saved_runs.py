"""A saved run: its report and, if they are next to it, the scores of its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from privaudit.errors import ConfigError, ResultError
from privaudit.evaluation.roc import auroc
from privaudit.results.audit_result import AuditResult

if TYPE_CHECKING:
    import pandas as pd

REPORT = "report.json"
SCORES = Path("scores", "scores.parquet")
SAMPLES = Path("samples.parquet")


@dataclass(frozen=True)
class Images:
    """Saved values of the compared images of a run.

    Attributes:
        ids: Ids of the images, ascending.
        is_member: ``(n,)``, whether an image is a positive.
        units: Label of the unit that an image was drawn with, such as a group or near-duplicates; None for an image by
            itself.
        scores: ``(n,)`` by attack and mask, higher = more likely a member.
    """

    ids: tuple[str, ...]
    is_member: NDArray[np.bool_]
    units: tuple[str | None, ...]
    scores: Mapping[tuple[str, str], NDArray[np.float64]]


@dataclass(frozen=True)
class Run:
    """One of two runs to compare.

    Attributes:
        name: Folder or file, as the user named it.
        result: Report of the run.
        images: Saved values of its images; None if they are not next to the report.
    """

    name: str
    result: AuditResult
    images: Images | None


def load_runs(old: Path, new: Path) -> tuple[Run, Run]:
    """Read both runs.

    Returns:
        The old and the new run.

    Raises:
        ConfigError: One or both cannot be read; each is named.
    """
    runs, problems = [], []
    for which, path in (("OLD", old), ("NEW", new)):
        try:
            runs.append(load_run(path))
        except (ResultError, OSError, UnicodeDecodeError) as error:
            problems.append(f"{which}: {error}")
    if problems:
        raise ConfigError(problems)
    return runs[0], runs[1]


def load_run(path: Path) -> Run:
    """Read a run folder, or a report file and the scores next to it.

    Returns:
        The run; without scores if there are none.

    Raises:
        ResultError: There is no report, it cannot be read, or the scores do not belong to it.
    """
    if not path.exists():
        raise ResultError(f"expected a run folder or a report at {path}, found nothing; run privaudit scan first")
    result = AuditResult.load(path)
    folder = path if path.is_dir() else path.parent
    # A report under another name is a copy, which the scores next to it need not belong to.
    if path.is_file() and path.name != REPORT or not (folder / SCORES).is_file():
        return Run(str(path), result, None)
    try:
        images = _read_images(folder)
    except ValueError as error:  # pandas and pyarrow: no parquet file, a missing column, two scores of one image
        raise ResultError(f"expected {SCORES} and {SAMPLES} in {folder} as a scan wrote them: {error}") from error
    _require_match(result, images, folder)
    return Run(str(path), result, images)


def _read_images(folder: Path) -> Images:
    import pandas as pd  # slow to import

    table = pd.read_parquet(folder / SCORES, columns=["id", "set", "attack", "mask", "score"])
    wide = table.pivot(index="id", columns=["attack", "mask"], values="score").sort_index()
    positive = table.drop_duplicates("id").set_index("id")["set"].reindex(wide.index) != "nonmember"
    return Images(
        ids=tuple(map(str, wide.index)),
        is_member=positive.to_numpy(dtype=np.bool_),
        units=_units(folder / SAMPLES, wide.index),
        scores={(str(key[0]), str(key[1])): wide[key].to_numpy(dtype=np.float64) for key in wide.columns},
    )


def _units(path: Path, ids: pd.Index) -> tuple[str | None, ...]:
    import pandas as pd

    if not path.is_file():
        raise ResultError(f"expected {path.name} next to the scores in {path.parent}, found none; scan again")
    column = pd.read_parquet(path, columns=["id", "unit"]).drop_duplicates("id").set_index("id")["unit"].reindex(ids)
    return tuple(None if pd.isna(unit) else str(unit) for unit in column)


def _require_match(result: AuditResult, images: Images, folder: Path) -> None:
    """Refuse scores of another run: recompute each AUROC of the report from them."""
    wrong = []
    for report in result.attacks:
        for mask, metrics in report.masks.items():
            scores = images.scores.get((report.name, mask))
            if scores is None or np.isnan(scores).any():
                wrong.append(f"{report.name}/{mask} lacks the scores of some images")
            elif not np.isclose(
                auroc(scores, images.is_member), metrics.auroc.value, rtol=0, atol=1e-9, equal_nan=True
            ):
                wrong.append(f"{report.name}/{mask} has another AUROC")
    if wrong:
        raise ResultError(
            f"expected {folder / SCORES} to hold the scores that {REPORT} was made from, but {wrong[0]}"
            f"{f' and {len(wrong) - 1} more' if len(wrong) > 1 else ''}; scan again, or compare {REPORT} alone, "
            "copied to a folder of its own"
        )
