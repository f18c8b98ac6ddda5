"""Tiny autoencoders of every class that is read: those of `models` and more."""

from typing import Any

import diffusers
import models
import torch
from models import MEAN, STD

from privaudit.loading.components import moved_class

CONFIGS: dict[str, dict[str, Any]] = models.CONFIGS | {
    "PaellaVQModel": {"latent_channels": 4, "embed_dim": 8, "bottleneck_blocks": 1, "num_vq_embeddings": 2},
    "AutoencoderRAE": {
        "encoder_type": "dinov2",
        "encoder_hidden_size": 64,
        "encoder_patch_size": 8,
        "encoder_num_hidden_layers": 1,
        "encoder_input_size": 32,
        "patch_size": 4,
        "image_size": 16,
        "decoder_hidden_size": 16,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 16,
        "latents_mean": [[[0.1]]] * 64,
        "latents_std": [[[0.5]]] * 64,
        "scaling_factor": 0.7,
    },
    "AutoencoderKLKVAE": {
        "channels": 32,
        "num_enc_blocks": 1,
        "num_dec_blocks": 1,
        "z_channels": 4,
        "ch_mult": [1, 2],
        "sample_size": 16,
    },
    "AutoencoderKLCosmos": {
        "latent_channels": 4,
        "encoder_block_out_channels": [8] * 4,
        "decode_block_out_channels": [8] * 4,
        "attention_resolutions": [8],
        "resolution": 64,
        "num_layers": 2,
        "patch_size": 4,
        "spatial_compression_ratio": 4,
        "temporal_compression_ratio": 4,
        "latents_mean": [0.1 * place for place in range(4 * 5)],
        "latents_std": [1 + 0.1 * place for place in range(4 * 5)],
    },
    "AutoencoderKLHunyuanImageRefiner": {
        "latent_channels": 4,
        "block_out_channels": [32, 32],
        "layers_per_block": 1,
        "spatial_compression_ratio": 2,
        "temporal_compression_ratio": 2,
    },
    "AutoencoderKLHunyuanVideo15": {
        "latent_channels": 4,
        "block_out_channels": [32, 32],
        "layers_per_block": 1,
        "spatial_compression_ratio": 2,
        "temporal_compression_ratio": 2,
    },
    "AutoencoderKLKVAEVideo": {
        "ch": 32,
        "ch_mult": [1, 2],
        "num_res_blocks": 1,
        "z_channels": 4,
        "temporal_compress_times": 2,
    },
    "AutoencoderKLLTX2Video": {
        "latent_channels": 4,
        "block_out_channels": [8, 8],
        "down_block_types": ["LTX2VideoDownBlock3D"] * 2,
        "decoder_block_out_channels": [8],
        "layers_per_block": [1, 1, 1],
        "decoder_layers_per_block": [1, 1],
        "spatio_temporal_scaling": [True, True],
        "decoder_spatio_temporal_scaling": [True],
        "decoder_inject_noise": [False, False],
        "downsample_type": ["spatial", "temporal"],
        "upsample_residual": [True],
        "upsample_factor": [2],
        "patch_size": 1,
    },
    "AutoencoderKLMagvit": {
        "latent_channels": 4,
        "block_out_channels": [8, 8],
        "down_block_types": ["SpatialDownBlock3D", "SpatialTemporalDownBlock3D"],
        "up_block_types": ["SpatialUpBlock3D", "SpatialTemporalUpBlock3D"],
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    "AutoencoderKLMiniMaxH3": {
        "latent_channels": 4,
        "block_out_channels": [8, 16],
        "layers_per_block": 1,
        "spatial_downsample_factors": [2, 2],
        "temporal_downsample_factors": [2, 2],
        "norm_num_groups": 4,
        "decoder_num_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_attention_head_dim": 8,
        "decoder_num_register_tokens": 2,
        "decoder_ffn_mult": 2,
        "clip_length": 17,
        "token_drop": 3,
        "latents_mean": MEAN,
        "latents_std": STD,
    },
    "AutoencoderKLMochi": {
        "latent_channels": 4,
        "encoder_block_out_channels": [32] * 4,
        "decoder_block_out_channels": [32] * 4,
        "layers_per_block": [1] * 5,
        "latents_mean": MEAN,
        "latents_std": STD,
        "scaling_factor": 0.7,
    },
    "AutoencoderKLQwenImage21": {
        "base_dim": 8,
        "decoder_base_dim": 8,
        "z_dim": 4,
        "dim_mult": [1, 1, 1],
        "num_res_blocks": 1,
        "temperal_downsample": [False, True],
        "latents_mean": MEAN,
        "latents_std": STD,
        "scale_factor_temporal": 2,
        "scale_factor_spatial": 4,
    },
    "AutoencoderVidTok": {
        "is_causal": False,
        "ch": 32,
        "ch_mult": [1, 1, 1],
        "z_channels": 4,
        "double_z": True,
        "num_res_blocks": 1,
    },
    "Kandinsky6SRVAE": {
        "latent_channels": 4,
        "encoder_block_out_channels": [32, 32],
        "decoder_block_out_channels": [32, 32],
        "layers_per_block": 1,
        "temporal_compression_ratio": 2,
        "temporal_compression_start_level": 0,
    },
    "AutoencoderSAME": {
        "patch_size": 4,
        "encoder_channels": 16,
        "encoder_c_mults": [1, 2],
        "encoder_strides": [2, 2],
        "encoder_transformer_depths": [1, 1],
        "latent_dim": 4,
        "dim_heads": 8,
        "ff_mult": 2,
    },
    "AutoencoderKLLTX2Audio": {
        "latent_channels": 4,
        "base_channels": 16,
        "resolution": 16,
        "num_res_blocks": 1,
        "mel_bins": 16,
        "mid_block_add_attention": False,
    },
}
SHAPES = models.SHAPES | {  # of one item, and of its latent
    "PaellaVQModel": ((3, 16, 16), (4, 4, 4)),
    "AutoencoderRAE": ((3, 16, 16), (64, 4, 4)),
    "AutoencoderKLKVAE": ((3, 16, 16), (4, 8, 8)),
    "AutoencoderKLCosmos": ((3, 9, 16, 16), (4, 3, 4, 4)),
    "AutoencoderKLHunyuanImageRefiner": ((3, 5, 16, 16), (4, 5, 8, 8)),
    "AutoencoderKLHunyuanVideo15": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderKLKVAEVideo": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderKLLTX2Video": ((3, 9, 16, 16), (4, 5, 8, 8)),
    "AutoencoderKLMagvit": ((3, 9, 16, 16), (4, 9, 8, 8)),
    "AutoencoderKLMiniMaxH3": ((3, 22, 16, 16), (4, 7, 4, 4)),
    "AutoencoderKLMochi": ((3, 7, 16, 16), (4, 2, 2, 2)),
    "AutoencoderKLQwenImage21": ((4, 16, 16), (4, 4, 4)),
    "AutoencoderVidTok": ((3, 16, 16, 16), (4, 4, 4, 4)),
    "Kandinsky6SRVAE": ((3, 5, 16, 16), (4, 3, 8, 8)),
    "AutoencoderSAME": ((2, 64), (4, 4)),
    "AutoencoderKLLTX2Audio": ((2, 13, 16), (4, 4, 4)),
}


def class_of(kind: str) -> Any:
    return getattr(diffusers, kind, None) or moved_class("diffusers", kind)


def make_autoencoder(kind: str, **changes: Any) -> Any:
    """A random one of any class that is read, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = class_of(kind)(**(CONFIGS[kind] | changes)).eval()
        if kind == "AutoencoderSAME":  # at first the layers add zeros, so that nothing reaches its output
            for values in model.parameters():
                if not values.any():
                    torch.nn.init.normal_(values, std=0.5)
        statistics = dict(model.named_buffers(recurse=False))
        if "LTX2" in kind:
            statistics["latents_mean"].normal_()
            statistics["latents_std"].uniform_(0.5, 2)
    return model
