"""Merged weights are those of the tools that wrote the files: peft with diffusers, and LyCORIS."""

from __future__ import annotations

import copy
from pathlib import Path

import adapter_files as files
import pipelines
import pytest
import torch
from diffusers import StableDiffusionPipeline
from lycoris import create_lycoris
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import nn

from privaudit.loading.adapters import merge_adapter, read_adapter

TARGETS = ["to_q", "to_v", "conv1", "proj_in", "time_emb_proj"]


def merged(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    network = copy.deepcopy(network).requires_grad_(False)
    merge_adapter(read_adapter(path), {"unet": network})
    return dict(network.state_dict())


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], base: nn.Module) -> None:
    changed = 0
    for key, values in ours.items():
        torch.testing.assert_close(values, theirs[key], rtol=1e-5, atol=2e-6)
        changed += not torch.equal(values, base.state_dict()[key])
    assert changed


@pytest.mark.parametrize(
    "choices",
    [
        {"r": 4, "lora_alpha": 8},
        {"r": 4, "lora_alpha": 2, "rank_pattern": {"attn1.to_q": 2}, "alpha_pattern": {"to_v": 6}},
        {"r": 4, "lora_alpha": 4, "use_dora": True},
        {"r": 4, "lora_alpha": 2, "use_rslora": True},
    ],
)
def test_diffusers_fuses_to_the_same_weights(sd: Path, tmp_path: Path, choices: dict) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(sd, safety_checker=None)
    base = copy.deepcopy(pipeline.unet)
    pipeline.unet.add_adapter(LoraConfig(target_modules=TARGETS, init_lora_weights=False, **choices))
    with torch.no_grad():
        for name, values in pipeline.unet.named_parameters():
            if "magnitude" in name:
                values.mul_(1.1)
    # Not with convert_state_dict_to_diffusers: it renames the attention layers alone, and then diffusers loads the
    # others alone, with no more than a warning.
    pipeline.save_lora_weights(
        tmp_path,
        get_peft_model_state_dict(pipeline.unet),
        unet_lora_adapter_metadata=pipeline.unet.peft_config["default"].to_dict(),
    )
    again = StableDiffusionPipeline.from_pretrained(sd, safety_checker=None)
    again.load_lora_weights(tmp_path)
    again.fuse_lora()
    again.unload_lora_weights()
    assert_same(merged(tmp_path / "pytorch_lora_weights.safetensors", base), again.unet.state_dict(), base)


@pytest.mark.parametrize("algorithm", ["locon", "loha", "lokr", "full"])
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"use_tucker": True},
        {"weight_decompose": True},
        {"weight_decompose": True, "wd_on_output": False},
    ],
    ids=["plain", "tucker", "dora", "dora by input"],
)
def test_lycoris_trains_the_same_network(tmp_path: Path, algorithm: str, choices: dict) -> None:
    """What runs in training counts: merge_to of LyCORIS 4.1 multiplies LoHa and LoKr by alpha / rank twice."""
    if algorithm == "full" and choices:
        pytest.skip("the full difference has no such variants")
    torch.manual_seed(0)
    network = pipelines.tiny_conditional_unet(block_out_channels=[16, 16])
    trained = copy.deepcopy(network)
    sizes = {"linear_dim": 3, "linear_alpha": 1.5, "conv_dim": 2, "conv_alpha": 1}
    adapter = create_lycoris(trained, 1.0, **sizes, algo=algorithm, factor=2, **choices)
    adapter.apply_to()
    with torch.no_grad():
        for number, values in enumerate(adapter.parameters()):
            values.add_(files.random(*values.shape, seed=number) * 3)
    path = files.save(tmp_path / "style.safetensors", adapter.state_dict())
    ours = copy.deepcopy(network).requires_grad_(False)
    merge_adapter(read_adapter(path), {"unet": ours})
    inputs = (files.random(2, 4, 8, 8) * 10, torch.tensor([3, 700]), files.random(2, 5, 16) * 10)
    with torch.no_grad():
        plain, expected, actual = (each.eval()(*inputs).sample for each in (network, trained, ours))
    assert (expected - plain).abs().max() > 0.05
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
