from pathlib import Path

import huggingface_hub
import pytest
import torch
from pipelines import save_flux, save_sdxl
from safetensors.torch import load_file, save_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import AdapterSource, ModelSource, load_autoencoder, load_target
from privaudit.model.prompt import Prompt

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_a_path_takes_the_defaults_and_a_source_stays_itself() -> None:
    source = ModelSource(Path("model"))
    assert (source.id, source.device, source.dtype, source.upcast) == ("model", "auto", "auto", True)
    assert ModelSource.of("model") == ModelSource("model")
    assert ModelSource.of(source) is source


def test_a_source_is_where_and_how() -> None:
    assert ModelSource("m", device="cpu", dtype="bfloat16").resolve() == (torch.device("cpu"), torch.bfloat16)


def test_the_path_of_an_adapter_stands_for_its_full_strength() -> None:
    source = ModelSource("m", adapters=("style.safetensors", AdapterSource("other.safetensors", 0.5)))
    assert source.adapters == (AdapterSource("style.safetensors"), AdapterSource("other.safetensors", 0.5))


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_target(ModelSource("m", overrides={"b": 1, "vae.scaling_factor": 0}))
    assert len(caught.value.problems) == 2


def test_a_folder_has_no_revisions(ldm_master: Path) -> None:
    with pytest.raises(TargetError, match="expected a revision only with a hub id, got main with the folder"):
        load_target(ModelSource(ldm_master, device="cpu", revision="main"))


def test_the_revision_of_a_repository(monkeypatch: pytest.MonkeyPatch, ldm_master: Path) -> None:
    asked: dict = {}

    def download(name: str, **options: object) -> str:
        asked.update(options)
        return str(ldm_master)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    load_autoencoder(ModelSource("org/model", device="cpu", revision="v2"))
    assert asked["revision"] == "v2"
    assert {"*.fp16.*", "*.bf16.*"} < set(asked["ignore_patterns"])
    assert {"vae/spiece.model", "vae/tokenizer.model"} < set(asked["allow_patterns"])


@pytest.fixture
def with_variant(ldm: Path) -> Path:
    """A folder whose U-Net has weights of a variant, too, and nothing else has."""
    weights = load_file(ldm / "unet" / WEIGHTS)
    changed = {name: value + 1 if name == "conv_in.bias" else value for name, value in weights.items()}
    save_file(changed, ldm / "unet" / WEIGHTS.replace(".", ".fp16.", 1), {"format": "pt"})
    return ldm


def test_weights_of_a_variant_are_preferred_where_there_are_some(with_variant: Path) -> None:
    plain, found = (load_target(ModelSource(with_variant, device="cpu", variant=name)) for name in (None, "fp16"))
    biases = [target.denoiser.module.conv_in.bias for target in (plain, found)]
    torch.testing.assert_close(biases[1], biases[0] + 1)
    images = torch.zeros(1, 3, 16, 16)
    assert torch.equal(plain.encode(images), found.encode(images))


def test_a_variant_that_no_component_has_is_refused(with_variant: Path) -> None:
    with pytest.raises(
        TargetError, match=r"expected weights of the variant bf16 \(\*.bf16.safetensors\) in .* found none"
    ):
        load_target(ModelSource(with_variant, device="cpu", variant="bf16"))
    with pytest.raises(TargetError, match="expected weights of the variant fp16"):
        load_autoencoder(ModelSource(with_variant, device="cpu", variant="fp16"))


def test_the_variant_of_a_repository_is_downloaded(monkeypatch: pytest.MonkeyPatch, with_variant: Path) -> None:
    ignored: list[str] = []

    def download(name: str, **options: list[str]) -> str:
        ignored.extend(options["ignore_patterns"])
        return str(with_variant)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    load_target(ModelSource("org/model", device="cpu", variant="fp16"))
    assert "*.bf16.*" in ignored
    assert "*.fp16.*" not in ignored


# ---------------------------------------------------------------------------------- overrides


@pytest.mark.parametrize("load", [load_target, load_autoencoder])
def test_an_override_replaces_the_scale_of_the_latents(ldm_master: Path, load) -> None:
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    plain = load(ModelSource(ldm_master, device="cpu"))
    doubled = load(ModelSource(ldm_master, device="cpu", overrides={"vae.scaling_factor": 2.0}))
    factor = plain.autoencoder.units.scale if hasattr(plain, "autoencoder") else plain.units.scale
    torch.testing.assert_close(doubled.encode(images) * float(factor) / 2, plain.encode(images))


def test_overrides_of_the_scheduler_decide_head_and_levels(ldm_master: Path) -> None:
    overrides = {"scheduler.prediction_type": "v_prediction", "scheduler.num_train_timesteps": 500}
    target = load_target(ModelSource(ldm_master, device="cpu", overrides=overrides))
    assert (target.info.prediction_type, target.schedule.last) == ("v_prediction", 499)


def test_an_override_changes_the_hash_of_the_model(ldm_master: Path) -> None:
    plain, scaled, other = (
        load_target(ModelSource(ldm_master, device="cpu", overrides=overrides)).info
        for overrides in ({}, {"vae.scaling_factor": 2.0}, {"scheduler.beta_end": 0.01})
    )
    assert len({plain.hash, scaled.hash, other.hash}) == 3
    assert plain.autoencoder_hash == other.autoencoder_hash != scaled.autoencoder_hash


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("prediction_type", "expected an override of scheduler.KEY, .*, got prediction_type; other values decide"),
        ("unet.sample_size", "expected an override of scheduler.KEY, .*, got unet.sample_size; other values decide"),
        ("vae.latent_channels", "expected an override of .*, got vae.latent_channels; other values decide the shape"),
        ("scheduler.prediction", "expected overrides of DDPMScheduler to be among its parameters, got prediction"),
        ("condition.guidance", "expected no setting of the condition for LDMPipeline, got condition.guidance"),
    ],
)
def test_what_cannot_be_overridden(ldm_master: Path, key: str, message: str) -> None:
    with pytest.raises((ConfigError, TargetError), match=message):
        load_target(ModelSource(ldm_master, device="cpu", overrides={key: 1}))


def test_each_component_has_a_hash_and_a_setting_is_recorded(tmp_path: Path) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary")
    plain = load_target(ModelSource(folder, device="cpu")).info
    other = load_target(ModelSource(folder, device="cpu", overrides={"condition.guidance": 3.5})).info
    assert {"vae", "transformer", "text_encoder", "text_encoder_2", "scheduler"} <= set(plain.components)
    assert plain.autoencoder_hash == plain.components["vae"]
    assert plain.components == other.components
    assert plain.hash != other.hash, "another guidance gives other scores"
    assert (plain.settings["guidance"], other.settings["guidance"]) == (1.0, 3.5)


@pytest.mark.parametrize("key", ["extra.lora_A.weight", "encoder.position_ids"])
def test_weights_without_a_place_are_refused_and_recomputed_buffers_are_not(ldm: Path, key: str) -> None:
    weights = load_file(ldm / "unet" / WEIGHTS)
    save_file(weights | {key: torch.zeros(2)}, ldm / "unet" / WEIGHTS, {"format": "pt"})
    if key.endswith("position_ids"):
        load_target(ModelSource(ldm, device="cpu"))
        return
    with pytest.raises(
        TargetError, match="expected weights that UNet2DModel has a place for in unet of .*, but 1 have"
    ):
        load_target(ModelSource(ldm, device="cpu"))


def test_a_network_that_is_told_no_guidance_has_no_such_setting(tmp_path: Path) -> None:
    folder = save_sdxl(tmp_path / "model", tmp_path / "vocabulary")
    assert load_target(ModelSource(folder, device="cpu")).info.settings == {"size_ids": "original"}
    with pytest.raises(TargetError, match="expected no condition.guidance for a U-Net that is not told a"):
        load_target(ModelSource(folder, device="cpu", overrides={"condition.guidance": 8.5}))


def test_a_fine_tune_may_be_told_one_size_for_all_images(tmp_path: Path) -> None:
    folder = save_sdxl(tmp_path / "model", tmp_path / "vocabulary")
    overrides = {"condition.size_ids": "target"}
    prompts = [Prompt("a cat", original_size=(20, 30), crop=(1, 2)), Prompt("a cat")]
    for chosen, sizes in ({}, [20, 30, 1, 2, 16, 16]), (overrides, [16, 16, 0, 0, 16, 16]):
        condition = load_target(ModelSource(folder, device="cpu", overrides=chosen)).condition(prompts)
        assert condition is not None
        assert condition["time_ids"].tolist() == [sizes, [16, 16, 0, 0, 16, 16]]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("vae.scaling_factor", "abc", "expected a number above 0 for the override vae.scaling_factor, got abc"),
        ("vae.scaling_factor", 0, "expected a number above 0 for the override vae.scaling_factor, got 0"),
        ("vae.scaling_factor", True, "expected a number above 0"),
        ("vae.shift_factor", float("nan"), "expected a number for the override vae.shift_factor, got nan"),
        ("vae.latents_mean", 3, "expected a list of numbers, one per channel, for the override|expected a list of"),
        ("vae.latents_std", [1, 0], "expected a list of numbers above 0"),
        (
            "vae.latents_std",
            [1, 2],
            "expected latents_std of AutoencoderKL for 4 channels of the latents, got 2 values",
        ),
        ("scheduler.num_train_timesteps", 0, "expected the scheduler of a diffusion|cannot load the scheduler"),
        ("scheduler.beta_end", "abc", "cannot load the scheduler"),
    ],
)
def test_values_that_cannot_be_used_are_one_line(ldm_master: Path, key: str, value: object, message: str) -> None:
    with pytest.raises((ConfigError, TargetError), match=message):
        load_target(ModelSource(ldm_master, device="cpu", overrides={key: value}))


@pytest.mark.parametrize(("name", "value"), [("text_length", 0), ("text_length", -1), ("guidance", -0.5)])
def test_settings_below_their_smallest_value_are_refused(tmp_path: Path, name: str, value: float) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary")
    with pytest.raises(ConfigError, match=f"expected a value such as .* for condition.{name} .*, got {value}"):
        load_target(ModelSource(folder, device="cpu", overrides={f"condition.{name}": value}))
