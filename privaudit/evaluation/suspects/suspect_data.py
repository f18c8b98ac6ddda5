"""Validation of the scores, labels and groups of suspects and non-members, and their order by id."""

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
class SuspectData:
    """Scores of suspects and non-members, in ascending order of their ids.

    Attributes:
        scores: ``(n, c)``, scores of the candidates.
        is_suspect: ``(n,)``.
        ids: ``n`` ids.
        groups: ``n`` groups; None for an image without one.
        order: ``(n,)``, row of each image in the input.
    """

    scores: Floats
    is_suspect: NDArray[np.bool_]
    ids: tuple[str, ...]
    groups: tuple[str | None, ...]
    order: NDArray[np.intp]

    @property
    def keys(self) -> tuple[str, ...]:
        """``n`` keys, equal for images of one observation: of the same group, and all suspects or all non-members."""
        kinds = ["suspect" if suspect else "non-member" for suspect in self.is_suspect]
        named = zip(kinds, self.ids, self.groups, strict=True)
        return tuple(f"{kind} image {i}" if group is None else f"{kind} group {group}" for kind, i, group in named)

    @property
    def balanced(self) -> tuple[int, NDArray[np.bool_]]:
        """Size of the smallest observation, and ``(n,)``, a mask of as many images of every observation."""
        sizes: Counter[str] = Counter()
        rank = []  # number of earlier images in the observation of each image
        for key in self.keys:
            rank.append(sizes[key])
            sizes[key] += 1
        smallest = min(sizes.values())
        return smallest, np.array(rank) < smallest

    @property
    def input_order(self) -> NDArray[np.intp]:
        """``(suspects,)``, index that puts values of the suspects back into the order of the input."""
        return np.argsort(self.order[self.is_suspect])

    def count_observations(self, *, suspects: bool) -> int:
        """Number of observations (groups, and images without a group) among suspects or among non-members."""
        return len({key for key, suspect in zip(self.keys, self.is_suspect, strict=True) if bool(suspect) == suspects})


def make_suspect_data(
    table: ArrayLike,
    candidates: Sequence[Candidate],
    ids: Sequence[str],
    is_suspect: ArrayLike,
    groups: Sequence[str | None] | None,
) -> SuspectData:
    """Validate and sort the input of `privaudit.evaluation.suspects.judge_suspects`.

    Args:
        table: ``(n, c)``, scores of the candidates.
        candidates: ``c`` candidates, one per column.
        ids: ``n`` ids.
        is_suspect: ``(n,)``.
        groups: ``n`` groups, or None if no image has one.

    Returns:
        The data, with at least one suspect and two groups of non-members.

    Raises:
        DataError: Shapes differ, ids repeat, or there are too few images.
        NonFiniteError: A score is NaN.
    """
    scores, suspect = np.asarray(table, dtype=np.float64), np.asarray(is_suspect, dtype=np.bool_)
    names: Sequence[str | None] = [None] * len(ids) if groups is None else groups
    if scores.ndim != 2 or scores.shape != (suspect.size, len(candidates)) or not candidates:
        raise DataError(
            f"expected scores of shape (images, candidates) = ({suspect.size}, {len(candidates)}) with at least one "
            f"candidate, got {scores.shape}; pass one row per image and one column per candidate"
        )
    if not len(ids) == len(names) == suspect.size:
        raise DataError(
            f"expected one id, label and group per image, got {len(ids)} ids, {suspect.size} labels and "
            f"{len(names)} groups; pass sequences of the same length"
        )
    if len(set(ids)) < len(ids):
        raise DataError(f"expected distinct ids, got {len(ids) - len(set(ids))} repeated; drop copies of an image")
    require_numbers(scores, "suspects and non-members")
    order = np.argsort(np.asarray(ids, dtype=np.str_), kind="stable")
    data = SuspectData(
        scores[order], suspect[order], tuple(ids[i] for i in order), tuple(names[i] for i in order), order
    )
    suspect_groups, nonmember_groups = data.count_observations(suspects=True), data.count_observations(suspects=False)
    if suspect_groups < 1 or nonmember_groups < 2:
        raise DataError(
            f"expected at least 1 suspect and 2 non-members that are not of one group, got {int(suspect.sum())} "
            f"suspects and {int((~suspect).sum())} non-members in {nonmember_groups} groups; add images"
        )
    return data


def require_numbers(scores: Floats, what: str) -> None:
    """Validate that no score is NaN.

    Args:
        scores: ``(n, c)``.
        what: Name of the images in the message.

    Raises:
        NonFiniteError: A score is NaN.
    """
    if (invalid := np.isnan(scores).any(axis=1)).any():
        raise NonFiniteError(
            f"expected scores without NaN for all {what}, got NaN for {int(invalid.sum())} of {invalid.size} images; "
            "leave these images out or fix their scores"
        )
