"""How well captions alone tell members from non-members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError
from privaudit.evaluation.crossfit import splits

WORDS, LETTERS = (1, 2), (2, 4)
"""Lengths of the n-grams."""
MOST_TERMS = 20_000
"""N-grams of a kind that are kept, the most frequent ones."""
PENALTY = 1.0


def caption_scores(captions: Sequence[str | None], is_member: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """Score each image by a logistic regression on its caption, fitted on the other folds.

    N-grams of words, and of letters within words and their punctuation, weighted by (1 + log tf) idf and brought to
    length 1 for each kind; beside them whether there is a caption, and its number of characters and words (log).
    Which n-grams there are, and their idf, is taken from all captions; that uses no label. Each fold's log odds are
    centred on their median, as in `privaudit.evaluation.blind.trees.blind_scores`.

    Args:
        captions: One per image; None where there is none.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.

    Returns:
        ``(n,)``, higher = more like a member.

    Raises:
        DataError: Lengths differ, or a fold holds all members or all non-members.
    """
    from scipy.sparse import csr_array, hstack  # slow to import
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    member = np.asarray(is_member, dtype=np.bool_)
    if len(captions) != member.size:
        raise DataError(
            f"expected a caption (or None) an image, got {len(captions)} for {member.size} labels; pass the same images"
        )
    texts = [caption or "" for caption in captions]
    columns = [csr_array(_lengths(captions))]
    for analyzer, lengths in (("word", WORDS), ("char_wb", LETTERS)):
        grams = TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, max_features=MOST_TERMS)
        if any(grams.build_analyzer()(text) for text in texts):
            columns.append(grams.fit_transform(texts))
    table = hstack(columns, format="csr")
    scores = np.zeros(member.size)
    for own, others in splits(folds, member):
        model = LogisticRegression(C=1.0 / PENALTY, solver="liblinear", max_iter=200)
        odds = np.asarray(model.fit(table[others], member[others]).decision_function(table[own]))
        scores[own] = odds - np.median(odds)
    return scores


def _lengths(captions: Sequence[str | None]) -> NDArray[np.float64]:
    counts = [(text is not None, np.log1p(len(text or "")), np.log1p(len((text or "").split()))) for text in captions]
    table = np.array(counts, dtype=np.float64).reshape(len(captions), 3)
    spread = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
