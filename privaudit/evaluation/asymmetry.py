"""Compare how the image files of the two sets are stored: format, mode, tags, transparency, size and compression."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from privaudit.data import ImageFileInfo
from privaudit.evaluation.facts import Check, Fact, fact

ALPHA = 0.01
"""Family-wise error probability over all properties (Bonferroni)."""
MIN_DIFFERENCE = 0.05
"""Smallest difference between the two sets' fractions of a category that is reported."""
MIN_AUROC = 0.55
"""Smallest AUROC of a numeric property, or of its negative, that is reported."""

CATEGORICAL: Mapping[str, Callable[[ImageFileInfo], str]] = {
    "format": lambda info: info.format,
    "mode": lambda info: info.mode,
    "EXIF tags": lambda info: "with EXIF tags" if info.exif else "without EXIF tags",
    "colour profile": lambda info: "with a colour profile" if info.icc else "without a colour profile",
    "orientation": lambda info: (
        "stored upright" if info.orientation == 1 else f"with orientation tag {info.orientation}"
    ),
    "transparency": lambda info: "with transparent pixels" if info.transparent else "without transparent pixels",
}
"""Categorical properties, by name."""
NUMERIC: Mapping[str, Callable[[ImageFileInfo], float]] = {
    "pixels": lambda info: info.width * info.height,
    "aspect ratio": lambda info: info.width / max(1, info.height),
    "bytes": lambda info: info.bytes,
    "sum of the JPEG quantisation table": lambda info: info.quantisation,
}
"""Numeric properties, by name."""


def file_check(members: Sequence[ImageFileInfo], nonmembers: Sequence[ImageFileInfo]) -> Check:
    """Check whether format, mode, tags, orientation, transparency or size differ between members and non-members.

    Categorical properties are compared by the chi-square test of their contingency table, numeric ones by the
    Mann-Whitney test, with the joint error `ALPHA`. A significant difference is reported only if it is also large: a
    fraction that differs by at least `MIN_DIFFERENCE`, an AUROC of at least `MIN_AUROC` or at most 1 - `MIN_AUROC`.
    Whether such differences suffice to separate the sets is measured by the blind baseline.

    Returns:
        ``warn`` if a property differs, or if a set is empty or has unknown file properties; else ``ok``.
    """
    name = "file properties"
    if not members or not nonmembers or not all(info.format for info in (*members, *nonmembers)):
        return Check(name, "warn", (fact("file_info_unknown"),))
    level = ALPHA / (len(CATEGORICAL) + len(NUMERIC))
    differences = [
        *(
            _compare_categories(label, [read(info) for info in members], [read(info) for info in nonmembers], level)
            for label, read in CATEGORICAL.items()
        ),
        *(
            _compare_numbers(label, [read(info) for info in members], [read(info) for info in nonmembers], level)
            for label, read in NUMERIC.items()
        ),
    ]
    if differing := tuple(filter(None, differences)):
        return Check(name, "warn", differing)
    file_format, fraction = _most_common([info.format for info in members])
    return Check(name, "ok", (fact("files_alike", format=file_format, fraction=fraction),))


def _compare_categories(label: str, members: Sequence[str], nonmembers: Sequence[str], level: float) -> Fact | None:
    from scipy.stats import chi2_contingency  # slow to import

    counts = Counter(members), Counter(nonmembers)
    categories = sorted({*members, *nonmembers})
    table = np.array([[count[category] for category in categories] for count in counts])
    fractions = table / table.sum(axis=1, keepdims=True)
    max_difference = np.abs(fractions[0] - fractions[1]).max()
    if len(categories) < 2 or max_difference < MIN_DIFFERENCE or chi2_contingency(table).pvalue > level:
        return None
    (first, first_fraction), (second, second_fraction) = _most_common(members), _most_common(nonmembers)
    return fact(
        "file_kinds_differ",
        property=label,
        positives=first,
        positives_fraction=first_fraction,
        nonmembers=second,
        nonmembers_fraction=second_fraction,
    )


def _compare_numbers(label: str, members: Sequence[float], nonmembers: Sequence[float], level: float) -> Fact | None:
    from scipy.stats import mannwhitneyu

    if len({*members, *nonmembers}) < 2:
        return None
    test = mannwhitneyu(members, nonmembers)
    area = float(test.statistic) / (len(members) * len(nonmembers))  # U / (m n) is the AUROC
    if max(area, 1.0 - area) < MIN_AUROC or test.pvalue > level:
        return None
    medians = {"positives": float(np.median(members)), "nonmembers": float(np.median(nonmembers))}
    return fact("file_numbers_differ", property=label, **medians, auroc=max(area, 1.0 - area))


def _most_common(categories: Sequence[str]) -> tuple[str, float]:
    """The most frequent category and its fraction."""
    category, count = Counter(categories).most_common(1)[0]
    return category, count / len(categories)
