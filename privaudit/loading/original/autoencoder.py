"""Names of an autoencoder's modules in the code of latent diffusion."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

ENDS = {
    "quant_conv": "quant_conv",
    "post_quant_conv": "post_quant_conv",
    **{f"{half}.{end}": f"{half}.{end}" for half in ("encoder", "decoder") for end in ("conv_in", "conv_out")},
    **{f"{half}.norm_out": f"{half}.conv_norm_out" for half in ("encoder", "decoder")},
}
RESIDUAL = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}
ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


def autoencoder_names(network: nn.Module) -> Iterator[tuple[str, str]]:
    """List original names with the paths in diffusers.

    Args:
        network: An `AutoencoderKL`.

    Yields:
        Name and path; some paths may not exist.
    """
    yield from ENDS.items()
    modules = dict(network.named_modules())
    stages = sum(f"encoder.down_blocks.{number}" in modules for number in range(len(modules)))
    for half in ("encoder", "decoder"):
        for number in (1, 2):
            yield from _parts(f"{half}.mid.block_{number}", f"{half}.mid_block.resnets.{number - 1}", RESIDUAL)
        yield from _parts(f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0", ATTENTION)
    for stage in range(stages):
        # The original code counts the stages of the decoder from the image.
        down, up = f"encoder.down_blocks.{stage}", f"decoder.up_blocks.{stages - 1 - stage}"
        yield f"encoder.down.{stage}.downsample.conv", f"{down}.downsamplers.0.conv"
        yield f"decoder.up.{stage}.upsample.conv", f"{up}.upsamplers.0.conv"
        for name, block in ((f"encoder.down.{stage}", down), (f"decoder.up.{stage}", up)):
            layer = 0
            while f"{block}.resnets.{layer}" in modules:
                yield from _parts(f"{name}.block.{layer}", f"{block}.resnets.{layer}", RESIDUAL)
                layer += 1


def _parts(name: str, path: str, parts: dict[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"{name}.{original}", f"{path}.{part}") for original, part in parts.items())
