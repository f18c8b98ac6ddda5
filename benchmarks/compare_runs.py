"""Two runs with nothing changed: how often a comparison raises a false alarm, and how often its intervals hold.

    OMP_NUM_THREADS=1 python benchmarks/compare_runs.py > benchmarks/results/compare_runs.md

First table: `privaudit compare --fail-on-regression` on simulated audits of 2 attacks under 3 tested masks, AUROC and
TPR at 1 % FPR of each, 12 tests together. A score is the sum of an image's own part, which both models share, of a part
that the attacks and masks of one model have in common, and of noise. Both models leak alike, or the new one more.

Second table: scores that were learned or chosen by cross-fitting in either run, of candidates that are correlated from
run to run. Shown are the standard deviation of the difference of both AUROCs as a share of DeLong's, and the coverage
of 95 % intervals with DeLong's standard deviation and with the larger of both runs' factors times it, as is reported.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import sklearn
from coverage import cell
from coverage_learned import FEATURES, FOLD, IMAGES, MEMBER, cross_fitted

from privaudit.compare.compare_options import CompareOptions
from privaudit.compare.judging import find_changes
from privaudit.compare.paired import Scores, measure_paired
from privaudit.compare.pairing import Shared
from privaudit.evaluation import choice_inflation, cross_fit
from privaudit.evaluation.delong import auroc_covariance, auroc_difference
from privaudit.evaluation.metrics import sd_inflation

AUDITS, DRAWS, LEVELS = 200, 300, 20
IMAGES_A_SET = 700
ATTACKS, MASKS = ("a", "b"), ("none", "influence", "weighted")
OPTIONS = CompareOptions(fail_on_regression=True, replicates=500)


@dataclass(frozen=True)
class FixedLine:
    """As much of an attack's report as a comparison reads: its masks, and that nothing was chosen or learned."""

    masks: Mapping[str, None]
    spread: float = 1.0


def audit(generator: np.random.Generator, images: np.ndarray, member: np.ndarray, strength: float) -> Scores:
    """Scores of one model."""
    model = generator.normal(size=images.size)
    return {
        (attack, mask): 0.6 * images + 0.5 * model + 0.6 * generator.normal(size=images.size) + strength * member
        for attack in ATTACKS
        for mask in MASKS
    }


def alarms(size: int, old: float, new: float) -> str:
    """One row of the first table."""
    member, flagged, fallen = np.arange(2 * size) < size, 0, 0
    everything = np.arange(2 * size)
    shared = Shared(everything, everything, tuple(map(str, everything)), member, None, complete=False)
    fixed = FixedLine(dict.fromkeys(MASKS))
    for draw in range(AUDITS):
        generator = np.random.default_rng(draw)
        images = generator.normal(size=2 * size)
        before, after = (audit(generator, images, member, strength) for strength in (old, new))
        lines = [(name, fixed, fixed) for name in ATTACKS]
        measured, _ = measure_paired(before, after, shared, lines, (), OPTIONS)
        changes, _ = find_changes(measured, OPTIONS)
        flagged += any(change.direction == "worse" for change in changes)
        fallen += any(change.direction == "better" for change in changes)
    shares = (f"{100 * count / AUDITS:.1f}" for count in (flagged, fallen))
    return f"| {size} | {old:g} | {new:g} | {' | '.join(shares)} |"


def learned(generator: np.random.Generator, alike: float, distance: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Logistic regressions of both runs on features that are correlated from run to run."""
    features = _alike(lambda: generator.normal(size=(IMAGES, FEATURES)), alike)
    first, second = (cross_fitted(found + distance * MEMBER[:, None]) for found in features)
    return first, second, sd_inflation(FOLD.max() + 1)


def chosen(generator: np.random.Generator, alike: float, distance: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The best of 20 levels for each fold, neighbours correlated by .9."""

    def levels() -> np.ndarray:
        own = generator.normal(size=(IMAGES, LEVELS))
        for level in range(1, LEVELS):
            own[:, level] = 0.9 * own[:, level - 1] + np.sqrt(1.0 - 0.9**2) * own[:, level]
        return own

    tables = [found + distance * MEMBER[:, None] for found in _alike(levels, alike)]
    names = list(range(LEVELS))
    first, second = (cross_fit(table, names, MEMBER, FOLD).scores for table in tables)
    return first, second, max(choice_inflation(table, MEMBER, FOLD) for table in tables)


def _alike(draw: Callable[[], np.ndarray], alike: float) -> list[np.ndarray]:
    common = draw()
    return [np.sqrt(alike) * common + np.sqrt(1.0 - alike) * draw() for _ in range(2)]


def intervals(name: str, alike: float, distance: float) -> str:
    """One row of the second table; nothing changed, so the true difference is 0."""
    generator = np.random.default_rng(int(1000 * alike))
    values, errors, factors, plain, wide = [], [], [], [], []
    for _ in range(DRAWS):
        old, new, factor = (learned if name == "learned" else chosen)(generator, alike, distance)
        areas = auroc_covariance({"old": old, "new": new}, MEMBER)
        values.append(areas.value("new") - areas.value("old"))
        errors.append(areas.sd_of_difference("new", "old"))
        factors.append(factor)
        for tally, used in ((plain, 1.0), (wide, factor)):
            found = auroc_difference(areas, "new", "old", inflation=used)
            tally.append((found.lo > 0.0, found.hi < 0.0))
    ratio = np.std(values) / np.sqrt(np.mean(np.square(errors)))
    cells = (name, f"{alike:g}", f"{distance:g}", f"{ratio:.2f}", f"{np.mean(factors):.2f}", cell(plain), cell(wide))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print both tables."""
    versions = f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}"
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}\n")
    print(f"{AUDITS} audits a row, percent of them; 5 % are allowed where nothing changes.\n")
    print("| images a set | old strength | new strength | something worse | something better |")
    print("|---" * 5 + "|")
    for old, new in ((0.0, 0.0), (0.5, 0.5), (1.5, 1.5), (0.5, 0.6), (0.5, 0.8)):
        print(alarms(IMAGES_A_SET, old, new), flush=True)
    print(f"\n{DRAWS} draws a row, {IMAGES} images.\n")
    print("| score | correlation | distance | sd / DeLong's | factor | DeLong | with the factor |")
    print("|---" * 7 + "|")
    for name in ("learned", "chosen"):
        for alike in (0.0, 0.5, 0.9):
            for distance in (0.0, 0.1):
                print(intervals(name, alike, distance), flush=True)


if __name__ == "__main__":
    main()
