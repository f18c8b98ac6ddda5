"""Editing part of an image while the rest stays what it was.

    python examples/background_edit.py [--images 48] [--level 0.6] [--solvers SPEC ...] [--out FOLDER]

Blended latent diffusion (Avrahami et al. 2023, arXiv:2206.02779): the latent of an image is noised and denoised again
by DDIM, and at each level everything outside a mask is put back from the latent of the original. The background of
the result is then what the decoder makes of that latent, so it is as good as the inverse of the decoder is; the
encoder is none (so Hong et al. 2024, arXiv:2409.18442, edit with inverted latents). Runs on the model that ships with
privaudit, or on --target, with images of its own, whose latents are known, and with photographs that it has never seen.

Background: everything but the masked square of latent cells and a margin of one cell around its image area. That
does not make it independent of the edit: attention and group normalisation in the decoder join all cells. The row
"true latent" has no other error. NMSE = ||x_edit - x||^2 / ||x||^2 over the background, in dB, mean over images; "no
edit" is that of the decoded latent itself; "inside" is the same over the square: the edit.

With --out, writes background_edit.md and background_edit.png: the images of either kind whose edits are largest, each
followed by its edits with the latents of each solver, and their error maps, five times the absolute difference.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from privaudit.data import load_images, read_set
from privaudit.errors import ConfigError
from privaudit.inversion import invert
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_target
from privaudit.model.ddim import CLEAN, ddim_levels, ddim_sample, ddim_step
from privaudit.model.noise import normal_for
from privaudit.model.target import Target

SOLVERS = (
    "encoder",
    "adam:evaluations=50",
    "anderson:evaluations=20:tolerance=0.001",
    "pixel-mixing:evaluations=20:tolerance=0.001",
    "gradient:evaluations=50",
)
TRUTH = "true latent"
SHOWN = 4
ENLARGED = 3
ERROR_SCALE = 5


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        images: Of each kind.
        level: Where the edit starts, as a share of the schedule: 1 is pure noise.
        side: Of the edited square, as a share of the latent's.
        steps: Of DDIM over the whole schedule.
        solvers: From image to latent; the first is what the others are compared with.
        target: Folder of the model.
        photographs: Folder of photographs; those that the shipped model has not seen by default.
        device: ``cpu`` or ``cuda``.
        seed: Of all noise.
    """

    images: int = 48
    level: float = 0.6
    side: float = 0.5
    steps: int = 50
    solvers: tuple[str, ...] = SOLVERS
    target: Path = TARGET
    photographs: Path | None = None
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """Images to edit.

    Attributes:
        name: What they are.
        images: ``(n, 3, h, w)``, as an image file has them.
        truth: ``(n, *latent)``: what they were decoded from, if that is known.
    """

    name: str
    images: Tensor
    truth: Tensor | None = None


@dataclass(frozen=True)
class Regions:
    """What is edited, and what should not change.

    Attributes:
        cells: ``(h, w)`` of the latent, bool: edited.
        inside: ``(H, W)`` of the image, bool: the area of these cells.
        background: ``(H, W)``, bool: all but that area and a margin of one cell.
    """

    cells: Tensor
    inside: Tensor
    background: Tensor


@dataclass(frozen=True)
class Outcome:
    """What an edit with one solver's latents gave; one value an image, NMSE in dB.

    Attributes:
        name: The solver's specification, or `TRUTH`.
        edited: ``(n, 3, h, w)``, as a file keeps them.
        decoded: The same without an edit: what the decoder makes of the latents.
        background: Error of the background.
        unedited: Error of the background if the latent is decoded as it is.
        inside: Change of the edited area.
    """

    name: str
    edited: Tensor
    decoded: Tensor
    background: tuple[float, ...]
    unedited: tuple[float, ...]
    inside: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """Background of one solver less that of another, on the same images.

    Attributes:
        names: The two.
        mean: In dB; negative if the first has the lower error.
        interval: 95 %, by a bootstrap over images.
        share: Of the images where the first has the lower error.
    """

    names: tuple[str, str]
    mean: float
    interval: tuple[float, float]
    share: float


@dataclass(frozen=True)
class Study:
    """Everything found for one scene."""

    scene: Scene
    regions: Regions
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]


def centred_square(latent_size: tuple[int, int], image_size: tuple[int, int], side: float) -> Regions:
    """Mark a square of latent cells in the middle.

    Args:
        latent_size: ``(h, w)``.
        image_size: ``(H, W)``, a multiple of it.
        side: Of the square, as a share of the latent's.

    Returns:
        The square, its area in the image, and the background.

    Raises:
        ConfigError: The square or the background is empty.
    """
    (height, width), (top, left) = latent_size, [round(n * (1 - side) / 2) for n in latent_size]
    if not (2 <= 2 * top < height and 2 <= 2 * left < width) or (top, left) == (1, 1):
        raise ConfigError([f"expected a square with more than one cell around it, got side {side} of {latent_size}"])

    def cells(margin: int) -> Tensor:
        mask = torch.zeros(latent_size, dtype=torch.bool)
        mask[top - margin : height - top + margin, left - margin : width - left + margin] = True
        return mask

    factors = [image // latent for image, latent in zip(image_size, latent_size, strict=True)]

    def pixels(mask: Tensor) -> Tensor:
        return mask.repeat_interleave(factors[0], dim=0).repeat_interleave(factors[1], dim=1)

    return Regions(cells(0), pixels(cells(0)), ~pixels(cells(1)))


def as_8_bit(images: Tensor) -> Tensor:
    """What a PNG file keeps of images in [-1, 1]."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def blended_edit(target: Target, latents: Tensor, cells: Tensor, noise: Tensor, level: float, steps: int) -> Tensor:
    """Noise latents, denoise them, and put everything outside a mask back at every level.

    z_b <- m z_b + (1 - m) (alpha_b z + sigma_b noise) after each DDIM step from a to b; z itself at the end.

    Args:
        target: The model.
        latents: z, of the originals, ``(n, *latent)``.
        cells: m, ``(h, w)``, bool.
        noise: Standard normal, like ``latents``.
        level: Where to start, as a share of the schedule.
        steps: Of DDIM over the whole schedule.

    Returns:
        Latents, equal to z outside the mask.
    """
    noise, cells = noise.to(latents.device), cells.to(latents.device)

    def noised(at: int) -> Tensor:
        alpha, sigma = (1.0, 0.0) if at == CLEAN else target.alpha_sigma(at)
        return alpha * latents + sigma * noise

    highest = level * (target.schedule.last + 1)
    levels = [at for at in ddim_levels(target, steps) if at < highest]
    edited = noised(levels[0])
    with torch.no_grad():
        for start, stop in pairwise(levels):
            edited = torch.where(cells, ddim_step(target, edited, start, stop), noised(stop))
    return edited


def nmse(images: Tensor, originals: Tensor, where: Tensor) -> Tensor:
    """||y - x||^2 / ||x||^2 over a part of each image, ``(n,)``, in dB."""
    parts = [value[..., where].double().flatten(1) for value in (images - originals, originals)]
    return 10 * torch.log10(parts[0].square().sum(dim=1) / parts[1].square().sum(dim=1))


def find_latents(target: Target, images: Tensor, solver: str) -> Tensor:
    """Map images that were clipped, as files are, to latents; ``encoder`` is the encoder and nothing else."""
    if solver == "encoder":
        with torch.no_grad():
            return target.encode(images)
    return invert(target, images, solver, clip=True).latents


def compare(first: Outcome, second: Outcome, seed: int, replicates: int = 10_000) -> Difference:
    """Compare two backgrounds image by image.

    Args:
        first: One.
        second: The other, of the same images.
        seed: Of the bootstrap.
        replicates: Of the bootstrap.

    Returns:
        Mean difference with its percentile interval.
    """
    gaps = np.subtract(first.background, second.background)
    rows = np.random.default_rng(seed).integers(gaps.size, size=(replicates, gaps.size))
    low, high = np.quantile(gaps[rows].mean(axis=1), (0.025, 0.975)).tolist()
    return Difference((first.name, second.name), float(gaps.mean()), (low, high), float((gaps < 0).mean()))


def generated_scene(target: Target, options: Options) -> Scene:
    """Let the model make images."""
    ids = [f"background edit {number}" for number in range(options.images)]
    latents = ddim_sample(target, normal_for(options.seed, ids, target.info.latent_shape, "generation"), options.steps)
    with torch.no_grad():
        return Scene("generated images", as_8_bit(target.decode(latents)), latents)


def photographed_scene(target: Target, options: Options) -> Scene:
    """Read photographs, in the order of their ids, which are hashes: from all of the folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.photographs or unpack_demo_images(Path(temporary)).nonmembers
        samples = sorted(read_set(folder, target.info.image_size).samples, key=lambda sample: sample.id)
        pixels = load_images(samples[: options.images], target.info.image_size)
    return Scene("photographs", torch.from_numpy(pixels).to(target.device))


def study(target: Target, scene: Scene, options: Options) -> Study:
    """Edit the images of a scene with the latents of every solver, all with the same noise.

    Args:
        target: The model.
        scene: What to edit.
        options: How.

    Returns:
        An outcome for each solver, and for the true latents where they are known.
    """
    height, width = scene.images.shape[-2:]
    latent_height, latent_width = target.info.latent_shape[-2:]
    regions = centred_square((latent_height, latent_width), (height, width), options.side)
    ids = [f"{scene.name} {number}" for number in range(len(scene.images))]
    noise = normal_for(options.seed, ids, target.info.latent_shape, "edit")

    def edit(name: str, latents: Tensor) -> Outcome:
        changed = blended_edit(target, latents, regions.cells, noise, options.level, options.steps)
        with torch.no_grad():
            edited, decoded = (as_8_bit(target.decode(value)) for value in (changed, latents))
        return Outcome(
            name,
            edited,
            decoded,
            background=tuple(nmse(edited, scene.images, regions.background).tolist()),
            unedited=tuple(nmse(decoded, scene.images, regions.background).tolist()),
            inside=tuple(nmse(edited, scene.images, regions.inside).tolist()),
        )

    outcomes = [edit(solver, find_latents(target, scene.images, solver)) for solver in options.solvers]
    differences = tuple(compare(outcome, outcomes[0], options.seed) for outcome in outcomes[1:])
    if scene.truth is not None:
        outcomes.append(edit(TRUTH, scene.truth))
    return Study(scene, regions, tuple(outcomes), differences)


def as_text(found: Study, options: Options) -> str:
    """Lay a study out as a Markdown table with the paired differences.

    Args:
        found: The study.
        options: How it was made.

    Returns:
        Lines, ending in a line break.
    """
    rows = [["latent by", "background", "no edit", "inside"]]
    for outcome in found.outcomes:
        values = (np.mean(part) for part in (outcome.background, outcome.unedited, outcome.inside))
        shown = ["exact" if value == -np.inf else f"{value:.1f}" for value in values]
        rows.append([outcome.name, *shown])
    cells, first = found.regions.cells, found.outcomes[0]
    lines = [
        f"{len(found.scene.images)} {found.scene.name}, {int(cells.sum())} of {cells.numel()} latent cells edited from "
        f"{options.level:.0%} of the noise levels on, DDIM with {options.steps} steps, seed {options.seed}; "
        "NMSE in dB, mean over images",
        "",
        *_aligned(rows),
        "",
        f"Background against that of {first.name}, same images:",
        *(
            f"- {d.names[0]}: {d.mean:+.2f} dB [{d.interval[0]:+.2f}, {d.interval[1]:+.2f}], lower for {d.share:.0%}"
            for d in found.differences
        ),
    ]
    return "\n".join(lines) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def sheet(studies: Sequence[Study]) -> Image.Image:
    """Draw the largest edits of each study: the original, then an edited image and an error map for each solver.

    Args:
        studies: With the same solvers; the true latents are left out.

    Returns:
        The sheet; the edited square is outlined.
    """
    names = [outcome.name for outcome in studies[0].outcomes if outcome.name != TRUTH]
    height, width = studies[0].scene.images.shape[-2:]
    gap, head = 4, 14
    step = ENLARGED * width + gap, ENLARGED * height + gap
    shown = []
    for found in studies:
        first = found.outcomes[0]
        change = (first.edited - first.decoded)[..., found.regions.inside].abs().mean(dim=(1, 2))
        shown += [(found, row) for row in change.argsort(descending=True)[:SHOWN].tolist()]
    canvas = Image.new("RGB", (gap + step[0] * (1 + 2 * len(names)), head + gap + step[1] * len(shown)), "white")
    draw = ImageDraw.Draw(canvas)
    labels = ["original", *(text for name in names for text in (name.split(":")[0], f"error x{ERROR_SCALE}"))]
    for column, label in enumerate(labels):
        draw.text((gap + column * step[0], 2), label, fill="black")
    for place, (found, row) in enumerate(shown):
        original = found.scene.images[row]
        panels = [(original + 1) / 2]
        for outcome in found.outcomes[: len(names)]:
            edited = outcome.edited[row]
            panels += [(edited + 1) / 2, ERROR_SCALE * (edited - original).abs() / 2]
        edge = torch.nonzero(found.regions.inside)
        (top, left), (bottom, right) = edge.amin(dim=0).tolist(), (edge.amax(dim=0) + 1).tolist()
        for column, panel in enumerate(panels):
            pixels = (panel.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            corner = gap + column * step[0], head + gap + place * step[1]
            large = Image.fromarray(pixels).resize((ENLARGED * width, ENLARGED * height), Image.Resampling.NEAREST)
            canvas.paste(large, corner)
            box = [corner[i % 2] + ENLARGED * value for i, value in enumerate((left, top, right, bottom))]
            draw.rectangle(box, outline="yellow")
    return canvas


def machine(device: str) -> str:
    """Name what the figures were made on."""
    where = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{where}, {torch.get_num_threads()} threads; Python {platform.python_version()}, torch {torch.__version__}"


def main(arguments: Sequence[str] | None = None) -> tuple[Study, ...]:
    """Read the command line, run, print; write the tables and the sheet if a folder is given.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        The studies of generated images and of photographs.
    """
    default = Options()
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("images", "level", "side", "steps", "seed"):
        value = getattr(default, name)
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--solvers", nargs="+", default=default.solvers, metavar="SPEC", help="see privaudit solvers")
    parser.add_argument("--target", type=Path, default=default.target)
    parser.add_argument("--photographs", type=Path, metavar="FOLDER", help="the demo's unseen ones by default")
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default.device)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    values = vars(parser.parse_args(given))
    out = values.pop("out")
    options = Options(**{**values, "solvers": tuple(values["solvers"])})
    target = load_target(ModelSource(options.target, device=options.device))
    scenes = (generated_scene(target, options), photographed_scene(target, options))
    found = tuple(study(target, scene, options) for scene in scenes)
    text = "\n".join(as_text(one, options) for one in found)
    sys.stdout.write(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        command = shlex.join(["python", "examples/background_edit.py", *given])
        (out / "background_edit.md").write_text(f"    {command}\n\n{text}\n{machine(options.device)}\n")
        sheet(found).save(out / "background_edit.png")
    return found


if __name__ == "__main__":
    main()
