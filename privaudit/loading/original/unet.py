"""Names of a U-Net's modules in the code of latent diffusion and SDXL, from the structure of its blocks.

There, blocks are numbered through: ``input_blocks.4.1`` is the attention of the fifth, in which ``0`` is the residual
block and the last is the resampling.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


def ldm_names(network: nn.Module) -> Iterator[tuple[str, str]]:
    """List original names with the paths in diffusers.

    Args:
        network: A `UNet2DConditionModel`.

    Yields:
        Name and path; some paths may not exist.
    """
    yield from ENDS.items()
    modules = dict(network.named_modules())
    for name, path in (*_down(modules), *_middle(modules), *_up(modules)):
        if ".resnets." in path:
            yield from ((f"{name}.{original}", f"{path}.{part}") for original, part in RESIDUAL.items())
        elif ".attentions." in path:  # whose parts have the same names
            inside = [part.removeprefix(f"{path}.") for part in modules if part.startswith(f"{path}.")]
            yield from ((f"{name}.{part}", f"{path}.{part}") for part in inside)
        else:
            yield name, path


def _down(modules: dict[str, nn.Module]) -> Iterator[tuple[str, str]]:
    number = 1  # after the first convolution
    for block in _count(modules, "down_blocks.{}"):
        for layer in _count(modules, f"{block}.resnets.{{}}"):
            yield f"input_blocks.{number}.0", layer
            yield f"input_blocks.{number}.1", layer.replace(".resnets.", ".attentions.")
            number += 1
        if f"{block}.downsamplers.0" in modules:
            yield f"input_blocks.{number}.0.op", f"{block}.downsamplers.0.conv"
            number += 1


def _middle(modules: dict[str, nn.Module]) -> Iterator[tuple[str, str]]:
    residual = list(_count(modules, "mid_block.resnets.{}"))
    attention = list(_count(modules, "mid_block.attentions.{}"))
    for number, layer in enumerate(residual):
        yield f"middle_block.{2 * number if attention else number}", layer
    for number, layer in enumerate(attention):
        yield f"middle_block.{2 * number + 1}", layer


def _up(modules: dict[str, nn.Module]) -> Iterator[tuple[str, str]]:
    number = 0
    for block in _count(modules, "up_blocks.{}"):
        layers = list(_count(modules, f"{block}.resnets.{{}}"))
        for layer in layers:
            attention = layer.replace(".resnets.", ".attentions.")
            yield f"output_blocks.{number}.0", layer
            yield f"output_blocks.{number}.1", attention
            if layer == layers[-1] and f"{block}.upsamplers.0" in modules:
                place = 2 if attention in modules else 1
                yield f"output_blocks.{number}.{place}.conv", f"{block}.upsamplers.0.conv"
            number += 1


def _count(modules: dict[str, nn.Module], path: str) -> Iterator[str]:
    number = 0
    while path.format(number) in modules:
        yield path.format(number)
        number += 1
