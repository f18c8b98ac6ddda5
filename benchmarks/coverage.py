"""How often the intervals of the evaluation hold what they are for.

    OMP_NUM_THREADS=1 python benchmarks/coverage.py > benchmarks/results/coverage.md

Scores are drawn from laws whose AUROC, rates, advantage and epsilon are known. A cell is the share of draws in which an
interval of 95 % holds the true value, and in brackets the shares in which the true value lay below and above it; "-"
stands where no interval is offered, "inf" where the true epsilon is infinite and its lower bound cannot miss.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, stdtr, stdtrit

from privaudit.evaluation import Evaluation, compare, evaluate
from privaudit.evaluation.rate import rate_at_threshold

FPRS = (0.01, 0.1)
DRAWS = {100: 1000, 416: 1000, 2500: 400}
REPLICATES = 199
AUROCS = (0.5, 0.7, 0.95)
RIVAL = {0.5: 0.6, 0.7: 0.6, 0.95: 0.9}
ALIKE = 0.7
"""Correlation of two scores of one image, before they are stretched and rounded."""
Z = 1.959964

Tallies = dict[str, list[tuple[bool, bool]]]


@dataclass(frozen=True)
class Law:
    """Non-members x, members scale x + shift, both rounded to multiples of step (0: not rounded)."""

    name: str
    scale: float = 1.0
    step: float = 0.0
    heavy: bool = False

    def below(self, x: np.ndarray) -> np.ndarray:
        """Distribution function of x."""
        return stdtr(3, x) if self.heavy else ndtr(x)

    def stretched(self, z: np.ndarray) -> np.ndarray:
        """From standard normal values to values of x."""
        return stdtrit(3, ndtr(z)) if self.heavy else z

    def scores(self, z: np.ndarray, member: np.ndarray, shift: float) -> np.ndarray:
        """From standard normal values to scores."""
        x = self.stretched(z)
        x = np.where(member, self.scale * x + shift, x)
        return np.round(x / self.step) * self.step if self.step else x

    def curve(self, shift: float) -> tuple[np.ndarray, np.ndarray]:
        """False- and true-positive rates of the population, ascending."""
        at = _grid(self)
        return self.below(-at), self.below((shift - at) / self.scale)  # symmetric laws: P(x > t) = P(x < -t)


@cache
def _grid(law: Law) -> np.ndarray:
    """Thresholds, descending: between the steps of a rounded score, else a fine grid."""
    if law.step:
        return (np.arange(400, -401, -1) - 0.5) * law.step
    fine = law.stretched(np.linspace(-8, 8, 160001))
    return np.unique(np.concatenate([fine, np.linspace(-30, 30, 60001)]))[::-1]


LAWS = (Law("equal"), Law("unequal", scale=2.0), Law("ties", step=0.6), Law("heavy tails", heavy=True))


def area(law: Law, shift: float) -> float:
    """AUROC of the population."""
    false, true = (np.concatenate([[0.0], rate, [1.0]]) for rate in law.curve(shift))
    return float(np.trapezoid(true, false))


@cache
def shift_for(law: Law, auroc: float) -> float:
    """The shift that gives an AUROC."""
    return 0.0 if auroc == 0.5 else float(brentq(lambda shift: area(law, shift) - auroc, 0.0, 30.0, xtol=1e-9))


def truth(law: Law, shift: float) -> dict[str, float]:
    """What the intervals should hold."""
    false, true = law.curve(shift)
    rates = [float(np.interp(fpr, false, true)) for fpr in FPRS]  # with coins among the tied
    inner = (false > 1e-12) & (true > 0.0) & (np.maximum(false, true) < 1.0 - 1e-12)
    ratios = np.log(true[inner] / false[inner]), np.log((1 - false[inner]) / (1 - true[inner]))
    return {
        "AUROC": area(law, shift),
        **{f"TPR@{100 * fpr:g}%": rate for fpr, rate in zip(FPRS, rates, strict=True)},
        "advantage": max(0.0, float((true - false).max())),
        "epsilon": 0.0 if shift == 0.0 and law.scale == 1.0 else max(0.0, float(np.max(ratios))),
        "bounded": float(law.heavy or (shift == 0.0 and law.scale == 1.0)),
    }


def coverage(law: Law, auroc: float, n: int, draws: int) -> Tallies:
    """Draw, evaluate, and note for each interval whether the truth lay below or above it."""
    generator = np.random.default_rng([n, int(1000 * auroc), LAWS.index(law)])
    member, folds = np.arange(2 * n) < n, np.arange(2 * n) % 5
    shifts = {"a": shift_for(law, auroc), "same": shift_for(law, auroc), "other": shift_for(law, RIVAL[auroc])}
    true = {name: truth(law, shift) for name, shift in shifts.items()}
    tallies: Tallies = defaultdict(list)

    def note(what: str, low: float, value: float, high: float) -> None:
        if not np.isnan(low):
            tallies[what].append((value < low - 1e-12, value > high + 1e-12))

    cuts = {fpr: law.stretched(np.array(np.sqrt(2) * scipy.special.erfinv(1 - 2 * fpr))) for fpr in FPRS}
    for draw in range(draws):
        common = generator.normal(size=2 * n)
        latent = {name: np.sqrt(ALIKE) * common + np.sqrt(1 - ALIKE) * generator.normal(size=2 * n) for name in shifts}
        scores = {name: law.scores(latent[name], member, shift) for name, shift in shifts.items()}
        found = evaluate(scores, member, folds, fprs=FPRS, replicates=REPLICATES, seed=draw)
        metrics, expected = found.metrics["a"], true["a"]
        note("AUROC", metrics.auroc.lo, expected["AUROC"], metrics.auroc.hi)
        for what, low, high in _rejected(found, "a"):
            note(what, low, expected[what.partition(",")[0]], high)
        note("advantage", metrics.advantage.lo, expected["advantage"], metrics.advantage.hi)
        success = metrics.attack_success
        note("attack success", success.lo, (1 + expected["advantage"]) / 2, success.hi)
        if expected["bounded"]:
            note("epsilon", metrics.epsilon_lower.value, expected["epsilon"], np.inf)
        for fpr in FPRS:
            what = f"TPR@{100 * fpr:g}%"
            rate = metrics.tpr_at_fpr[f"{fpr:g}"]
            note(what, rate.lo, expected[what], rate.hi)
            cut = cuts[fpr] - law.step / 2 if law.step else cuts[fpr]
            fixed = rate_at_threshold(scores["a"], member, float(cut))
            at = [law.below(np.array(x)) for x in (-_edge(law, cut), (shifts["a"] - _edge(law, cut)) / law.scale)]
            note(f"FPR fixed {100 * fpr:g}%", fixed.fpr.lo, float(at[0]), fixed.fpr.hi)
            note(f"TPR fixed {100 * fpr:g}%", fixed.tpr.lo, float(at[1]), fixed.tpr.hi)
            for rival in ("same", "other"):
                delta = compare(found, "a", rival, fpr)
                note(f"{what} {rival}", delta.tpr_delta.lo, expected[what] - true[rival][what], delta.tpr_delta.hi)
                if fpr == FPRS[0]:
                    gap = expected["AUROC"] - true[rival]["AUROC"]
                    note(f"AUROC {rival}", delta.auroc_delta.lo, gap, delta.auroc_delta.hi)
    return dict(tallies)


def _edge(law: Law, cut: float) -> float:
    """Lowest value that is rounded to the cut or above."""
    return (np.ceil(cut / law.step) - 0.5) * law.step if law.step else cut


def _rejected(found: Evaluation[str], name: str) -> Iterator[tuple[str, float, float]]:
    """Intervals that are not offered, for comparison."""
    drawn, value, sd = found.replicates, found.areas.value(name), found.areas.sd(name)
    at = drawn.names.index(name)
    if 0.0 < value < 1.0:
        yield "AUROC, plain", value - Z * sd, value + Z * sd
        half = Z * drawn.auroc[at].std() / (value * (1 - value))
        yield "AUROC, bootstrap", expit(logit(value) - half), expit(logit(value) + half)
    for j, fpr in enumerate(FPRS):
        low, high = np.quantile(drawn.tpr[at, j], [0.025, 0.975], method="weibull")
        yield f"TPR@{100 * fpr:g}%, bootstrap", low, high


def cell(tally: list[tuple[bool, bool]]) -> str:
    """Coverage and misses on either side, in percent."""
    if not tally:
        return "-"
    below, above = 100 * np.mean(tally, axis=0)
    return f"{100 - below - above:.1f} ({below:.1f}, {above:.1f})"


TABLES = {
    "Offered": ("AUROC", "TPR@1%", "TPR@10%", "advantage", "epsilon"),
    "At a threshold that was fixed beforehand (Clopper-Pearson)": tuple(
        f"{rate} fixed {100 * fpr:g}%" for fpr in FPRS for rate in ("FPR", "TPR")
    ),
    "Paired differences: none (same) and a real one (other)": tuple(
        f"{what} {rival}" for what in ("AUROC", "TPR@1%", "TPR@10%") for rival in ("same", "other")
    ),
    "Not offered, for comparison": (
        "AUROC, plain",
        "AUROC, bootstrap",
        "TPR@1%, bootstrap",
        "TPR@10%, bootstrap",
    ),
}


def main() -> None:
    """Measure everything, then print one table a kind of interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(DRAWS))
    parser.add_argument("--share", type=float, default=1.0, help="of the draws")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    cells = [(law, auroc, n, int(DRAWS[n] * options.share)) for n in options.sizes for auroc in AUROCS for law in LAWS]
    with ProcessPoolExecutor(options.jobs) as pool:
        measured = list(pool.map(coverage, *zip(*cells, strict=True)))
    rows = [
        (f"| {n} | {auroc:g} | {law.name} | {draws}", tallies, truth(law, shift_for(law, auroc)))
        for (law, auroc, n, draws), tallies in zip(cells, measured, strict=True)
    ]
    print(
        f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}; {REPLICATES} bootstrap replicates a draw."
    )
    for title, names in TABLES.items():
        print(f"\n## {title}\n\n| n | AUROC | scores | draws | " + " | ".join(names) + " |")
        print("|---" * (4 + len(names)) + "|")
        for start, tallies, true in rows:
            cells = [
                "inf" if name == "epsilon" and not true["bounded"] else cell(tallies.get(name, [])) for name in names
            ]
            print(" | ".join([start, *cells]) + " |")


if __name__ == "__main__":
    main()
