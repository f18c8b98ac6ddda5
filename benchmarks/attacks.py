"""What masks and sharing cost, and what each attack costs, as ratios within this run. For docs/attacks.md.

    python benchmarks/attacks.py [--device cuda] [--images 256] [--out FILE]

On the demo target: sima, loss, pia and secmi under the masks none, random and influence from one set of passes, against
the same attacks without masks (passes) and against a run of its own for every attack and mask (time). Then every attack
that can run, alone, in passes and in the time of one pass of the denoiser an image. Repeats are interleaved; medians
count. Absolute seconds are printed for the machine named beside them.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from privaudit.attacks import ATTACKS, Attack, Batch, PassCache, make_plan, parse_attacks, score_batch
from privaudit.data import load_images, read_set
from privaudit.decoder_geometry import build_masks, estimate_influence
from privaudit.lab.demo_target import TARGET, unpack_demo_images
from privaudit.loading import ModelSource, load_target
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

FOUR = ("sima", "loss", "pia", "secmi")
THREE = ("none", "random", "influence")
REPEATS = 5
BATCH = 64


class Workload:
    """Latents, images and masks of some images, and attacks run over them in batches."""

    def __init__(self, target: Target, images: Tensor, ids: Sequence[str]) -> None:
        """Encode the images and build their masks."""
        self.target, self.images, self.ids = target, images, list(ids)
        with torch.no_grad():
            self.latents = torch.cat([target.encode(part) for part in images.split(BATCH)])
        self.influence = torch.cat([
            estimate_influence(
                target.decode, self.latents[start : start + BATCH], self.ids[start : start + BATCH], check=False
            ).values
            for start in range(0, len(self.ids), BATCH)
        ])

    def run(self, attacks: Sequence[Attack], names: Sequence[str]) -> None:
        """Score all images with some attacks under some masks, as an audit does."""
        expected = make_plan(attacks, self.target, names).expected
        for start in range(0, len(self.ids), BATCH):
            rows = slice(start, start + BATCH)
            masks = build_masks(self.influence[rows], self.ids[rows], 0.4, 0)
            batch = Batch(
                self.target,
                self.latents[rows],
                self.ids[rows],
                [Prompt()] * len(self.ids[rows]),
                0,
                images=self.images[rows],
                cache=PassCache(expected=expected),
            )
            score_batch(attacks, batch, {name: masks[name].to(self.target.device) for name in names})

    def forward(self) -> None:
        """One pass of the denoiser an image."""
        with torch.no_grad():
            for part in self.latents.split(BATCH):
                self.target.predict_noise(part, 100, self.target.condition([Prompt()] * len(part)))


def measure(runs: Mapping[str, Callable[[], None]], device: torch.device, repeats: int) -> dict[str, float]:
    """Median seconds of each run, in turns, after one round that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def sharing(work: Workload, repeats: int) -> list[str]:
    """The four attacks under three masks: passes and time."""
    attacks = {name: parse_attacks([name])[0].for_target(work.target) for name in FOUR}
    together = list(attacks.values())
    passes = {masks: make_plan(together, work.target, masks).total("forward") for masks in (("none",), THREE)}
    runs: dict[str, Callable[[], None]] = {
        "shared": lambda: work.run(together, THREE),
        "unmasked": lambda: work.run(together, ["none"]),
    }
    for name, attack in attacks.items():
        for mask in THREE:
            runs[f"{name}/{mask}"] = lambda attack=attack, mask=mask: work.run([attack], [mask])
    seconds = measure(runs, work.target.device, repeats)
    apart = sum(seconds[f"{name}/{mask}"] for name in FOUR for mask in THREE)
    alone = sum(make_plan([attack], work.target).total("forward") for attack in together)
    return [
        f"{', '.join(FOUR)} under {', '.join(THREE)}, {len(work.ids)} images:",
        "",
        "| | passes an image | time, as a share of attack x mask run separately |",
        "|---|---|---|",
        f"| all, masked, shared | {passes[THREE]} | {seconds['shared'] / apart:.3f} |",
        f"| all, without masks, shared | {passes['none',]} | {seconds['unmasked'] / apart:.3f} |",
        f"| each attack x mask by itself | {alone * len(THREE)} | 1 |",
        "",
        f"Masks take {passes[THREE] / passes['none',]:.2f} times the passes and "
        f"{seconds['shared'] / seconds['unmasked']:.2f} times the time of the same attacks without them.",
    ]


def costs(work: Workload, repeats: int) -> list[str]:
    """Every attack that can run here, alone, under all four masks."""
    masks = ("none", "random", "influence", "weighted")
    every = parse_attacks(sorted(ATTACKS))
    attacks = [attack.for_target(work.target) for attack in every if not attack.unsupported_reason(work.target)]
    runs = {attack.label: (lambda attack=attack: work.run([attack], masks)) for attack in attacks}
    seconds = measure({"pass": work.forward, **runs}, work.target.device, repeats)
    images = len(work.ids)
    lines = [
        "Every attack alone, at its default levels, under four masks:",
        "",
        "| attack | passes an image | time in passes of the denoiser | seconds for 1 000 images |",
        "|---|---|---|---|",
    ]
    for attack in attacks:
        (step,) = make_plan([attack], work.target, masks).steps
        back = f" + {step.alone['backward']} back" if step.alone["backward"] else ""
        own = seconds[attack.label]
        cells = (f"{step.alone['forward']}{back}", f"{own / seconds['pass']:.1f}", f"{1000 * own / images:.1f}")
        lines.append(f"| {attack.label} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("privaudit-runs/demo/images"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    target = load_target(ModelSource(TARGET, device=options.device))
    options.folder.mkdir(parents=True, exist_ok=True)
    samples = read_set(unpack_demo_images(options.folder).members, target.info.image_size).samples[: options.images]
    images = torch.from_numpy(load_images(samples, target.info.image_size)).to(target.device)
    work = Workload(target, images, [sample.id for sample in samples])
    cpu = f"{platform.machine()}, {options.threads} threads"
    where = torch.cuda.get_device_name() if target.device.type == "cuda" else cpu
    lines = [
        f"torch {torch.__version__}, Python {platform.python_version()}, {where}; medians of {options.repeats} runs",
        "",
        *sharing(work, options.repeats),
        "",
        *costs(work, options.repeats),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
