"""Tiny pipelines, built with the classes of diffusers and transformers and saved with the real save_pretrained."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    LDMPipeline,
    PNDMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

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


def tiny_text_encoder(vocabulary: int, kind: type = CLIPTextModel, width: int = 16) -> torch.nn.Module:
    return kind(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            projection_dim=width // 2,
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


def tiny_t5(width: int = 32) -> tuple[T5EncoderModel, T5Tokenizer]:
    """An encoder and a unigram tokenizer over letters."""
    words = ["<pad>", "</s>", "<unk>", "\u2581cat", *"\u2581abcdefghijklmnopqrstuvwxyz,"]
    tokenizer = T5Tokenizer(vocab=[(word, -float(place)) for place, word in enumerate(words)], extra_ids=0)
    config = T5Config(vocab_size=len(tokenizer), d_model=width, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    return T5EncoderModel(config), tokenizer


def save_sd3(
    folder: Path, scratch: Path, *, transformer: dict | None = None, t5: int | None = None, **schedule: Any
) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer(scratch)
        parameters = {
            "sample_size": 8,
            "patch_size": 2,
            "in_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "caption_projection_dim": 16,
            "pooled_projection_dim": 12,
            "out_channels": 4,
            "pos_embed_max_size": 4,
        }
        encoder, words = (None, None) if t5 is None else tiny_t5(t5)
        pipeline = StableDiffusion3Pipeline(
            transformer=SD3Transformer2DModel(**(parameters | (transformer or {}))),
            scheduler=FlowMatchEulerDiscreteScheduler(**({"shift": 3.0} | schedule)),
            vae=tiny_autoencoder(shift_factor=0.1),
            text_encoder=tiny_text_encoder(len(tokenizer), CLIPTextModelWithProjection),
            tokenizer=tokenizer,
            text_encoder_2=tiny_text_encoder(len(tokenizer), CLIPTextModelWithProjection, 8),
            tokenizer_2=tokenizer,
            text_encoder_3=encoder,
            tokenizer_3=words,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_sdxl(folder: Path, scratch: Path, *, unet: dict | None = None, **parameters: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer(scratch)
        told = {
            "cross_attention_dim": 32,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": 6 * 4 + 8,
        }
        pipeline = StableDiffusionXLPipeline(
            vae=tiny_autoencoder(),
            text_encoder=tiny_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=tiny_text_encoder(len(tokenizer), CLIPTextModelWithProjection),
            tokenizer_2=tokenizer,
            unet=tiny_conditional_unet(**(told | (unet or {}))),
            scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
            add_watermarker=False,
            **parameters,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_flux(folder: Path, scratch: Path, *, transformer: dict | None = None, shift: float = 1.0) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer(scratch)
        encoder, words = tiny_t5()
        parameters = {
            "patch_size": 1,
            "in_channels": 16,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "pooled_projection_dim": 16,
            "axes_dims_rope": [4, 4, 8],
            "guidance_embeds": True,
        }
        pipeline = FluxPipeline(
            transformer=FluxTransformer2DModel(**(parameters | (transformer or {}))),
            scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
            vae=tiny_autoencoder(shift_factor=0.1),
            text_encoder=tiny_text_encoder(len(tokenizer)),
            tokenizer=tokenizer,
            text_encoder_2=encoder,
            tokenizer_2=words,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def save_dit(folder: Path, *, transformer: dict | None = None) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parameters = {
            "sample_size": 8,
            "num_layers": 1,
            "patch_size": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "in_channels": 4,
            "out_channels": 8,
            "num_embeds_ada_norm": 1000,
            "activation_fn": "gelu-approximate",
        }
        pipeline = DiTPipeline(
            transformer=DiTTransformer2DModel(**(parameters | (transformer or {}))),
            vae=tiny_autoencoder(),
            scheduler=DDIMScheduler(),
            id2label={0: "cat", 1: "dog, hound"},
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
