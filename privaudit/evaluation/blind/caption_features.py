"""Blind baseline from captions: how well captions alone separate members from non-members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from privaudit.errors import DataError
from privaudit.evaluation.crossfit import splits

WORD_NGRAMS, CHARACTER_NGRAMS = (1, 2), (2, 4)
"""Minimum and maximum length of the n-grams of words and of characters."""
MAX_TERMS = 20_000
"""Maximum number of n-grams of either kind; the most frequent ones are used."""
PENALTY = 1.0
"""L2 penalty of the logistic regression."""


def caption_scores(captions: Sequence[str | None], is_member: ArrayLike, folds: ArrayLike) -> NDArray[np.float64]:
    """Score each image by a logistic regression on its caption, fitted on the other folds.

    Features are n-grams of words and n-grams of characters within words, weighted by (1 + log tf) idf and scaled to
    norm 1 for each kind, and in addition the presence of a caption and the logarithms of its numbers of characters and
    words. Vocabulary and idf are computed from all captions, without labels. The log odds of each fold are centred on
    their median, as in `privaudit.evaluation.blind.trees.blind_scores`.

    Args:
        captions: Caption of each image; None for an image without one.
        is_member: ``(n,)``.
        folds: ``(n,)``, from `assign_folds`.

    Returns:
        ``(n,)``, higher = more likely a member.

    Raises:
        DataError: Lengths differ, or a fold holds all members or all non-members.
    """
    from scipy.sparse import csr_array, hstack  # slow to import
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    member = np.asarray(is_member, dtype=np.bool_)
    if len(captions) != member.size:
        raise DataError(
            f"expected one caption (or None) per image, got {len(captions)} for {member.size} labels; pass the same "
            "images"
        )
    texts = [caption or "" for caption in captions]
    columns = [csr_array(_lengths(captions))]
    for analyzer, lengths in (("word", WORD_NGRAMS), ("char_wb", CHARACTER_NGRAMS)):
        vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=lengths, sublinear_tf=True, max_features=MAX_TERMS)
        if any(vectorizer.build_analyzer()(text) for text in texts):  # an empty vocabulary is an error in scikit-learn
            columns.append(vectorizer.fit_transform(texts))
    table = hstack(columns, format="csr")
    scores = np.zeros(member.size)
    for held_out, others in splits(folds, member):
        model = LogisticRegression(C=1.0 / PENALTY, solver="liblinear", max_iter=200)
        log_odds = np.asarray(model.fit(table[others], member[others]).decision_function(table[held_out]))
        scores[held_out] = log_odds - np.median(log_odds)
    return scores


def _lengths(captions: Sequence[str | None]) -> NDArray[np.float64]:
    """``(n, 3)``, standardised: presence of a caption, log number of characters, log number of words."""
    counts = [(text is not None, np.log1p(len(text or "")), np.log1p(len((text or "").split()))) for text in captions]
    table = np.array(counts, dtype=np.float64).reshape(len(captions), 3)
    sd = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(sd > 0, sd, 1.0))
