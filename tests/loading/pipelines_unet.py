"""Tiny pipelines with a U-Net: children of Stable Diffusion and XL, other latent diffusion, Kandinsky 3."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import (
    AsymmetricAutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    Kandinsky3Pipeline,
    Kandinsky3UNet,
    LDMTextToImagePipeline,
    VQModel,
)
from diffusers.pipelines import kolors
from diffusers.pipelines.kolors import tokenizer as kolors_tokenizer
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from diffusers.pipelines.pag.pipeline_pag_kolors import KolorsPAGPipeline
from pipelines import tiny_autoencoder, tiny_conditional_unet, tiny_t5, tiny_text_encoder, tiny_tokenizer
from transformers import BertTokenizer, CLIPTextModelWithProjection

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
"""That of Stable Diffusion."""


def save_child(folder: Path, kind: str, *, xl: bool = False, unet: dict | None = None, **parts: Any) -> Path:
    """Save a pipeline that has the parts of Stable Diffusion or XL; others, or other values, are named."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = tiny_tokenizer(folder.parent / f"{folder.name} vocabulary")
        told: dict[str, Any] = {}
        if xl:
            told = {
                "cross_attention_dim": 32,
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 4,
                "projection_class_embeddings_input_dim": 6 * 4 + 8,
            }
        values = {
            "vae": tiny_autoencoder(),
            "text_encoder": tiny_text_encoder(len(tokenizer)),
            "tokenizer": tokenizer,
            "text_encoder_2": tiny_text_encoder(len(tokenizer), CLIPTextModelWithProjection),
            "tokenizer_2": tokenizer,
            "unet": tiny_conditional_unet(**(told | (unet or {}))),
            "scheduler": DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1),
            "safety_checker": None,
            "feature_extractor": None,
            "image_encoder": None,
            "requires_safety_checker": False,
            "add_watermarker": False,
        } | parts
        pipeline = getattr(diffusers, kind)
        taken = inspect.signature(pipeline.__init__).parameters
        pipeline(**{name: value for name, value in values.items() if name in taken}).save_pretrained(folder)
    return folder


def save_refiner(folder: Path) -> Path:
    return save_child(
        folder,
        "StableDiffusionXLImg2ImgPipeline",
        xl=True,
        unet={"cross_attention_dim": 16, "projection_class_embeddings_input_dim": 5 * 4 + 8},
        text_encoder=None,
        tokenizer=None,
        requires_aesthetics_score=True,
    )


def seeded(kind: Any, **parameters: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return kind(**parameters)


def tiny_taesd() -> AutoencoderTiny:
    return seeded(
        AutoencoderTiny,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )


def tiny_asymmetric_autoencoder() -> AsymmetricAutoencoderKL:
    return seeded(
        AsymmetricAutoencoderKL,
        down_block_types=["DownEncoderBlock2D"] * 2,
        down_block_out_channels=[8] * 2,
        layers_per_down_block=1,
        up_block_types=["UpDecoderBlock2D"] * 2,
        up_block_out_channels=[8] * 2,
        layers_per_up_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )


def save_text_ldm(folder: Path) -> Path:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizer(vocab={word: place for place, word in enumerate(words)}, model_max_length=77)
    config = LDMBertConfig(
        vocab_size=64,
        d_model=16,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        head_dim=8,
        max_position_embeddings=77,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipeline = LDMTextToImagePipeline(
            vqvae=tiny_autoencoder(),
            bert=LDMBertModel(config),
            tokenizer=tokenizer,
            unet=tiny_conditional_unet(),
            scheduler=DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1),
        )
    pipeline.save_pretrained(folder)
    return folder


def tiny_movq() -> VQModel:
    return seeded(
        VQModel,
        block_out_channels=[32, 32],
        down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        latent_channels=4,
        vq_embed_dim=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
    )


def save_kandinsky3(folder: Path, **unet: Any) -> Path:
    parameters = {
        "in_channels": 4,
        "time_embedding_dim": 4,
        "groups": 2,
        "attention_head_dim": 4,
        "layers_per_block": 3,
        "block_out_channels": (32, 64),
        "cross_attention_dim": 4,
        "encoder_hid_dim": 32,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, tokenizer = tiny_t5()
        pipeline = Kandinsky3Pipeline(
            tokenizer=tokenizer,
            text_encoder=encoder,
            unet=Kandinsky3UNet(**(parameters | unet)),
            movq=tiny_movq(),
            scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True),
        )
    pipeline.save_pretrained(folder)
    return folder


class Letters(kolors_tokenizer.SPTokenizer):
    """The tokenizer of Kolors over letters, which needs neither sentencepiece nor a trained vocabulary."""

    def __init__(self, model_path: str) -> None:
        self.pieces = Path(model_path).read_text().split(" ")
        self.bos_id, self.eos_id, self.pad_id = 1, 2, 0
        special = ["[MASK]", "[gMASK]", "[sMASK]", "sop", "eop"]
        self.special_tokens = {token: len(self.pieces) + place for place, token in enumerate(special)}
        self.index_special_tokens = {place: token for token, place in self.special_tokens.items()}
        self.n_words = len(self.pieces) + len(special)

    def tokenize(self, s: str, encode_special_tokens: bool = False) -> list[str]:
        return list(s.replace(" ", "_"))

    def convert_token_to_id(self, token: str) -> int:
        return self.special_tokens.get(token, self.pieces.index(token) if token in self.pieces else 0)

    def convert_id_to_token(self, index: int) -> str:
        return self.index_special_tokens.get(index) or self.pieces[index]


NEEDS_SENTENCEPIECE = kolors_tokenizer.SPTokenizer
kolors_tokenizer.SPTokenizer = Letters
# Without sentencepiece, diffusers exports stand-ins of these.
diffusers.KolorsPipeline = kolors.KolorsPipeline
diffusers.KolorsImg2ImgPipeline = kolors.KolorsImg2ImgPipeline
diffusers.KolorsPAGPipeline = KolorsPAGPipeline


def save_kolors(folder: Path, **unet: Any) -> Path:
    """Kolors, with ChatGLM in the place of the text encoders of XL."""
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=64,
        hidden_size=16,
        ffn_hidden_size=16,
        kv_channels=8,
        num_attention_heads=2,
        seq_length=256,
        multi_query_attention=True,
        multi_query_group_num=2,
        add_bias_linear=False,
        add_qkv_bias=True,
        rmsnorm=True,
        apply_residual_connection_post_layernorm=False,
        original_rope=True,
        post_layer_norm=True,
    )
    vocabulary = folder.parent / f"{folder.name} vocabulary"
    vocabulary.mkdir()
    (vocabulary / "tokenizer.model").write_text(" ".join(["<unk>", "<s>", "</s>", *"_abcdefghijklmnopqrstuvwxyz"]))
    parameters = {
        "cross_attention_dim": 8,
        "encoder_hid_dim": 16,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 6 * 4 + 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = kolors.ChatGLMModel(config)
        for values in encoder.parameters():  # its norms are created without values
            torch.nn.init.normal_(values, 1.0 if values.ndim == 1 else 0.0, 0.2)
        pipeline = kolors.KolorsPipeline(
            vae=tiny_autoencoder(),
            text_encoder=encoder,
            tokenizer=kolors.ChatGLMTokenizer(str(vocabulary / "tokenizer.model")),
            unet=tiny_conditional_unet(**(parameters | unet)),
            scheduler=EulerDiscreteScheduler(**SCHEDULE | {"beta_end": 0.014}, num_train_timesteps=1100),
        )
    pipeline.save_pretrained(folder)
    return folder


def make_variant(folder: Path, variant: str, *, shard_size: str = "10GB") -> Path:
    """Save the weights of a pipeline again as those of a variant, in 16 bits, and delete the default ones."""
    index = json.loads((folder / "model_index.json").read_text())
    pipeline = getattr(diffusers, index["_class_name"]).from_pretrained(folder, local_files_only=True)
    for path in folder.rglob("*.safetensors"):
        path.unlink()
    pipeline.to(torch.float16).save_pretrained(folder, variant=variant, max_shard_size=shard_size)
    return folder
