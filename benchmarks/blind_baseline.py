"""What the blind baseline finds where the sets differ, and how often it finds something where they do not.

    OMP_NUM_THREADS=1 python benchmarks/blind_baseline.py [--out FILE] [--quick]

The demo's images: members against non-members; non-members in two random halves; the same with one half edited and
stored as PNG, so that the format tells nothing. Beside each family's AUROC stands the outcome of the check when an
attack has a real AUROC of .96 on the same images. Then the share of null draws that are called different: random halves
of the non-members, and images, files and captions made up at random.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri
from scipy.stats import beta

from privaudit.data import ImageFileInfo, Sample, load_images, read_set
from privaudit.evaluation import Check, Evaluation, assign_folds, blind_check, evaluate
from privaudit.evaluation.blind import (
    blind_scores,
    compression_traces,
    family_scores,
    file_features,
    image_features,
)
from privaudit.evaluation.checks import BLIND
from privaudit.evaluation.finding import Pair
from privaudit.lab.demo_target import unpack_demo_images

SIZE = (32, 32)
FAMILIES = ("pixels", "compression", "files", "captions")
ATTACK: Pair = ("attack", "none")
LEAK = 0.96
"""AUROC of the attack that is set against the baseline."""
HALVES, NULLS, SETS = 20, 200, 100
"""Splits of the demo's non-members, random null draws, and images a set in each of these."""

Edit = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class Known:
    """What is known of images without any model.

    Attributes:
        ids: Of the images.
        tables: Features by family.
        captions: None where there is none.
    """

    ids: Sequence[str]
    tables: Mapping[str, NDArray[np.float64]]
    captions: Sequence[str | None]

    def of(self, rows: NDArray[np.int64]) -> Known:
        """Some of the images."""
        tables = {name: table[rows] for name, table in self.tables.items()}
        return Known([self.ids[i] for i in rows], tables, [self.captions[i] for i in rows])


def look(samples: Sequence[Sample], captions: Sequence[str | None]) -> Known:
    """Read what is known of samples."""
    images = load_images(samples, SIZE)
    tables = {
        "pixels": image_features(images),
        "compression": compression_traces(images),
        "files": file_features([sample.file for sample in samples]),
    }
    return Known([sample.id for sample in samples], tables, captions)


def judge(known: Known, member: NDArray[np.bool_], leak: float, seed: int = 0) -> tuple[Evaluation[Pair], Check]:
    """Run the baseline and its check beside an attack with a given AUROC."""
    folds = assign_folds(known.ids, member, seed=seed)
    found = family_scores(known.tables, known.captions, member, folds, seed)
    blind: dict[Pair, NDArray[np.float64]] = {(BLIND, family): scores for family, scores in found.items()}
    scores = np.random.default_rng(seed).normal(size=member.size) + np.sqrt(2.0) * ndtri(leak) * member
    evaluation = evaluate({**blind, ATTACK: scores}, member, folds, replicates=500, seed=seed, learned=list(blind))
    return evaluation, blind_check(evaluation, list(blind), [ATTACK])


def row(title: str, known: Known, member: NDArray[np.bool_]) -> str:
    """A line of the table."""
    evaluation, check = judge(known, member, LEAK)
    cells = []
    for family in FAMILIES:
        metrics = evaluation.metrics.get((BLIND, family))
        area = None if metrics is None else metrics.auroc
        cells.append("" if area is None else f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}]")
    return f"| {title} | " + " | ".join(cells) + f" | {check.status} |"


def jpeg(image: Image.Image) -> Image.Image:
    """Re-save with quality 90."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return Image.open(buffer).convert("RGB")


EDITS: Mapping[str, Edit] = {
    "one half 5 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
    "one half re-saved as JPEG, quality 90": jpeg,
    "one half enlarged to 36 pixels, loaded at 32": lambda image: image.resize((36, 36), Image.Resampling.LANCZOS),
}


def edited(samples: Sequence[Sample], which: NDArray[np.bool_], edit: Edit, folder: Path) -> list[Sample]:
    """Write samples as PNG files, some of them edited, and read them again, in their order."""
    for position, (sample, chosen) in enumerate(zip(samples, which, strict=True)):
        with Image.open(sample.path) as opened:
            image = opened.convert("RGB")
        (edit(image) if chosen else image).save(folder / f"{position:05d}.png", compress_level=1)
    found = read_set(folder, SIZE)
    if len(found) != len(samples):
        raise RuntimeError(f"editing made copies: {len(samples)} images became {len(found)}")
    return list(found.samples)


def caption(sample: Sample) -> str:
    """Made of the photograph's name and the place of the crop."""
    source, line, column = sample.path.stem.rsplit("-", 2)
    return f"part of {source}, {'upper' if int(line) < 6 else 'lower'} {'left' if int(column) < 8 else 'right'}"


def share(called: int, draws: int) -> str:
    """A share with its Clopper-Pearson interval."""
    low = 0.0 if called == 0 else beta.ppf(0.025, called, draws - called + 1)
    high = 1.0 if called == draws else beta.ppf(0.975, called + 1, draws - called)
    return f"{called} of {draws} ({called / draws:.1%} [{low:.1%}, {high:.1%}])"


def made_up(generator: np.random.Generator) -> Known:
    """Smooth noise, files of two formats and captions of random words."""
    count = 2 * SETS
    noise = gaussian_filter(generator.normal(size=(count, 3, 16, 16)), (0, 0, 1.5, 1.5))
    images = np.clip(np.round(60 * noise / noise.std() + 127), 0, 255).astype(np.float32) / 127.5 - 1
    formats, sizes = generator.choice(["PNG", "JPEG"], count), generator.integers(500, 3000, count)
    files = [ImageFileInfo(str(f), 16, 16, int(b), "RGB") for f, b in zip(formats, sizes, strict=True)]
    words = [f"word{i}" for i in range(200)]
    captions = [" ".join(generator.choice(words, 8)) for _ in range(count)]
    tables = {
        "pixels": image_features(images),
        "compression": compression_traces(images),
        "files": file_features(files),
    }
    return Known([str(generator.integers(1 << 62)) for _ in range(count)], tables, captions)


def cost(known: Known, samples: Sequence[Sample], member: NDArray[np.bool_]) -> str:
    """Time of all families over that of pixel statistics alone, and of one large image."""
    images = load_images(samples, SIZE)
    folds = assign_folds(known.ids, member)

    def seconds(work: Callable[[], object]) -> float:
        times = []
        for _ in range(3):
            started = time.process_time()  # of the processor: others may use the machine
            work()
            times.append(time.process_time() - started)
        return min(times)

    alone = seconds(lambda: blind_scores(image_features(images), member, folds))

    def families() -> object:
        tables = {**known.tables, "pixels": image_features(images), "compression": compression_traces(images)}
        return family_scores(tables, [None] * member.size, member, folds)

    large = np.random.default_rng(0).uniform(-1, 1, (1, 3, 512, 512)).astype(np.float32)
    features = seconds(lambda: (image_features(large), compression_traces(large)))
    return (
        f"{member.size} images without captions: all families take {seconds(families) / alone:.1f} times as long as "
        f"pixel statistics alone ({alone:.1f} s). "
        f"Statistics and traces of one image of 512x512: {1000 * features:.0f} ms."
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="300 images a set, 3 splits, 10 null draws")
    options = parser.parse_args()
    splits, nulls, most = (3, 10, 300) if options.quick else (HALVES, NULLS, None)
    lines = [
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}.",
        "",
        "| sets | " + " | ".join(FAMILIES) + f" | check beside an attack of AUROC {LEAK} |",
        "|---|" + "---|" * (len(FAMILIES) + 1),
    ]
    with tempfile.TemporaryDirectory() as folder:
        places = unpack_demo_images(Path(folder) / "demo")
        members, heldout = (list(read_set(p, SIZE).samples[:most]) for p in (places.members, places.nonmembers))
        plain: list[str | None] = [None] * len(heldout)
        both = look(members + heldout, [None] * len(members) + plain)
        sets = np.arange(len(both.ids)) < len(members)
        held = look(heldout, plain)
        half = np.random.default_rng(0).permutation(len(heldout)) < len(heldout) // 2
        lines += [row("demo: members, non-members", both, sets), row("halves of the non-members", held, half)]
        for number, (title, edit) in enumerate(EDITS.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            lines.append(row(title, look(edited(heldout, half, edit, place), plain), half))
        captions: list[str | None] = [caption(sample) for sample in heldout]
        prefixed = np.random.default_rng(1).random(len(heldout)) < 0.3
        differing = [f"detail: {c}" if h and p else c for c, h, p in zip(captions, half, prefixed, strict=True)]
        lines.append(row("halves with captions alike", replace(held, captions=captions), half))
        lines.append(row("3 of 10 captions of one half begin otherwise", replace(held, captions=differing), half))
        lines += ["", cost(both, members + heldout, sets)]
        called = sum(
            judge(held, np.random.default_rng(seed).permutation(len(heldout)) < len(heldout) // 2, 0.5, seed)[1].status
            != "ok"
            for seed in range(splits)
        )
    lines += ["", f"Random halves of the non-members that are called different: {share(called, splits)}."]
    generator = np.random.default_rng(0)
    called = sum(judge(made_up(generator), np.arange(2 * SETS) < SETS, 0.5, n)[1].status != "ok" for n in range(nulls))
    lines.append(f"Two sets of {SETS} images, files and captions made up at random: {share(called, nulls)}.")
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
