"""How often an audit fails, or finds something, where there is nothing to find.

    python benchmarks/verdict_null.py [--repeats 500]

Simulated scores of an audit as `privaudit scan` makes one: attacks with correlated scores at several levels, the level
chosen by cross-fitting, masked versions of each, and a classifier fitted to all of them, out of fold. Members and
non-members come from one law. The gates stand at chance level, the hardest case: any other gate fails less often.
"""

from __future__ import annotations

import argparse
import platform
from collections import Counter

import numpy as np
import scipy
import sklearn
from scipy.stats import binomtest, kstest

from privaudit.evaluation import (
    apply_choice,
    assign_folds,
    choice_inflation,
    cross_fit,
    decide,
    evaluate,
    out_of_fold,
    parse_gates,
)

ATTACKS, LEVELS, MASKS = 4, 5, ("none", "random", "influence", "weighted")
GATES = ("auroc>0.5", "tpr@1%fpr>0.01", "tpr@10%fpr>0.1", "advantage>0", "epsilon>0")
SIZES = (100, 416)


def tables(generator: np.random.Generator, images: int) -> list[dict[str, np.ndarray]]:
    """Scores of each attack: mask to (images, levels), heavy-tailed, correlated over attacks, levels and masks."""
    difficulty = generator.standard_t(3, size=images)
    found = []
    for _ in range(ATTACKS):
        levels = np.cumsum(generator.normal(size=(images, LEVELS)), axis=1) / np.sqrt(LEVELS)
        plain = difficulty[:, None] + levels
        found.append({mask: plain + (mask != "none") * 0.3 * generator.normal(size=plain.shape) for mask in MASKS})
    return found


def repeat(seed: int, size: int) -> tuple[str, str, list[str], list[float]]:
    """One audit: finding, verdict, failed gates and p-values of independent kinds of scores."""
    generator = np.random.default_rng(seed)
    member = np.arange(2 * size) < size
    folds = assign_folds([f"{seed} {i}" for i in range(2 * size)], member, seed=seed)
    scores, spreads, every = {}, {}, []
    for number, by_mask in enumerate(tables(generator, 2 * size)):
        choice = cross_fit(by_mask["none"], list(range(LEVELS)), member, folds)
        spread = choice_inflation(by_mask["none"], member, folds)
        every.append(by_mask["none"])
        for mask, table in by_mask.items():
            pair = (f"attack {number}", mask)
            spreads[pair] = spread
            scores[pair] = apply_choice(table, choice, member, folds)
    scores["learned", "none"] = out_of_fold(np.concatenate(every, axis=1), member, folds, "logistic").scores
    gates = parse_gates(GATES)
    fprs, learned = (0.01, 0.001, 0.1), [("learned", "none")]
    evaluation = evaluate(scores, member, folds, fprs=fprs, seed=seed, learned=learned, inflation=spreads)
    verdict = decide(evaluation, list(scores), gates=gates)
    failed = [gate.gate for gate in verdict.gates if gate.status == "fail"]
    p_values = [evaluation.p_above_chance[name, "none"] for name in ("attack 0", "learned")]
    return verdict.finding.level, verdict.status, failed, p_values


def share(count: int, total: int) -> str:
    """Write a share with its exact interval."""
    interval = binomtest(count, total).proportion_ci(0.95, "exact")
    return f"{count / total:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=500)
    repeats = parser.parse_args().repeats
    versions = f"numpy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(f"# Audits of nothing\n\n{repeats} repeats a size, on {platform.machine()}, {versions}.\n")
    gates = ", ".join(f"`{gate}`" for gate in GATES)
    print(f"Gates: {gates}, all in every audit, over {ATTACKS * 3 + 1} scores.\n")
    print("Last two columns: how often a rank test at 5 % rejects, of a chosen level and of the classifier.\n")
    print("| images a set | verdict fail | finding not none | chosen level | classifier |")
    print("|---|---|---|---|---|")
    notes = []
    for size in SIZES:
        found = [repeat(seed, size) for seed in range(repeats)]
        failed: Counter[str] = Counter(gate for _, _, gates, _ in found for gate in gates)
        p_values = np.array([p for _, _, _, p in found])
        cells = [
            share(sum(status == "fail" for _, status, _, _ in found), repeats),
            share(sum(level != "none" for level, _, _, _ in found), repeats),
            *(share(int((column <= 0.05).sum()), repeats) for column in p_values.T),
        ]
        print(f"| {size} | " + " | ".join(cells) + " |", flush=True)
        uniform = kstest(p_values[:, 0], "uniform").pvalue
        by_gate = ", ".join(f"{gate} {count}" for gate, count in failed.most_common()) or "none"
        level = f"p-values of a chosen level uniform: Kolmogorov-Smirnov p = {uniform:.2f}"
        notes.append(f"{size} images a set: failed gates: {by_gate}; {level}.")
    print("\n" + "\n\n".join(notes))


if __name__ == "__main__":
    main()
