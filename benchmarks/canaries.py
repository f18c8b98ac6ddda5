"""How often the audit of canaries is wrong, and how tight its bound is, on mechanisms whose epsilon is known.

    python benchmarks/canaries.py [--repeats 500] > benchmarks/results/canaries.md

Each canary's coin goes through a mechanism of known (epsilon, delta) that gives a score; nine more columns are noise,
so that there is something to choose wrongly. Three tables: the bound against the truth; the bound against the one that
`privaudit scan` gives without canaries (`epsilon_lower`: Clopper-Pearson at thresholds fixed on other folds), on the
one column of the mechanism; and what is found where there is nothing.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import kstest

from privaudit.evaluation import assign_folds, epsilon_lower
from privaudit.evaluation.canary_audit import CanaryReport, audit_canaries
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.selection import Candidate

CANARIES, NOISE = 1000, 9
LEVELS = (0.01, 0.05, 0.1)
RELEASE = Candidate("release")
"""The column of the mechanism."""
Score = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From coins to scores."""


@dataclass(frozen=True)
class Mechanism:
    """What releases a score of each coin.

    Attributes:
        name: In the table.
        epsilon: The smallest one that holds at `delta`.
        delta: At which it is audited.
        score: Draws the release.
    """

    name: str
    epsilon: float
    delta: float
    score: Score


def randomised_response(epsilon: float) -> Mechanism:
    """Keep each coin with probability e^epsilon / (1 + e^epsilon); the noise below breaks ties."""
    keep = 1.0 / (1.0 + np.exp(-epsilon))

    def score(coins: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        kept = np.where(generator.random(coins.size) < keep, coins, ~coins)
        return kept + 1e-3 * generator.normal(size=coins.size)

    return Mechanism("randomised response", epsilon, 0.0, score)


def laplace(epsilon: float) -> Mechanism:
    """Coin plus Laplace noise."""
    return Mechanism("Laplace", epsilon, 0.0, lambda coins, g: coins + g.laplace(scale=1.0 / epsilon, size=coins.size))


def gaussian(deviation: float, delta: float) -> Mechanism:
    """Coin plus normal noise: delta(e) = Phi(1/(2s) - e s) - e^e Phi(-1/(2s) - e s), Balle and Wang 2018."""

    def excess(epsilon: float) -> float:
        half, move = 0.5 / deviation, epsilon * deviation
        return float(ndtr(half - move) - np.exp(epsilon) * ndtr(-half - move)) - delta

    return Mechanism(
        f"Gaussian, deviation {deviation:g}",
        float(brentq(excess, 0.0, 60.0)),
        delta,
        lambda coins, g: coins + deviation * g.normal(size=coins.size),
    )


def shame(delta: float) -> Mechanism:
    """Reveal each coin with probability delta, and nothing of the others: (0, delta)-private."""

    def score(coins: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        shown = generator.random(coins.size) < delta
        return generator.normal(size=coins.size) + np.where(shown, np.where(coins, 50.0, -50.0), 0.0)

    return Mechanism("each coin revealed with probability delta", 0.0, delta, score)


MECHANISMS = (
    *(randomised_response(epsilon) for epsilon in (0.25, 0.5, 1.0, 2.0, 4.0)),
    *(laplace(epsilon) for epsilon in (1.0, 4.0)),
    *(gaussian(deviation, 1e-5) for deviation in (1.0, 0.5, 0.25)),
    *(shame(delta) for delta in (1e-4, 1e-3, 1e-2)),
)


def few(coins: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One included canary in ten is memorised, of the others nothing is known."""
    return generator.normal(size=coins.size) + 6.0 * (coins & (generator.random(coins.size) < 0.1))


COMPARED: dict[str, tuple[float, Score]] = {
    "randomised response, epsilon 1": (1.0, randomised_response(1.0).score),
    "randomised response, epsilon 4": (4.0, randomised_response(4.0).score),
    "Laplace, epsilon 4": (4.0, laplace(4.0).score),
    "normal scores one deviation apart": (np.inf, lambda coins, g: coins + g.normal(size=coins.size)),
    "normal scores three deviations apart": (np.inf, lambda coins, g: 3.0 * coins + g.normal(size=coins.size)),
    "one member in ten six deviations apart": (np.inf, few),
}


def interval(k: int, n: int) -> str:
    """Share with its 95 % interval."""
    low, high = (float(clopper_pearson(k, n, 0.025, side)) for side in ("lower", "upper"))
    return f"{100 * k / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def audit(
    score: Score, generator: np.random.Generator, *, noise: int, delta: float = 0.0, draws: int = 1
) -> CanaryReport:
    """Toss coins, release, audit."""
    coins = generator.random(CANARIES) < 0.5
    table = np.column_stack([score(coins, generator), generator.normal(size=(CANARIES, noise))])
    labels = [RELEASE, *(Candidate(f"noise {i}") for i in range(noise))]
    seed = int(generator.integers(2**31))
    return audit_canaries(table, labels, coins, [f"{i}" for i in range(CANARIES)], delta=delta, draws=draws, seed=seed)


def truth(repeats: int) -> list[str]:
    """Bound against known epsilon."""
    lines = [
        f"**Known epsilon.** {CANARIES} canaries, a quarter of them pilot, {NOISE} columns of noise beside the "
        f"release, 95 % confidence, {repeats} repeats a row; at most 5 % of bounds may exceed the truth.",
        "",
        "| mechanism | delta | epsilon | bound above it | bound: median [5 %, 95 %] | right column chosen |",
        "|---|---|---|---|---|---|",
    ]
    for number, mechanism in enumerate(MECHANISMS):
        generator = np.random.default_rng([1, number])
        reports = [audit(mechanism.score, generator, noise=NOISE, delta=mechanism.delta) for _ in range(repeats)]
        bounds = np.array([report.epsilon_lower for report in reports])
        low, middle, high = np.quantile(bounds, (0.05, 0.5, 0.95))
        wrong = interval(int((bounds > mechanism.epsilon).sum()), repeats)
        chosen = np.mean([report.chosen == RELEASE for report in reports])
        lines.append(
            f"| {mechanism.name} | {mechanism.delta:g} | {mechanism.epsilon:.2f} | {wrong} | "
            f"{middle:.2f} [{low:.2f}, {high:.2f}] | {chosen:.0%} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def comparison(repeats: int) -> list[str]:
    """One-run bound against the cross-fitted one, on the same scores."""
    lines = [
        f"**Beside the bound without canaries.** The same {CANARIES} scores, one column, {repeats} repeats: median "
        "[5 %, 95 %], and how often each exceeds a known epsilon.",
        "",
        "| scores | one run | above | cross-fitted | above |",
        "|---|---|---|---|---|",
    ]
    for number, (name, (epsilon, score)) in enumerate(COMPARED.items()):
        generator = np.random.default_rng([2, number])
        found = np.empty((2, repeats))
        ids = [f"{i}" for i in range(CANARIES)]
        for repeat in range(repeats):
            coins = generator.random(CANARIES) < 0.5
            values, seed = score(coins, generator), int(generator.integers(2**31))
            found[0, repeat] = audit_canaries(values[:, None], [RELEASE], coins, ids, draws=1, seed=seed).epsilon_lower
            found[1, repeat] = epsilon_lower(values, coins, assign_folds(ids, coins, seed=seed)).value
        cells = []
        for bounds in found:
            low, middle, high = np.quantile(bounds, (0.05, 0.5, 0.95))
            wrong = interval(int((bounds > epsilon).sum()), repeats) if np.isfinite(epsilon) else ""
            cells += [f"{middle:.2f} [{low:.2f}, {high:.2f}]", wrong]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def no_leakage(repeats: int) -> list[str]:
    """P-values and bounds where scores know nothing of the coins."""
    lines = [
        f"**Nothing to find.** Correlated heavy-tailed scores, 999 rearrangements, {repeats} repeats: how often p is "
        "at most a level, whether p is uniform, how often the bound is above 0.",
        "",
        "| canaries | columns | scores | p <= 1 % | p <= 5 % | p <= 10 % | uniform (KS p) | bound > 0 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    cases = [(100, 1, "all distinct"), (100, 40, "all distinct"), (1000, 40, "all distinct"), (1000, 40, "11 values")]
    for number, (size, columns, kind) in enumerate(cases):
        generator = np.random.default_rng([3, number])
        reports = []
        for _ in range(repeats):
            coins = generator.random(size) < 0.5
            table = generator.standard_t(3, size=(size, 1)) + generator.normal(size=(size, columns))
            table = np.clip(np.round(table), -5, 5) if kind != "all distinct" else table
            labels, seed = [Candidate(f"{i}") for i in range(columns)], int(generator.integers(2**31))
            ids = [f"{i}" for i in range(size)]
            reports.append(audit_canaries(table, labels, coins, ids, draws=999, seed=seed))
        p = np.array([report.p for report in reports])
        cells = [interval(int((p <= level).sum()), repeats) for level in LEVELS]
        positive = interval(sum(report.epsilon_lower > 0 for report in reports), repeats)
        lines.append(
            f"| {size} | {columns} | {kind} | "
            + " | ".join(cells)
            + f" | {kstest(p, 'uniform').pvalue:.2f} | {positive} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=500)
    repeats, started = parser.parse_args().repeats, time.perf_counter()
    for lines in (truth(repeats), comparison(repeats), no_leakage(repeats)):
        print("\n".join(lines) + "\n")
    versions = f"NumPy {np.__version__}, SciPy {scipy.__version__}, Python {platform.python_version()}"
    print(f"{versions}, {platform.machine()}; {(time.perf_counter() - started) / 60:.0f} min on one thread.")


if __name__ == "__main__":
    main()
