"""Whether the files of the two sets were stored alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from privaudit.data import ImageFileInfo
from privaudit.evaluation.facts import Check, Fact, fact

ALPHA = 0.01
"""Joint error probability of all properties (Bonferroni)."""
MIN_DIFFERENCE = 0.05
"""Minimum difference of a fraction that matters."""
MIN_AUROC = 0.55
"""Minimum AUROC of a number, or of its negative, that matters."""

KINDS: Mapping[str, Callable[[ImageFileInfo], str]] = {
    "format": lambda info: info.format,
    "mode": lambda info: info.mode,
    "EXIF tags": lambda info: "with EXIF tags" if info.exif else "without EXIF tags",
    "colour profile": lambda info: "with a colour profile" if info.icc else "without a colour profile",
}
"""Properties that are one of several."""
NUMBERS: Mapping[str, Callable[[ImageFileInfo], float]] = {
    "pixels": lambda info: info.width * info.height,
    "bytes": lambda info: info.bytes,
    "sum of the JPEG quantisation table": lambda info: info.quantisation,
}
"""Properties that can be ranked."""


def file_check(members: Sequence[ImageFileInfo], nonmembers: Sequence[ImageFileInfo]) -> Check:
    """Whether format, mode, tags or size differ between members and non-members.

    Kinds by the chi-square test of a contingency table, numbers by Mann and Whitney's, `ALPHA` over all of them. Of
    what is significant, only that is reported which also matters: a fraction that differs by `MIN_DIFFERENCE`, an AUROC
    of at least `MIN_AUROC` or at most 1 - `MIN_AUROC`. Whether such a difference suffices to tell the sets apart is
    what the blind baseline measures.

    Returns:
        ``warn`` if something differs, or if a set has nothing to compare; else ``ok``.
    """
    name = "file properties"
    if not members or not nonmembers or not all(info.format for info in (*members, *nonmembers)):
        return Check(name, "warn", (fact("file_info_unknown"),))
    level = ALPHA / (len(KINDS) + len(NUMBERS))
    differences = [
        _kinds(what, [kind(f) for f in members], [kind(f) for f in nonmembers], level) for what, kind in KINDS.items()
    ]
    for what, number in NUMBERS.items():
        differences.append(_numbers(what, [number(f) for f in members], [number(f) for f in nonmembers], level))
    if differing := tuple(filter(None, differences)):
        return Check(name, "warn", differing)
    kind, fraction = _commonest([f.format for f in members])
    return Check(name, "ok", (fact("files_alike", format=kind, fraction=fraction),))


def _kinds(what: str, members: Sequence[str], nonmembers: Sequence[str], level: float) -> Fact | None:
    from scipy.stats import chi2_contingency  # slow to import

    counts = Counter(members), Counter(nonmembers)
    kinds = sorted({*members, *nonmembers})
    table = np.array([[count[kind] for kind in kinds] for count in counts])
    shares = table / table.sum(axis=1, keepdims=True)
    differs = np.abs(shares[0] - shares[1]).max()
    if len(kinds) < 2 or differs < MIN_DIFFERENCE or chi2_contingency(table).pvalue > level:
        return None
    (first, first_fraction), (second, second_fraction) = _commonest(members), _commonest(nonmembers)
    return fact(
        "file_kinds_differ",
        property=what,
        positives=first,
        positives_fraction=first_fraction,
        nonmembers=second,
        nonmembers_fraction=second_fraction,
    )


def _numbers(what: str, members: Sequence[float], nonmembers: Sequence[float], level: float) -> Fact | None:
    from scipy.stats import mannwhitneyu

    if len({*members, *nonmembers}) < 2:
        return None
    test = mannwhitneyu(members, nonmembers)
    area = float(test.statistic) / (len(members) * len(nonmembers))
    if max(area, 1.0 - area) < MIN_AUROC or test.pvalue > level:
        return None
    middle = {"positives": float(np.median(members)), "nonmembers": float(np.median(nonmembers))}
    return fact("file_numbers_differ", property=what, **middle, auroc=max(area, 1.0 - area))


def _commonest(kinds: Sequence[str]) -> tuple[str, float]:
    kind, count = Counter(kinds).most_common(1)[0]
    return kind, count / len(kinds)
