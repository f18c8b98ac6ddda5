"""How often limits of TPR at FPR hold where many scores are equal, so that the attacker tosses coins.

    OMP_NUM_THREADS=1 python benchmarks/coverage_ties.py > benchmarks/results/coverage_ties.md

Scores have few values, with known probabilities for members and non-members, so that the rate at a false-positive rate
is read off a polygon. Independent images have the melded limits of a report; images that come in pairs of one score,
and differences of two scores, have percentiles of the bootstrap.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.stats import norm

from privaudit.evaluation import compare, evaluate
from privaudit.evaluation.rate import tpr_limit
from privaudit.evaluation.roc import count

FPRS, ALPHA = (0.01, 0.1), 0.025
SIZES = (416, 2000)
DRAWS, DRAWS_BOOTSTRAP, REPLICATES = 2000, 300, 199


@dataclass(frozen=True)
class Ties:
    """Probabilities of each value of a score, the highest value first."""

    name: str
    members: tuple[float, ...]
    nonmembers: tuple[float, ...]

    def rate(self, fpr: float) -> float:
        """TPR of the population on the polygon."""
        true, false = (np.cumsum((0.0, *chances)) for chances in (self.members, self.nonmembers))
        return float(np.interp(fpr, false, true))

    def scores(self, generator: np.random.Generator, size: int) -> np.ndarray:
        """Scores of ``size`` members and as many non-members."""
        sides = (generator.choice(len(p), size, p=p) for p in (self.members, self.nonmembers))
        return -np.concatenate(list(sides)).astype(float)


def rounded(name: str, step: float, shift: float) -> Ties:
    """Normal scores, rounded to multiples of ``step``."""
    edges = np.concatenate([[np.inf], (np.arange(12, -12, -1) - 0.5) * step, [-np.inf]])
    return Ties(name, *(tuple(-np.diff(norm.cdf(edges - by))) for by in (shift, 0.0)))


CASES = (
    Ties("top block .05 / .02", (0.05, 0.95), (0.02, 0.98)),
    Ties("top block .5 / .02", (0.5, 0.5), (0.02, 0.98)),
    Ties("top block .02 / .02", (0.02, 0.98), (0.02, 0.98)),
    Ties("top block .3 / .003", (0.3, 0.7), (0.003, 0.997)),
    Ties("two blocks", (0.2, 0.2, 0.6), (0.005, 0.045, 0.95)),
    rounded("normal, AUROC .76, rounded to 1", 1.0, 1.0),
    rounded("normal, AUROC .98, rounded to 2", 2.0, 3.0),
)


def misses(case: Ties, size: int, draws: int = DRAWS, seed: int = 0) -> Mapping[float, tuple[float, float]]:
    """Fractions of draws in which the truth lay below and above the limits, by false-positive rate."""
    generator, member = np.random.default_rng([seed, size]), np.arange(2 * size) < size
    missed = {fpr: np.zeros(2) for fpr in FPRS}
    for _ in range(draws):
        curve = count(case.scores(generator, size), member)
        for fpr, tally in missed.items():
            low, high = (tpr_limit(curve, fpr, ALPHA, side) for side in ("lower", "upper"))
            tally += (case.rate(fpr) < low - 1e-9, case.rate(fpr) > high + 1e-9)
    return {fpr: tuple(tally / draws) for fpr, tally in missed.items()}


def misses_by_bootstrap(case: Ties, size: int, draws: int = DRAWS_BOOTSTRAP) -> Mapping[str, tuple[float, float]]:
    """The same at 10 %, for images in pairs of one score, and for the difference of two scores of one population."""
    generator, member = np.random.default_rng(size), np.arange(2 * size) < size
    missed = {"pairs": np.zeros(2), "difference": np.zeros(2)}
    options = {"fprs": FPRS, "replicates": REPLICATES}
    for draw in range(draws):
        doubled = np.repeat(case.scores(generator, size // 2), 2)
        units = [str(i // 2) for i in range(member.size)]
        rates = evaluate({"a": doubled}, member, np.arange(member.size) // 2 % 5, units=units, seed=draw, **options)
        rate = rates.metrics["a"].tpr_at_fpr["0.1"]
        missed["pairs"] += (case.rate(0.1) < rate.lo - 1e-9, case.rate(0.1) > rate.hi + 1e-9)
        two = {name: case.scores(generator, size) for name in ("a", "b")}
        delta = compare(evaluate(two, member, np.arange(member.size) % 5, seed=draw, **options), "a", "b", 0.1)
        missed["difference"] += (delta.tpr_delta.lo > 1e-9, delta.tpr_delta.hi < -1e-9)
    return {what: tuple(tally / draws) for what, tally in missed.items()}


def cell(missed: tuple[float, float]) -> str:
    """Write coverage, and misses on either side, in percent."""
    below, above = (100 * side for side in missed)
    return f"{100 - below - above:.1f} ({below:.1f}, {above:.1f})"


def main() -> None:
    """Print one row per case and size."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    print(
        f"{platform.machine()}, {versions}. Coverage of 95 % intervals in percent, and in brackets how often the rate"
    )
    print(f"lies below and above. {DRAWS} draws per cell; {DRAWS_BOOTSTRAP} for pairs and differences, at 10 % FPR.\n")
    print("| scores | images per set | TPR at 1 % FPR | at 10 % | at 10 %, in pairs | difference at 10 % |")
    print("|---" * 6 + "|")
    for case in CASES:
        for size in SIZES:
            cells = (*misses(case, size).values(), *misses_by_bootstrap(case, size).values())
            print(f"| {case.name} | {size} | {' | '.join(map(cell, cells))} |", flush=True)


if __name__ == "__main__":
    main()
