"""Suspects of which the truth is known: how often they are found, and how often where there is nothing.

    privaudit demo --attack all
    python benchmarks/suspects.py --run privaudit-runs/demo > benchmarks/results/suspects.md

Reads the scores of a scan (its shards; what is missing there is computed), draws suspects from its members and
non-members, and hands them to `privaudit.evaluation.suspects.judge_suspects` with the rest of the non-members:

- the set test against the number of suspects and the share of members among them, the candidate chosen on the suspects
  themselves or on 500 other members;
- single images at a false discovery rate of 10 %: members that were flagged, and the share of flags that were wrong;
- suspects that are no members: how often each p-value is at most a level, and whether it is uniform; with the scores
  as they are, rounded to whole standard deviations, and in groups.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy
from scipy.stats import kstest

from privaudit.auditing.assess.score_candidates import candidates
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import choose_methods
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.evaluation.selection import Candidate
from privaudit.evaluation.suspects import SuspectFindings, judge_suspects
from privaudit.loading import load_target

PERMUTATIONS, KNOWN, NONMEMBERS, FDR = 999, 500, 800, 0.1
COUNTS = (5, 10, 20, 50, 100, 200)
SHARES = (1.0, 0.5, 0.2, 0.05, 0.0)
LEVELS = (0.01, 0.05, 0.1)


@dataclass(frozen=True)
class Scores:
    """Candidates of all images of a scan.

    Attributes:
        table: ``(n, c)``.
        names: Of the columns.
        is_member: ``(n,)``.
    """

    table: np.ndarray
    names: tuple[Candidate, ...]
    is_member: np.ndarray


@dataclass(frozen=True)
class Draw:
    """One judgement.

    Attributes:
        findings: Without known members.
        informed: With some.
        is_member: ``(suspects,)``, the truth.
    """

    findings: SuspectFindings
    informed: SuspectFindings | None
    is_member: np.ndarray


def stored_scores(run: Path) -> Scores:
    """Read a run folder the way that the same scan would if it were started again."""
    config = json.loads((run / "run.json").read_text())["config"]
    options = AuditOptions.parse(**config | {"out": run})
    target = load_target(options.model)
    data = read_sources(list_sources(options), options, target, lambda *_: None)
    methods, _ = choose_methods(options, target, [sample.caption for sample in data.samples])
    measured = measure(target, data.samples, methods, options, lambda *_: None)
    table, names = candidates(measured.tables, measured.references)
    return Scores(table, names, data.is_positive)


def draw(scores: Scores, count: int, share: float, generator: np.random.Generator, *, informed: bool = True) -> Draw:
    """Take suspects, of which a share are members, and judge them."""
    members, others = (generator.permutation(np.flatnonzero(kind)) for kind in (scores.is_member, ~scores.is_member))
    inside = round(share * count)
    rows = np.concatenate([members[:inside], others[: count - inside + NONMEMBERS]])
    known = scores.table[members[inside : inside + KNOWN]]

    def judged(known_members: np.ndarray | None = None) -> SuspectFindings:
        return judge_suspects(
            scores.table[rows],
            scores.names,
            [f"{row:06d}" for row in generator.permutation(len(rows))],
            np.arange(len(rows)) < count,
            permutations=PERMUTATIONS,
            repeats=0,
            seed=int(generator.integers(2**31)),
            known_members=known_members,
        )

    return Draw(judged(), judged(known) if informed else None, np.arange(count) < inside)


def power(scores: Scores, repeats: int, generator: np.random.Generator) -> list[str]:
    """Two tables: the set, the images."""
    cases = [(count, 1.0) for count in COUNTS] + [(100, share) for share in SHARES[1:]]
    sets = [
        f"Set test: share of {repeats} draws with p <= 5 % (and median p). `whole` is what the report calls evidence.",
        "",
        f"| suspects | members among them | whole | out of fold | with {KNOWN} known members |",
        "|---|---|---|---|---|",
    ]
    images = [
        f"Images at a false discovery rate of {FDR:.0%}: share of the members that were flagged, share of the flags "
        "that were wrong, with the 95 % interval of its mean (0 where nothing was flagged).",
        "",
        f"| suspects | members among them | flagged | wrong | flagged, {KNOWN} known | wrong, {KNOWN} known |",
        "|---|---|---|---|---|---|",
    ]
    for count, share in cases:
        draws = [draw(scores, count, share, generator) for _ in range(repeats)]
        p_values = (
            [found.findings.report.set_p for found in draws],
            [found.findings.report.out_of_fold_p for found in draws],
            [found.informed.report.set_p for found in draws if found.informed],
        )
        cells = [f"{np.mean(np.array(p) <= 0.05):.2f} ({np.median(p):.3g})" for p in p_values]
        sets.append(f"| {count} | {share:.0%} | " + " | ".join(cells) + " |")
        pairs = [[(found.findings.q, found.is_member) for found in draws]]
        pairs.append([(found.informed.q, found.is_member) for found in draws if found.informed])
        images.append(
            f"| {count} | {share:.0%} | " + " | ".join(cell for kind in pairs for cell in _flags(kind)) + " |"
        )
    return [*sets, "", *images]


def _flags(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[str, str]:
    hit = [(q <= FDR)[member].mean() for q, member in pairs if member.any()]
    wrong = [(q <= FDR)[~member].sum() / max(1, (q <= FDR).sum()) for q, member in pairs]
    half = 1.96 * np.std(wrong) / np.sqrt(len(wrong))
    rate = f"{np.mean(wrong):.3f} [{max(0.0, np.mean(wrong) - half):.3f}, {np.mean(wrong) + half:.3f}]"
    return f"{np.mean(hit):.2f}" if hit else "", rate


def null(scores: Scores, repeats: int, generator: np.random.Generator) -> list[str]:
    """Suspects that are no members: 40 of 240 images, or of 240 groups of one to four."""
    outside = scores.table[~scores.is_member]
    spread = outside.std(axis=0)

    def some(count: int) -> np.ndarray:
        return outside[generator.permutation(len(outside))[:count]]

    def rounded() -> tuple[np.ndarray, list[str] | None]:
        return np.round(some(240) / spread), None

    def grouped() -> tuple[np.ndarray, list[str] | None]:
        sizes = generator.integers(1, 5, size=240)
        centres = np.repeat(some(240), sizes, axis=0)
        return centres + 0.3 * spread * generator.normal(size=centres.shape), [
            f"g{i:03d}" for i in np.repeat(np.arange(240), sizes)
        ]

    kinds: dict[str, Callable[[], tuple[np.ndarray, list[str] | None]]] = {
        "as they are": lambda: (some(240), None),
        "rounded": rounded,
        "groups": grouped,
    }
    lines = [
        f"Suspects that are no members, {repeats} draws: share of p-values at most a level, with its exact 95 % "
        "interval; p of Kolmogorov and Smirnov's test of uniformity (steps smoothed; ties make the p-value of an image "
        "too large, never too small).",
        "",
        "| scores | p-value | " + " | ".join(f"{level:.0%}" for level in LEVELS) + " | uniform |",
        "|---|---|" + "---|" * (len(LEVELS) + 1),
    ]
    for kind, make in kinds.items():
        found: dict[str, list[float]] = {"set, whole": [], "set, out of fold": [], "Welch": [], "one image": []}
        flags = []
        for _ in range(repeats):
            table, groups = make()
            is_suspect = np.arange(len(table)) < 40
            if groups is not None:
                is_suspect = np.array(groups) < "g040"
            judged = _judged(table, scores.names, is_suspect, groups, generator)
            report = judged.report
            found["set, whole"].append(report.set_p)
            found["set, out of fold"].append(report.out_of_fold_p)
            found["Welch"].append(report.welch_p)
            found["one image"].append(judged.p[0])
            flags.append(float((judged.q <= FDR).any()))
        for name, values in found.items():
            steps = {"Welch": 0.0, "one image": 1 / 201}.get(name, 1 / (PERMUTATIONS + 1))
            smooth = np.array(values) - steps * generator.random(repeats)
            cells = [_share(int((np.array(values) <= level + 1e-12).sum()), repeats) for level in LEVELS]
            lines.append(f"| {kind} | {name} | " + " | ".join(cells) + f" | {kstest(smooth, 'uniform').pvalue:.2g} |")
        lines.append(f"| {kind} | any image flagged at {FDR:.0%} | | | {_share(int(sum(flags)), repeats)} | |")
    return lines


def _judged(
    table: np.ndarray,
    names: tuple[Candidate, ...],
    is_suspect: np.ndarray,
    groups: list[str] | None,
    generator: np.random.Generator,
) -> SuspectFindings:
    return judge_suspects(
        table,
        names,
        [f"{row:06d}" for row in generator.permutation(len(table))],
        is_suspect,
        groups=groups,
        permutations=PERMUTATIONS,
        repeats=0,
        seed=int(generator.integers(2**31)),
    )


def _share(k: int, n: int) -> str:
    low, high = (float(clopper_pearson(k, n, 0.025, side)) for side in ("lower", "upper"))
    return f"{k / n:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("privaudit-runs/demo"), help="folder of a scan")
    parser.add_argument("--repeats", type=int, default=100, help="draws of each case with members")
    parser.add_argument("--null-repeats", type=int, default=1000, help="draws of each case without")
    chosen = parser.parse_args()
    scores, generator = stored_scores(chosen.run), np.random.default_rng(0)
    print(
        f"{len(scores.names)} scores and their mean; {int(scores.is_member.sum())} members and "
        f"{int((~scores.is_member).sum())} non-members to draw from, {NONMEMBERS} non-members in each draw; numpy "
        f"{np.__version__}, SciPy {scipy.__version__}, Python {platform.python_version()}, {platform.machine()}.\n"
    )
    for part in (
        power(scores, chosen.repeats, generator),
        null(scores, chosen.null_repeats, generator),
    ):
        print("\n".join(part), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
