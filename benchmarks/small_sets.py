"""What an audit of few images can show: the AUROC that is detected in 80 % of audits, by kind of audit and size.

    OMP_NUM_THREADS=1 python benchmarks/small_sets.py > benchmarks/results/small_sets.md

Scores are normal, with half of their variance shared by all attacks (the difficulty of an image), five levels per
attack of which the middle one separates best, and masks that add a little noise. The AUROC is that of an attack at its
best level. Everything after the scores is the code of a scan: choice of levels by cross-fitting, metrics, finding. Next
to the finding stand the test of a whole set (the same images as suspects) and the exact test of canaries, which compare
all attacks at all levels and need no correction for their number.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import sklearn
from scipy.stats import norm

from privaudit.evaluation import (
    Candidate,
    Evaluation,
    apply_choice,
    assign_folds,
    choice_inflation,
    cross_fit,
    decide,
    evaluate,
    out_of_fold,
)
from privaudit.evaluation.canary_audit import audit_canaries
from privaudit.evaluation.finding import PERFECT, Pair, perfect_scores
from privaudit.evaluation.suspects import judge_suspects

COMBINED: Pair = ("combined", "none")
ATTACKS, MASKS = 4, ("none", "influence", "weighted")
PROFILE = np.array([0.6, 0.85, 1.0, 0.85, 0.6])
"""Separation at each level, relative to the best one."""
FURTHER = 53
"""Features of an image that say nothing about membership; ``combined`` has 52 statistics and the distortion."""
SIZES = (20, 50, 100)
AUROCS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
POWER, ALPHA = 0.8, 0.05
KINDS = ("one attack, one level", "four attacks", "four attacks and combined", "combined alone", "set test", "canaries")


def tables(generator: np.random.Generator, member: np.ndarray, auroc: float) -> list[dict[str, np.ndarray]]:
    """Scores of each attack: mask to (images, levels)."""
    images, shift = member.size, np.sqrt(2.0) * norm.ppf(auroc)
    difficulty, drawn = generator.normal(size=(images, 1)), []
    for _ in range(ATTACKS):
        common, apart = generator.normal(size=(images, 1)), generator.normal(size=(images, PROFILE.size))
        noise = np.sqrt(0.5) * difficulty + np.sqrt(0.4) * common + np.sqrt(0.1) * apart
        plain = noise + shift * PROFILE * member[:, None]
        drawn.append({mask: plain + (mask != "none") * 0.2 * generator.normal(size=plain.shape) for mask in MASKS})
    return drawn


@dataclass(frozen=True)
class Audit:
    """Scores of an audit.

    Attributes:
        member: Whether an image is a member.
        ids: One id per image.
        every: Scores of all attacks at all levels without mask, ``(images, attacks x levels)``.
        directed: Attack and mask of the scores whose level was chosen by cross-fitting.
        fixed: The same for the first attack at the best level.
        evaluation: Metrics of all scores.
        perfect: Metrics of perfect scores.
    """

    member: np.ndarray
    ids: list[str]
    every: np.ndarray
    directed: list[Pair]
    fixed: list[Pair]
    evaluation: Evaluation[Pair]
    perfect: Evaluation[Pair]


def simulate(seed: int, size: int, auroc: float, *, swapped: bool = False) -> Audit:
    """Draw scores, choose levels, fit a classifier and evaluate; with ``swapped``, the second set was trained on."""
    generator = np.random.default_rng([seed, size, round(1000 * auroc)])
    member, ids = np.arange(2 * size) < size, [f"{seed} {i}" for i in range(2 * size)]
    by_attack = tables(generator, ~member if swapped else member, auroc)
    folds = assign_folds(ids, member, seed=seed)
    scores, spreads = {}, {}
    for number, by_mask in enumerate(by_attack):
        choice = cross_fit(by_mask["none"], list(range(PROFILE.size)), member, folds)
        spread = choice_inflation(by_mask["none"], member, folds)
        for mask, table in by_mask.items():
            scores[f"attack {number}", mask] = apply_choice(table, choice, member, folds)
            spreads[f"attack {number}", mask] = spread
            if number == 0:
                scores["fixed", mask] = table[:, PROFILE.size // 2]
    every = np.concatenate([by_mask["none"] for by_mask in by_attack], axis=1)
    features = np.column_stack([every, generator.normal(size=(2 * size, FURTHER))])
    scores[COMBINED] = out_of_fold(features, member, folds, "logistic", seed=seed).scores
    measured = evaluate(scores, member, folds, replicates=199, seed=seed, learned=[COMBINED], inflation=spreads)
    perfect = evaluate({PERFECT: perfect_scores(member)}, member, folds, replicates=199)
    return Audit(member, ids, every, list(spreads), [("fixed", mask) for mask in MASKS], measured, perfect)


def outcomes(audit: Audit, seed: int) -> list[bool]:
    """Whether each of `KINDS` finds a leak."""
    pairs = (audit.fixed, audit.directed, [*audit.directed, COMBINED], [COMBINED])
    columns = [Candidate(f"attack {i}", float(level), "none") for i in range(ATTACKS) for level in range(PROFILE.size)]
    images = audit.every, columns
    suspects = judge_suspects(*images, audit.ids, audit.member, permutations=999, repeats=0, seed=seed).report
    canaries = audit_canaries(*images, audit.member, audit.ids, seed=seed, draws=999)
    found = [decide(audit.evaluation, each, perfect=audit.perfect).finding.leaks for each in pairs]
    return [*found, suspects.set_p <= ALPHA, canaries.p <= ALPHA]


def detected(rates: Sequence[float]) -> str:
    """The AUROC at which the rate of detection reaches `POWER`, between the AUROCs that were simulated."""
    above = [i for i, rate in enumerate(rates) if rate >= POWER]
    if not above:
        return f"> {AUROCS[-1]:g}"
    last = above[0]
    return f"{np.interp(POWER, rates[last - 1 : last + 1], AUROCS[last - 1 : last + 1]):.2f}"


def main() -> None:
    """Print a table of what is detected, and one of all rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=100)
    repeats = parser.parse_args().repeats
    versions = f"NumPy {np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}"
    print(f"# Small sets\n\n{repeats} audits per cell, on {platform.machine()}, {versions}.\n")
    rates = {
        size: np.array([
            [outcomes(simulate(seed, size, auroc), seed) for seed in range(repeats)] for auroc in AUROCS
        ]).mean(axis=1)
        for size in SIZES
    }
    print(f"AUROC detected in {100 * POWER:g} % of audits:\n")
    print("| images per set | " + " | ".join(KINDS) + " |\n" + "|---" * (1 + len(KINDS)) + "|")
    for size, table in rates.items():
        print(f"| {size} + {size} | " + " | ".join(map(detected, table.T)) + " |")
    print("\nAudits that detect it, in percent; at an AUROC of .5 there is nothing to detect:\n")
    print("| images per set | AUROC | " + " | ".join(KINDS) + " |\n" + "|---" * (2 + len(KINDS)) + "|")
    for size, table in rates.items():
        for auroc, row in zip(AUROCS, table, strict=True):
            print(f"| {size} + {size} | {auroc:g} | " + " | ".join(f"{100 * rate:.0f}" for rate in row) + " |")


if __name__ == "__main__":
    main()
