"""Names of a transformer's modules in the code that published it, for networks that diffusers has renamed.

Each table maps a name there to modules of diffusers; ``{i}`` is the number of a block. Several modules share the rows
of a fused layer, in this order, each with as many rows as it has outputs. A name counts only if all modules exist.
"""

from __future__ import annotations

from collections.abc import Mapping

Table = Mapping[str, tuple[str, ...]]


def _fused(prefix: str, *parts: str) -> tuple[str, ...]:
    return tuple(prefix + part for part in parts)


_QKV = ("to_q", "to_k", "to_v")
_ADDED = ("add_q_proj", "add_k_proj", "add_v_proj")
BLACK_FOREST_LABS: Table = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
    "double_blocks.{i}.img_attn.qkv": _fused("transformer_blocks.{i}.attn.", *_QKV),
    "double_blocks.{i}.txt_attn.qkv": _fused("transformer_blocks.{i}.attn.", *_ADDED),
    "double_blocks.{i}.img_attn.proj": ("transformer_blocks.{i}.attn.to_out.0",),
    "double_blocks.{i}.txt_attn.proj": ("transformer_blocks.{i}.attn.to_add_out",),
    "double_blocks.{i}.img_attn.norm.query_norm": ("transformer_blocks.{i}.attn.norm_q",),
    "double_blocks.{i}.img_attn.norm.key_norm": ("transformer_blocks.{i}.attn.norm_k",),
    "double_blocks.{i}.txt_attn.norm.query_norm": ("transformer_blocks.{i}.attn.norm_added_q",),
    "double_blocks.{i}.txt_attn.norm.key_norm": ("transformer_blocks.{i}.attn.norm_added_k",),
    "single_blocks.{i}.norm.query_norm": ("single_transformer_blocks.{i}.attn.norm_q",),
    "single_blocks.{i}.norm.key_norm": ("single_transformer_blocks.{i}.attn.norm_k",),
}
"""Names that all versions of Flux share."""
FLUX: Table = {
    **BLACK_FOREST_LABS,
    "time_in.in_layer": ("time_text_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_text_embed.timestep_embedder.linear_2",),
    "vector_in.in_layer": ("time_text_embed.text_embedder.linear_1",),
    "vector_in.out_layer": ("time_text_embed.text_embedder.linear_2",),
    "guidance_in.in_layer": ("time_text_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_text_embed.guidance_embedder.linear_2",),
    "double_blocks.{i}.img_mod.lin": ("transformer_blocks.{i}.norm1.linear",),
    "double_blocks.{i}.txt_mod.lin": ("transformer_blocks.{i}.norm1_context.linear",),
    "double_blocks.{i}.img_mlp.0": ("transformer_blocks.{i}.ff.net.0.proj",),
    "double_blocks.{i}.img_mlp.2": ("transformer_blocks.{i}.ff.net.2",),
    "double_blocks.{i}.txt_mlp.0": ("transformer_blocks.{i}.ff_context.net.0.proj",),
    "double_blocks.{i}.txt_mlp.2": ("transformer_blocks.{i}.ff_context.net.2",),
    "single_blocks.{i}.linear1": _fused("single_transformer_blocks.{i}.", *_fused("attn.", *_QKV), "proj_mlp"),
    "single_blocks.{i}.linear2": ("single_transformer_blocks.{i}.proj_out",),
    "single_blocks.{i}.modulation.lin": ("single_transformer_blocks.{i}.norm.linear",),
}
CHROMA: Table = {
    **FLUX,
    "distilled_guidance_layer.in_proj": ("distilled_guidance_layer.in_proj",),
    "distilled_guidance_layer.out_proj": ("distilled_guidance_layer.out_proj",),
    "distilled_guidance_layer.norms.{i}": ("distilled_guidance_layer.norms.{i}",),
    "distilled_guidance_layer.layers.{i}.in_layer": ("distilled_guidance_layer.layers.{i}.linear_1",),
    "distilled_guidance_layer.layers.{i}.out_layer": ("distilled_guidance_layer.layers.{i}.linear_2",),
}
FLUX_2: Table = {
    **BLACK_FOREST_LABS,
    "time_in.in_layer": ("time_guidance_embed.timestep_embedder.linear_1",),
    "time_in.out_layer": ("time_guidance_embed.timestep_embedder.linear_2",),
    "guidance_in.in_layer": ("time_guidance_embed.guidance_embedder.linear_1",),
    "guidance_in.out_layer": ("time_guidance_embed.guidance_embedder.linear_2",),
    "double_stream_modulation_img.lin": ("double_stream_modulation_img.linear",),
    "double_stream_modulation_txt.lin": ("double_stream_modulation_txt.linear",),
    "single_stream_modulation.lin": ("single_stream_modulation.linear",),
    "double_blocks.{i}.img_mlp.0": ("transformer_blocks.{i}.ff.linear_in",),
    "double_blocks.{i}.img_mlp.2": ("transformer_blocks.{i}.ff.linear_out",),
    "double_blocks.{i}.txt_mlp.0": ("transformer_blocks.{i}.ff_context.linear_in",),
    "double_blocks.{i}.txt_mlp.2": ("transformer_blocks.{i}.ff_context.linear_out",),
    "single_blocks.{i}.linear1": ("single_transformer_blocks.{i}.attn.to_qkv_mlp_proj",),
    "single_blocks.{i}.linear2": ("single_transformer_blocks.{i}.attn.to_out",),
}
STABLE_DIFFUSION_3: Table = {
    "x_embedder.proj": ("pos_embed.proj",),
    "context_embedder": ("context_embedder",),
    "t_embedder.mlp.0": ("time_text_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_text_embed.timestep_embedder.linear_2",),
    "y_embedder.mlp.0": ("time_text_embed.text_embedder.linear_1",),
    "y_embedder.mlp.2": ("time_text_embed.text_embedder.linear_2",),
    "final_layer.linear": ("proj_out",),
    "joint_blocks.{i}.x_block.attn.ln_q": ("transformer_blocks.{i}.attn.norm_q",),
    "joint_blocks.{i}.x_block.attn.ln_k": ("transformer_blocks.{i}.attn.norm_k",),
    "joint_blocks.{i}.x_block.attn2.ln_q": ("transformer_blocks.{i}.attn2.norm_q",),
    "joint_blocks.{i}.x_block.attn2.ln_k": ("transformer_blocks.{i}.attn2.norm_k",),
    "joint_blocks.{i}.context_block.attn.ln_q": ("transformer_blocks.{i}.attn.norm_added_q",),
    "joint_blocks.{i}.context_block.attn.ln_k": ("transformer_blocks.{i}.attn.norm_added_k",),
    "joint_blocks.{i}.x_block.attn.qkv": _fused("transformer_blocks.{i}.attn.", *_QKV),
    "joint_blocks.{i}.x_block.attn2.qkv": _fused("transformer_blocks.{i}.attn2.", *_QKV),
    "joint_blocks.{i}.context_block.attn.qkv": _fused("transformer_blocks.{i}.attn.", *_ADDED),
    "joint_blocks.{i}.x_block.attn.proj": ("transformer_blocks.{i}.attn.to_out.0",),
    "joint_blocks.{i}.x_block.attn2.proj": ("transformer_blocks.{i}.attn2.to_out.0",),
    "joint_blocks.{i}.context_block.attn.proj": ("transformer_blocks.{i}.attn.to_add_out",),
    "joint_blocks.{i}.x_block.mlp.fc1": ("transformer_blocks.{i}.ff.net.0.proj",),
    "joint_blocks.{i}.x_block.mlp.fc2": ("transformer_blocks.{i}.ff.net.2",),
    "joint_blocks.{i}.context_block.mlp.fc1": ("transformer_blocks.{i}.ff_context.net.0.proj",),
    "joint_blocks.{i}.context_block.mlp.fc2": ("transformer_blocks.{i}.ff_context.net.2",),
    "joint_blocks.{i}.x_block.adaLN_modulation.1": ("transformer_blocks.{i}.norm1.linear",),
    "joint_blocks.{i}.context_block.adaLN_modulation.1": ("transformer_blocks.{i}.norm1_context.linear",),
}
LUMINA_2: Table = {
    f"{stack}.{{i}}.{original}": tuple(f"{stack}.{{i}}.{name}" for name in names)
    for stack in ("layers", "noise_refiner", "context_refiner")
    for original, names in {
        "attention.qkv": _fused("attn.", *_QKV),
        "attention.out": ("attn.to_out.0",),
        "feed_forward.w1": ("feed_forward.linear_1",),
        "feed_forward.w2": ("feed_forward.linear_2",),
        "feed_forward.w3": ("feed_forward.linear_3",),
        "adaLN_modulation.1": ("norm1.linear",),
    }.items()
} | {
    "t_embedder.mlp.0": ("time_caption_embed.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_caption_embed.timestep_embedder.linear_2",),
    "cap_embedder.1": ("time_caption_embed.caption_embedder.1",),
    "x_embedder": ("x_embedder",),
    "final_layer.adaLN_modulation.1": ("norm_out.linear_1",),
    "final_layer.linear": ("norm_out.linear_2",),
}
Z_IMAGE: Table = {
    f"{stack}.{{i}}.{original}": tuple(f"{stack}.{{i}}.attention.{name}" for name in names)
    for stack in ("layers", "noise_refiner", "context_refiner")
    for original, names in {"attention.qkv": _QKV, "attention.out": ("to_out.0",)}.items()
} | {
    "x_embedder": ("all_x_embedder.2-1",),
    "final_layer.linear": ("all_final_layer.2-1.linear",),
    "final_layer.adaLN_modulation.1": ("all_final_layer.2-1.adaLN_modulation.1",),
}
AURA_FLOW: Table = {
    "init_x_linear": ("pos_embed.proj",),
    "cond_seq_linear": ("context_embedder",),
    "t_embedder.mlp.0": ("time_step_proj.linear_1",),
    "t_embedder.mlp.2": ("time_step_proj.linear_2",),
    "final_linear": ("proj_out",),
    **{
        f"double_layers.{{i}}.{original}": (f"joint_transformer_blocks.{{i}}.{name}",)
        for original, name in {
            "mlpX.c_fc1": "ff.linear_1",
            "mlpX.c_fc2": "ff.linear_2",
            "mlpX.c_proj": "ff.out_projection",
            "mlpC.c_fc1": "ff_context.linear_1",
            "mlpC.c_fc2": "ff_context.linear_2",
            "mlpC.c_proj": "ff_context.out_projection",
            "modX.1": "norm1.linear",
            "modC.1": "norm1_context.linear",
            **{f"attn.w2{each}": f"attn.to_{each}" for each in "qkv"},
            "attn.w2o": "attn.to_out.0",
            **{f"attn.w1{each}": f"attn.add_{each}_proj" for each in "qkv"},
            "attn.w1o": "attn.to_add_out",
        }.items()
    },
    **{
        f"single_layers.{{i}}.{original}": (f"single_transformer_blocks.{{i}}.{name}",)
        for original, name in {
            "mlp.c_fc1": "ff.linear_1",
            "mlp.c_fc2": "ff.linear_2",
            "mlp.c_proj": "ff.out_projection",
            "modCX.1": "norm1.linear",
            **{f"attn.w1{each}": f"attn.to_{each}" for each in "qkv"},
            "attn.w1o": "attn.to_out.0",
        }.items()
    },
}
SANA: Table = {
    "x_embedder.proj": ("patch_embed.proj",),
    "t_embedder.mlp.0": ("time_embed.emb.timestep_embedder.linear_1",),
    "t_embedder.mlp.2": ("time_embed.emb.timestep_embedder.linear_2",),
    "t_block.1": ("time_embed.linear",),
    "y_embedder.y_proj.fc1": ("caption_projection.linear_1",),
    "y_embedder.y_proj.fc2": ("caption_projection.linear_2",),
    "attention_y_norm": ("caption_norm",),
    "final_layer.linear": ("proj_out",),
    "blocks.{i}.attn.qkv": _fused("transformer_blocks.{i}.attn1.", *_QKV),
    "blocks.{i}.attn.proj": ("transformer_blocks.{i}.attn1.to_out.0",),
    "blocks.{i}.cross_attn.q_linear": ("transformer_blocks.{i}.attn2.to_q",),
    "blocks.{i}.cross_attn.kv_linear": _fused("transformer_blocks.{i}.attn2.", "to_k", "to_v"),
    "blocks.{i}.cross_attn.proj": ("transformer_blocks.{i}.attn2.to_out.0",),
    "blocks.{i}.mlp.inverted_conv.conv": ("transformer_blocks.{i}.ff.conv_inverted",),
    "blocks.{i}.mlp.depth_conv.conv": ("transformer_blocks.{i}.ff.conv_depth",),
    "blocks.{i}.mlp.point_conv.conv": ("transformer_blocks.{i}.ff.conv_point",),
}
TABLES: Mapping[str, Table] = {
    "AuraFlowTransformer2DModel": AURA_FLOW,
    "SanaTransformer2DModel": SANA,
    "FluxTransformer2DModel": FLUX,
    "ChromaTransformer2DModel": CHROMA,
    "Flux2Transformer2DModel": FLUX_2,
    "SD3Transformer2DModel": STABLE_DIFFUSION_3,
    "Lumina2Transformer2DModel": LUMINA_2,
    "ZImageTransformer2DModel": Z_IMAGE,
}
