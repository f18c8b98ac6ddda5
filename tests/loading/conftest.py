"""Tiny pipelines, built with the classes of diffusers and transformers and saved with the real save_pretrained."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    LDMPipeline,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

SCHEDULERS = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "pndm": PNDMScheduler,
    "euler": EulerDiscreteScheduler,
}


def tiny_autoencoder(kind: type = AutoencoderKL, **changes: Any) -> torch.nn.Module:
    parameters = {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [8, 8],
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 16,
        "scaling_factor": 0.5,
    }
    if kind is VQModel:
        parameters |= {"num_vq_embeddings": 16, "latent_channels": 3}
    return kind(**(parameters | changes))


def tiny_unet(**changes: Any) -> UNet2DModel:
    parameters = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [8, 8],
        "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
        "norm_num_groups": 4,
        "add_attention": False,
    }
    return UNet2DModel(**(parameters | changes))


def tiny_conditional_unet(**changes: Any) -> UNet2DConditionModel:
    parameters = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [8, 8],
        "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "norm_num_groups": 4,
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**(parameters | changes))


def tiny_tokenizer(folder: Path) -> CLIPTokenizer:
    """A byte-pair tokenizer over letters and one merge."""
    letters = list("abcdefghijklmnopqrstuvwxyz,")
    words = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=12)


def tiny_text_encoder(vocabulary: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=12,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )


def save_ldm(
    folder: Path,
    *,
    scheduler: str = "ddpm",
    kind: type = AutoencoderKL,
    half: bool = False,
    autoencoder: dict | None = None,
    unet: dict | None = None,
    schedule: dict | None = None,
    seed: int = 0,
) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        channels = {"in_channels": 3, "out_channels": 3} if kind is VQModel else {}
        pipeline = LDMPipeline(
            vqvae=tiny_autoencoder(kind, **(autoencoder or {})),
            unet=tiny_unet(**(channels | (unet or {}))),
            scheduler=SCHEDULERS[scheduler](**(schedule or {})),
        )
    if half:
        pipeline = pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_sd(folder: Path, scratch: Path, *, unet: dict | None = None, **schedule: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer(scratch)
        pipeline = StableDiffusionPipeline(
            vae=tiny_autoencoder(),
            text_encoder=tiny_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            unet=tiny_conditional_unet(**(unet or {})),
            scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, **schedule),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a test would leave the machine."""

    def refuse(*arguments: object) -> None:
        pytest.fail("a test tried to use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def make_ldm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save an unconditional pipeline in a fresh folder."""
    return lambda **choices: save_ldm(tmp_path_factory.mktemp("ldm") / "pipeline", **choices)


@pytest.fixture(scope="session")
def make_sd(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a text-to-image pipeline in a fresh folder."""

    def make(**choices: Any) -> Path:
        base = tmp_path_factory.mktemp("sd")
        return save_sd(base / "pipeline", base / "vocabulary", **choices)

    return make


@pytest.fixture(scope="session")
def ldm_master(make_ldm: Callable[..., Path]) -> Path:
    return make_ldm()


@pytest.fixture(scope="session")
def sd_master(make_sd: Callable[..., Path]) -> Path:
    return make_sd()


@pytest.fixture
def ldm(ldm_master: Path, tmp_path: Path) -> Path:
    """A private copy of an unconditional pipeline."""
    return Path(shutil.copytree(ldm_master, tmp_path / "ldm"))


@pytest.fixture
def sd(sd_master: Path, tmp_path: Path) -> Path:
    """A private copy of a text-to-image pipeline."""
    return Path(shutil.copytree(sd_master, tmp_path / "sd"))


@pytest.fixture
def edit_json() -> Callable[..., None]:
    """Change keys of a JSON file; None removes a key."""

    def edit(path: Path, **changes: Any) -> None:
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return edit
