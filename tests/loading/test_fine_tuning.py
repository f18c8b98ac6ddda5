"""A model with an adapter, a replaced component or a checkpoint is what a user would have merged by hand."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import adapter_files
import pipelines
import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from privaudit.errors import TargetError
from privaudit.loading import AdapterSource, ModelSource, load_target
from privaudit.model.prompt import Prompt


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def noise(source: ModelSource) -> torch.Tensor:
    target = load_target(source)
    latent = torch.randn(2, *target.info.latent_shape, generator=torch.Generator().manual_seed(0))
    return target.predict_noise(latent, 300, target.condition([Prompt(caption="a cat"), Prompt()]))


@pytest.fixture
def lora(sd_master: Path, tmp_path: Path) -> Path:
    """A LoRA of U-Net and text encoder in the names of kohya."""
    pipeline = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None)
    first, _ = adapter_files.lora_tensors(pipeline.unet, "kohya", start="lora_unet_", alphas=(1.0, 2.0))
    second, _ = adapter_files.lora_tensors(pipeline.text_encoder, "kohya", start="lora_te_text_model_", alphas=(1.0,))
    header = {"ss_dataset_dirs": json.dumps({"10_anna smith": {"n_repeats": 10, "img_count": 12}})}
    return adapter_files.save(tmp_path / "style.safetensors", first | second, header)


def test_an_adapter_is_the_folder_that_was_merged_by_hand(sd_master: Path, lora: Path, tmp_path: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None)
    tensors = load_file(lora)
    for start, network in (("lora_unet_", pipeline.unet), ("lora_te_text_model_", pipeline.text_encoder)):
        for path in adapter_files.layers(network):
            name = start + path.replace(".", "_")
            down, up, alpha = (tensors[f"{name}.{end}"] for end in ("lora_down.weight", "lora_up.weight", "alpha"))
            with torch.no_grad():
                change = adapter_files.product(down, up) * (0.7 * alpha / len(down))
                network.get_submodule(path).weight.add_(change)
    pipeline.save_pretrained(tmp_path / "merged")
    ours = noise(ModelSource(sd_master, device="cpu", adapters=(AdapterSource(str(lora), 0.7),)))
    theirs = noise(ModelSource(tmp_path / "merged", device="cpu"))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(ours, noise(ModelSource(sd_master, device="cpu")), atol=1e-3)


def test_what_was_merged_is_in_the_description_and_the_hashes(sd_master: Path, lora: Path) -> None:
    base = load_target(ModelSource(sd_master, device="cpu")).info
    infos = [
        load_target(ModelSource(sd_master, device="cpu", adapters=(AdapterSource(str(lora), scale),))).info
        for scale in (1.0, 0.5)
    ]
    (adapter,) = infos[1].files.adapters
    assert (adapter.path, adapter.kind, adapter.style, adapter.scale) == (str(lora), "LoRA", "kohya", 0.5)
    assert set(adapter.layers) == {"unet", "text_encoder"}
    assert infos[0].files.headers[0].folders == ("10_anna smith",)
    assert len({base.hash, *(info.hash for info in infos)}) == 3
    assert base.autoencoder_hash == infos[0].autoencoder_hash
    assert len({base.components["unet"], *(info.components["unet"] for info in infos)}) == 3


def test_the_base_of_a_source_is_the_model_without_its_adapters(sd_master: Path, lora: Path) -> None:
    source = ModelSource(sd_master, device="cpu", adapters=(AdapterSource(str(lora)),))
    plain = ModelSource(sd_master, device="cpu")
    assert torch.equal(noise(source.base), noise(plain))
    assert load_target(source.base).info.hash == load_target(plain).info.hash


def test_a_lora_of_another_family_is_refused(tmp_path: Path, lora: Path) -> None:
    folder = pipelines.save_flux(tmp_path / "flux", tmp_path / "words")
    with pytest.raises(TargetError, match="expected a place in the model for all layers") as caught:
        load_target(ModelSource(folder, device="cpu", resolution=(16, 16), adapters=(AdapterSource(str(lora)),)))
    assert "\n" not in str(caught.value)


@pytest.fixture
def checkpoint(sd_master: Path, tmp_path: Path) -> Path:
    """A training checkpoint with raw and averaged weights, whose pickles are traps."""
    folder = tmp_path / "output" / "checkpoint-500"
    for name, seed in (("unet", 1), ("unet_ema", 2)):
        torch.manual_seed(seed)
        pipelines.tiny_conditional_unet().save_pretrained(folder / name)
    for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl", "unet/diffusion_pytorch_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "opened")))
    return folder


@pytest.mark.parametrize("inner", ["", "unet", "unet_ema"])
def test_a_component_of_a_checkpoint(sd_master: Path, checkpoint: Path, tmp_path: Path, inner: str) -> None:
    source = ModelSource(sd_master, device="cpu", replaced={"unet": str(checkpoint / inner)})
    read = checkpoint / (inner or "unet")
    pipeline = StableDiffusionPipeline.from_pretrained(
        sd_master, safety_checker=None, unet=UNet2DConditionModel.from_pretrained(read)
    )
    pipeline.save_pretrained(tmp_path / "whole")
    whole = ModelSource(tmp_path / "whole", device="cpu")
    assert torch.equal(noise(source), noise(whole))
    files = load_target(source).info.files
    other = checkpoint / ("unet" if inner == "unet_ema" else "unet_ema")
    assert files.sources == {"unet": str(read)}
    assert ("average", str(other)) in {(item.kind, item.path) for item in files.left_out}
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("header", "override"),
    [
        ({"ss_v_parameterization": "True"}, "scheduler.prediction_type=v_prediction"),
        ({"modelspec.prediction_type": "v"}, "scheduler.prediction_type=v_prediction"),
        ({"ss_zero_terminal_snr": "True"}, "scheduler.rescale_betas_zero_snr=true"),
        ({"ss_clip_skip": "2"}, "condition.clip_skip=2"),
    ],
)
def test_a_lora_that_was_trained_to_predict_something_else(
    sd_master: Path, tmp_path: Path, header: dict, override: str
) -> None:
    unet = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None).unet
    path = adapter_files.save(tmp_path / "style.safetensors", adapter_files.lora_tensors(unet)[0], header)
    adapters = (AdapterSource(str(path)),)
    with pytest.raises(TargetError, match=f"pass --override {override}, or ="):
        load_target(ModelSource(sd_master, device="cpu", adapters=adapters))
    key, _, value = override.partition("=")
    overrides = {key: json.loads(value) if value in ("true", "2") else value}
    load_target(ModelSource(sd_master, device="cpu", adapters=adapters, overrides=overrides))


def test_the_configuration_of_an_adapter_is_part_of_the_hash(sd_master: Path, tmp_path: Path) -> None:
    unet = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None).unet
    tensors = adapter_files.lora_tensors(unet, start="base_model.model.")[0]
    adapter_files.save(tmp_path / "style" / "adapter_model.safetensors", tensors)
    source = ModelSource(sd_master, device="cpu", adapters=(AdapterSource(str(tmp_path / "style")),))
    hashes = []
    for alpha in (4, 8):
        settings = {"peft_type": "LORA", "r": 4, "lora_alpha": alpha}
        (tmp_path / "style" / "adapter_config.json").write_text(json.dumps(settings))
        hashes.append(load_target(source).info.hash)
    assert hashes[0] != hashes[1]


def test_a_part_of_a_checkpoint_is_refused(sd: Path, checkpoint: Path) -> None:
    shutil.copytree(sd / "text_encoder", checkpoint / "text_encoder")
    with pytest.raises(TargetError, match="got unet alone; pass --component text_encoder=.*checkpoint-500/text_enc"):
        load_target(ModelSource(sd, device="cpu", replaced={"unet": str(checkpoint)}))
    for encoder in (checkpoint, sd):
        replaced = {"unet": str(checkpoint), "text_encoder": str(encoder / "text_encoder")}
        files = load_target(ModelSource(sd, device="cpu", replaced=replaced)).info.files
        assert files.sources == {"unet": str(checkpoint / "unet"), "text_encoder": replaced["text_encoder"]}


def test_variants_have_their_own_hashes(sd: Path) -> None:
    stem = "diffusion_pytorch_model"
    alone = load_target(ModelSource(sd, device="cpu")).info
    tensors = load_file(sd / "unet" / f"{stem}.safetensors")
    half = sd / "unet" / f"{stem}.fp16.safetensors"
    save_file({key: values * 2 for key, values in tensors.items()}, half, {"format": "pt"})
    infos = [load_target(ModelSource(sd, device="cpu", variant=variant)).info for variant in (None, "fp16")]
    assert len({alone.hash, *(info.hash for info in infos)}) == 3
    assert infos[0].components["unet"] != infos[1].components["unet"]
    assert infos[0].autoencoder_hash == infos[1].autoencoder_hash == alone.autoencoder_hash


@pytest.mark.parametrize("place", ["unet/pytorch_lora_weights.safetensors", "text_encoder/adapter_model.safetensors"])
def test_an_adapter_in_the_folder_of_a_component(sd: Path, lora: Path, tmp_path: Path, place: str) -> None:
    shutil.copy(lora, sd / place)
    with pytest.raises(TargetError, match=f"holds a base and {place}, a LoRA; pass --lora .*{place} to audit"):
        load_target(ModelSource(sd, device="cpu"))
    files = load_target(ModelSource(sd, device="cpu", adapters=())).info.files
    assert [(item.path, item.kind) for item in files.left_out] == [(str(sd / place), "adapter")]
    merged = load_target(ModelSource(sd, device="cpu", adapters=(AdapterSource(str(sd / place)),))).info.files
    assert not merged.left_out


def test_one_of_two_adapters_in_a_folder(sd: Path, lora: Path) -> None:
    shutil.copy(lora, sd / "pytorch_lora_weights.safetensors")
    shutil.copy(lora, sd / "other.safetensors")
    files = load_target(ModelSource(sd, device="cpu", adapters=(AdapterSource(str(sd)),))).info.files
    assert [(item.path, item.kind) for item in files.left_out] == [(str(sd / "other.safetensors"), "adapter")]


def test_a_tokenizer_next_to_the_configuration_of_a_model(sd: Path, tmp_path: Path) -> None:
    before = noise(ModelSource(sd, device="cpu"))
    other = shutil.copytree(sd / "tokenizer", tmp_path / "other")
    shutil.copy(sd / "text_encoder" / "config.json", other)
    shutil.rmtree(sd / "tokenizer")
    assert torch.equal(noise(ModelSource(sd, device="cpu", replaced={"tokenizer": str(other)})), before)


def test_another_layer_of_the_text_encoder(sd_master: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None)
    words = pipeline.tokenizer("a cat", padding="max_length", truncation=True, return_tensors="pt").input_ids
    encoder = pipeline.text_encoder
    inner = getattr(encoder, "text_model", encoder)
    with torch.no_grad():
        expected = inner.final_layer_norm(encoder(words, output_hidden_states=True).hidden_states[-2])
    target = load_target(ModelSource(sd_master, device="cpu", overrides={"condition.clip_skip": 2}))
    assert torch.equal(target.condition([Prompt(caption="a cat")])["encoder_hidden_states"], expected)
    plain = load_target(ModelSource(sd_master, device="cpu"))
    assert not torch.allclose(plain.condition([Prompt(caption="a cat")])["encoder_hidden_states"], expected)
    assert target.info.hash != plain.info.hash
    with pytest.raises(TargetError, match=r"expected condition.clip_skip of 1 to \d, got 9"):
        load_target(ModelSource(sd_master, device="cpu", overrides={"condition.clip_skip": 9}))


def test_adapters_that_do_not_go_together(sd_master: Path, lora: Path, tmp_path: Path) -> None:
    tensors = load_file(lora)
    name = next(key for key in tensors if key.endswith("attn1_to_q.lora_up.weight")).removesuffix(".lora_up.weight")
    ends = ("lora_up.weight", "lora_down.weight", "alpha")
    part = {f"{name}.{end}": tensors[f"{name}.{end}"] for end in ends}
    part[f"{name}.dora_scale"] = torch.ones(len(part[f"{name}.lora_up.weight"]), 1)
    dora = adapter_files.save(tmp_path / "dora.safetensors", part)
    same = shutil.copy(lora, tmp_path / "same.safetensors")
    for other, problem in ((dora, "expected a DoRA without another adapter of the unet"), (same, "each adapter once")):
        adapters = tuple(AdapterSource(str(path)) for path in (lora, other))
        with pytest.raises(TargetError, match=problem):
            load_target(ModelSource(sd_master, device="cpu", adapters=adapters))
