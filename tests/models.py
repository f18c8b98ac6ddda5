"""Targets with known answers: a linear decoder, a Gaussian denoiser, a small real autoencoder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from privaudit.target import Schedule, Target, TargetInfo

LATENT = (2, 4, 4)
IMAGE = (3, 8, 8)
DIMENSIONS, PIXELS = 32, 192


def random_normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@dataclass(frozen=True)
class LinearAutoencoder:
    """D(z) = A z and E(x) = B x; with ``exact`` B is A's pseudo-inverse, else a damped one."""

    matrix: Tensor
    damping: float = 0.0
    dtype: torch.dtype = torch.float32
    channel_axis: int = 1

    def decode(self, latents: Tensor) -> Tensor:
        return (latents.flatten(1) @ self.matrix.T.to(latents.dtype)).view(-1, *IMAGE)

    def encode(self, images: Tensor) -> Tensor:
        inverse = torch.linalg.pinv(self.matrix.double()).to(images.dtype) * (1 - self.damping)
        return (images.flatten(1) @ inverse.T).view(-1, *LATENT)


@dataclass(frozen=True)
class GaussianDenoiser:
    """The exact noise prediction for data z_0 ~ N(0, variance): sigma z_t / (alpha^2 variance + sigma^2)."""

    schedule: Schedule
    variance: Tensor
    passes: list[int] = field(default_factory=list)

    def predict_noise(self, noisy: Tensor, level: int, condition: Tensor | None) -> Tensor:
        self.passes.append(level)
        alpha, sigma = self.schedule.alpha_sigma(level)
        return sigma * noisy / (alpha**2 * self.variance + sigma**2)


def linear_schedule(count: int = 1000) -> Schedule:
    betas = torch.linspace(1e-4, 0.02, count, dtype=torch.float64)
    return Schedule(tuple((1 - betas).cumprod(0).tolist()))


def linear_target(damping: float = 0.0) -> Target:
    schedule = linear_schedule()
    matrix = random_normal(PIXELS, DIMENSIONS, seed=1) * torch.linspace(0.2, 2, DIMENSIONS)
    variance = 0.5 + random_normal(*LATENT, seed=2).abs()
    return Target(
        TargetInfo("linear", "0" * 32, "1" * 32, "unconditional", "epsilon", LATENT, IMAGE[1:]),
        LinearAutoencoder(matrix, damping),
        GaussianDenoiser(schedule, variance),
        schedule,
        torch.device("cpu"),
    )


def small_autoencoder(seed: int = 0, channels: int = 2) -> AutoencoderKL:
    """A real AutoencoderKL with attention in its middle block, 16x16 images to 8x8 latents."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoencoderKL(
            down_block_types=["DownEncoderBlock2D"] * 2,
            up_block_types=["UpDecoderBlock2D"] * 2,
            block_out_channels=[8, 16],
            layers_per_block=1,
            latent_channels=channels,
            sample_size=16,
            norm_num_groups=4,
        )
    return model.eval().requires_grad_(False)


def save_small_pipeline(folder, seed: int = 0):
    """An untrained LDMPipeline of 16x16 images, saved as diffusers saves it."""
    from diffusers import DDPMScheduler, LDMPipeline, UNet2DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        unet = UNet2DModel(
            sample_size=8,
            in_channels=2,
            out_channels=2,
            block_out_channels=[8, 16],
            layers_per_block=1,
            down_block_types=["DownBlock2D", "AttnDownBlock2D"],
            up_block_types=["AttnUpBlock2D", "UpBlock2D"],
            attention_head_dim=4,
            norm_num_groups=4,
        )
    pipeline = LDMPipeline(vqvae=small_autoencoder(seed), unet=unet, scheduler=DDPMScheduler())
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_images(folder, count: int, seed: int = 0, side: int = 16):
    """Smooth random pictures as PNG files."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for index in range(count):
        coarse = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / f"{seed}-{index:03d}.png")
    return folder


MEAN, STD = [0.1, -0.2, 0.3, 0.0], [0.5, 1.0, 2.0, 4.0]
STAGES = {
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "block_out_channels": [8, 8],
    "norm_num_groups": 4,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "AutoencoderKL": STAGES | {"latents_mean": MEAN, "latents_std": STD},
    "VQModel": STAGES | {"num_vq_embeddings": 16},
    "AsymmetricAutoencoderKL": {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "down_block_out_channels": [8, 8],
        "up_block_out_channels": [8, 16],
        "norm_num_groups": 4,
    },
    "AutoencoderTiny": {
        "encoder_block_out_channels": [8, 8],
        "decoder_block_out_channels": [8, 8],
        "num_encoder_blocks": [1, 1],
        "num_decoder_blocks": [1, 1],
    },
    "AutoencoderDC": {
        "latent_channels": 4,
        "encoder_block_out_channels": [8, 8],
        "decoder_block_out_channels": [8, 8],
        "encoder_layers_per_block": [1, 1],
        "decoder_layers_per_block": [1, 1],
        "encoder_qkv_multiscales": [[], []],
        "decoder_qkv_multiscales": [[], []],
        "scaling_factor": 0.4,
    },
    "AutoencoderKLTemporalDecoder": {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "block_out_channels": [32, 32],
        "layers_per_block": 1,
        "force_upcast": False,
    },
    "AutoencoderKLCogVideoX": {
        "down_block_types": ["CogVideoXDownBlock3D"] * 2,
        "up_block_types": ["CogVideoXUpBlock3D"] * 2,
        "block_out_channels": [8, 8],
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "temporal_compression_ratio": 2,
    },
    "AutoencoderKLHunyuanVideo": {
        "down_block_types": ["HunyuanVideoDownBlock3D"] * 2,
        "up_block_types": ["HunyuanVideoUpBlock3D"] * 2,
        "block_out_channels": [8, 8],
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "spatial_compression_ratio": 2,
        "temporal_compression_ratio": 4,
    },
    "AutoencoderKLLTXVideo": {
        "latent_channels": 4,
        "block_out_channels": [8, 8],
        "down_block_types": ["LTXVideoDownBlock3D"] * 2,
        "decoder_block_out_channels": [8, 8],
        "layers_per_block": [1, 1, 1],
        "decoder_layers_per_block": [1, 1, 1],
        "spatio_temporal_scaling": [True, False],
        "decoder_spatio_temporal_scaling": [True, False],
        "decoder_inject_noise": [False, False, False],
        "downsample_type": ["conv", "conv"],
        "upsample_residual": [False, False],
        "upsample_factor": [1, 1],
        "patch_size": 2,
        "scaling_factor": 0.7,
    },
    "AutoencoderKLWan": {
        "base_dim": 4,
        "z_dim": 4,
        "dim_mult": [1, 1],
        "num_res_blocks": 1,
        "temperal_downsample": [True],
        "latents_mean": MEAN,
        "latents_std": STD,
    },
    "AutoencoderOobleck": {
        "encoder_hidden_size": 8,
        "downsampling_ratios": [2, 4],
        "channel_multiples": [1, 2],
        "decoder_channels": 8,
        "decoder_input_channels": 4,
    },
}
SHAPES = {  # of one item, and of its latent
    "AutoencoderKL": ((3, 16, 16), (4, 8, 8)),
    "VQModel": ((3, 16, 16), (3, 8, 8)),
    "AsymmetricAutoencoderKL": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderTiny": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderDC": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderKLTemporalDecoder": ((3, 3, 16, 16), (3, 4, 8, 8)),
    "AutoencoderKLCogVideoX": ((3, 9, 16, 16), (4, 5, 8, 8)),
    "AutoencoderKLHunyuanVideo": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderKLLTXVideo": ((3, 5, 16, 16), (4, 3, 4, 4)),
    "AutoencoderKLWan": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderOobleck": ((2, 64), (4, 8)),
}


def make_autoencoder(kind: str, **changes: Any) -> Any:
    """A random one of any class that is read, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(diffusers, kind)(**(CONFIGS[kind] | changes)).eval()
