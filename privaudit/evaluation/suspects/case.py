"""Scores, labels and groups as they come, checked and brought into the order of the ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError, NonFiniteError
from privaudit.evaluation.selection import Candidate
from privaudit.evaluation.suspects.normal_scores import Floats


@dataclass(frozen=True)
class Case:
    """Suspects and non-members in ascending order of their ids.

    Attributes:
        scores: ``(n, c)``.
        is_suspect: ``(n,)``.
        ids: ``n``.
        groups: ``n``.
        order: ``(n,)``, the row that each came from.
    """

    scores: Floats
    is_suspect: NDArray[np.bool_]
    ids: tuple[str, ...]
    groups: tuple[str | None, ...]
    order: NDArray[np.intp]

    @property
    def keys(self) -> tuple[str, ...]:
        """Equal for images of one observation: of one group and both suspects or both not."""
        kinds = ["suspect" if suspect else "non-member" for suspect in self.is_suspect]
        named = zip(kinds, self.ids, self.groups, strict=True)
        return tuple(f"{kind} image {i}" if group is None else f"{kind} group {group}" for kind, i, group in named)

    @property
    def level(self) -> tuple[int, NDArray[np.bool_]]:
        """Size of the smallest group, and ``(n,)``: the first so many images of every one."""
        seen: Counter[str] = Counter()
        place = []
        for key in self.keys:
            place.append(seen[key])
            seen[key] += 1
        least = min(seen.values())
        return least, np.array(place) < least

    @property
    def restore(self) -> NDArray[np.intp]:
        """``(suspects,)``: positions that bring values of the suspects back into the order of the rows."""
        return np.argsort(self.order[self.is_suspect])

    def of(self, *, suspects: bool) -> int:
        """How many groups (images without one counting as one each) there are among suspects or non-members."""
        return len({key for key, own in zip(self.keys, self.is_suspect, strict=True) if bool(own) == suspects})


def make_case(
    table: ArrayLike,
    candidates: Sequence[Candidate],
    ids: Sequence[str],
    is_suspect: ArrayLike,
    groups: Sequence[str | None] | None,
) -> Case:
    """Check what `privaudit.evaluation.suspects.judge_suspects` is given.

    Args:
        table: ``(n, c)``.
        candidates: ``c``, the columns.
        ids: ``n``.
        is_suspect: ``(n,)``.
        groups: ``n`` or None.

    Returns:
        The case, with at least one suspect and two groups of non-members.

    Raises:
        DataError: Shapes differ, ids repeat, or there are too few images.
        NonFiniteError: A score is NaN.
    """
    scores, suspect = np.asarray(table, dtype=np.float64), np.asarray(is_suspect, dtype=np.bool_)
    names: Sequence[str | None] = [None] * len(ids) if groups is None else groups
    if scores.ndim != 2 or scores.shape != (suspect.size, len(candidates)) or not candidates:
        raise DataError(
            f"expected scores of shape (images, candidates) = ({suspect.size}, {len(candidates)}) with at least one "
            f"candidate, got {scores.shape}; pass a row an image and a column a candidate"
        )
    if not len(ids) == len(names) == suspect.size:
        raise DataError(
            f"expected an id, a label and a group an image, got {len(ids)} ids, {suspect.size} labels and "
            f"{len(names)} groups; pass sequences of the same length"
        )
    if len(set(ids)) < len(ids):
        raise DataError(f"expected distinct ids, got {len(ids) - len(set(ids))} repeated; drop copies of an image")
    require_numbers(scores, "suspects and non-members")
    order = np.argsort(np.asarray(ids, dtype=np.str_), kind="stable")
    case = Case(scores[order], suspect[order], tuple(ids[i] for i in order), tuple(names[i] for i in order), order)
    found = case.of(suspects=True), case.of(suspects=False)
    if found[0] < 1 or found[1] < 2:
        raise DataError(
            f"expected at least 1 suspect and 2 non-members that are not of one group, got {int(suspect.sum())} "
            f"suspects and {int((~suspect).sum())} non-members in {found[1]} groups; add images"
        )
    return case


def require_numbers(scores: Floats, what: str) -> None:
    """Refuse NaN.

    Args:
        scores: ``(n, c)``.
        what: Whose, for the message.

    Raises:
        NonFiniteError: There is one.
    """
    if (bad := np.isnan(scores).any(axis=1)).any():
        raise NonFiniteError(
            f"expected scores that are numbers for all {what}, got NaN for {int(bad.sum())} of {bad.size} images; "
            "leave these images out or mend their scores"
        )
