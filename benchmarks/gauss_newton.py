"""How far inversion could go without backpropagation: Gauss-Newton on the decoder's whole Jacobian.

    python benchmarks/gauss_newton.py [--images 8] [--out FILE]

The Jacobian J of the decoder is taken once, at the latent that pixel mixing found, column by column in forward mode;
then z <- z + (J^T J + mu I)^-1 J^T (x - D(z)). Own generations of the demo target, whose latents are known: as the
decoder gave them, and rounded to 8 bits. Also prints the singular values of J: what an image can reveal at all.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import torch
from torch import Tensor

from privaudit.decoder_geometry.jacobian import Decode, Jacobian
from privaudit.inversion import invert, nmse_db
from privaudit.lab.demo_target import TARGET
from privaudit.loading import ModelSource, load_target
from privaudit.model.ddim import ddim_sample
from privaudit.model.noise import normal_for
from privaudit.tasks.origin_traces import to_eight_bits

STEPS = 6
DAMPING = (1e-6, 1e-4, 1e-2)
"""mu over the mean of the diagonal of J^T J."""


def newton(decode: Decode, images: Tensor, start: Tensor, jacobian: Tensor, damping: float) -> list[Tensor]:
    """Latents after each step; J stays where it was taken."""
    gram = (jacobian.mT @ jacobian).double()
    size = gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    factor = torch.linalg.cholesky(gram + damping * size * torch.eye(gram.shape[1], dtype=gram.dtype))
    found = [start]
    for _ in range(STEPS):
        with torch.no_grad():
            error = (images - decode(found[-1])).flatten(1)
        pulled = (jacobian.mT @ error[:, :, None]).double()
        found.append(found[-1] + torch.cholesky_solve(pulled, factor)[:, :, 0].float().view_as(start))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    target = load_target(ModelSource(TARGET, device="cpu"))
    noise = normal_for(0, [f"benchmark {n}" for n in range(options.images)], target.info.latent_shape, "generation")
    truth = ddim_sample(target, noise, 50)
    with torch.no_grad():
        exact = target.decode(truth)
    where = f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, 1 thread"
    lines = [f"{options.images} own generations of the demo target; {where}."]
    for label, images, clip in (("as decoded", exact, False), ("8 bit", to_eight_bits(exact), True)):
        started = time.process_time()
        mixed = invert(target, images, "pixel-mixing:evaluations=20:tolerance=0", clip=clip)
        unit = (time.process_time() - started) / 20
        started = time.process_time()
        jacobian = torch.cat([
            part.flatten(2) for part in Jacobian(target.decode, mixed.latents).columns(chunk=64)
        ]).permute(1, 2, 0)
        cost = (time.process_time() - started) / unit
        values = torch.linalg.svdvals(jacobian)
        share = float((values < 0.05 * values[:, :1]).float().mean())
        lines += [
            "",
            f"{label}: J costs {cost:.0f} evaluations of E(D(z)); {share:.0%} of its singular values are below a "
            f"twentieth of the largest (median image: {values.median(dim=0).values[[0, 128, 192, 255]].tolist()} "
            "for number 1, 129, 193, 256)",
            f"| NMSE dB, mean, after step | {' | '.join(str(step) for step in range(STEPS + 1))} |",
            "|---" * (STEPS + 2) + "|",
        ]
        for damping in DAMPING:
            path = newton(target.decode, images, mixed.latents, jacobian, damping)
            errors = " | ".join(f"{float(nmse_db(point, truth).mean()):.1f}" for point in path)
            lines.append(f"| damping {damping:g} | {errors} |")
        gradient = invert(target, images, "gradient:evaluations=200", clip=clip, truth=truth)
        assert gradient.nmse is not None
        lines.append(f"\nGradient, 200 passes: {float(gradient.nmse.mean()):.1f} dB.")
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
