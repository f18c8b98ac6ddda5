"""Targets with known answers: linear decoders, denoisers of a known law of the data, small real networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor, nn

from privaudit.loading.heads import noise_from_output
from privaudit.model.condition import Condition
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import DiffusionSchedule, FlowSchedule, Schedule
from privaudit.model.target import Target, TargetInfo

LATENT = (2, 4, 4)
IMAGE = (3, 8, 8)
DIMENSIONS, PIXELS = 32, 192


def random_normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def prompts(*captions: str | None) -> list[Prompt]:
    return [Prompt(caption) for caption in captions]


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
        inverse = self.inverse.to(images.dtype) * (1 - self.damping)
        return (images.flatten(1) @ inverse.T).view(-1, *LATENT)

    @cached_property
    def inverse(self) -> Tensor:
        return torch.linalg.pinv(self.matrix.double())


@dataclass(frozen=True)
class MemorisingAutoencoder(LinearAutoencoder):
    """Decodes the latents that it has memorised exactly, and all others with an error; encodes like the linear one."""

    memorised: Tensor = field(default_factory=lambda: torch.zeros(0, *LATENT))

    def decode(self, latents: Tensor) -> Tensor:
        distances = torch.cdist(latents.flatten(1), self.memorised.to(latents).flatten(1))
        known = torch.exp(-distances.min(dim=1).values.square()).view(-1, 1, 1, 1)
        return super().decode(latents + 0.5 * (1 - known) * latents.roll(1, dims=3))


class Gain(nn.Module):
    """scale * x + shift by channel, at 1 and 0: weights that change no output, with gradients that are known."""

    def __init__(self, channels: int = LATENT[0]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1, dtype=torch.float64), requires_grad=False)
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1, dtype=torch.float64), requires_grad=False)

    def forward(self, values: Tensor) -> Tensor:
        return self.scale.to(values.dtype) * values + self.shift.to(values.dtype)


def scales(schedule: Schedule, level: int | Sequence[int], noisy: Tensor) -> tuple[Any, Any]:
    """alpha and sigma: numbers for one level, ``(n, 1, ...)`` for one an image."""
    if isinstance(level, int):
        return schedule.alpha_sigma(level)
    found = torch.tensor([schedule.alpha_sigma(each) for each in level], dtype=noisy.dtype)
    return found.view(-1, 2, *[1] * (noisy.ndim - 1)).unbind(dim=1)


DATA_FLOW = "flow towards data"
"""The other convention of flow models: t = 1 is data, v = z_0 - eps."""
HEADS = ("epsilon", "sample", "v_prediction", "flow", DATA_FLOW)


@dataclass(frozen=True)
class ExactDenoiser(ABC):
    """The optimal prediction for a known law of the data, as the output of a network with any head."""

    schedule: Schedule
    head: str = field(default="epsilon", kw_only=True)
    module: nn.Module = field(default_factory=Gain, kw_only=True)
    passes: list[int] = field(default_factory=list, kw_only=True)

    @abstractmethod
    def expected(self, noisy: Tensor, alpha: Any, sigma: Any, condition: Condition | None) -> tuple[Tensor, Tensor]:
        """E[eps | z_t] and E[z_0 | z_t]."""

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        self.passes.extend([level] if isinstance(level, int) else level)
        alpha, sigma = scales(self.schedule, level, noisy)
        noise, clean = self.expected(noisy, alpha, sigma, condition)
        if self.head == DATA_FLOW:  # t = alpha, and the output is minus the one of the convention that is read
            return noise_from_output("flow", -self.module(clean - noise), noisy, alpha, sigma)
        outputs = {
            "epsilon": noise,
            "sample": clean,
            "v_prediction": alpha * noise - sigma * clean,
            "flow": noise - clean,
        }
        return noise_from_output(self.head, self.module(outputs[self.head]), noisy, alpha, sigma)


@dataclass(frozen=True)
class GaussianDenoiser(ExactDenoiser):
    """For data z_0 ~ N(m, variance): eps_hat = sigma (z_t - alpha m) / (alpha^2 variance + sigma^2).

    The mean m is zero, or the caption's number times ``direction``.
    """

    variance: Tensor
    direction: Tensor | None = None

    def mean(self, condition: Condition | None) -> Tensor | float:
        if condition is None or self.direction is None:
            return 0.0
        return condition["number"].view(-1, 1, 1, 1) * self.direction.double()

    def expected(self, noisy: Tensor, alpha: Any, sigma: Any, condition: Condition | None) -> tuple[Tensor, Tensor]:
        mean, variance = self.mean(condition), self.variance.to(noisy.dtype)
        scaled = (noisy - alpha * mean) / (alpha**2 * variance + sigma**2)
        return sigma * scaled, mean + alpha * variance * scaled


@dataclass(frozen=True)
class MixtureDenoiser(ExactDenoiser):
    """For data from a mixture of Gaussians: one narrow peak at each training latent, and a broad one around zero.

    The posterior of component k weighs its own eps_hat. A peak whose caption has another number than the given one has
    no weight: the model has memorised images *with* their captions.
    """

    peaks: Tensor
    captions: Tensor
    width: float = 0.01
    breadth: float = 0.8
    share: float = 0.5

    def expected(self, noisy: Tensor, alpha: Any, sigma: Any, condition: Condition | None) -> tuple[Tensor, Tensor]:
        peaks = self.peaks.to(noisy.dtype)
        alpha, sigma = (torch.as_tensor(scale, dtype=noisy.dtype).view(-1, 1, 1, 1, 1) for scale in (alpha, sigma))
        centres = torch.cat([peaks, torch.zeros_like(peaks[:1])])
        own = torch.tensor([self.width] * len(peaks) + [self.breadth], dtype=noisy.dtype).view(-1, 1, 1, 1) ** 2
        share = torch.tensor([self.share / len(peaks)] * len(peaks) + [1 - self.share], dtype=noisy.dtype)
        power = alpha**2 * own + sigma**2
        away = noisy[:, None] - alpha * centres
        logits = share.log() - 0.5 * (away.square() / power + power.log()).flatten(2).sum(dim=2)
        if condition is not None:
            other = (condition["number"][:, None] - self.captions).abs() > 1e-6
            logits[:, :-1] = logits[:, :-1].masked_fill(other, -torch.inf)
        posterior = logits.softmax(dim=1)[..., None, None, None]
        return (posterior * sigma * away / power).sum(1), (posterior * (centres + alpha * own * away / power)).sum(1)


class TinyNetwork(nn.Module):
    """Two linear layers with a tanh between them, told the level and a number: nonlinear in all three, and fast."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.enter = nn.Linear(DIMENSIONS, width)
        self.told = nn.Linear(2, width, bias=False)
        self.leave = nn.Linear(width, DIMENSIONS)

    def forward(self, noisy: Tensor, levels: Tensor, number: Tensor) -> Tensor:
        told = self.told(torch.stack([levels / 500 - 1, number], dim=1))
        return self.leave(torch.tanh(self.enter(noisy.flatten(1)) + told)).view_as(noisy)


@dataclass(frozen=True)
class NetworkDenoiser:
    """A small untrained network in float64, with any head."""

    schedule: Schedule
    module: nn.Module
    head: str = "epsilon"
    passes: list[int] = field(default_factory=list)

    def predict_noise(self, noisy: Tensor, level: int | Sequence[int], condition: Condition | None) -> Tensor:
        every = [level] * len(noisy) if isinstance(level, int) else list(level)
        self.passes.extend([level] if isinstance(level, int) else level)
        number = torch.zeros(len(noisy)) if condition is None else condition["number"]
        output = self.module(noisy.double(), torch.tensor(every).double(), number.double()).to(noisy.dtype)
        alpha, sigma = scales(self.schedule, every, noisy)
        return noise_from_output(self.head, output, noisy, alpha, sigma)


@dataclass(frozen=True)
class NumberConditioner:
    """Turns a caption into a number, and no caption into 0; remembers what it was asked."""

    asked: list[tuple[str | None, ...]] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Prompt]) -> Condition:
        captions = [prompt.caption for prompt in prompts]
        self.asked.append(tuple(captions))
        return Condition({"number": torch.tensor([self.number(one) for one in captions], dtype=torch.float64)})

    def cut(self, captions: Sequence[str]) -> int:
        return 0

    @staticmethod
    def number(caption: str | None) -> float:
        return sum(map(ord, caption)) % 97 / 97 + 0.1 if caption else 0.0


def linear_schedule(count: int = 1000) -> Schedule:
    betas = torch.linspace(1e-4, 0.02, count, dtype=torch.float64)
    return DiffusionSchedule(tuple((1 - betas).cumprod(0).tolist()))


def schedule_of(head: str) -> Schedule:
    return FlowSchedule() if head in ("flow", DATA_FLOW) else linear_schedule()


def linear_matrix() -> Tensor:
    return random_normal(PIXELS, DIMENSIONS, seed=1) * torch.linspace(0.2, 2, DIMENSIONS)


@cache
def linear_autoencoder(damping: float = 0.0) -> LinearAutoencoder:
    return LinearAutoencoder(linear_matrix(), damping)


def target_of(denoiser: Any, *, text: bool = False, autoencoder: Any = None) -> Target:
    """A target of 8x8 images around a denoiser that says its head."""
    family, head = "text-to-image" if text else "unconditional", denoiser.head
    prediction_type = "flow" if head == DATA_FLOW else head
    return Target(
        TargetInfo("linear", "0" * 32, "1" * 32, family, prediction_type, LATENT, IMAGE),
        autoencoder or linear_autoencoder(),
        denoiser,
        denoiser.schedule,
        torch.device("cpu"),
        NumberConditioner() if text else None,
    )


def gaussian_target(head: str = "epsilon", *, text: bool = False, damping: float = 0.0) -> Target:
    """The exact denoiser of Gaussian data; with text, a caption moves their mean."""
    variance = 0.5 + random_normal(*LATENT, seed=2).abs()
    direction = random_normal(*LATENT, seed=3) if text else None
    denoiser = GaussianDenoiser(schedule_of(head), variance, direction, head=head)
    return target_of(denoiser, text=text, autoencoder=linear_autoencoder(damping))


def linear_target(damping: float = 0.0) -> Target:
    return gaussian_target(damping=damping)


def v_target() -> Target:
    return gaussian_target("v_prediction")


def flow_target() -> Target:
    return gaussian_target("flow")


def network_target(head: str = "epsilon", *, text: bool = False, damping: float = 0.1) -> Target:
    """A small untrained network, nonlinear in latent, level and caption, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        module = TinyNetwork().double().eval().requires_grad_(False)
    denoiser = NetworkDenoiser(schedule_of(head), module, head)
    return target_of(denoiser, text=text, autoencoder=linear_autoencoder(damping))


def overfitted_target(
    latents: Tensor, captions: Sequence[str | None], head: str = "epsilon", *, text: bool = False
) -> Target:
    """A denoiser and a decoder that know some training latents by heart, and the captions if there are any."""
    numbers = torch.tensor([NumberConditioner.number(caption) for caption in captions], dtype=torch.float64)
    denoiser = MixtureDenoiser(schedule_of(head), latents, numbers, head=head)
    return target_of(denoiser, text=text, autoencoder=MemorisingAutoencoder(linear_matrix(), memorised=latents))


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


SMALL_SCALE = 2.25
"""Scaling factor of the small pipeline's latents, whose root mean square it makes 1."""
SMALL_UNET = Path(__file__).parent / "small_unet.safetensors"
"""Weights that `train_small_unet.py` writes, for seed 0."""


def small_unet(seed: int = 0, *, trained: bool = True):
    """The U-Net of the small pipeline: trained with the autoencoder of seed 0, random with that of any other."""
    from diffusers import UNet2DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        network = UNet2DModel(
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
    if trained and seed == 0:
        network.load_state_dict({name: values.float() for name, values in load_file(SMALL_UNET).items()})
    return network


def save_small_pipeline(folder, seed: int = 0):
    """An LDMPipeline of 16x16 images, saved as diffusers saves it; trained on images that no test uses (seed 0)."""
    from diffusers import DDPMScheduler, LDMPipeline

    autoencoder = small_autoencoder(seed)
    autoencoder.register_to_config(scaling_factor=SMALL_SCALE)
    pipeline = LDMPipeline(vqvae=autoencoder, unet=small_unet(seed), scheduler=DDPMScheduler())
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
    "AutoencoderKLFlux2": {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [8, 8],
        "latent_channels": 4,
        "norm_num_groups": 4,
    },
    "AutoencoderKLHunyuanImage": {
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "block_out_channels": [32, 32],
        "layers_per_block": 1,
        "spatial_compression_ratio": 2,
        "sample_size": 16,
        "scaling_factor": 0.75289,
    },
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
    "AutoencoderKLQwenImage": {
        "base_dim": 4,
        "z_dim": 4,
        "dim_mult": [1, 1],
        "num_res_blocks": 1,
        "temperal_downsample": [True],
        "latents_mean": MEAN,
        "latents_std": STD,
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
    "AutoencoderKLFlux2": ((3, 16, 16), (16, 4, 4)),
    "AutoencoderKLHunyuanImage": ((3, 16, 16), (4, 8, 8)),
    "VQModel": ((3, 16, 16), (3, 8, 8)),
    "AsymmetricAutoencoderKL": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderTiny": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderDC": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderKLTemporalDecoder": ((3, 3, 16, 16), (3, 4, 8, 8)),
    "AutoencoderKLCogVideoX": ((3, 9, 16, 16), (4, 5, 8, 8)),
    "AutoencoderKLHunyuanVideo": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderKLLTXVideo": ((3, 5, 16, 16), (4, 3, 4, 4)),
    "AutoencoderKLQwenImage": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderKLWan": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderOobleck": ((2, 64), (4, 8)),
}


def make_autoencoder(kind: str, **changes: Any) -> Any:
    """A random one of any class that is read, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(diffusers, kind)(**(CONFIGS[kind] | changes)).eval()
