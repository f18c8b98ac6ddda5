"""A real training with canaries, from the draw to the audit, and the same audit of a model that saw none of them.

    python benchmarks/canary_training.py --out canary-run > benchmarks/results/canary_training.md

Candidates are 600 photographs that the demo target's autoencoder and denoiser never saw. `privaudit canaries make`
tosses their coins, a denoiser of the lab's default recipe is trained on train.csv alone with that autoencoder, and
`privaudit scan --canaries` audits it. The demo target, trained on other photographs, is audited with the same canaries:
a real null. Its scores are then audited again with fresh coins, as often as asked for.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import platform
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kstest

from privaudit.auditing.assess.score_candidates import candidates
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import choose_methods, run_audit
from privaudit.auditing.run_stages import measure
from privaudit.auditing.sources import list_sources, read_sources
from privaudit.canaries import draw_canaries, verify_canaries
from privaudit.data import load_images, read_entries
from privaudit.evaluation.canary_audit import audit_canaries
from privaudit.evaluation.intervals import clopper_pearson
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.lab.family import save_pipeline
from privaudit.lab.recipe import LabRecipe
from privaudit.lab.train_denoiser import train_denoiser
from privaudit.lab.training_phase import Phase
from privaudit.lab.unconditional import build_unconditional
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.report.sentences.names import candidate_text
from privaudit.results.audit_result import AuditResult

CANDIDATES, STEPS, SEED, SIZE = 600, 1200, 0, (32, 32)
LEVELS = (0.01, 0.05, 0.1)


def write_candidates(out: Path) -> Path:
    """Name photographs that the demo target never saw, chosen by a hash of their names, in a manifest."""
    files = unpack_demo_images(out / "images").nonmembers.glob("*.png")
    chosen = sorted(files, key=lambda path: hashlib.sha256(f"{SEED} {path.name}".encode()).hexdigest())[:CANDIDATES]
    manifest = out / "candidates.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows([["path"], *([str(path.resolve())] for path in chosen)])
    return manifest


def train(folder: Path, out: Path, steps: int) -> None:
    """Train on the included canaries and nothing else; the same call again resumes."""
    recipe = LabRecipe(seed=SEED, denoiser_steps=steps)
    autoencoder = load_autoencoder(ModelSource(TARGET, device="cpu")).module
    family = build_unconditional(recipe)
    included = read_entries(verify_canaries(folder).included, SIZE, str(folder))
    pixels = torch.from_numpy(load_images(included.samples, SIZE))

    def on_step(stage: str, step: int, total: int, loss: float) -> None:
        if step % 100 == 0:
            print(f"{stage} {step} of {total}, loss {loss:.3f}", file=sys.stderr, flush=True)

    stage = Phase("denoiser", out / "training", SEED)
    network = train_denoiser(pixels, autoencoder, family, recipe, stage, on_step)
    save_pipeline(family.pipeline(network, autoencoder), out)


def scan(target: Path, folder: Path, out: Path) -> AuditResult:
    """Audit with the default attacks, as `privaudit scan TARGET --canaries FOLDER` does."""
    return run_audit(AuditOptions(str(target), None, None, canaries=folder, out=out))


def row(name: str, result: AuditResult) -> str:
    """Say what one target's canaries show, beside the usual metrics of its first attack."""
    found, first = result.canaries, result.attacks[0]
    metrics = first.masks["none"]
    area = metrics.auroc
    return (
        f"| {name} | {found.audited} ({found.included} in) | "
        f"{candidate_text(found.chosen)} of {len(found.search_space)} | "
        f"{found.guesses_in} in, {found.guesses_out} out | {found.correct} of {found.guesses} | "
        f"{found.epsilon_lower:.2f} | {found.epsilon_most:.2f} | {found.p:.2g} | "
        f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}] | {metrics.epsilon_lower.value:.2f} |"
    )


def fresh_coins(folder: Path, out: Path, repeats: int) -> str:
    """Audit the demo target's scores with other coins than those that were tossed."""
    options = AuditOptions(str(TARGET), None, None, canaries=folder, out=out)
    target = load_target(ModelSource(options.target, device=options.device, dtype=options.dtype))
    data = read_sources(list_sources(options), options, target, lambda *_: None)
    methods, _ = choose_methods(options, target, [sample.caption for sample in data.samples])
    measured = measure(target, data.samples, methods, options, lambda *_: None)
    table, names = candidates(measured.tables, measured.references)
    ids, generator, reports = [sample.id for sample in data.samples], np.random.default_rng(SEED), []
    for _ in range(repeats):
        coins = generator.random(len(ids)) < 0.5
        reports.append(audit_canaries(table, names, coins, ids, draws=999, seed=int(generator.integers(2**31))))
    p = np.array([report.p for report in reports])
    parts = [f"p <= {100 * level:g} % in {share(int((p <= level).sum()), repeats)}" for level in LEVELS]
    above = share(sum(report.epsilon_lower > 0 for report in reports), repeats)
    return (
        f"The demo target's scores ({len(names)} columns) with fresh coins, {repeats} times: {', '.join(parts)}; "
        f"uniform with a Kolmogorov-Smirnov p of {kstest(p, 'uniform').pvalue:.2f}; a bound above 0 in {above}."
    )


def share(k: int, n: int) -> str:
    """Share with its 95 % interval."""
    low, high = (float(clopper_pearson(k, n, 0.025, side)) for side in ("lower", "upper"))
    return f"{100 * k / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Draw, train, scan, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--repeats", type=int, default=500)
    chosen = parser.parse_args()
    out: Path = chosen.out
    out.mkdir(parents=True, exist_ok=True)
    folder, target = out / "canaries", out / "target"
    if not folder.exists():
        draw_canaries(write_candidates(out), folder, seed=SEED)
    drawn = verify_canaries(folder)
    train(folder, target, chosen.steps)
    print(
        f"{CANDIDATES} candidates, {len(drawn)} canaries after near-duplicates, {len(drawn.included)} included; "
        f"{chosen.steps} steps. Last two columns: the first attack's metrics with included canaries as members.\n\n"
        "| target | audited | chosen | guesses | right | epsilon >= | had all been right | p | AUROC | cross-fitted "
        "epsilon >= |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    print(row("trained on the included canaries", scan(target, folder, out / "run")))
    print(row("demo target, trained on none of them", scan(TARGET, folder, out / "run-demo")))
    print("\n" + fresh_coins(folder, out / "run-demo", chosen.repeats))
    versions = f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}"
    print(f"\n{versions}.")


if __name__ == "__main__":
    main()
