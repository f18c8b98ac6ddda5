"""Images of unknown membership against images known not to be members: the set, and each image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import ConfigError, DataError
from privaudit.evaluation.crossfit import assign_folds
from privaudit.evaluation.roc import auroc
from privaudit.evaluation.selection import MEAN, Candidate
from privaudit.evaluation.suspects.case import Case, make_case, require_numbers
from privaudit.evaluation.suspects.cautions import cautions
from privaudit.evaluation.suspects.conformal import image_tests, smallest_p
from privaudit.evaluation.suspects.findings import SuspectFindings, SuspectReport
from privaudit.evaluation.suspects.normal_scores import Floats, Observations, normal_scores, observe
from privaudit.evaluation.suspects.null_rate import null_rates
from privaudit.evaluation.suspects.set_permutation import set_test

RATES = (0.05, 0.1)
"""False discovery rates at which images are counted."""


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
    """Test the suspects as a set and each for itself.

    Candidates are the columns of the table and their mean, all as normal scores (`normal_scores`). Without known
    members the candidate is the one that separates suspects from non-members best, and every p-value allows for that
    choice by making it again: `set_test` under every permutation, `image_tests` with the image on the other side.
    With known members the candidate is the one that separates them best from suspects and non-members together; that
    choice does not look at which is which, so nothing has to be allowed for.

    Images of one group count as one observation. A group with suspects and non-members is one of each: the two are
    more alike than others, which makes the set test careful. Means of few and of many images are not exchangeable, so
    the set test takes as many images of every group as the smallest has.

    Args:
        table: ``(n, c)``, scores of suspects and non-members, higher = more likely a member; infinities are legal.
        candidates: ``c``, the columns.
        ids: ``n`` distinct ones; the outcome depends on them and not on the order of the rows.
        is_suspect: ``(n,)``; the others are known not to be members.
        groups: ``n``, equal for images that are not independent, None for an image of its own.
        known_members: ``(m, c)``, m >= 2.
        folds: Folds of the out-of-fold test.
        alpha: Level of the set test.
        permutations: Permutations of the set test.
        repeats: Random splits of the non-members, for the measured type-I rate; 0 for none.
        seed: Seed of folds, permutations and splits.

    Returns:
        Report and p-values.

    Raises:
        ConfigError: An option is out of range; all are named at once.
        DataError: Shapes differ, ids repeat, or there is no suspect or fewer than 2 non-members (groups).
        NonFiniteError: A score is NaN.
    """
    _check_options(folds, alpha, permutations, repeats)
    alpha = round(alpha, 12)  # 1 - 0.9 is below 0.1
    case = make_case(table, candidates, ids, is_suspect, groups)
    known = None if known_members is None else _known(known_members, len(candidates))
    least, level = case.level
    observed, seen = _observe(case, np.ones_like(case.is_suspect), known)
    balanced, columns = _observe(case, level, known)
    singly, names = ([(*candidates, MEAN)[column] for column in which] for which in (seen, columns))
    suspect = case.is_suspect[observed.first]
    deal = np.zeros_like(case.order) if known is not None else _folds(case, folds, seed)
    generator = np.random.default_rng(seed)
    tested = set_test(balanced.units, suspect, deal[observed.first], permutations, generator)
    images = image_tests(observed, suspect)
    rates = null_rates(
        _observe(case, ~case.is_suspect & level, known)[0],
        int(suspect.sum()),
        len(tested.chosen_by_fold),
        alpha=alpha,
        rate=max(RATES),
        repeats=repeats,
        generator=generator,
    )
    count, outside, groups_outside = int(case.is_suspect.sum()), int((~case.is_suspect).sum()), int((~suspect).sum())
    report = SuspectReport(
        count=count,
        nonmembers=outside,
        known_members=0 if known is None else len(known),
        suspect_groups=int(suspect.sum()),
        nonmember_groups=groups_outside,
        search_space=(*candidates, MEAN),
        chosen=names[tested.chosen],
        chosen_by_fold=tuple(names[column] for column in tested.chosen_by_fold),
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
        smallest_p=smallest_p(groups_outside),
        cautions=cautions(count, groups_outside, tested, alpha, max(RATES), None if level.all() else least),
        smallest_set_p=max(1.0 / tested.distinct, 1.0 / (permutations + 1)),
    )
    back = case.restore
    chosen = tuple(singly[column] for column in images.candidate[back])
    return SuspectFindings(report, images.score[back], images.p[back], images.q[back], chosen)


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


def _observe(case: Case, rows: NDArray[np.bool_], known: Floats | None) -> tuple[Observations, list[int]]:
    """Candidates of some images on one scale, and which they are: all, or the best on the known members."""
    keys = [key for key, kept in zip(case.keys, rows, strict=True) if kept]
    if known is None:
        scores = normal_scores(case.scores[rows])
        return observe(scores, keys), list(range(scores.shape[1]))
    scores = normal_scores(np.concatenate([case.scores[rows], known]))
    ours, theirs = scores[: len(keys)], scores[len(keys) :]
    best = int(np.argmax(np.round(theirs.mean(axis=0) - observe(ours, keys).units.mean(axis=0), 9)))
    return observe(ours[:, [best]], keys), [best]


def _folds(case: Case, folds: int, seed: int) -> NDArray[np.intp]:
    """As many folds as hold suspects and non-members each; a single one if there are too few groups for two."""
    for number in range(folds, 1, -1):
        try:
            deal = assign_folds(case.ids, case.is_suspect, case.groups, number, seed)
        except DataError:  # all suspects or all non-members are of one group
            break
        if all(np.unique(case.is_suspect[deal == fold]).size == 2 for fold in np.unique(deal)):
            return deal
    return np.zeros_like(case.order)
