"""Scan the demo's model with image sets that are wrong in one way each, and list what the scan says.

    python benchmarks/wrong_sets.py --work FOLDER [--out FILE]

The sets are a quarter of the demo's: 275 members and 275 held-out images. FOLDER keeps images and scans, so that the
same command resumes. No wrong set may end in "no leak".
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import privaudit
from privaudit.evaluation import Check, Fact
from privaudit.evaluation.doubts import DOUBTS
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.report.sentences.fact_text import fact_text
from privaudit.results.audit_result import AuditResult

COUNT = 275
Make = Callable[[Path, Path, Path], None]
"""Writes a set from the folders of the demo's members and held-out images, and its own folder."""
ATTACKS = ("sima:levels=100", "combined")


@dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        name: The mistake in words.
        members: Makes the folder of members from that of the demo's members and held-out images.
        nonmembers: Makes the folder of non-members.
        options: Options of the scan.
    """

    name: str
    members: Make
    nonmembers: Make
    options: Mapping[str, object]


def chosen(folder: Path, start: int = 0, count: int = COUNT) -> list[Path]:
    """List some images of a folder in an order of their own: neighbours in a photograph would tell the sets apart."""
    ordered = sorted(folder.iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    return ordered[start : start + count]


def copied(which: str, change: Callable[[Image.Image, int], Image.Image] | None = None, count: int = COUNT) -> Make:
    """Make a function that saves images of ``members`` or ``nonmembers``, changed if wanted."""

    def make(members: Path, nonmembers: Path, out: Path) -> None:
        paths = chosen(members if which == "members" else nonmembers, count=count)
        for number, path in enumerate(paths):
            if change is None:
                shutil.copy(path, out / f"{which}-{path.name}")
            else:
                with Image.open(path) as image:
                    change(image.convert("RGB"), number).save(out / f"{which}-{path.stem}.png")

    return make


def tagged(which: str) -> Make:
    """Save images with the orientation tag 6; the stored pixels are those of the training."""
    exif = Image.Exif()
    exif[0x0112] = 6

    def make(members: Path, nonmembers: Path, out: Path) -> None:
        for path in chosen(members if which == "members" else nonmembers):
            with Image.open(path) as image:
                image.save(out / f"{path.stem}.png", exif=exif.tobytes())

    return make


def widened(which: str) -> Make:
    """Save images with other pixels at their right, which the training did not see."""

    def change(image: Image.Image, number: int) -> Image.Image:
        pixels = np.asarray(image)
        noise = np.random.default_rng(number).integers(0, 256, pixels.shape, dtype=np.uint8)
        return Image.fromarray(np.concatenate([pixels, noise], axis=1))

    return copied(which, change)


def veiled(which: str) -> Make:
    """Save images whose left half is transparent, over the colours of the training."""

    def make(members: Path, nonmembers: Path, out: Path) -> None:
        for path in chosen(members if which == "members" else nonmembers):
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGBA")).copy()
            pixels[:, : pixels.shape[1] // 2, 3] = 0
            Image.fromarray(pixels).save(out / f"{path.stem}.png")

    return make


def half_trained(members: Path, nonmembers: Path, out: Path) -> None:
    """Save held-out images and, as the other half, further images of the training."""
    for path in [*chosen(nonmembers, count=COUNT // 2), *chosen(members, COUNT, COUNT - COUNT // 2)]:
        shutil.copy(path, out / f"{path.parent.name}-{path.name}")


def encoded_copies(count: int) -> Make:
    """Save members again as JPEG, and held-out images as JPEG for the rest."""

    def make(members: Path, nonmembers: Path, out: Path) -> None:
        for path in [*chosen(members, count=count), *chosen(nonmembers, count=COUNT - count)]:
            with Image.open(path) as image:
                image.convert("RGB").save(out / f"{path.parent.name}-{path.stem}.jpg", quality=95, subsampling=0)

    return make


def resized(image: Image.Image, number: int) -> Image.Image:
    """Resize an image once more: to one and a half times its size, and back."""
    del number
    larger = image.resize((image.width * 3 // 2, image.height * 3 // 2), Image.Resampling.LANCZOS)
    return larger.resize(image.size, Image.Resampling.LANCZOS)


MEMBERS, OTHERS = copied("members"), copied("nonmembers")
CASES = (
    Case("nothing: the right sets", MEMBERS, OTHERS, {}),
    Case("the sets exchanged", OTHERS, MEMBERS, {}),
    Case("the sets exchanged, SimA alone", OTHERS, MEMBERS, {"attacks": ATTACKS[:1]}),
    Case("orientation tag 6, pixels stored as trained", tagged("members"), tagged("nonmembers"), {}),
    Case("the same with --orientation stored", tagged("members"), tagged("nonmembers"), {"orientation": "stored"}),
    Case("left half of each image transparent", veiled("members"), veiled("nonmembers"), {"transparency": "auto"}),
    Case("the same with --transparency white", veiled("members"), veiled("nonmembers"), {"transparency": "white"}),
    Case("noise at the right of each image", widened("members"), widened("nonmembers"), {}),
    Case("half of the non-members trained on", MEMBERS, half_trained, {}),
    Case("the non-members resized once more", MEMBERS, copied("nonmembers", resized), {}),
    Case("the members resized once more", copied("members", resized), OTHERS, {}),
    Case("both sets resized once more", copied("members", resized), copied("nonmembers", resized), {}),
    Case("non-members: the members as JPEG", MEMBERS, encoded_copies(COUNT), {}),
    Case("a fifth of the non-members: members as JPEG", MEMBERS, encoded_copies(COUNT // 5), {}),
)


def scan(case: Case, number: int, images: tuple[Path, Path], work: Path) -> AuditResult:
    """Make the sets of a case and scan them; a finished scan is read."""
    folder = work / f"{number:02d}"
    report = folder / "run" / "report.json"
    if not report.exists():
        for name, make in (("members", case.members), ("nonmembers", case.nonmembers)):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
            make(*images, folder / name)
        options = {"attacks": ATTACKS, "device": "cpu", **case.options}
        privaudit.audit(TARGET, folder / "members", folder / "nonmembers", folder / "run", **options)
    return AuditResult.load(folder / "run")


def row(case: Case, result: AuditResult) -> str:
    """Write a line of the table."""
    areas = {report.name.split(":")[0]: report.masks["none"].auroc for report in result.attacks}
    cells = [f"{area.value:.3f} [{area.lo:.3f}, {area.hi:.3f}]" for area in areas.values()]
    if len(cells) < len(ATTACKS):
        cells.append("–")
    noticed = [check for check in result.checks if check.status != "ok"]
    why = "; ".join(f"{check.name} ({check.status}): {fact_text(_decisive(check))}" for check in noticed)
    return f"| {case.name} | {' | '.join(cells)} | {result.verdict.finding.level} | {why or '–'} |"


def _decisive(check: Check) -> Fact:
    """The fact of a check that rules out an all-clear, or its first one."""
    return next((item for item in check.facts if item.code in DOUBTS), check.facts[0])


def main() -> None:
    """Scan every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    unpacked = unpack_demo_images(arguments.work / "images")
    images = (unpacked.members, unpacked.nonmembers)
    lines = [
        "# Image sets that are wrong in one way each",
        "",
        "`python benchmarks/wrong_sets.py --work FOLDER`, on "
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, Pillow "
        f"{version('pillow')}.",
        f"The demo's model, {COUNT} members and {COUNT} held-out images, {' and '.join(ATTACKS)}, without a mask.",
        "",
        "| what is wrong | SimA | combined | finding | checks that warn or fail |",
        "|---|---|---|---|---|",
    ]
    for number, case in enumerate(CASES):
        lines.append(row(case, scan(case, number, images, arguments.work)))
        print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
