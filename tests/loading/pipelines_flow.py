"""Tiny pipelines of flow-matching transformers, saved with the real save_pretrained."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
import transformers
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.models.transformers import transformer_cosmos
from pipelines import tiny_autoencoder, tiny_t5, tiny_text_encoder, tiny_tokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

WORDS = 320
"""Tokens that the language models embed: more than the bytes and the special tokens."""
QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MISTRAL_CHAT = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'][0]['text'] }}{% endfor %}"
if not hasattr(transformer_cosmos, "transforms"):  # torchvision, of which diffusers needs one function
    transformer_cosmos.transforms = SimpleNamespace(
        functional=SimpleNamespace(
            resize=lambda values, size, interpolation: torch.nn.functional.interpolate(values, size, mode=interpolation)
        ),
        InterpolationMode=SimpleNamespace(NEAREST="nearest"),
    )
SMALL = {"intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": WORDS}


def seeded(kind: Any, *args: Any, **parameters: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(*args, **parameters).eval()


def save(folder: Path, kind: type, *, shift: float = 1.0, schedule: dict | None = None, **parts: Any) -> Path:
    """Save a pipeline with a scheduler that does not shift."""
    scheduler = FlowMatchEulerDiscreteScheduler(**({"shift": shift} | (schedule or {})))
    missing = [name for name in inspect.signature(kind.__init__).parameters if name not in (*parts, "self")]
    absent = {name: None for name in missing if name in ("image_encoder", "feature_extractor", "guider", "ocr_guider")}
    kind(scheduler=scheduler, **parts, **absent).save_pretrained(folder, safe_serialization=True)
    return folder


def byte_vocabulary(*special: str) -> dict[str, int]:
    return {word: place for place, word in enumerate([*special, *bytes_to_unicode().values()])}


def qwen_tokenizer() -> Any:
    tokenizer = transformers.Qwen2Tokenizer(vocab=byte_vocabulary(*QWEN_SPECIAL), merges=[])
    tokenizer.chat_template = CHAT
    return tokenizer


def llama_tokenizer(chat_template: str | None = None, *, add_bos_token: bool = True) -> Any:
    vocabulary = byte_vocabulary("<unk>", "<s>", "</s>")
    tokenizer = transformers.LlamaTokenizer(vocab=vocabulary, merges=[], add_bos_token=add_bos_token)
    tokenizer.pad_token = "<unk>"
    tokenizer.chat_template = chat_template
    return tokenizer


def gemma_tokenizer(*, add_bos_token: bool = True) -> Any:
    vocabulary = byte_vocabulary("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    return transformers.GemmaTokenizer(vocab=vocabulary, merges=[], add_bos_token=add_bos_token)


def qwen3(kind: type, layers: int = 2) -> Any:
    return seeded(kind, transformers.Qwen3Config(hidden_size=16, num_hidden_layers=layers, head_dim=8, **SMALL))


def qwen_vl() -> Any:
    config = transformers.Qwen2_5_VLConfig(
        text_config=SMALL
        | {
            "hidden_size": 16,
            "num_hidden_layers": 3,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "rope_theta": 1000000.0,
        },
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
        vocab_size=WORDS,
        vision_start_token_id=3,
        vision_end_token_id=4,
        vision_token_id=5,
        image_token_id=5,
    )
    return seeded(transformers.Qwen2_5_VLForConditionalGeneration, config)


def flux_parts(scratch: Path, **transformer: Any) -> dict[str, Any]:
    tokenizer = tiny_tokenizer(scratch)
    encoder, words = seeded_t5()
    values = {
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
    return {
        "transformer": seeded(diffusers.FluxTransformer2DModel, **(values | transformer)),
        "vae": seeded(tiny_autoencoder, shift_factor=0.1),
        "text_encoder": seeded(tiny_text_encoder, len(tokenizer)),
        "tokenizer": tokenizer,
        "text_encoder_2": encoder,
        "tokenizer_2": words,
    }


def seeded_t5(kind: type = transformers.T5EncoderModel, vocabulary: int | None = None) -> tuple[Any, Any]:
    with torch.random.fork_rng(devices=[]):
        _, words = tiny_t5()
    config = transformers.UMT5Config if kind is transformers.UMT5EncoderModel else transformers.T5Config
    size = {"d_model": 32, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return seeded(kind, config(vocab_size=vocabulary or len(words), **size)), words


def save_flux_like(folder: Path, scratch: Path, kind: type, **transformer: Any) -> Path:
    return save(folder, kind, **flux_parts(scratch, **transformer))


def save_flux_fill(folder: Path, scratch: Path) -> Path:
    """With channels for the noisy latent, the masked image, and the 2x2 pixels per position of a mask."""
    parts = flux_parts(scratch, in_channels=2 * 16 + 4 * 4, out_channels=16)
    # The pipeline samples the latent of the masked image; without variance it is its mean.
    head = parts["vae"].quant_conv
    with torch.no_grad():
        head.weight[4:], head.bias[4:] = 0, -30
    return save(folder, diffusers.FluxFillPipeline, **parts)


def save_chroma(folder: Path) -> Path:
    encoder, words = seeded_t5()
    network = seeded(
        diffusers.ChromaTransformer2DModel,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=[4, 4, 8],
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    vae = seeded(tiny_autoencoder, shift_factor=0.1)
    return save(folder, diffusers.ChromaPipeline, transformer=network, vae=vae, text_encoder=encoder, tokenizer=words)


def flux_2_parts(joint_attention_dim: int = 48, **transformer: Any) -> dict[str, Any]:
    network = seeded(
        diffusers.Flux2Transformer2DModel,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=joint_attention_dim,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        **transformer,
    )
    vae = seeded(
        diffusers.AutoencoderKLFlux2,
        sample_size=16,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=[8, 8],
        latent_channels=4,
        norm_num_groups=4,
    )
    return {"transformer": network, "vae": vae}


def save_flux_2(
    folder: Path, *, layers: int = 30, chat_template: str | None = MISTRAL_CHAT, **transformer: Any
) -> Path:
    config = transformers.Mistral3Config(
        text_config=SMALL
        | {"model_type": "mistral", "hidden_size": 16, "num_hidden_layers": layers, "sliding_window": None},
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "intermediate_size": 16,
            "image_size": 30,
            "patch_size": 6,
        },
        image_seq_length=4,
        vision_feature_layer=-1,
        image_token_index=1,
    )
    text = seeded(transformers.Mistral3ForConditionalGeneration, config)
    words, parts = llama_tokenizer(chat_template), flux_2_parts(**transformer)
    return save(folder, diffusers.Flux2Pipeline, text_encoder=text, tokenizer=words, **parts)


def save_flux_2_klein(folder: Path, **transformer: Any) -> Path:
    parts = flux_2_parts(**({"guidance_embeds": False} | transformer))
    text = qwen3(transformers.Qwen3ForCausalLM, 27)
    return save(folder, diffusers.Flux2KleinPipeline, text_encoder=text, tokenizer=qwen_tokenizer(), **parts)


def save_qwen_image(folder: Path, **transformer: Any) -> Path:
    vae = seeded(
        diffusers.AutoencoderKLQwenImage,
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.1, -0.2, 0.0, 0.3],
        latents_std=[0.5, 1.0, 2.0, 1.5],
    )
    values = {
        "patch_size": 2,
        "in_channels": 16,
        "out_channels": 4,
        "num_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 3,
        "joint_attention_dim": 16,
        "axes_dims_rope": (8, 4, 4),
    }
    network = seeded(diffusers.QwenImageTransformer2DModel, **(values | transformer))
    parts = {"vae": vae, "transformer": network, "text_encoder": qwen_vl(), "tokenizer": qwen_tokenizer()}
    return save(folder, diffusers.QwenImagePipeline, **parts)


def patch_network(kind: type, channels: int, **changes: Any) -> Any:
    values = {
        "patch_size": 1,
        "in_channels": 4 * channels,
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "axes_dims_rope": [4, 4, 8],
    }
    return seeded(kind, **(values | changes))


def save_ovis_image(folder: Path) -> Path:
    parts = {
        "transformer": patch_network(diffusers.OvisImageTransformer2DModel, 4, out_channels=16),
        "vae": seeded(tiny_autoencoder, shift_factor=0.1),
        "text_encoder": qwen3(transformers.Qwen3Model),
        "tokenizer": qwen_tokenizer(),
    }
    return save(folder, diffusers.OvisImagePipeline, **parts)


def save_longcat_image(folder: Path) -> Path:
    """With 16 channels, which the pipeline takes for granted."""
    parts = {
        "transformer": patch_network(diffusers.LongCatImageTransformer2DModel, 16),
        "vae": seeded(tiny_autoencoder, shift_factor=0.1, latent_channels=16),
        "text_encoder": qwen_vl(),
        "tokenizer": qwen_tokenizer(),
        "text_processor": None,
    }
    return save(folder, diffusers.LongCatImagePipeline, **parts)


def save_z_image(folder: Path, **transformer: Any) -> Path:
    values = {
        "all_patch_size": (2,),
        "all_f_patch_size": (1,),
        "in_channels": 4,
        "dim": 32,
        "n_layers": 1,
        "n_refiner_layers": 1,
        "n_heads": 2,
        "n_kv_heads": 2,
        "cap_feat_dim": 16,
        "axes_dims": [8, 4, 4],
        "axes_lens": [256, 32, 32],
    }
    network = seeded(diffusers.ZImageTransformer2DModel, **(values | transformer))
    with torch.no_grad():
        network.x_pad_token.fill_(1)
        network.cap_pad_token.fill_(1)
    parts = {"text_encoder": qwen3(transformers.Qwen3Model), "tokenizer": qwen_tokenizer()}
    vae = seeded(tiny_autoencoder, shift_factor=0.1)
    return save(folder, diffusers.ZImagePipeline, transformer=network, vae=vae, **parts)


def save_lumina_2(folder: Path) -> Path:
    network = seeded(
        diffusers.Lumina2Transformer2DModel,
        sample_size=8,
        patch_size=2,
        in_channels=4,
        hidden_size=8,
        num_layers=1,
        num_attention_heads=1,
        num_kv_heads=1,
        multiple_of=16,
        axes_dim_rope=[4, 2, 2],
        cap_feat_dim=8,
    )
    config = transformers.Gemma2Config(head_dim=4, hidden_size=8, num_hidden_layers=2, sliding_window=2, **SMALL)
    parts = {"text_encoder": seeded(transformers.Gemma2Model, config), "tokenizer": gemma_tokenizer()}
    vae = seeded(tiny_autoencoder, shift_factor=0.1)
    return save(folder, diffusers.Lumina2Pipeline, transformer=network, vae=vae, **parts)


def save_lumina_next(folder: Path, *, tokenizer: Any = None) -> Path:
    network = seeded(
        diffusers.LuminaNextDiT2DModel,
        sample_size=8,
        patch_size=2,
        in_channels=4,
        hidden_size=8,
        num_layers=1,
        num_attention_heads=1,
        num_kv_heads=1,
        multiple_of=16,
        cross_attention_dim=8,
    )
    with torch.no_grad():
        for layer in network.layers:
            layer.gate.fill_(1)  # zeros would leave the text out of the attention
    config = transformers.GemmaConfig(head_dim=4, hidden_size=8, num_hidden_layers=2, **SMALL)
    text = seeded(transformers.GemmaForCausalLM, config)
    parts = {"text_encoder": text, "tokenizer": tokenizer or gemma_tokenizer()}
    torch.nn.init.zeros_(network.pad_token)  # created without values, and never used
    return save(folder, diffusers.LuminaPipeline, transformer=network, vae=seeded(tiny_autoencoder), **parts)


def save_aura_flow(folder: Path) -> Path:
    encoder, words = seeded_t5(transformers.UMT5EncoderModel)
    network = seeded(
        diffusers.AuraFlowTransformer2DModel,
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        out_channels=4,
        pos_embed_max_size=36,
    )
    parts = {"text_encoder": encoder, "tokenizer": words, "vae": seeded(tiny_autoencoder)}
    return save(folder, diffusers.AuraFlowPipeline, transformer=network, **parts)


def save_cogview_4(folder: Path, *, tokenizer: Any = None, **schedule: Any) -> Path:
    """With 16 patches, the shift of its scheduler is 1 + 2 = 3."""
    network = seeded(
        diffusers.CogView4Transformer2DModel,
        patch_size=2,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        out_channels=4,
        text_embed_dim=16,
        time_embed_dim=8,
        condition_dim=4,
        sample_size=8,
    )
    config = transformers.GlmConfig(hidden_size=16, num_hidden_layers=2, head_dim=8, pad_token_id=0, **SMALL)
    shifts = {"base_shift": 1.0, "max_shift": 2.0, "base_image_seq_len": 16}
    schedule = {"use_dynamic_shifting": True, "time_shift_type": "linear", **shifts} | schedule
    parts = {"text_encoder": seeded(transformers.GlmModel, config), "tokenizer": tokenizer or llama_tokenizer()}
    vae = seeded(tiny_autoencoder)
    return save(folder, diffusers.CogView4Pipeline, transformer=network, vae=vae, schedule=schedule, **parts)


def save_hidream(folder: Path, scratch: Path, *, positions: int = 128, **transformer: Any) -> Path:
    scratch.mkdir()
    parts: dict[str, Any] = {}
    for suffix in ("", "_2"):
        parts[f"tokenizer{suffix}"] = tiny_tokenizer(scratch / f"clip{suffix}")
        parts[f"tokenizer{suffix}"].model_max_length = positions
        config = transformers.CLIPTextConfig(
            vocab_size=len(parts["tokenizer"]),
            hidden_size=16,
            projection_dim=8,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=positions,
            bos_token_id=len(parts["tokenizer"]) - 2,
            eos_token_id=len(parts["tokenizer"]) - 1,
            pad_token_id=len(parts["tokenizer"]) - 1,
        )
        parts[f"text_encoder{suffix}"] = seeded(transformers.CLIPTextModelWithProjection, config)
    parts["text_encoder_3"], parts["tokenizer_3"] = seeded_t5()
    llama = transformers.LlamaConfig(hidden_size=16, num_hidden_layers=2, pad_token_id=1, **SMALL)
    parts["text_encoder_4"] = seeded(transformers.LlamaForCausalLM, llama)
    parts["tokenizer_4"] = llama_tokenizer()
    values = {
        "patch_size": 2,
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 8,
        "num_attention_heads": 4,
        "caption_channels": [32, 16],
        "text_emb_dim": 16,
        "num_routed_experts": 4,
        "num_activated_experts": 2,
        "axes_dims_rope": (4, 2, 2),
        "max_resolution": (16, 16),
        "llama_layers": (0, 1),
    }
    network = seeded(diffusers.HiDreamImageTransformer2DModel, **(values | transformer))
    vae = seeded(tiny_autoencoder, shift_factor=0.1)
    return save(folder, diffusers.HiDreamImagePipeline, transformer=network, vae=vae, **parts)


def save_hunyuan_image(folder: Path, **transformer: Any) -> Path:
    values = {
        "in_channels": 4,
        "out_channels": 4,
        "num_attention_heads": 4,
        "attention_head_dim": 8,
        "num_layers": 1,
        "num_single_layers": 1,
        "num_refiner_layers": 1,
        "patch_size": (1, 1),
        "text_embed_dim": 16,
        "text_embed_2_dim": 32,
        "rope_axes_dim": (4, 4),
        "guidance_embeds": True,
    }
    vae = seeded(
        diffusers.AutoencoderKLHunyuanImage,
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=[32, 32],
        layers_per_block=1,
        spatial_compression_ratio=2,
        sample_size=16,
        scaling_factor=0.75289,
    )
    words = transformers.ByT5Tokenizer()
    parts = {
        "vae": vae,
        "transformer": seeded(diffusers.HunyuanImageTransformer2DModel, **(values | transformer)),
        "text_encoder": qwen_vl(),
        "tokenizer": qwen_tokenizer(),
        "text_encoder_2": seeded_t5(vocabulary=len(words))[0],
        "tokenizer_2": words,
    }
    return save(folder, diffusers.HunyuanImagePipeline, **parts)


class NoChecker(torch.nn.Module):
    """Cosmos refuses to be made without a checker of its prompts and images."""

    device = torch.device("cpu")

    def check_text_safety(self, prompt: str) -> bool:
        return bool(prompt)


class TwoSteps(FlowMatchEulerDiscreteScheduler):
    """Noise scales 3 and 1, which are sigma = 0.75 and 0.5 of a flow model."""

    def set_timesteps(self, *args: Any, sigmas: Any = None, **kwargs: Any) -> None:
        super().set_timesteps(sigmas=[0.75, 0.5])
        self.sigmas = torch.tensor([3.0, 1.0, 0.0])


def save_cosmos_2(folder: Path) -> Path:
    encoder, words = seeded_t5()
    network = seeded(
        diffusers.CosmosTransformer3DModel,
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=1,
        mlp_ratio=2,
        text_embed_dim=32,
        adaln_lora_dim=4,
        max_size=(4, 32, 32),
        patch_size=(1, 2, 2),
        rope_scale=(2.0, 1.0, 1.0),
        concat_padding_mask=True,
        extra_pos_embed_type="learnable",
    )
    vae = seeded(
        diffusers.AutoencoderKLWan,
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.1, -0.2, 0.0, 0.3],
        latents_std=[0.5, 1.0, 2.0, 1.5],
    )
    pipeline = diffusers.Cosmos2TextToImagePipeline(
        encoder, words, network, vae, FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True), NoChecker()
    )
    pipeline.register_modules(safety_checker=None)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
