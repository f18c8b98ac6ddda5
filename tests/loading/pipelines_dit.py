"""Tiny pipelines of transformers told masks, sizes or a guidance scale, saved with the real save_pretrained."""

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from pipelines import tiny_autoencoder, tiny_t5

BYTES = 320
"""Words of a tokenizer over bytes with its special ones, rounded up."""


def seeded(make: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def tiny_compression() -> diffusers.AutoencoderDC:
    """A deep-compression autoencoder that halves each side."""
    return diffusers.AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=[1, 1],
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )


def tiny_gemma(width: int = 8) -> tuple[transformers.Gemma2Model, transformers.GemmaTokenizer]:
    """A language model and a tokenizer over bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *bytes_to_unicode().values()]
    tokenizer = transformers.GemmaTokenizer(vocab={word: place for place, word in enumerate(words)}, merges=[])
    config = transformers.Gemma2Config(
        head_dim=4,
        hidden_size=width,
        intermediate_size=8,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_hidden_layers=1,
        vocab_size=BYTES,
        max_position_embeddings=4096,
    )
    return transformers.Gemma2Model(config), tokenizer


def save_sana(
    folder: Path, *, kind: str = "SanaPipeline", scheduler: Any = None, gemma: int = 8, **transformer: Any
) -> Path:
    def make() -> Any:
        encoder, tokenizer = tiny_gemma(gemma)
        parameters = {
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 1,
            "num_attention_heads": 2,
            "attention_head_dim": 4,
            "num_cross_attention_heads": 2,
            "cross_attention_head_dim": 4,
            "cross_attention_dim": 8,
            "caption_channels": 8,
            "sample_size": 8,
            "timestep_scale": 0.001,
        }
        return getattr(diffusers, kind)(
            tokenizer=tokenizer,
            text_encoder=encoder,
            vae=tiny_compression(),
            transformer=diffusers.SanaTransformer2DModel(**(parameters | transformer)),
            scheduler=scheduler or diffusers.FlowMatchEulerDiscreteScheduler(),
        )

    seeded(make).save_pretrained(folder)
    return folder


def save_sana_sprint(folder: Path, **transformer: Any) -> Path:
    told = {"guidance_embeds": True, "qk_norm": "rms_norm_across_heads", "timestep_scale": 1.0}
    return save_sana(folder, kind="SanaSprintPipeline", scheduler=diffusers.SCMScheduler(), **(told | transformer))


def save_pixart(
    folder: Path, *, kind: str = "PixArtSigmaPipeline", scheduler: Any = None, t5: int = 32, **transformer: Any
) -> Path:
    def make() -> Any:
        encoder, tokenizer = tiny_t5(t5)
        parameters = {
            "sample_size": 8,
            "num_layers": 1,
            "attention_head_dim": 8,
            "num_attention_heads": 3,
            "cross_attention_dim": 24,
            "caption_channels": 32,
        }
        return getattr(diffusers, kind)(
            tokenizer=tokenizer,
            text_encoder=encoder,
            vae=tiny_autoencoder(),
            transformer=diffusers.PixArtTransformer2DModel(**(parameters | transformer)),
            scheduler=scheduler or diffusers.DDIMScheduler(),
        )

    seeded(make).save_pretrained(folder)
    return folder


def tiny_bert(positions: int = 77) -> tuple[transformers.BertModel, transformers.BertTokenizer]:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = transformers.BertTokenizer(vocab={word: place for place, word in enumerate(words)}, model_max_length=77)
    config = transformers.BertConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=len(words),
        max_position_embeddings=positions,
    )
    return transformers.BertModel(config), tokenizer


def save_hunyuan_dit(folder: Path, *, positions: int = 77, t5: int = 32, **transformer: Any) -> Path:
    def make() -> Any:
        (bert, words), (encoder, pieces) = tiny_bert(positions), tiny_t5(t5)
        parameters = {
            "sample_size": 8,
            "num_layers": 2,
            "patch_size": 2,
            "in_channels": 4,
            "attention_head_dim": 8,
            "num_attention_heads": 3,
            "hidden_size": 24,
            "cross_attention_dim": 32,
            "cross_attention_dim_t5": 32,
            "pooled_projection_dim": 16,
        }
        return diffusers.HunyuanDiTPipeline(
            vae=tiny_autoencoder(),
            text_encoder=bert,
            tokenizer=words,
            text_encoder_2=encoder,
            tokenizer_2=pieces,
            transformer=diffusers.HunyuanDiT2DModel(**(parameters | transformer)),
            scheduler=diffusers.DDPMScheduler(prediction_type="v_prediction"),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    seeded(make).save_pretrained(folder)
    return folder
