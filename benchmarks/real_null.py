"""What an audit says where there is nothing to find: the demo target with images that it never saw.

    python benchmarks/real_null.py [--splits 40] [--folder runs/real-null]

1. Its 1100 held-out images are dealt at random into two halves, many times; each time one half is passed off as
   members. Wanted: finding "none", and a gate on chance level ('auroc>0.5') that fails in at most 5 % of the splits.
2. Held-out images were changed a little (5 % brighter; saved as JPEG of quality 90) and compared with held-out images
   as they are, and with the true members. Wanted: inconclusive, with the blind baseline as the reason.

Every image is encoded, inverted and attacked once; what is repeated is the evaluation, as `privaudit scan` runs it.
"""

from __future__ import annotations

import argparse
import platform
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance

from privaudit.attacks import make_plan
from privaudit.auditing.assess import Assessment, assess, split_images
from privaudit.auditing.audit_data import AuditData
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run_stages import measure
from privaudit.data import SampleSet, read_set
from privaudit.decoder_geometry import MASKS
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_target
from privaudit.model.target import Target
from privaudit.scorers import Methods, parse_methods

GATES = ("auroc>0.5", "tpr@10%fpr>0.1", "epsilon>0")


def brighter(path: Path, folder: Path) -> None:
    """Save an image 5 % brighter."""
    with Image.open(path) as image:
        ImageEnhance.Brightness(image.convert("RGB")).enhance(1.05).save(folder / path.name)


def as_jpeg(path: Path, folder: Path) -> None:
    """Save an image as JPEG, quality 90."""
    with Image.open(path) as image:
        image.convert("RGB").save(folder / f"{path.stem}.jpg", quality=90)


def edited(source: Path, folder: Path, edit: Callable[[Path, Path], None]) -> Path:
    """Edit every image of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        edit(path, folder)
    return folder


class Bench:
    """The target, and everything that was measured about images so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target: Target = load_target(ModelSource(str(TARGET), device="cpu", dtype="auto"))
        self.options = AuditOptions.parse(
            target=TARGET, members=folder, nonmembers=folder, out=folder / "run", device="cpu", fail_on=GATES
        )
        methods = parse_methods(())
        self.methods = Methods(tuple(attack.for_target(self.target) for attack in methods.attacks), methods.scorers)
        steps = make_plan(self.methods.attacks, self.target, MASKS).steps
        self.passes = {step.label: step.alone["forward"] for step in steps}

    def read(self, folder: Path) -> SampleSet:
        """Read images."""
        return read_set(folder, self.target.info.image_size)

    def assess(self, members: SampleSet, others: SampleSet) -> Assessment:
        """Measure both sets, or read what an earlier call left in the run folder, and judge."""
        data = AuditData(members, others)
        everyone = {sample.id: sample for sample in data.samples}
        samples = [everyone[key] for key in sorted(everyone)]
        found = measure(self.target, samples, self.methods, self.options, lambda stage, done, total: None)
        place = {sample.id: row for row, sample in enumerate(samples)}
        rows = np.array([place[sample.id] for sample in data.samples])
        split = split_images(data, self.methods, self.options)
        return assess(found.rows(rows), data, split, self.methods, self.options, self.target.schedule, self.passes)


def halves(part: SampleSet, seed: int) -> tuple[SampleSet, SampleSet]:
    """Deal images into two sets of equal size."""
    order = np.random.default_rng(seed).permutation(len(part))
    middle = len(part) // 2
    first, second = (
        SampleSet(tuple(part.samples[i] for i in sorted(rows))) for rows in (order[:middle], order[middle:])
    )
    return first, second


def best(found: Assessment) -> str:
    """The attack of largest unmasked AUROC."""
    report = max(found.attacks, key=lambda report: report.masks["none"].auroc.value)
    return f"{report.name} {report.masks['none'].auroc.value:.3f}"


def families(found: Assessment) -> str:
    """AUROC of each family of the blind baseline."""
    return ", ".join(f"{name} {area.value:.3f}" for name, area in found.blind.families.items())


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path("privaudit-runs/real-null"))
    chosen = parser.parse_args()
    images = unpack_demo_images(chosen.folder / "images")
    bench = Bench(chosen.folder)
    members, heldout = bench.read(images.members), bench.read(images.nonmembers)
    print(f"# A real null\n\nOn {platform.machine()}, CPU, torch {torch.__version__}, numpy {np.__version__}.\n")
    levels: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    blind = 0
    for seed in range(chosen.splits):
        found = bench.assess(*halves(heldout, seed))
        levels[found.verdict.finding.level] += 1
        statuses[found.verdict.status] += 1
        gates.update(gate.gate for gate in found.verdict.gates if gate.status == "fail")
        blind += found.checks[0].status != "ok"
    print(f"## Two halves of the {len(heldout)} held-out images, {chosen.splits} random splits\n")
    print("| outcome | splits |\n|---|---|")
    for name, counts in (("finding", levels), ("verdict with the gates below", statuses), ("failed gate", gates)):
        for value, count in counts.most_common():
            print(f"| {name}: {value} | {count} |")
    print(f"| blind baseline not ok | {blind} |\n\nGates: {', '.join(f'`{gate}`' for gate in GATES)}.\n")
    print("## Changed images\n")
    print(
        "| first set | second set | blind baseline | best attack | blind check | verdict |\n|---|---|---|---|---|---|"
    )
    for name, edit in (("5 % brighter", brighter), ("JPEG, quality 90", as_jpeg)):
        changed = bench.read(edited(images.nonmembers, chosen.folder / edit.__name__, edit))
        by_label = {sample.path.stem for sample in halves(heldout, 0)[0].samples}
        other = SampleSet(tuple(sample for sample in changed.samples if sample.path.stem not in by_label))
        for title, first, second in (
            ("held-out, as they are", halves(heldout, 0)[0], other),
            ("members", members, changed),
        ):
            found = bench.assess(first, second)
            cells = (families(found), best(found), found.checks[0].status, found.verdict.status)
            print(f"| {title} | held-out, {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
