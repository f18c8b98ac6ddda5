"""A single file has the components of the pipeline that it was written from, to the last bit, or is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pipelines
import pytest
import single_files
import torch
from diffusers import StableDiffusion3Pipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.loaders import single_file_utils as converters
from safetensors.torch import load_file, save_file

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_decoder_target, load_target
from privaudit.loading.single_file.text_names import of_clip
from privaudit.model.prompt import Prompt

SAVE: dict[str, Callable[[Path], Path]] = {
    "Stable Diffusion": lambda base: pipelines.save_sd(base / "pipeline", base / "words"),
    "SDXL": lambda base: pipelines.save_sdxl(base / "pipeline", base / "words"),
    "Stable Diffusion 3": lambda base: pipelines.save_sd3(base / "pipeline", base / "words", t5=32),
    "Flux": lambda base: pipelines.save_flux(base / "pipeline", base / "words"),
}


@pytest.fixture(scope="module", params=SAVE)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder, and the same pipeline as a single file."""
    base = tmp_path_factory.mktemp("single")
    folder = SAVE[request.param](base)
    name = json.loads((folder / "model_index.json").read_text())["_class_name"]
    pipeline = getattr(diffusers, name).from_pretrained(folder)
    return folder, single_files.write(pipeline, base / "model.safetensors")


def configuration(folder: Path, copy: Path) -> Path:
    """The folder without any weights."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    return copy


def single(path: Path, folder: Path, **choices: Any) -> ModelSource:
    resolution = (16, 16) if "transformer" in json.loads((folder / "model_index.json").read_text()) else None
    return ModelSource(path, device="cpu", config_from=str(folder), **({"resolution": resolution} | choices))


def noise(source: ModelSource) -> torch.Tensor:
    target = load_target(source)
    latent = torch.randn(2, *target.info.latent_shape, generator=torch.Generator().manual_seed(0))
    return target.predict_noise(latent, 300, target.condition([Prompt(caption="a cat"), Prompt()]))


def test_every_component_is_bit_equal(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder, path = pair
    source = single(path, configuration(folder, tmp_path / "configuration"))
    whole = ModelSource(folder, device="cpu", resolution=source.resolution)
    ours, theirs = load_target(source), load_target(whole)
    assert torch.equal(noise(source), noise(whole))
    images = torch.rand(1, *ours.info.sample_shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert torch.equal(ours.encode(images), theirs.encode(images))
    assert torch.equal(ours.decode(ours.encode(images)), theirs.decode(ours.encode(images)))
    assert set(ours.info.files.sources.values()) == {str(path)}
    assert ours.info.hash != theirs.info.hash


def test_geometry_and_inversion_read_its_autoencoder(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder, path = pair
    source = single(path, configuration(folder, tmp_path / "configuration"), resolution=(16, 16))
    ours, theirs = load_autoencoder(source), load_autoencoder(ModelSource(folder, device="cpu"))
    images = torch.rand(1, 3, 16, 16) * 2 - 1
    assert torch.equal(ours.encode(images), theirs.encode(images))
    assert load_decoder_target(source).info.sample_shape == (3, 16, 16)


@pytest.fixture(scope="module")
def sd_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("sd")
    folder = SAVE["Stable Diffusion"](base)
    return folder, single_files.write(StableDiffusionPipeline.from_pretrained(folder), base / "model.safetensors")


def changed(pair: tuple[Path, Path], tmp_path: Path, change: Callable[[dict], Any], **metadata: str) -> Path:
    tensors = load_file(pair[1])
    change(tensors)
    save_file(tensors, tmp_path / "model.safetensors", metadata)
    return tmp_path / "model.safetensors"


def drop(start: str) -> Callable[[dict], None]:
    def change(tensors: dict) -> None:
        for key in [key for key in tensors if key.startswith(start)]:
            del tensors[key]

    return change


def test_what_the_file_lacks_comes_from_the_folder(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = changed(sd_pair, tmp_path, drop("first_stage_model."))
    target = load_target(single(path, sd_pair[0]))
    assert target.info.files.sources["vae"] == str(sd_pair[0] / "vae")
    assert target.info.files.sources["unet"] == str(path)
    assert torch.equal(noise(single(path, sd_pair[0])), noise(ModelSource(sd_pair[0], device="cpu")))


def test_its_own_autoencoder_counts_and_the_other_is_named(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = changed(sd_pair, tmp_path, lambda tensors: tensors["first_stage_model.quant_conv.bias"].add_(1))
    target = load_target(single(path, sd_pair[0]))
    other = load_target(ModelSource(sd_pair[0], device="cpu"))
    images = torch.rand(1, 3, 16, 16) * 2 - 1
    assert not torch.equal(target.encode(images), other.encode(images))
    named = {(item.kind, item.path) for item in target.info.files.left_out}
    assert ("component", str(sd_pair[0] / "vae")) in named


def test_a_replaced_component_counts_before_the_file(sd_pair: tuple[Path, Path]) -> None:
    source = single(sd_pair[1], sd_pair[0], replaced={"vae": str(sd_pair[0] / "vae")})
    target = load_target(source)
    assert target.info.files.sources["vae"] == str(sd_pair[0] / "vae")
    assert ("component", f"{sd_pair[1]} (vae)") in {(item.kind, item.path) for item in target.info.files.left_out}


def test_constants_and_averages_are_no_weights(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    def add(tensors: dict) -> None:
        constants = ("alphas_cumprod", "betas", "sqrt_recipm1_alphas_cumprod", "posterior_variance", "logvar")
        tensors |= {key: torch.ones(10) for key in (*constants, "model_ema.decay", "model_ema.diffusion_modelconv")}
        tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(12)[None]

    path = changed(sd_pair, tmp_path, add)
    target = load_target(single(path, sd_pair[0]))
    assert ("average", f"{path} (model_ema)") in {(item.kind, item.path) for item in target.info.files.left_out}
    assert torch.equal(noise(single(path, sd_pair[0])), noise(ModelSource(sd_pair[0], device="cpu")))


def test_the_last_layer_of_stable_diffusion_2_is_left_out(tmp_path: Path) -> None:
    folder = SAVE["Stable Diffusion"](tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    weights = single_files.open_clip(pipeline.text_encoder)
    further = {
        key.replace("resblocks.1.", "resblocks.2."): each for key, each in weights.items() if "resblocks.1." in key
    }
    named = {f"cond_stage_model.model.{key}": each for key, each in (weights | further).items()}
    named["cond_stage_model.model.text_projection"] = torch.ones(16, 16)
    path = single_files.write(pipeline, tmp_path / "model.safetensors", leave_out=("cond_stage_model",), **named)
    assert torch.equal(noise(single(path, folder)), noise(ModelSource(folder, device="cpu")))


def test_the_projection_of_stable_diffusion_3_is_the_identity_if_it_is_left_out(tmp_path: Path) -> None:
    folder = SAVE["Stable Diffusion 3"](tmp_path)
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder)
    wanted = dict(pipeline.text_encoder.state_dict()) | {"text_projection.weight": torch.zeros(16, 16)}
    assert torch.equal(of_clip({}, wanted)["text_projection.weight"], torch.eye(16))
    assert "text_projection.weight" not in of_clip({}, wanted, "text_encoder_2")
    start = "text_encoders.clip_l.transformer.text_projection"
    path = single_files.write(pipeline, tmp_path / "model.safetensors", leave_out=(start,))
    with pytest.raises(TargetError, match="1 are missing, such as text_projection.weight"):  # it is not square here
        load_target(single(path, folder))


def test_the_names_are_those_of_diffusers_own_converters(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(sd_pair[0])
    autoencoder = converters.convert_ldm_vae_checkpoint(load_file(sd_pair[1]), dict(pipeline.vae.config))
    assert autoencoder.keys() == pipeline.vae.state_dict().keys()
    assert all(torch.equal(autoencoder[key], each) for key, each in pipeline.vae.state_dict().items())
    xl = StableDiffusionXLPipeline.from_pretrained(SAVE["SDXL"](tmp_path))
    prefix = "conditioner.embedders.1.model."
    checkpoint = {f"{prefix}{key}": each for key, each in single_files.open_clip(xl.text_encoder_2).items()}
    encoder = converters.convert_open_clip_checkpoint(xl.text_encoder_2, checkpoint, prefix)
    state = xl.text_encoder_2.state_dict()
    split = [key for key in state if re.search(r"[qkv]_proj", key)]  # at a published width where widths differ
    assert all(torch.equal(encoder[key], each) for key, each in state.items() if key not in split)


def test_a_denoiser_alone_with_the_prefix_of_comfyui(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    network = {key: each for key, each in load_file(sd_pair[1]).items() if key.startswith("model.diffusion_model.")}
    path = tmp_path / "unet.safetensors"
    save_file({key.removeprefix("model."): each for key, each in network.items()}, path)
    assert torch.equal(noise(single(path, sd_pair[0])), noise(ModelSource(sd_pair[0], device="cpu")))


def test_no_layer_but_the_last_is_left_out(sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(sd_pair[0])
    weights = single_files.open_clip(pipeline.text_encoder)
    for number in (2, 3):
        further = {key.replace("resblocks.1.", f"resblocks.{number}."): each for key, each in weights.items()}
        weights |= {key: each for key, each in further.items() if f"resblocks.{number}." in key}
    named = {f"cond_stage_model.model.{key}": each for key, each in weights.items()}
    path = single_files.write(pipeline, tmp_path / "model.safetensors", leave_out=("cond_stage_model",), **named)
    with pytest.raises(TargetError, match="have no place, such as encoder.layers.3"):
        load_target(single(path, sd_pair[0]))


class TestRefusals:
    """One line that says what to do."""

    def refuse(self, source: ModelSource, problem: str) -> None:
        with pytest.raises(TargetError, match=problem) as caught:
            load_target(source)
        assert "\n" not in str(caught.value)

    def test_no_configuration(self, sd_pair: tuple[Path, Path]) -> None:
        self.refuse(ModelSource(sd_pair[1], device="cpu"), "--config-from")

    def test_a_folder_with_a_configuration(self, sd_pair: tuple[Path, Path]) -> None:
        self.refuse(single(sd_pair[0], sd_pair[0]), "expected a single-file checkpoint .* is a folder; leave")

    def test_truncated(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(sd_pair[1].read_bytes()[:-100])
        self.refuse(single(path, sd_pair[0]), r"has \d+ of \d+ bytes; copy or download it again")

    def test_a_lora(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        save_file({"lora_unet_a.lora_down.weight": torch.ones(1)}, tmp_path / "style.safetensors")
        self.refuse(single(tmp_path / "style.safetensors", sd_pair[0]), "is a LoRA file")

    def test_another_family(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        other = SAVE["SDXL"](tmp_path)
        path = single_files.write(StableDiffusionXLPipeline.from_pretrained(other), tmp_path / "xl.safetensors")
        self.refuse(single(path, sd_pair[0]), "--config-from with a pipeline of the kind of the file")

    def test_another_size(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        base = tmp_path / "wide"
        base.mkdir()
        folder = pipelines.save_sd(base / "pipeline", base / "words", unet={"block_out_channels": [16, 16]})
        self.refuse(single(sd_pair[1], folder), r"is \(.*\) and not \(.*\); pass --config-from")

    def test_an_unknown_key(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        path = changed(sd_pair, tmp_path, lambda tensors: tensors.update({"control_model.a": torch.ones(1)}))
        self.refuse(single(path, sd_pair[0]), "1 belong to none of them, among them control_model.a")

    def test_a_weight_is_missing(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        path = changed(sd_pair, tmp_path, drop("model.diffusion_model.input_blocks.0.0.weight"))
        self.refuse(single(path, sd_pair[0]), "1 are missing, such as conv_in.weight")

    def test_no_denoiser(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        path = changed(sd_pair, tmp_path, drop("model."))
        self.refuse(single(path, sd_pair[0]), "expected the weights of a unet .* found none")

    def test_rounded_weights(self, sd_pair: tuple[Path, Path], tmp_path: Path) -> None:
        key = "model.diffusion_model.out.2.weight"
        path = changed(sd_pair, tmp_path, lambda tensors: tensors.update({key: tensors[key].to(torch.float8_e4m3fn)}))
        self.refuse(
            single(path, sd_pair[0]), "its weights are quantised .fp8., which rounds away the small differences"
        )

    @pytest.mark.parametrize("metadata", [{"modelspec.prediction_type": "v"}, {}])
    def test_another_prediction(self, sd_pair: tuple[Path, Path], tmp_path: Path, metadata: dict) -> None:
        key = {} if metadata else {"v_pred": torch.ones(1)}
        path = changed(sd_pair, tmp_path, lambda tensors: tensors.update(key), **metadata)
        self.refuse(single(path, sd_pair[0]), "--override scheduler.prediction_type=v_prediction")
        overrides = {"scheduler.prediction_type": "v_prediction"}
        assert load_target(single(path, sd_pair[0], overrides=overrides)).info.prediction_type == "v_prediction"
        overrides = {"scheduler.prediction_type": "epsilon"}
        assert load_target(single(path, sd_pair[0], overrides=overrides)).info.prediction_type == "epsilon"
