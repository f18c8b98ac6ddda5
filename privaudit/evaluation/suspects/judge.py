"""Test of suspects (images of unknown membership) against known non-members, as a set and image by image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.crossfit import assign_folds
from privaudit.evaluation.roc import auroc
from privaudit.evaluation.selection import MEAN, Candidate
from privaudit.evaluation.suspects.cautions import cautions
from privaudit.evaluation.suspects.conformal import image_tests, smallest_p
from privaudit.evaluation.suspects.findings import SuspectFindings, SuspectReport
from privaudit.evaluation.suspects.normal_scores import Floats, Observations, normal_scores, observe
from privaudit.evaluation.suspects.null_rate import null_rates
from privaudit.evaluation.suspects.set_permutation import set_test
from privaudit.evaluation.suspects.suspect_data import SuspectData, make_suspect_data, require_numbers

RATES = (0.05, 0.1)
"""False discovery rates at which flagged images are counted."""


def judge_suspects(
    table: ArrayLike,
    candidates: Sequence[Candidate],
    ids: Sequence[str],
    is_suspect: ArrayLike,
    *,
    groups: Sequence[str | None] | None = None,
    known_members: ArrayLike | None = None,
    folds: int = 5,
    alpha: float = 0.05,
    permutations: int = 9999,
    repeats: int = 500,
    seed: int = 0,
) -> SuspectFindings:
    """Test the suspects as a set and image by image.

    Candidates are the columns of the table and their mean, all as normal scores (`normal_scores`). Without known
    members, the chosen candidate is the one that best separates suspects from non-members, and every p-value allows for
    this choice by repeating it: in `set_test` for every permutation, in `image_tests` with the image among the
    non-members. With known members, the chosen candidate is the one that best separates them from suspects and
    non-members together. This choice does not depend on which images are suspects, so that no allowance is needed.

    Images of one group count as one observation. A group with suspects and non-members makes two observations, which
    are more alike than independent ones, so that the set test is conservative. Since means of different numbers of
    images are not exchangeable, the set test uses the same number of images from every group, that of the smallest.

    Args:
        table: ``(n, c)``, scores of suspects and non-members, higher = more likely a member; infinities are allowed.
        candidates: ``c`` candidates, one per column.
        ids: ``n`` distinct ids; the result depends on them and not on the order of the rows.
        is_suspect: ``(n,)``; all other images are known not to be members.
        groups: ``n`` groups, equal for dependent images; None for an image without one.
        known_members: ``(m, c)``, scores of known members, m >= 2; None without any.
        folds: Number of folds of the out-of-fold test.
        alpha: Level of the set test.
        permutations: Number of permutations of the set test.
        repeats: Number of random splits of the non-members that measure the type-I error rate; 0 to skip them.
        seed: Seed of folds, permutations and splits.

    Returns:
        Report and p-values.

    Raises:
        ConfigError: An option is out of range; the message lists all such options.
        DataError: Shapes differ, ids repeat, or there is no suspect or fewer than 2 non-members (groups).
        NonFiniteError: A score is NaN.
    """
    _check_options(folds, alpha, permutations, repeats)
    alpha = round(alpha, 12)  # 1 - 0.9 is less than 0.1, and p = 0.1 must count
    data = make_suspect_data(table, candidates, ids, is_suspect, groups)
    known = None if known_members is None else _known(known_members, len(candidates))
    smallest_group, in_set_test = data.balanced
    observed, image_columns = _observe(data, np.ones_like(data.is_suspect), known)
    balanced, set_columns = _observe(data, in_set_test, known)
    search_space = (*candidates, MEAN)
    image_candidates = [search_space[column] for column in image_columns]
    set_candidates = [search_space[column] for column in set_columns]
    suspect = data.is_suspect[observed.first]
    # With known members there is a single candidate and nothing to choose out of fold.
    fold_of_image = np.zeros_like(data.order) if known is not None else _folds(data, folds, seed)
    generator = np.random.default_rng(seed)
    tested = set_test(balanced.units, suspect, fold_of_image[observed.first], permutations, generator)
    images = image_tests(observed, suspect)
    rates = null_rates(
        _observe(data, ~data.is_suspect & in_set_test, known)[0],
        int(suspect.sum()),
        len(tested.chosen_by_fold),
        alpha=alpha,
        rate=max(RATES),
        repeats=repeats,
        generator=generator,
    )
    suspect_count, nonmember_count = int(data.is_suspect.sum()), int((~data.is_suspect).sum())
    nonmember_groups = int((~suspect).sum())
    report = SuspectReport(
        count=suspect_count,
        nonmembers=nonmember_count,
        known_members=0 if known is None else len(known),
        suspect_groups=int(suspect.sum()),
        nonmember_groups=nonmember_groups,
        search_space=search_space,
        chosen=set_candidates[tested.chosen],
        chosen_by_fold=tuple(set_candidates[column] for column in tested.chosen_by_fold),
        auroc=auroc(tested.scores, suspect) if tested.held_out else math.nan,
        set_p=tested.p,
        out_of_fold_p=tested.out_of_fold_p,
        welch_p=tested.welch_p,
        permutations=permutations,
        alpha=alpha,
        type_i_rate=rates.set_test,
        false_flag_rate=rates.images,
        type_i_repeats=rates.repeats,
        flagged={f"{rate:g}": images.flagged(rate) for rate in RATES},
        smallest_p=smallest_p(nonmember_groups),
        cautions=cautions(
            suspect_count, nonmember_groups, tested, alpha, max(RATES), None if in_set_test.all() else smallest_group
        ),
        smallest_set_p=max(1.0 / tested.distinct, 1.0 / (permutations + 1)),
    )
    input_order = data.input_order
    chosen = tuple(image_candidates[column] for column in images.candidate[input_order])
    return SuspectFindings(report, images.score[input_order], images.p[input_order], images.q[input_order], chosen)


def _check_options(folds: int, alpha: float, permutations: int, repeats: int) -> None:
    problems = []
    if folds < 2:
        problems.append(f"expected at least 2 folds, got {folds}; 5 is usual")
    if not 0.0 < alpha < 1.0:
        problems.append(f"expected alpha in (0, 1), got {alpha}; 0.05 is usual")
    if permutations < 1:
        problems.append(f"expected at least 1 permutation, got {permutations}; 9999 is usual")
    if repeats < 0:
        problems.append(f"expected 0 or more splits of the non-members, got {repeats}; 500 is usual")
    if problems:
        raise ConfigError(problems)


def _known(known_members: ArrayLike, candidates: int) -> Floats:
    known = np.asarray(known_members, dtype=np.float64)
    if known.ndim != 2 or known.shape[1] != candidates or len(known) < 2:
        raise DataError(
            f"expected scores of at least 2 known members for {candidates} candidates, got shape {known.shape}; pass "
            "the same columns as for the suspects, or no known members"
        )
    require_numbers(known, "known members")
    return known


def _observe(data: SuspectData, rows: NDArray[np.bool_], known: Floats | None) -> tuple[Observations, list[int]]:
    """Scores of the selected images on one scale, and their columns: all, or with known members the best one."""
    keys = [key for key, selected in zip(data.keys, rows, strict=True) if selected]
    if known is None:
        scores = normal_scores(data.scores[rows])
        return observe(scores, keys), list(range(scores.shape[1]))
    scores = normal_scores(np.concatenate([data.scores[rows], known]))
    selected_scores, known_scores = scores[: len(keys)], scores[len(keys) :]
    difference = known_scores.mean(axis=0) - observe(selected_scores, keys).units.mean(axis=0)
    best = int(np.argmax(np.round(difference, 9)))
    return observe(selected_scores[:, [best]], keys), [best]


def _folds(data: SuspectData, folds: int, seed: int) -> NDArray[np.intp]:
    """Largest number of folds that all hold suspects and non-members; one fold if there are too few groups for two."""
    for number in range(folds, 1, -1):
        try:
            assigned = assign_folds(data.ids, data.is_suspect, data.groups, number, seed)
        except DataError:  # all suspects or all non-members are of one group
            break
        if all(np.unique(data.is_suspect[assigned == fold]).size == 2 for fold in np.unique(assigned)):
            return assigned
    return np.zeros_like(data.order)
