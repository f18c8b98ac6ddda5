"""Names in adapter files lead to the modules that diffusers' own converters put these weights into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pipelines
import pytest
import torch
from diffusers import (
    AuraFlowTransformer2DModel,
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    Lumina2Transformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from diffusers.loaders import single_file_utils as converters
from torch import nn
from transformers import CLIPTextModelWithProjection

from privaudit.loading.adapters.layer_places import find_places
from privaudit.loading.original.original_names import original_names
from privaudit.loading.original.place import Place

SMALL = {
    "num_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "in_channels": 8,
    "joint_attention_dim": 16,
}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "Stable Diffusion 1": pipelines.tiny_conditional_unet,
    "Stable Diffusion 2": lambda: pipelines.tiny_conditional_unet(
        use_linear_projection=True,
        block_out_channels=[8, 8, 8],
        layers_per_block=2,
        down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    ),
    "SDXL": lambda: pipelines.tiny_conditional_unet(
        block_out_channels=[8, 16, 16],
        layers_per_block=2,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        transformer_layers_per_block=[1, 2, 3],
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=32,
    ),
    "Flux": lambda: FluxTransformer2DModel(
        **SMALL, num_single_layers=2, pooled_projection_dim=8, axes_dims_rope=[2, 2, 4], guidance_embeds=True
    ),
    "Chroma": lambda: ChromaTransformer2DModel(
        **SMALL, num_single_layers=2, axes_dims_rope=[2, 2, 4], approximator_hidden_dim=8, approximator_layers=2
    ),
    "Stable Diffusion 3": lambda: SD3Transformer2DModel(
        **SMALL,
        sample_size=8,
        caption_projection_dim=16,
        pooled_projection_dim=8,
        out_channels=8,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    ),
    "Flux 2": lambda: Flux2Transformer2DModel(
        **SMALL, num_single_layers=2, timestep_guidance_channels=8, axes_dims_rope=(2, 2, 2, 2)
    ),
    "Lumina 2": lambda: Lumina2Transformer2DModel(
        sample_size=8,
        in_channels=4,
        hidden_size=24,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=3,
        num_kv_heads=1,
        axes_dim_rope=(4, 2, 2),
        axes_lens=(8, 8, 8),
        cap_feat_dim=16,
    ),
    "AuraFlow": lambda: AuraFlowTransformer2DModel(
        sample_size=8,
        in_channels=4,
        num_mmdit_layers=2,
        num_single_dit_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        out_channels=4,
        pos_embed_max_size=64,
    ),
    "SANA": lambda: SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=2,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=8,
        sample_size=8,
    ),
    "Z-Image": lambda: ZImageTransformer2DModel(
        in_channels=4,
        dim=16,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[2, 2, 4],
        axes_lens=[8, 8, 8],
    ),
}
CONVERTERS: dict[str, Callable[..., dict]] = {
    "Stable Diffusion 1": converters.convert_ldm_unet_checkpoint,
    "Stable Diffusion 2": converters.convert_ldm_unet_checkpoint,
    "SDXL": converters.convert_ldm_unet_checkpoint,
    "Flux": converters.convert_flux_transformer_checkpoint_to_diffusers,
    "Chroma": converters.convert_chroma_transformer_checkpoint_to_diffusers,
    "Stable Diffusion 3": converters.convert_sd3_transformer_checkpoint_to_diffusers,
    "Flux 2": converters.convert_flux2_transformer_checkpoint_to_diffusers,
    "AuraFlow": converters.convert_auraflow_transformer_checkpoint_to_diffusers,
    "SANA": converters.convert_sana_transformer_to_diffusers,
    "Z-Image": converters.convert_z_image_transformer_checkpoint_to_diffusers,
}


class Zeros(dict):
    """Stands in for keys without an adapter, such as norms, so that a converter finds whatever it asks for."""

    def __missing__(self, key: str) -> torch.Tensor:
        return torch.zeros(2, 2)

    def pop(self, key: str, *default: Any) -> torch.Tensor:
        return super().pop(key, torch.zeros(2, 2))


def layers(network: nn.Module) -> list[str]:
    return [path for path, each in network.named_modules() if isinstance(each, (nn.Linear, nn.Conv2d))]


def fingerprints(network: nn.Module) -> None:
    """Give every row of every layer its own number."""
    start = 0
    for path in layers(network):
        weight = network.get_submodule(path).weight
        numbers = torch.arange(start, start + len(weight), dtype=torch.float32)
        with torch.no_grad():
            weight.copy_(numbers.reshape(-1, *[1] * (weight.ndim - 1)).expand_as(weight))
        start += len(weight)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "Lumina 2"])  # converted at one size alone
def test_original_names_are_those_of_the_converters(name: str) -> None:
    network = NETWORKS[name]()
    fingerprints(network)
    names = dict(original_names(network, "net"))
    prefix = (
        "model.diffusion_model." if "Conditional" in type(network).__name__ or "UNet" in type(network).__name__ else ""
    )
    checkpoint = Zeros()
    for original, places in names.items():
        for kind in ("weight", "bias"):
            if getattr(network.get_submodule(places[0].module), kind, None) is not None:
                checkpoint[f"{prefix}{original}.{kind}"] = assemble(network, places, kind)
    for key in [key for key in checkpoint if ".linear1." in key and "Flux 2" not in name]:
        checkpoint[key] = torch.zeros(7 * 3072, 1)  # split at the published size alone; see the test of fused layers
    arguments = {"config": dict(network.config)} if prefix else {}
    converted = CONVERTERS[name](checkpoint, **arguments)
    reached = {place.module for places in names.values() for place in places}
    split = {path for path in reached if ".attn.to_" in path and path.startswith("single_") or "proj_mlp" in path}
    for path in (reached & set(layers(network))) - (split if name != "Flux 2" else set()):
        assert torch.equal(converted[f"{path}.weight"], network.get_submodule(path).weight), path


def assemble(network: nn.Module, places: tuple[Place, ...], kind: str) -> torch.Tensor:
    """The layer of the original code whose rows belong to these places."""
    rows: dict[int, torch.Tensor] = {}
    for place in places:
        weight = getattr(network.get_submodule(place.module), kind).detach()
        wanted = [number for part in place.rows or (slice(0, len(weight)),) for number in range(part.start, part.stop)]
        rows |= dict(zip(wanted, weight, strict=True))
    return torch.stack([rows[number] for number in range(len(rows))])


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "Z-Image"])  # most are the same
def test_original_names_reach_every_layer(name: str) -> None:
    network = NETWORKS[name]()
    reached = {place.module for _, places in original_names(network, "net") for place in places}
    assert set(layers(network)) - reached == set()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "style",
    [
        "{component}.{path}",
        "{path}",
        "base_model.model.{path}",
        "diffusion_model.{path}",
        "lora_unet_{underscored}",
        "lora_transformer_{underscored}",
    ],
)
def test_every_layer_is_found_by_its_own_name(name: str, style: str) -> None:
    network = NETWORKS[name]()
    component = "unet" if "UNet" in type(network).__name__ else "transformer"
    for path in layers(network):
        named = style.format(component=component, path=path, underscored=path.replace(".", "_"))
        assert find_places([named], {component: network}) == {named: (Place(component, path),)}


@pytest.mark.parametrize("style", ["diffusion_model.{}", "lora_unet_{}"])
def test_fused_layers_are_split(style: str) -> None:
    network = NETWORKS["Flux"]()
    path = "single_blocks.1.linear1"
    named = style.format(path if "." in style else path.replace(".", "_"))
    places = find_places([named], {"transformer": network})[named]
    assert [place.module.removeprefix("single_transformer_blocks.1.") for place in places] == [
        "attn.to_q",
        "attn.to_k",
        "attn.to_v",
        "proj_mlp",
    ]
    assert [place.rows for place in places] == [
        (slice(0, 16),),
        (slice(16, 32),),
        (slice(32, 48),),
        (slice(48, 112),),
    ]


def test_names_of_sdxl_in_files_of_kohya() -> None:
    network = NETWORKS["SDXL"]()
    expected = {
        "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k": (
            "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k"
        ),
        "lora_unet_output_blocks_5_2_conv": "up_blocks.1.upsamplers.0.conv",
        "lora_unet_middle_block_1_proj_in": "mid_block.attentions.0.proj_in",
        "lora_unet_input_blocks_1_0_emb_layers_1": "down_blocks.0.resnets.0.time_emb_proj",
        "lora_unet_label_emb_0_2": "add_embedding.linear_2",
    }
    found = find_places(expected, {"unet": network})
    assert {name: places[0].module for name, places in found.items()} == expected


def encoders() -> dict[str, nn.Module]:
    first, second = (pipelines.tiny_text_encoder(40, CLIPTextModelWithProjection, width) for width in (16, 8))
    return {"text_encoder": first, "text_encoder_2": second}


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", "text_encoder"),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", "text_encoder"),
        ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", "text_encoder_2"),
        ("lora_te2_encoder_layers_0_self_attn_q_proj", "text_encoder_2"),
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", "text_encoder"),
        ("text_encoder_2.encoder.layers.0.self_attn.q_proj", "text_encoder_2"),
    ],
)
def test_text_encoders_are_found_with_and_without_their_level(name: str, component: str) -> None:
    parts = encoders()
    ((place,),) = find_places([name], parts).values()
    assert place.component == component
    assert place.module.endswith("encoder.layers.0.self_attn.q_proj")
    assert isinstance(parts[component].get_submodule(place.module), nn.Linear)


def test_a_folder_of_peft_may_be_that_of_the_only_text_encoder() -> None:
    name = "base_model.model.text_model.encoder.layers.0.self_attn.q_proj"
    parts = {"unet": NETWORKS["Stable Diffusion 1"](), **encoders()}
    assert find_places([name], parts) == {}
    del parts["text_encoder_2"]
    ((place,),) = find_places([name], parts).values()
    assert place.component == "text_encoder"


def test_the_t5_of_flux_is_the_third_in_kohyas_files() -> None:
    t5, _ = pipelines.tiny_t5()
    parts = {"text_encoder": encoders()["text_encoder"], "text_encoder_2": t5}
    name = "lora_te3_encoder_block_0_layer_0_SelfAttention_q"
    assert find_places([name], parts)[name] == (Place("text_encoder_2", "encoder.block.0.layer.0.SelfAttention.q"),)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q", "attn1.to_q"),
        ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out", "attn1.to_out.0"),
        ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out", "attn1.to_out.0"),
    ],
)
def test_processors_of_early_diffusers(name: str, module: str) -> None:
    network = NETWORKS["Stable Diffusion 1"]()
    ((place,),) = find_places([name], {"unet": network}).values()
    assert place.module.endswith(module)


@pytest.mark.parametrize("name", ["lora_unet_nowhere", "transformer_blocks.9.attn.to_q", "lora_te_a", ""])
def test_any_other_name_has_no_place(name: str) -> None:
    assert find_places([name], {"unet": NETWORKS["Stable Diffusion 1"](), **encoders()}) == {}


def test_a_name_that_two_modules_share_has_no_place() -> None:
    network = nn.ModuleDict({
        "a_b": nn.ModuleDict({"c": nn.Linear(1, 1)}),
        "a": nn.ModuleDict({"b_c": nn.Linear(1, 1)}),
    })
    assert find_places(["lora_unet_a_b_c"], {"unet": network}) == {}
    assert find_places(["unet.a_b.c"], {"unet": network}) == {"unet.a_b.c": (Place("unet", "a_b.c"),)}
