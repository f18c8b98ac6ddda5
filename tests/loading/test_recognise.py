"""What is said about paths that are not the folder of a pipeline: what they are, and what to pass instead."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.loading.recognise import recognise

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 12345\n"
WEIGHT = torch.zeros(2, 2)


def load(path: Path) -> None:
    load_target(ModelSource(path, device="cpu"))


def save(path: Path, *keys: str, metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: WEIGHT.clone() for key in keys}, path, metadata)
    return path


def quantised(path: Path, dtype: torch.dtype) -> Path:
    save_file({"double_blocks.0.img_attn.qkv.weight": torch.zeros(4, 4).to(dtype)}, path)
    return path


def write(path: Path, content: str | bytes = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return exec, ("raise SystemExit('a pickle was read')",)


def component(path: Path, kind: str = "UNet2DConditionModel") -> Path:
    write(path / "config.json", json.dumps({"_class_name": kind}))
    save(path / "diffusion_pytorch_model.safetensors", "conv_in.weight")
    return path


def peft_folder(path: Path) -> Path:
    write(path / "adapter_config.json")
    save(path / "adapter_model.safetensors", "base_model.model.to_q.lora_A.weight")
    return path


def lora_folder(path: Path) -> Path:
    save(path / "pytorch_lora_weights.safetensors", "unet.to_q.lora_A.weight", "unet.to_q.lora_B.weight")
    return path


def checkpoint(path: Path, *parts: str) -> Path:
    for name in ("optimizer.bin", "random_states_0.pkl"):
        write(path / name, pickle.dumps(Trap()))
    for part in parts:
        component(path / part)
    return path


def output(path: Path) -> Path:
    checkpoint(path / "checkpoint-500", "unet")
    checkpoint(path / "checkpoint-1000", "unet")
    return path


def lora_output(path: Path) -> Path:
    lora_folder(checkpoint(path / "checkpoint-500"))
    return path


def pipeline(path: Path) -> Path:
    write(path / "model_index.json", json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return path


def component_of_a_pipeline(path: Path) -> Path:
    pipeline(path)
    return component(path / "unet")


MERGE = "pass its base as the model, and --lora "
INSERT = "pass its base as the model, and --component {}="
CONVERT = "pass {} with --config-from FOLDER, the folder of a pipeline of the same kind"
EMBED = "pass its base as the model, and --embedding "
TRUST = "if you trust it, "
CASES: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "kohya LoRA": (
        lambda path: save(path / "style.safetensors", "lora_unet_a_to_q.lora_down.weight", "lora_unet_a_to_q.alpha"),
        "a LoRA file (kohya)",
        MERGE,
    ),
    "kohya LoRA with text encoder": (
        lambda path: save(path / "style.safetensors", "lora_te1_a.lora_up.weight", "lora_unet_b.lora_up.weight"),
        "a LoRA file (kohya)",
        MERGE,
    ),
    "diffusers LoRA": (
        lambda path: save(path / "style.safetensors", "unet.a.to_q.lora.down.weight"),
        "a LoRA file (diffusers or peft)",
        MERGE,
    ),
    "peft LoRA": (
        lambda path: save(path / "style.safetensors", "transformer.a.to_q.lora_A.weight"),
        "a LoRA file (diffusers or peft)",
        MERGE,
    ),
    "ai-toolkit LoRA": (
        lambda path: save(path / "style.safetensors", "diffusion_model.a.to_q.lora_A.weight"),
        "a LoRA file (ai-toolkit or ComfyUI)",
        MERGE,
    ),
    "DoRA": (
        lambda path: save(path / "style.safetensors", "lora_unet_a.lora_down.weight", "lora_unet_a.dora_scale"),
        "a DoRA file (kohya)",
        MERGE,
    ),
    "LoHa": (
        lambda path: save(path / "style.safetensors", "lora_unet_a.hada_w1_a"),
        "a LoHa file (kohya)",
        MERGE,
    ),
    "LoKr": (lambda path: save(path / "style.safetensors", "lora_unet_a.lokr_w1"), "a LoKr file (kohya)", MERGE),
    "LoRA folder": (lora_folder, "a LoRA in a folder (pytorch_lora_weights.safetensors)", MERGE),
    "peft folder": (peft_folder, "a LoRA folder (peft)", MERGE),
    "folder around a LoRA file": (
        lambda path: save(path / "style.safetensors", "lora_unet_a.lora_down.weight").parent,
        "a folder that holds style.safetensors, a LoRA file (kohya)",
        MERGE,
    ),
    "pickled LoRA": (
        lambda path: write(path / "my_lora.pt", pickle.dumps(Trap())),
        "a LoRA file (by its name) in pickle format, which is never opened",
        f"{TRUST}load it in diffusers (load_lora_weights), save it as safetensors",
    ),
    "single file": (
        lambda path: save(path / "model.safetensors", "model.diffusion_model.a", "first_stage_model.b"),
        "a single-file checkpoint",
        CONVERT.format("{path}/model.safetensors"),
    ),
    "single file of a transformer": (
        lambda path: save(path / "flux.safetensors", "double_blocks.0.img_attn.qkv.weight"),
        "a single-file checkpoint of a denoiser alone",
        CONVERT.format("{path}/flux.safetensors"),
    ),
    "pickled single file": (
        lambda path: write(path / "model.ckpt", pickle.dumps(Trap())),
        "a single-file checkpoint in pickle format, which is never opened",
        f"{TRUST}convert it in diffusers (from_single_file of its pipeline class, save_pretrained)",
    ),
    "fp8 file": (
        lambda path: quantised(path / "flux.safetensors", torch.float8_e4m3fn),
        "a safetensors file with quantised weights (fp8), which round away what an audit measures",
        "pass the model with its original weights",
    ),
    "int8 file": (
        lambda path: quantised(path / "flux.safetensors", torch.int8),
        "a safetensors file with quantised weights (int8)",
        "pass the model with its original weights",
    ),
    "nf4 file": (
        lambda path: quantised(path / "flux.safetensors", torch.uint8),
        "a safetensors file with quantised weights (8-bit codes, as of int8 or nf4)",
        "pass the model with its original weights",
    ),
    "GGUF": (
        lambda path: write(path / "flux-Q4.gguf", b"GGUF" + bytes(64)),
        "a GGUF file with quantised weights",
        "pass the folder of the pipeline that it was made from, with its original weights",
    ),
    "folder of GGUF files": (
        lambda path: [write(path / f"flux-{each}.gguf", b"GGUF" + bytes(64)) for each in "ab"][0].parent,
        "a folder that holds flux-a.gguf and 1 more, a GGUF file with quantised weights",
        "pass the folder of the pipeline that it was made from",
    ),
    "embedding": (
        lambda path: save(path / "learned_embeds.safetensors", "<cat-toy>"),
        "a textual-inversion embedding, which holds a word and no network",
        EMBED,
    ),
    "embedding of two encoders": (
        lambda path: save(path / "word.safetensors", "clip_l", "clip_g"),
        "a textual-inversion embedding, which",
        EMBED,
    ),
    "pickled embedding": (
        lambda path: write(path / "learned_embeds.bin", pickle.dumps(Trap())),
        "a textual-inversion embedding in pickle format, which is never opened",
        f"{TRUST}read it with torch.load, save its tensors",
    ),
    "unknown safetensors": (
        lambda path: save(path / "x.safetensors", "a.b", metadata={"modelspec.architecture": "odd-v1"}),
        "a safetensors file of odd-v1 with keys that privaudit does not know",
        CONVERT.format("{path}/x.safetensors"),
    ),
    "damaged safetensors": (
        lambda path: write(path / "x.safetensors", b"\xff" * 20),
        "a damaged safetensors file",
        "copy it again",
    ),
    "pointer": (
        lambda path: write(path / "model.safetensors", POINTER),
        "a pointer of Git LFS and not the file itself",
        "run 'git lfs pull' in its folder",
    ),
    "weights of a component": (
        lambda path: component(path / "unet") / "diffusion_pytorch_model.safetensors",
        "the weights file of a component",
        "pass the folder of the pipeline, not unet",
    ),
    "pickled weights of a component": (
        lambda path: write(component(path / "unet") / "diffusion_pytorch_model.bin", pickle.dumps(Trap())),
        "the weights of one component in pickle format, which is never opened",
        "save the pipeline with save_pretrained(folder, safe_serialization=True)",
    ),
    "model_index.json": (
        lambda path: pipeline(path / "model") / "model_index.json",
        "a file of a folder",
        "pass the folder, ",
    ),
    "archive": (lambda path: write(path / "model.zip", b"PK"), "an archive", "unpack it, and pass the folder"),
    "image": (lambda path: write(path / "a.png", b"x"), "an image", "pass images with --members and --nonmembers"),
    "text": (
        lambda path: write(path / "notes.txt", "x"),
        "a file that holds no model that privaudit knows",
        "pass the folder of a model",
    ),
    "empty folder": (
        lambda path: write(path / "model" / ".gitignore").parent,
        "an empty folder",
        "check the path, or copy the model again",
    ),
    "modular pipeline": (
        lambda path: write(path / "model" / "modular_model_index.json").parent,
        "a modular pipeline of diffusers",
        "load its components into the ordinary pipeline class in diffusers",
    ),
    "ONNX folder": (
        lambda path: write(path / "model" / "unet" / "model.onnx", b"x").parents[1],
        "a network exported to ONNX, which has no derivatives",
        "pass the folder of the pipeline that it was exported from",
    ),
    "ONNX file": (
        lambda path: write(path / "model.onnx", b"x"),
        "a network exported to ONNX",
        "pass the folder of the",
    ),
    "checkpoint of a U-Net": (
        lambda path: checkpoint(path / "checkpoint-1000", "unet", "unet_ema"),
        "a training checkpoint with unet and unet_ema",
        INSERT.format("unet") + "{path}/checkpoint-1000/unet",
    ),
    "checkpoint of a transformer": (
        lambda path: checkpoint(path / "epoch_3", "transformer"),
        "a training checkpoint with transformer",
        INSERT.format("transformer"),
    ),
    "checkpoint of a LoRA": (
        lambda path: lora_folder(checkpoint(path / "checkpoint-500")),
        "a LoRA in a training checkpoint (pytorch_lora_weights.safetensors)",
        MERGE,
    ),
    "checkpoint without a network": (
        lambda path: checkpoint(path / "checkpoint-1000"),
        "a training checkpoint without a folder of its network",
        "let the training finish, or export its network with the script that trained it",
    ),
    "output of a training": (
        output,
        "the output folder of a training that did not finish: it has 2 checkpoints and no model_index.json (the last, "
        "checkpoint-1000, is a training checkpoint with unet)",
        "audit all of them with privaudit sweep {path} --checkpoints, or checkpoint-1000, "
        f"{INSERT.format('unet')}{{path}}/checkpoint-1000/unet",
    ),
    "output of a LoRA training": (
        lora_output,
        "the output folder of a training that did not finish: it has 1 checkpoint and no model_index.json (the last, "
        "checkpoint-500, is a LoRA in a training checkpoint (pytorch_lora_weights.safetensors))",
        "audit all of them with privaudit sweep {path} --checkpoints, or checkpoint-500, "
        f"{MERGE}{{path}}/checkpoint-500/pytorch_lora_weights.safetensors",
    ),
    "U-Net alone": (
        lambda path: component(path / "unet").parent,
        "a folder with unet of a pipeline alone, and no model_index.json",
        INSERT.format("unet"),
    ),
    "components without an index": (
        lambda path: component(component(path / "unet").parent / "vae", "AutoencoderKL").parent,
        "a folder with unet, vae and no model_index.json, which names the class of the pipeline",
        "copy that file from the base, or save the whole pipeline with save_pretrained",
    ),
    "component without a pipeline": (
        lambda path: component(path / "model"),
        "one component of a pipeline (UNet2DConditionModel)",
        INSERT.format("unet"),
    ),
    "transformer without a pipeline": (
        lambda path: component(path / "model", "FluxTransformer2DModel"),
        "one component of a pipeline (FluxTransformer2DModel)",
        INSERT.format("transformer"),
    ),
    "component of a pipeline": (
        component_of_a_pipeline,
        "one component of a pipeline (UNet2DConditionModel)",
        "pass the folder of the whole pipeline, ",
    ),
    "text encoder": (
        lambda path: write(path / "model" / "config.json", json.dumps({"architectures": ["CLIPTextModel"]})).parent,
        "one component of a pipeline (CLIPTextModel)",
        INSERT.format("text_encoder"),
    ),
    "autoencoder": (
        lambda path: component(path / "model", "AutoencoderKL"),
        "an autoencoder alone (AutoencoderKL), which 'privaudit invert' and 'geometry' read",
        INSERT.format("vae"),
    ),
    "folder around a pipeline": (
        lambda path: pipeline(path / "download" / "snapshots" / "0a1b").parents[1],
        "a folder around a pipeline",
        "pass ",
    ),
    "folder of images": (
        lambda path: write(path / "data" / "a.PNG", b"x").parent,
        "a folder of images (1)",
        "pass images with --members and --nonmembers, and here the model",
    ),
    "folder of something else": (
        lambda path: write(path / "model" / "notes.txt", "x").parent,
        "a folder without a model",
        "pass a folder that save_pretrained of a diffusers pipeline wrote",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_it_is_and_what_to_pass(tmp_path: Path, name: str) -> None:
    make, what, advice = CASES[name]
    path = make(tmp_path)
    recognised = recognise(path)
    assert recognised.what.startswith(what)
    assert recognised.advice.startswith(advice.replace("{path}", str(tmp_path)))
    with pytest.raises(TargetError) as caught:
        load(path)
    message = f"expected the folder of a diffusers pipeline, but {path} is {recognised.what}; {recognised.advice}"
    assert str(caught.value) == message
    assert "\n" not in message
    if name == "autoencoder":
        return
    with pytest.raises(TargetError, match=r"expected the folder of a diffusers pipeline( or autoencoder)?, but .* is "):
        load_autoencoder(ModelSource(path, device="cpu"))


@pytest.mark.parametrize("name", ["pytorch_lora_weights.safetensors", "style.safetensors", "pytorch_lora_weights.bin"])
def test_a_lora_next_to_its_base_is_not_left_out(sd: Path, name: str) -> None:
    save(sd / "v1-pruned.safetensors", "model.diffusion_model.a")  # a copy of the base, as published ones have it
    save(sd / name, "unet.to_q.lora_A.weight")
    with pytest.raises(
        TargetError, match=f"holds a base and {name}, a LoRA; pass --lora .*{name} to audit the base with it, or"
    ):
        load(sd)
    load_autoencoder(ModelSource(sd, device="cpu"))  # which the LoRA does not change


def test_weights_with_an_adapter_that_was_not_merged(sd: Path) -> None:
    save(sd / "unet" / "diffusion_pytorch_model.safetensors", "a.to_q.base_layer.weight", "a.to_q.lora_A.x.weight")
    with pytest.raises(TargetError, match="expected merged weights in .*unet, got those of a network with an adapter"):
        load(sd)


def test_a_pipeline_of_onnx_networks(sd: Path, edit_json: Any) -> None:
    edit_json(sd / "model_index.json", unet=["diffusers", "OnnxRuntimeModel"])
    with pytest.raises(TargetError, match="unet hold networks exported to ONNX, which have no derivatives; pass"):
        load(sd)


def test_pointers_are_no_weights(sd: Path) -> None:
    write(sd / "vae" / "diffusion_pytorch_model.safetensors", POINTER)
    for read in (load_target, load_autoencoder):
        with pytest.raises(
            TargetError, match="cannot load .*vae.*: it is a pointer of Git LFS and not the weights; inst"
        ):
            read(ModelSource(sd, device="cpu"))


def test_a_pipeline_without_an_autoencoder(sd: Path, edit_json: Any) -> None:
    edit_json(sd / "model_index.json", _class_name="DDPMPipeline", vae=None)
    message = r"expected an autoencoder in .* got a pipeline without one, DDPMPipeline; pass a latent diffusion model"
    with pytest.raises(TargetError, match=message):
        load_autoencoder(ModelSource(sd, device="cpu"))


@pytest.mark.parametrize("read", [load_target, load_autoencoder])
def test_a_repository_of_the_hub_without_a_pipeline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Callable
) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **options: str(tmp_path))
    message = "expected model_index.json in org/style on the hub, found none: it may hold a LoRA, a single-file check"
    with pytest.raises(TargetError, match=message):
        read(ModelSource("org/style", device="cpu"))
