"""Trains the U-Net of `models.save_small_pipeline`, so that it is read right by the checks of an audit.

    PYTHONPATH=. python tests/train_small_unet.py

Writes tests/small_unet.safetensors: 45,114 weights after 800 steps on 512 images that no test uses.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from models import SMALL_SCALE, SMALL_UNET, small_autoencoder, small_unet, write_images
from safetensors.torch import save_file

from privaudit.data import load_images, read_set

STEPS, BATCH, RATE, SEED = 800, 32, 4e-3, 9999


def main() -> None:
    """Train and write."""
    with tempfile.TemporaryDirectory() as temporary:
        samples = read_set(write_images(Path(temporary), 512, seed=SEED), (16, 16)).samples
        images = torch.from_numpy(load_images(samples, (16, 16)))
    with torch.no_grad():
        latents = small_autoencoder().encode(images).latent_dist.mode() * SMALL_SCALE
    print(f"root mean square of the latents: {latents.square().mean().sqrt():.3f}")
    network, scheduler = small_unet(trained=False).train().requires_grad_(True), DDPMScheduler()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        chosen = latents[torch.randint(0, len(latents), (BATCH,), generator=generator)]
        level = torch.randint(0, 1000, (BATCH,), generator=generator)
        noise = torch.randn(chosen.shape, generator=generator)
        loss = (network(scheduler.add_noise(chosen, noise, level), level).sample - noise).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            print(f"{step + 1}: {loss.item():.3f}", flush=True)
    save_file({name: values.half() for name, values in network.state_dict().items()}, SMALL_UNET)


if __name__ == "__main__":
    main()
