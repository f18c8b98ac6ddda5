"""Tree-ring watermarks: which of several marks is in the noise that an image was generated from?

    python examples/tree_ring.py [--images 144] [--keys 16] [--channels 0] [--solvers SPEC ...] [--out FILE]

A mark sets rings in the Fourier transform of the initial noise (Wen et al. 2023, arXiv:2305.20030). Whoever holds the
keys recovers the noise from a saved image: image to latent, latent to noise by DDIM inversion, noise to the nearest
key. The first step needs the inverse of the decoder, which the encoder is not, so inversion should find more marks
(Table 2, Hong et al. 2024, arXiv:2409.18442). Runs on the model that ships with privaudit, or on --target. The row
"true latent" is the ceiling: only DDIM inversion is in error there.

Differs from the papers: 32x32 images and latents 4x8x8, so four rings on one channel; random keys of the power of noise
where Hong et al. took three that are close to each other; an unconditional model.

Time: of the process on one CPU thread, so that other work does not count; else of the wall. Memory: the most that
tensors hold at the same time beyond weights and images, as PyTorch's allocator reports it (on a CPU to its profiler,
`torch.cuda.max_memory_allocated` on a GPU), in a run of `MEMORY_IMAGES` images over few iterations: more iterations
need no more memory. Without the scratch memory that CPU kernels take for themselves.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from privaudit.evaluation import auroc, stratified_bootstrap
from privaudit.inversion import SOLVERS, invert, nmse_db
from privaudit.lab.demo_target import TARGET
from privaudit.loading import ModelSource, load_target
from privaudit.model.ddim import ddim_invert, ddim_sample
from privaudit.model.noise import normal_for
from privaudit.model.target import Target

COMPARED = (
    "encoder",
    "adam:evaluations=50",
    "anderson:evaluations=20:tolerance=0.001",
    "gradient:evaluations=50",
)
"""The usual practice, the gradient-free solver of Hong et al., ours, and the gradient-based one."""
CEILING = "true latent"
BATCH = 64
MEMORY_IMAGES, MEMORY_EVALUATIONS, MEMORY_STEPS = 16, 8, 2
LARGEST_RADIUS = 10


@dataclass(frozen=True)
class Keys:
    """Marks to tell apart.

    Attributes:
        channel: Of the latent, which carries the mark.
        mask: ``(h, w)``, bool: the marked cells of the centred Fourier transform.
        patterns: ``(k, h, w)``, real: what each key sets there.
    """

    channel: int
    mask: Tensor
    patterns: Tensor


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        images: Marked images.
        unmarked: Images without a mark, for the AUROC.
        keys: Marks; image number i carries the one of number i modulo ``keys``.
        channel: Of the latent, which carries the mark.
        steps: Of DDIM, each way.
        solvers: From image to latent; the first is what the times are compared with.
        as_float: Keep images as the decoder gave them; else they are clipped and rounded to 8 bits, and inversion is
            told that they were clipped.
        target: Folder of the model.
        device: ``cpu`` or ``cuda``.
        seed: Of keys and noise.
    """

    images: int = 144
    unmarked: int = 48
    keys: int = 16
    channel: int = 0
    steps: int = 50
    solvers: tuple[str, ...] = COMPARED
    as_float: bool = False
    target: Path = TARGET
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class Recovered:
    """What one way from image to noise gave for a batch, and the seconds that its two parts took."""

    latents: Tensor
    noise: Tensor
    inversion_seconds: float
    ddim_seconds: float


@dataclass(frozen=True)
class Outcome:
    """What one way from image to latent achieves.

    Attributes:
        name: The solver's specification, or `CEILING`.
        correct: For each marked image, whether its own key is the nearest.
        auroc: Of marked against unmarked images, by the distance to one key.
        auroc_interval: 95 %, by a bootstrap over images.
        nmse: For each marked image, error of its latent in dB.
        similarity: For each marked image, cosine between its noise and what was recovered.
        inversion_seconds: From images to latents, all images.
        seconds: From images to noise.
        peak_bytes: Of live tensors, see above; 0 for `CEILING`, which inverts nothing.
    """

    name: str
    correct: tuple[bool, ...]
    auroc: float
    auroc_interval: tuple[float, float]
    nmse: tuple[float, ...]
    similarity: tuple[float, ...]
    inversion_seconds: float
    seconds: float
    peak_bytes: int

    @property
    def rate_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share that is correct."""
        found = binomtest(sum(self.correct), len(self.correct)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Comparison:
    """Two ways on the same images: McNemar's exact test.

    Attributes:
        names: The two.
        only_first: Images that only the first classified correctly.
        only_second: Images that only the second did.
        p: Two-sided, that either is as likely.
    """

    names: tuple[str, str]
    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Study:
    """Everything that a run found; the last outcome is the ceiling."""

    options: Options
    outcomes: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    weight_bytes: int
    noise_std: float


def make_keys(count: int, latent_shape: Sequence[int], channel: int, seed: int) -> Keys:
    """Draw ring patterns.

    Each ring of a key has one real value, so that the pattern is its own mirror image and the noise stays real. The
    mean square over the marked cells is 1, that of white noise. Equal values over many cells add up at one corner of
    the latent, about 5 standard deviations; that is so for the rings of Wen et al., too.

    Args:
        count: How many.
        latent_shape: ``(c, h, w)``.
        channel: Which one is marked.
        seed: Of the values.

    Returns:
        The keys; the first ones do not depend on ``count``.
    """
    height, width = latent_shape[-2:]
    rows, columns = (torch.fft.fftshift(torch.fft.fftfreq(n)) * n for n in (height, width))
    rings = (rows[:, None].square() + columns.square()).sqrt().round().long()
    radius = min(LARGEST_RADIUS, min(height, width) // 2 - 1)  # beyond, cells have no mirror image
    mask = rings <= radius
    values = normal_for(seed, [str(number) for number in range(count)], (radius + 1,), "tree-ring key")
    patterns = torch.where(mask, values[:, rings.clamp(max=radius)], 0.0)
    power = patterns.square().sum(dim=(1, 2), keepdim=True) / mask.sum()
    return Keys(channel, mask, patterns / power.sqrt())


def spectrum(noise: Tensor, channel: int) -> Tensor:
    """Centred Fourier transform of one channel, ``(n, h, w)``; unitary, so white noise has mean square 1."""
    return torch.fft.fftshift(torch.fft.fft2(noise[:, channel], norm="ortho"), dim=(-2, -1))


def embed(noise: Tensor, keys: Keys, chosen: Tensor) -> Tensor:
    """Set the rings of a key in each noise.

    Args:
        noise: ``(n, c, h, w)``, standard normal.
        keys: The patterns.
        chosen: ``(n,)``, int64: which key.

    Returns:
        Marked noise, same shape.
    """
    found = spectrum(noise, keys.channel)
    changed = torch.where(keys.mask, keys.patterns[chosen].to(found.dtype), found)
    marked = noise.clone()
    marked[:, keys.channel] = torch.fft.ifft2(torch.fft.ifftshift(changed, dim=(-2, -1)), norm="ortho").real
    return marked


def distances(noise: Tensor, keys: Keys) -> Tensor:
    """Mean absolute difference of the marked cells to each key, ``(n, k)``; the nearest key is the answer."""
    found = spectrum(noise, keys.channel)[:, keys.mask]
    wanted = keys.patterns[:, keys.mask]
    return (found[:, None] - wanted).abs().mean(dim=-1)


def as_8_bit(images: Tensor) -> Tensor:
    """What a PNG file keeps of images in [-1, 1]."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def find_latents(target: Target, images: Tensor, solver: str, *, clip: bool, most: int = sys.maxsize) -> Tensor:
    """Map images to latents.

    Args:
        target: The model.
        images: ``(n, 3, h, w)``.
        solver: ``encoder`` is the encoder and nothing else.
        clip: The images were clipped to [-1, 1].
        most: Evaluations, if the solver's own are more.

    Returns:
        ``(n, *latent)``.
    """
    if solver == "encoder":
        with torch.no_grad():
            return target.encode(images)
    chosen = SOLVERS.build(solver)
    return invert(target, images, replace(chosen, evaluations=min(chosen.evaluations, most)), clip=clip).latents


def recover(target: Target, images: Tensor, solver: str, steps: int, *, clip: bool) -> Recovered:
    """Go from images back to noise, batch by batch.

    Args:
        target: The model.
        images: ``(n, 3, h, w)``.
        solver: From image to latent.
        steps: Of DDIM inversion.
        clip: The images were clipped to [-1, 1].

    Returns:
        Latents, noise and times.
    """
    latents, noise, times = [], [], np.zeros(2)
    for batch in images.split(BATCH):
        started = clock(target.device)
        latents.append(find_latents(target, batch, solver, clip=clip))
        between = clock(target.device)
        noise.append(ddim_invert(target, latents[-1], steps))
        times += between - started, clock(target.device) - between
    return Recovered(torch.cat(latents), torch.cat(noise), float(times[0]), float(times[1]))


def clock(device: torch.device) -> float:
    """Seconds of the process on one CPU thread, else of the wall."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()


def peak_memory(device: torch.device, compute: Callable[[], object]) -> int:
    """Most bytes of tensors that were alive at once, beyond those that were there before.

    Args:
        device: Where ``compute`` runs.
        compute: What to measure.

    Returns:
        Bytes, from the allocator.
    """
    gc.collect()  # what is freed in between must not count
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        compute()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        compute()
    events = recorded.profiler.kineto_results.events()
    live = np.cumsum([event.nbytes() for event in events if event.name() == "[memory]"])
    return int(live.max(initial=0))


def compare(first: Outcome, second: Outcome) -> Comparison:
    """Test whether one of two is right more often, on the same images."""
    pairs = list(zip(first.correct, second.correct, strict=True))
    counts = sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)
    p = float(binomtest(counts[0], sum(counts)).pvalue) if sum(counts) else 1.0
    return Comparison((first.name, second.name), *counts, p)


def study(options: Options) -> Study:
    """Generate marked and unmarked images and look for the marks.

    Args:
        options: What to run.

    Returns:
        An outcome for each solver and for the true latents.
    """
    target = load_target(ModelSource(options.target, device=options.device))
    keys = make_keys(options.keys, target.info.latent_shape, options.channel, options.seed)
    count = options.images
    own = torch.arange(count + options.unmarked) % options.keys  # unmarked images are tested for some key, too
    ids = [f"tree-ring {number}" for number in range(len(own))]
    plain = normal_for(options.seed, ids, target.info.latent_shape, "tree-ring noise", options.channel)
    noise = torch.cat([embed(plain[:count], keys, own[:count]), plain[count:]])
    latents = torch.cat([ddim_sample(target, part, options.steps) for part in noise.split(BATCH)])
    with torch.no_grad():
        images = torch.cat([target.decode(part) for part in latents.split(BATCH)])
    images = (images if options.as_float else as_8_bit(images)).contiguous()  # the layout decides the memory
    clip = not options.as_float

    def judge(name: str, found: Recovered, peak: int) -> Outcome:
        gaps = distances(found.noise.cpu(), keys)
        scores, marked = -gaps[torch.arange(len(own)), own].numpy(), np.arange(len(own)) < count
        draws = stratified_bootstrap({name: scores}, marked, seed=options.seed).auroc[0]
        low, high = np.quantile(draws, (0.025, 0.975)).tolist()
        return Outcome(
            name=name,
            correct=tuple((gaps.argmin(dim=1) == own)[:count].tolist()),
            auroc=auroc(scores, marked),
            auroc_interval=(low, high),
            nmse=tuple(nmse_db(found.latents, latents)[:count].tolist()),
            similarity=tuple(torch.cosine_similarity(found.noise.cpu().flatten(1), noise.flatten(1))[:count].tolist()),
            inversion_seconds=found.inversion_seconds,
            seconds=found.inversion_seconds + found.ddim_seconds,
            peak_bytes=peak,
        )

    few = images[:MEMORY_IMAGES]
    find_latents(target, few, options.solvers[0], clip=clip)  # warm up
    outcomes = []
    for solver in options.solvers:
        found = recover(target, images, solver, options.steps, clip=clip)

        def detect_briefly(solver: str = solver) -> Tensor:
            latents = find_latents(target, few, solver, clip=clip, most=MEMORY_EVALUATIONS)
            return ddim_invert(target, latents, MEMORY_STEPS)

        outcomes.append(judge(solver, found, peak_memory(target.device, detect_briefly)))
    inverted = torch.cat([ddim_invert(target, part, options.steps) for part in latents.split(BATCH)])
    ceiling = judge(CEILING, Recovered(latents, inverted, 0.0, 0.0), 0)
    return Study(
        options=options,
        outcomes=(*outcomes, ceiling),
        comparisons=tuple(compare(first, second) for first, second in combinations(outcomes, 2)),
        weight_bytes=_weight_bytes(target),
        noise_std=float(noise[:count, options.channel].std()),
    )


def _weight_bytes(target: Target) -> int:
    modules = [getattr(part, "module", None) for part in (target.autoencoder, target.denoiser)]
    return sum(p.nbytes for module in modules if module is not None for p in module.parameters())


def as_text(found: Study) -> str:
    """Lay a study out as a Markdown table with what belongs to it.

    Args:
        found: The study.

    Returns:
        Lines, ending in a line break.
    """
    options, first = found.options, found.outcomes[0]
    total = options.images
    rows = [["latent by", "correct", "95 %", "AUROC", "95 %", "NMSE dB", "noise cos", "time", "inversion", "MiB"]]
    for outcome in found.outcomes:
        inverts = outcome.name != CEILING
        rows.append([
            outcome.name,
            f"{sum(outcome.correct)}/{total}",
            "{:.0%} to {:.0%}".format(*outcome.rate_interval),
            f"{outcome.auroc:.3f}",
            "{:.3f} to {:.3f}".format(*outcome.auroc_interval),
            f"{np.mean(outcome.nmse):.1f}" if inverts else "",
            f"{np.mean(outcome.similarity):.3f}",
            f"{outcome.seconds / first.seconds:.2f}" if inverts else "",
            f"{outcome.inversion_seconds / first.inversion_seconds:.1f}" if inverts else "",
            f"{outcome.peak_bytes / 2**20:.1f}" if inverts else "",
        ])
    everything = options.images + options.unmarked
    lines = [
        f"Tree-ring watermarks, {options.keys} keys (chance {total / options.keys:.0f}/{total}) on channel "
        f"{options.channel} of the noise; {options.images} marked and {options.unmarked} unmarked images, "
        f"{'as decoded' if options.as_float else 'rounded to 8 bits'}; DDIM with {options.steps} steps; "
        f"seed {options.seed}",
        "",
        *_aligned(rows),
        "",
        f"time: image to noise, over that of {first.name} ({first.seconds / everything * 1000:.1f} ms an image); "
        f"inversion: image to latent alone, likewise ({first.inversion_seconds / everything * 1000:.2f} ms).",
        f"MiB: peak of live tensors beyond the weights ({found.weight_bytes / 2**20:.1f} MiB) and the images, image to "
        f"noise, {min(MEMORY_IMAGES, everything)} images at a time.",
        f"The marked channel has standard deviation {found.noise_std:.3f}.",
        "",
        *_as_lines(found.comparisons),
    ]
    return "\n".join(lines) + "\n"


def pooled_text(studies: Sequence[Study]) -> str:
    """Count what several studies with the same solvers, on independent images, found together.

    Args:
        studies: One a channel.

    Returns:
        Lines, ending in a line break.
    """
    pooled = [
        replace(same[0], correct=sum((outcome.correct for outcome in same), ()))
        for same in zip(*(found.outcomes for found in studies), strict=True)
    ]
    rows = [["latent by", "correct", "95 %"]]
    for outcome in pooled:
        share = "{:.0%} to {:.0%}".format(*outcome.rate_interval)
        rows.append([outcome.name, f"{sum(outcome.correct)}/{len(outcome.correct)}", share])
    comparisons = [compare(first, second) for first, second in combinations(pooled[:-1], 2)]
    channels = ", ".join(str(found.options.channel) for found in studies)
    return "\n".join([f"Channels {channels} together", "", *_aligned(rows), "", *_as_lines(comparisons)]) + "\n"


def _as_lines(comparisons: Sequence[Comparison]) -> list[str]:
    return [
        "Same images, McNemar's exact test, two-sided, not corrected for their number:",
        *(
            f"- {c.names[0]} against {c.names[1]}: {c.only_first} right by the first only, {c.only_second} by the "
            f"second only, p = {c.p:.2g}"
            for c in comparisons
        ),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def machine(device: str) -> str:
    """Name what the times and the memory belong to."""
    where = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{where}, {torch.get_num_threads()} threads; Python {platform.python_version()}, torch {torch.__version__}"


def main(arguments: Sequence[str] | None = None) -> tuple[Study, ...]:
    """Read the command line, run, print, and write the same to a file if one is named.

    Args:
        arguments: Without the program's name; those of the process by default.

    Returns:
        A study a channel.
    """
    default = Options()
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("images", "unmarked", "keys", "steps", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    parser.add_argument("--channels", type=int, nargs="+", default=[default.channel], help="a study of each")
    parser.add_argument("--solvers", nargs="+", default=default.solvers, metavar="SPEC", help="see privaudit solvers")
    parser.add_argument("--float", action="store_true", dest="as_float", help="do not clip and round to 8 bits")
    parser.add_argument("--target", type=Path, default=default.target)
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default.device)
    parser.add_argument("--out", type=Path, metavar="FILE", help="for the same tables, as Markdown")
    values = vars(parser.parse_args(given))
    out, channels = values.pop("out"), values.pop("channels")
    options = Options(**{**values, "solvers": tuple(values["solvers"])})
    found = tuple(study(replace(options, channel=channel)) for channel in channels)
    text = "\n".join([*map(as_text, found), *([pooled_text(found)] if len(found) > 1 else [])])
    sys.stdout.write(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        command = shlex.join(["python", "examples/tree_ring.py", *given])
        out.write_text(f"    {command}\n\n{text}\n{machine(options.device)}\n")
    return found


if __name__ == "__main__":
    main()
