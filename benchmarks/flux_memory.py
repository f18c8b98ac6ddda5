"""What a Flux-sized model takes on one device, from parameters and a blank pass: no weight is read, no value computed.

    python benchmarks/flux_memory.py [--side 512] [--out FILE]

Flux.1 dev as the defaults of diffusers describe it, T5-XXL and CLIP-L as published. The pass runs on torch's meta
device; scratch memory inside kernels is not counted.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from privaudit.execution.live_memory import LiveMemory

T5_XXL = T5Config(d_model=4096, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu")
CLIP_L = CLIPTextConfig(
    hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768
)
BLOCKS = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 16}
TEXT_LENGTH = 512


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with torch.device("meta"):
        transformer = FluxTransformer2DModel(guidance_embeds=True).to(torch.bfloat16).eval()
        texts = [T5EncoderModel(T5_XXL), CLIPTextModel(CLIP_L)]
        autoencoder = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, **BLOCKS
        ).eval()
    tokens = (arguments.side // 16) ** 2
    blank = {"dtype": torch.bfloat16, "device": "meta"}
    with torch.no_grad(), LiveMemory() as memory:
        transformer(
            hidden_states=torch.empty(1, tokens, 64, **blank),
            encoder_hidden_states=torch.empty(1, TEXT_LENGTH, 4096, **blank),
            pooled_projections=torch.empty(1, 768, **blank),
            timestep=torch.empty(1, **blank),
            guidance=torch.empty(1, **blank),
            img_ids=torch.empty(tokens, 3, **blank),
            txt_ids=torch.empty(TEXT_LENGTH, 3, **blank),
        )
    weights = {
        "transformer, bfloat16": _bytes([transformer]),
        "text encoders, float32": _bytes(texts),
        "autoencoder, float32": _bytes([autoencoder]),
    }
    denoiser = weights["transformer, bfloat16"] + memory.peak
    lines = [
        f"torch {torch.__version__}, diffusers {diffusers.__version__}, transformers {transformers.__version__}, "
        f"Python {platform.python_version()}; Flux.1 dev, {arguments.side}x{arguments.side}, one image, "
        f"{TEXT_LENGTH} text tokens",
        "",
        *(f"{name}: {size / 2**30:.2f} GiB" for name, size in weights.items()),
        f"a pass of the transformer: {memory.peak / 2**30:.2f} GiB",
        "with --dtype bfloat16 --offload --batch-size 1, at most "
        f"{max(denoiser, *weights.values()) / 2**30:.1f} GiB on the device and "
        f"{sum(weights.values()) / 2**30:.1f} GiB in main memory",
    ]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")


def _bytes(modules: list[torch.nn.Module]) -> int:
    """Count weights on the meta device, whose tensors have no address to tell shared ones by."""
    return sum(tensor.nbytes for module in modules for tensor in {id(t): t for t in module.parameters()}.values())


if __name__ == "__main__":
    main()
