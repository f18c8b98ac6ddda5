"""Whether the files of the two sets were stored alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from privaudit.data import ImageFileInfo
from privaudit.evaluation.verdict import Check

ALPHA = 0.01
"""Joint error probability of all properties (Bonferroni)."""
LEAST_SHARE = 0.05
"""Least difference of a share that matters."""
LEAST_AREA = 0.55
"""Least AUROC of a number, or 1 minus it, that matters."""

KINDS: Mapping[str, Callable[[ImageFileInfo], str]] = {
    "format": lambda fact: fact.format,
    "mode": lambda fact: fact.mode,
    "EXIF tags": lambda fact: "with EXIF tags" if fact.exif else "without EXIF tags",
    "colour profile": lambda fact: "with a colour profile" if fact.icc else "without a colour profile",
}
"""Properties that are one of several."""
NUMBERS: Mapping[str, Callable[[ImageFileInfo], float]] = {
    "pixels": lambda fact: fact.width * fact.height,
    "bytes": lambda fact: fact.bytes,
    "sum of the JPEG quantisation table": lambda fact: fact.quantisation,
}
"""Properties that can be ranked."""


def file_check(members: Sequence[ImageFileInfo], nonmembers: Sequence[ImageFileInfo], first: str = "members") -> Check:
    """Whether format, mode, tags or size differ between members and non-members.

    Kinds by the chi-square test of a contingency table, numbers by Mann and Whitney's, `ALPHA` over all of them. Of
    what is significant, only that is reported which also matters: a share that differs by `LEAST_SHARE`, an AUROC of
    at least `LEAST_AREA` or at most 1 - `LEAST_AREA`. Whether such a difference suffices to tell the sets apart is
    what the blind baseline measures.

    Returns:
        ``warn`` if something differs, said in words, or if a set has nothing to compare; else ``ok``.
    """
    name = "file properties"
    if not members or not nonmembers or not all(fact.format for fact in (*members, *nonmembers)):
        return Check(name, "warn", "not compared: how the images were stored is not known")
    level = ALPHA / (len(KINDS) + len(NUMBERS))
    notes = [_kinds([kind(f) for f in members], [kind(f) for f in nonmembers], level, first) for kind in KINDS.values()]
    for what, number in NUMBERS.items():
        notes.append(_numbers(what, [number(f) for f in members], [number(f) for f in nonmembers], level, first))
    differing = [note for note in notes if note]
    if differing:
        return Check(name, "warn", "the sets were stored differently: " + "; ".join(differing))
    return Check(name, "ok", f"format, mode, tags and size are alike: {_commonest([f.format for f in members])}")


def _kinds(members: Sequence[str], nonmembers: Sequence[str], level: float, first: str) -> str | None:
    from scipy.stats import chi2_contingency  # slow to import

    counts = Counter(members), Counter(nonmembers)
    kinds = sorted({*members, *nonmembers})
    table = np.array([[count[kind] for kind in kinds] for count in counts])
    shares = table / table.sum(axis=1, keepdims=True)
    if len(kinds) < 2 or np.abs(shares[0] - shares[1]).max() < LEAST_SHARE or chi2_contingency(table).pvalue > level:
        return None
    return f"{first} are {_commonest(members)}, non-members are {_commonest(nonmembers)}"


def _numbers(what: str, members: Sequence[float], nonmembers: Sequence[float], level: float, first: str) -> str | None:
    from scipy.stats import mannwhitneyu

    if len({*members, *nonmembers}) < 2:
        return None
    test = mannwhitneyu(members, nonmembers)
    area = float(test.statistic) / (len(members) * len(nonmembers))
    if max(area, 1.0 - area) < LEAST_AREA or test.pvalue > level:
        return None
    middle = f"{first} {np.median(members):.6g}, non-members {np.median(nonmembers):.6g} in the middle"
    return f"{what}: {middle} (AUROC {max(area, 1.0 - area):.2f})"


def _commonest(kinds: Sequence[str]) -> str:
    kind, count = Counter(kinds).most_common(1)[0]
    return f"{count / len(kinds):.0%} {kind}"
