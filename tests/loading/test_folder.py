import importlib.util
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import pytest
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    UNet2DModel,
    VQModel,
)
from models import prompts
from safetensors.torch import load_file, save_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, hash_folder, load_target
from privaudit.loading.device import resolve_device, resolve_dtype
from privaudit.model.target import Target

Make = Callable[..., Path]
Edit = Callable[..., None]
WEIGHTS = "diffusion_pytorch_model.safetensors"


def load(folder: Path | str, dtype: str = "float32") -> Target:
    return load_target(ModelSource(folder, device="cpu", dtype=dtype))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def modules(target: Target) -> dict[str, torch.nn.Module]:
    found: Any = target
    parts = {"autoencoder": found.autoencoder.module, "denoiser": found.denoiser.module}
    return parts if target.conditioner is None else parts | {"text": found.conditioner.pipeline.text_encoder}


def edit_weights(path: Path, change: Callable[[dict], object]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {"format": "pt"})


@pytest.fixture(scope="session")
def target(ldm_master: Path) -> Target:
    return load(ldm_master)


@pytest.fixture(scope="session")
def conditional(sd_master: Path) -> Target:
    return load(sd_master)


# ------------------------------------------------------------------------------- unconditional


def test_what_is_said_about_an_unconditional_target(target: Target, ldm_master: Path) -> None:
    info = target.info
    assert (info.id, info.family, info.prediction_type) == (str(ldm_master), "unconditional", "epsilon")
    assert (info.latent_shape, info.image_size) == ((4, 8, 8), (16, 16))
    assert (len(info.hash), info.hash) == (32, hash_folder(ldm_master))
    assert (target.device, target.conditioner) == (torch.device("cpu"), None)
    assert target.condition(prompts("a caption")) is None


def test_shapes_and_types(target: Target) -> None:
    latents = target.encode(normal(3, 3, 16, 16))
    assert (latents.shape, latents.dtype) == ((3, 4, 8, 8), torch.float32)
    images = target.decode(latents)
    assert (images.shape, images.dtype) == ((3, 3, 16, 16), torch.float32)
    noise = target.predict_noise(latents, 10, None)
    assert (noise.shape, noise.dtype) == ((3, 4, 8, 8), torch.float32)


def test_decoded_images_are_not_clamped(target: Target) -> None:
    large = target.decode(normal(2, 4, 8, 8) * 100)
    assert float(large.abs().max()) > 1


def test_a_target_is_frozen_and_in_eval_mode(target: Target, conditional: Target) -> None:
    for loaded in (target, conditional):
        for module in modules(loaded).values():
            assert not any(part.training for part in module.modules())
            assert not any(parameter.requires_grad for parameter in module.parameters())
            assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_derivatives_pass_through_the_decoder(target: Target) -> None:
    latents = normal(1, 4, 8, 8).requires_grad_()
    target.decode(latents).square().sum().backward()
    assert float(latents.grad.abs().sum()) > 0


@pytest.mark.parametrize("name", ["ddpm", "ddim", "pndm", "euler"])
def test_every_scheduler_gives_its_alphas(make_ldm: Make, name: str) -> None:
    schedule = {"num_train_timesteps": 50, "beta_start": 0.001, "beta_end": 0.03, "beta_schedule": "scaled_linear"}
    found = load(make_ldm(scheduler=name, schedule=schedule)).schedule.alphas_cumprod
    betas = torch.linspace(0.001**0.5, 0.03**0.5, 50, dtype=torch.float64).square()
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), (1 - betas).cumprod(0), rtol=1e-5, atol=0)


# ------------------------------------------------------------------------------- the autoencoder's units


def raw_mean(folder: Path, images: torch.Tensor) -> torch.Tensor:
    module = AutoencoderKL.from_pretrained(folder, subfolder="vqvae").eval()
    with torch.no_grad():
        return module.encode(images).latent_dist.mean


def raw_decoded(folder: Path, latents: torch.Tensor) -> torch.Tensor:
    module = AutoencoderKL.from_pretrained(folder, subfolder="vqvae").eval()
    with torch.no_grad():
        return module.decode(latents).sample


MEAN, STD = [0.1, -0.2, 0.3, 0.0], [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("config", "shift", "scale"),
    [
        ({}, 0.0, 0.5),
        ({"scaling_factor": 0.18215}, 0.0, 0.18215),
        ({"scaling_factor": 0.3611, "shift_factor": 0.1159}, 0.1159, 0.3611),
        ({"scaling_factor": 0.5, "latents_mean": MEAN, "latents_std": STD}, MEAN, [0.5 / s for s in STD]),
        ({"scaling_factor": 1.0, "latents_mean": MEAN}, MEAN, 1.0),
    ],
)
def test_latents_are_in_the_denoisers_units(make_ldm: Make, config: dict, shift: Any, scale: Any) -> None:
    folder = make_ldm(autoencoder=config)
    target, images = load(folder), normal(2, 3, 16, 16)
    shift, scale = (torch.tensor(v).view(-1, 1, 1) if isinstance(v, list) else v for v in (shift, scale))
    latents = target.encode(images)
    torch.testing.assert_close(latents, (raw_mean(folder, images) - shift) * scale, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        target.decode(latents), raw_decoded(folder, latents / scale + shift), rtol=1e-4, atol=1e-5
    )


def test_encoding_is_deterministic_and_alone_or_in_a_batch(target: Target) -> None:
    images = normal(4, 3, 16, 16)
    torch.manual_seed(0)
    first = target.encode(images)
    torch.manual_seed(1)
    assert torch.equal(first, target.encode(images))
    alone = torch.cat([target.encode(image[None]) for image in images])
    torch.testing.assert_close(first, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"vq_embed_dim": 4}])
def test_vq_models(make_ldm: Make, changes: dict) -> None:
    channels = changes.get("vq_embed_dim", 3)
    folder = make_ldm(kind=VQModel, autoencoder=changes, unet={"in_channels": channels, "out_channels": channels})
    target, images = load(folder), normal(2, 3, 16, 16)
    assert (target.info.latent_shape, target.info.image_size) == ((channels, 8, 8), (16, 16))
    module = VQModel.from_pretrained(folder, subfolder="vqvae").eval()
    with torch.no_grad():
        raw = module.encode(images).latents
        torch.testing.assert_close(target.encode(images), raw * 0.5)
        torch.testing.assert_close(target.decode(raw * 0.5), module.decode(raw).sample)
    assert target.predict_noise(target.encode(images), 3, None).shape == (2, channels, 8, 8)


# ------------------------------------------------------------------------------- the denoiser's head


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_noise_follows_from_what_the_network_predicts(make_ldm: Make, kind: str) -> None:
    folder = make_ldm(schedule={"prediction_type": kind})
    target, noisy, level = load(folder), normal(2, 4, 8, 8), 300
    assert target.info.prediction_type == kind
    network = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    with torch.no_grad():
        output = network(noisy, level).sample
    alpha = scheduler.alphas_cumprod[level].sqrt()
    sigma = (1 - scheduler.alphas_cumprod[level]).sqrt()
    # diffusers' own reading of each head: the clean latent that one step implies, then the noise beside it
    scheduler.config.clip_sample = False
    clean = scheduler.step(output, level, noisy).pred_original_sample
    torch.testing.assert_close(
        target.predict_noise(noisy, level, None), (noisy - alpha * clean) / sigma, rtol=1e-4, atol=1e-5
    )


def test_prediction_depends_on_the_level_and_not_on_the_batch(target: Target) -> None:
    noisy = normal(3, 4, 8, 8)
    together = target.predict_noise(noisy, 500, None)
    assert float((together - target.predict_noise(noisy, 10, None)).abs().max()) > 1e-4
    alone = torch.cat([target.predict_noise(latent[None], 500, None) for latent in noisy])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_learned_variance_head_is_cut_to_its_prediction(make_ldm: Make) -> None:
    folder = make_ldm(unet={"out_channels": 8})
    noisy = normal(2, 4, 8, 8)
    network = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    with torch.no_grad():
        expected = network(noisy, 5).sample[:, :4]
    torch.testing.assert_close(load(folder).predict_noise(noisy, 5, None), expected)


def test_level_out_of_range(target: Target) -> None:
    with pytest.raises(ConfigError, match="expected a noise level from 0 to 999 for this target, got 1000"):
        target.predict_noise(normal(1, 4, 8, 8), 1000, None)
    with pytest.raises(ConfigError, match="got -1"):
        target.alpha_sigma(-1)


# ------------------------------------------------------------------------------- text to image


def test_what_is_said_about_a_conditional_target(conditional: Target) -> None:
    info = conditional.info
    assert (info.family, info.latent_shape, info.image_size) == ("text-to-image", (4, 8, 8), (16, 16))


def test_captions_change_the_prediction_and_none_is_the_empty_caption(conditional: Target) -> None:
    condition = conditional.condition(prompts("a cat", "", None, "dog"))
    assert (condition["encoder_hidden_states"].shape, condition["encoder_hidden_states"].dtype) == (
        (4, 12, 16),
        torch.float32,
    )
    assert set(condition) == {"encoder_hidden_states"}
    assert torch.equal(condition["encoder_hidden_states"][1], condition["encoder_hidden_states"][2])
    noisy = normal(1, 4, 8, 8).repeat(4, 1, 1, 1)
    noise = conditional.predict_noise(noisy, 100, condition)
    torch.testing.assert_close(noise[1], noise[2], rtol=1e-4, atol=1e-5)
    for one, other in ((0, 1), (0, 3), (1, 3)):
        assert float((noise[one] - noise[other]).abs().max()) > 1e-4


def test_the_condition_is_clips_last_hidden_state(conditional: Target) -> None:
    found: Any = conditional.conditioner.pipeline
    tokens = found.tokenizer(["a cat"], padding="max_length", max_length=12, truncation=True, return_tensors="pt")
    assert tokens.input_ids.unique().numel() >= 4  # start, a, cat, end: the vocabulary is real
    with torch.no_grad():
        expected = found.text_encoder(tokens.input_ids).last_hidden_state
    torch.testing.assert_close(conditional.condition(prompts("a cat"))["encoder_hidden_states"], expected)


def test_equal_captions_are_embedded_once(conditional: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Any = modules(conditional)["text"]
    seen, forward = [], encoder.forward

    def counted(tokens: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append(len(tokens))
        return forward(tokens, *args, **kwargs)

    monkeypatch.setattr(encoder, "forward", counted)
    condition = conditional.condition(prompts("cat", None, "cat", "", "cat"))["encoder_hidden_states"]
    assert seen == [2]
    assert torch.equal(condition[0], condition[4])
    assert torch.equal(condition[1], condition[3])
    assert not torch.equal(condition[0], condition[1])


def test_long_captions_are_cut(conditional: Target) -> None:
    assert conditional.condition(prompts("cat " * 100))["encoder_hidden_states"].shape == (1, 12, 16)


def test_a_tokenizer_without_a_length_takes_the_encoders(sd: Path, edit_json: Edit, conditional: Target) -> None:
    edit_json(sd / "tokenizer" / "tokenizer_config.json", model_max_length=int(1e30))
    assert torch.equal(
        load(sd).condition(prompts("cat " * 50))["encoder_hidden_states"],
        conditional.condition(prompts("cat " * 50))["encoder_hidden_states"],
    )


def test_v_prediction_of_a_conditional_target(sd: Path, edit_json: Edit, conditional: Target) -> None:
    edit_json(sd / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    target, noisy = load(sd), normal(2, 4, 8, 8)
    assert target.info.prediction_type == "v_prediction"
    alpha, sigma = target.alpha_sigma(200)
    condition = conditional.condition(prompts("cat", None))
    output = conditional.predict_noise(noisy, 200, condition)  # the same weights, read as epsilon
    torch.testing.assert_close(target.predict_noise(noisy, 200, condition), sigma * noisy + alpha * output)


# ------------------------------------------------------------------------------- dtypes, devices


def test_float16_files_load_as_float32(make_ldm: Make) -> None:
    half, full = make_ldm(half=True), make_ldm()
    assert {w.dtype for w in load_file(half / "unet" / WEIGHTS).values()} == {torch.float16}
    loaded, reference = load(half), load(full)
    for name, module in modules(loaded).items():
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}, name
        for found, wanted in zip(module.parameters(), modules(reference)[name].parameters(), strict=True):
            assert torch.equal(found, wanted.half().float())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("upcast", [True, False])
def test_sixteen_bits(make_ldm: Make, dtype: str, upcast: bool) -> None:
    folder = make_ldm(autoencoder={"force_upcast": False})
    target = load_target(ModelSource(folder, device="cpu", dtype=dtype, **({} if upcast else {"upcast": False})))
    reference = load(folder)
    assert (target.dtype, target.channel_axis) == (torch.float32 if upcast else getattr(torch, dtype), 1)
    kinds = {name: {p.dtype for p in module.parameters()} for name, module in modules(target).items()}
    short = {getattr(torch, dtype)}
    assert kinds == {"autoencoder": {torch.float32} if upcast else short, "denoiser": short}
    images = normal(2, 3, 16, 16)
    latents = reference.encode(images)
    for found, wanted in (
        (target.encode(images), latents),
        (target.decode(latents), reference.decode(latents)),
        (target.predict_noise(latents, 50, None), reference.predict_noise(latents, 50, None)),
    ):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, wanted, rtol=0.1, atol=0.1)


def test_device_and_dtype_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [resolve_dtype(name) for name in ("auto", "float32", "bfloat16", "float16")] == [
        torch.float32,
        torch.float32,
        torch.bfloat16,
        torch.float16,
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    names = {"auto": "cuda", "cpu": "cpu", "cuda": "cuda", "cuda:1": "cuda:1"}
    assert {name: str(resolve_device(name)) for name in names} == names
    with pytest.raises(ConfigError, match="expected a CUDA device below cuda:2, got cuda:2"):
        resolve_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(resolve_device("auto")) == "cpu"
    with pytest.raises(ConfigError, match="expected a CUDA device, but torch finds none; pass --device cpu"):
        resolve_device("cuda")
    with pytest.raises(ConfigError, match="expected --device auto, cuda or cpu, got tpu"):
        resolve_device("tpu")
    with pytest.raises(ConfigError, match="expected --dtype auto, float32, bfloat16, float16, got float64"):
        resolve_dtype("float64")


def test_options_are_checked_before_the_folder() -> None:
    with pytest.raises(ConfigError, match="got float8"):
        load_target(ModelSource("nowhere", device="cpu", dtype="float8"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(sd_master: Path, conditional: Target) -> None:
    target = load_target(ModelSource(sd_master, device="cuda"))
    assert target.device.type == "cuda"
    assert {p.device.type for module in modules(target).values() for p in module.parameters()} == {"cuda"}
    images = normal(2, 3, 16, 16)
    latents, condition = conditional.encode(images), conditional.condition(prompts("cat", None))
    pairs = (
        (target.encode(images), latents),
        (target.decode(latents), conditional.decode(latents)),
        (target.condition(prompts("cat", None))["encoder_hidden_states"], condition["encoder_hidden_states"]),
        (
            target.predict_noise(latents, 50, target.condition(prompts("cat", None))),
            conditional.predict_noise(latents, 50, condition),
        ),
    )
    for found, wanted in pairs:
        assert found.device.type == "cuda"
        torch.testing.assert_close(found.cpu(), wanted, rtol=1e-2, atol=5e-3)


# ------------------------------------------------------------------------------- hashes


def test_a_copy_has_the_same_hash(ldm: Path, ldm_master: Path) -> None:
    assert hash_folder(ldm) == hash_folder(ldm_master)


def add_to_one_weight(weights: dict) -> None:
    weights[min(weights)].view(-1)[0] += 1e-3


@pytest.mark.parametrize("part", ["unet", "vqvae"])
def test_a_changed_weight_changes_the_hash(ldm: Path, part: str) -> None:
    before = load(ldm).info
    edit_weights(ldm / part / WEIGHTS, add_to_one_weight)
    after = load(ldm).info
    assert after.hash != before.hash
    assert (after.autoencoder_hash != before.autoencoder_hash) is (part == "vqvae")


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("scheduler/scheduler_config.json", {"beta_end": 0.03}),
        ("vqvae/config.json", {"scaling_factor": 0.25}),
        ("unet/config.json", {"note": 1}),
        ("model_index.json", {"note": 1}),
    ],
)
def test_a_changed_configuration_changes_the_hash(ldm: Path, edit_json: Edit, path: str, changes: dict) -> None:
    before = hash_folder(ldm)
    edit_json(ldm / path, **changes)
    assert hash_folder(ldm) != before


def test_files_that_are_no_part_of_the_pipeline_do_not_change_the_hash(ldm: Path) -> None:
    before = hash_folder(ldm)
    (ldm / "README.md").write_text("words")
    (ldm / "training").mkdir()
    (ldm / "training" / "log").write_text("words")
    assert hash_folder(ldm) == before


# ------------------------------------------------------------------------------- the library stays out of the way


def test_loading_leaves_the_global_generator_alone(ldm_master: Path, sd_master: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    latents = normal(1, 4, 8, 8)
    assert torch.equal(load(ldm_master).decode(latents), load(ldm_master).decode(latents))
    load(sd_master)
    assert torch.equal(before, torch.get_rng_state())


# ------------------------------------------------------------------------------- hub


def test_a_hub_id_is_downloaded(monkeypatch: pytest.MonkeyPatch, ldm: Path) -> None:
    asked: list[tuple] = []

    def download(name: str, allow_patterns: list[str], **options: object) -> str:
        asked.append((name, allow_patterns))
        return str(ldm)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    target = load("org/model-1.5")
    assert [name for name, _ in asked] == ["org/model-1.5"]
    assert not any(pattern.endswith((".bin", ".py", ".pt", ".ckpt", "*")) for pattern in asked[0][1])
    assert (target.info.id, target.info.hash) == ("org/model-1.5", hash_folder(ldm))


@pytest.mark.parametrize(
    ("error", "message"),
    [(OSError("no such model\nwith more"), "OSError: no such model"), (ConnectionError(), "ConnectionError:")],
)
def test_a_hub_that_fails_gives_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def download(name: str, allow_patterns: list[str], **options: object) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(TargetError, match=f"org/model is not a folder and the hub answered: {message}") as caught:
        load("org/model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["nowhere", "/no/such/folder", "a/b/c", "./models", "../models", "models/", ""])
def test_a_wrong_path_is_not_looked_up_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("asked the hub"))
    # the empty path is the current folder
    neither = r"expected a diffusers folder or a hub id \(org/name\), but .* is neither"
    with pytest.raises(TargetError, match=neither if source else r"but \. is an empty folder; check the path"):
        load(source)


def test_a_file_is_no_folder(ldm: Path) -> None:
    with pytest.raises(TargetError, match="model_index.json is a file of a folder; pass the folder, "):
        load(ldm / "model_index.json")


# ------------------------------------------------------------------------------- what is refused


def test_no_model_index(tmp_path: Path) -> None:
    with pytest.raises(
        TargetError, match="expected the folder of a diffusers pipeline, but .* is an empty folder; che"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [("{", r"expected JSON in .*model_index\.json"), ("[1]", "expected a JSON object .*list")]
)
def test_broken_model_index(ldm: Path, content: str, message: str) -> None:
    (ldm / "model_index.json").write_text(content)
    with pytest.raises(TargetError, match=message):
        load(ldm)


@pytest.mark.parametrize(
    ("component", "entry", "message"),
    [
        ("unet", ["diffusers", "DiTTransformer2DModel"], "expected unet of .* to be one of UNet2DModel, got DiT"),
        ("unet", ["diffusers"], "expected unet of .* got None"),
        ("unet", "UNet2DModel", "expected unet of .* got None"),
        ("unet", None, "expected unet of .* got None"),
        ("vqvae", ["diffusers", "AutoencoderDC"], "expected vqvae of .* to be one of AutoencoderKL, VQModel, got Auto"),
        ("vqvae", None, "expected vae of .* got None"),
        ("unet", ["my_code", "UNet2DModel"], r"got my_code\.UNet2DModel; code inside a model folder is never run"),
        ("vqvae", ["transformers", "VQModel"], r"got transformers\.VQModel; code inside"),
    ],
)
def test_components_that_are_not_read(ldm: Path, edit_json: Edit, component: str, entry: object, message: str) -> None:
    (ldm / "my_code.py").write_text("raise SystemExit('code of the folder was run')")
    edit_json(ldm / "model_index.json", **{component: entry})
    with pytest.raises(TargetError, match=message):
        load(ldm)


@pytest.mark.parametrize("part", ["unet", "vqvae"])
def test_pickled_weights_are_refused(ldm: Path, part: str) -> None:
    torch.save(load_file(ldm / part / WEIGHTS), ldm / part / "diffusion_pytorch_model.bin")
    (ldm / part / WEIGHTS).unlink()
    with pytest.raises(TargetError, match=f"cannot load .*/{part}: only complete safetensors weights") as caught:
        load(ldm)
    assert "\n" not in str(caught.value)


def test_pickled_text_encoder_is_refused(sd: Path) -> None:
    weights = sd / "text_encoder" / "model.safetensors"
    torch.save(load_file(weights), sd / "text_encoder" / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(
        TargetError, match=r"cannot load .*/text_encoder: only complete safetensors .* it has pytorch_model.bin, which"
    ):
        load(sd)


@pytest.mark.parametrize("part", ["unet/" + WEIGHTS, "vae/" + WEIGHTS, "text_encoder/model.safetensors"])
def test_incomplete_weights_are_refused(sd: Path, part: str) -> None:
    # diffusers and transformers only warn, and go on with random values
    path = sd / part
    edit_weights(path, lambda weights: weights.pop(min(weights)))
    with pytest.raises(TargetError, match=f"expected all weights of {path.parent.name} in .*, but 1 are missing"):
        load(sd)


@pytest.mark.parametrize("part", ["unet/" + WEIGHTS, "vae/" + WEIGHTS, "text_encoder/model.safetensors"])
@pytest.mark.parametrize("spoil", [lambda content: content[:-50], lambda content: b"not a header"])
def test_cut_weights_are_refused(sd: Path, part: str, spoil: Callable[[bytes], bytes]) -> None:
    path = sd / part
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(TargetError, match=f"cannot load .*/{path.parent.name}/{path.name}: it ") as caught:
        load(sd)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"block_out_channels": [16, 16]}, {"down_block_types": ["No", "Such"]}])
def test_configurations_that_do_not_fit_are_refused(ldm: Path, edit_json: Edit, changes: dict) -> None:
    edit_json(ldm / "unet" / "config.json", **changes)
    with pytest.raises(TargetError, match=r"cannot load unet \(UNet2DModel\)"):
        load(ldm)


def test_weights_without_accelerate_are_checked_too(ldm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusers.models.modeling_utils, "is_accelerate_available", lambda: False)
    edit_weights(ldm / "unet" / WEIGHTS, lambda weights: weights.pop("conv_in.weight"))
    with pytest.raises(TargetError, match=r"but 1 are missing, among them conv_in\.weight; copy the folder again"):
        load(ldm)


def test_a_flow_scheduler_beside_a_unet_is_refused(ldm: Path) -> None:
    FlowMatchEulerDiscreteScheduler().save_pretrained(ldm / "scheduler")
    with pytest.raises(
        TargetError,
        match="expected a scheduler of a diffusion model for LDMPipeline in .*, got a flow-matching scheduler;",
    ):
        load(ldm)


def test_other_flow_schedulers_are_refused(ldm: Path) -> None:
    FlowMatchHeunDiscreteScheduler().save_pretrained(ldm / "scheduler")
    with pytest.raises(
        TargetError, match="expected a scheduler of a diffusion model for LDMPipeline in .*, got a flow-matching"
    ):
        load(ldm)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction_type": "flow_prediction"}, "expected a scheduler of a diffusion model .*, got a flow-matching"),
        ({"prediction_type": "trajectory"}, "expected prediction_type of .* epsilon, v_.* got trajectory"),
        ({"_class_name": "NoSuchScheduler"}, "expected a scheduler of diffusers in .*, got NoSuchScheduler"),
        ({"_class_name": "UNet2DModel"}, "expected a scheduler of diffusers in .*, got UNet2DModel"),
        pytest.param(
            {"_class_name": "DPMSolverSDEScheduler"},
            "cannot load the scheduler .DPMSolverSDEScheduler. of .* is not installed: torchsde; install it, or save",
            marks=pytest.mark.skipif(importlib.util.find_spec("torchsde") is not None, reason="torchsde is installed"),
        ),
        ({"_class_name": "utils"}, "expected a scheduler of diffusers in .*, got utils"),
        ({"_class_name": None}, "expected a scheduler of diffusers in .*, got None"),
        ({"beta_schedule": "odd"}, r"cannot load the scheduler \(DDPMScheduler\) of .*: NotImplementedError: odd"),
        ({"num_train_timesteps": 0}, "expected the scheduler of a diffusion, flow-matching or EDM"),
    ],
)
def test_schedules_that_are_not_read(ldm: Path, edit_json: Edit, changes: dict, message: str) -> None:
    edit_json(ldm / "scheduler" / "scheduler_config.json", **changes)
    with pytest.raises(TargetError, match=message):
        load(ldm)


def test_no_schedule(ldm: Path) -> None:
    shutil.rmtree(ldm / "scheduler")
    with pytest.raises(TargetError, match=r"expected scheduler_config\.json in .*scheduler, found none"):
        load(ldm)


def test_channels_that_do_not_match(make_ldm: Make) -> None:
    folder = make_ldm(unet={"in_channels": 8, "out_channels": 8})
    with pytest.raises(TargetError, match="to take the autoencoder's 4 latent channels, got 8; inpainting"):
        load(folder)


def test_no_sample_size(ldm: Path, edit_json: Edit) -> None:
    edit_json(ldm / "unet" / "config.json", sample_size=None)
    with pytest.raises(TargetError, match="expected sample_size in the configuration of .*, as in --resolution 1024"):
        load(ldm)


def test_the_resolution_of_the_user_counts(ldm: Path, edit_json: Edit) -> None:
    edit_json(ldm / "unet" / "config.json", sample_size=None)
    info = load_target(ModelSource(ldm, device="cpu", resolution=(8, 24))).info
    assert (info.latent_shape, info.image_size) == ((4, 4, 12), (8, 24))
    with pytest.raises(TargetError, match="expected a resolution of multiples of 2 for .*, got 9x24"):
        load_target(ModelSource(ldm, device="cpu", resolution=(9, 24)))


def test_sides_of_different_length(ldm: Path, edit_json: Edit) -> None:
    edit_json(ldm / "unet" / "config.json", sample_size=[4, 8])
    info = load(ldm).info
    assert (info.latent_shape, info.image_size) == ((4, 4, 8), (8, 16))


def test_conditions_that_are_not_read(make_ldm: Make) -> None:
    folder = make_ldm(unet={"class_embed_type": "timestep"})
    with pytest.raises(TargetError, match="expected a U-Net without conditions .* got class_embed_type = timestep"):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_encoder": [None, None]}, "expected text_encoder of .* to be one of CLIPTextModel, got None"),
        ({"tokenizer": None}, "expected tokenizer of .* to be one of CLIPTokenizer, .* got None"),
        ({"text_encoder": ["transformers", "T5EncoderModel"]}, "expected text_encoder of .* CLIPTextModel, got T5Enc"),
        ({"tokenizer": ["transformers", "T5Tokenizer"]}, "expected tokenizer of .* CLIPTokenizer, .* got T5Tokenizer"),
        (
            {"text_encoder_2": ["transformers", "CLIPTextModel"]},
            "expected only text_encoder and unet for Stable.*, but found text_encoder_2 as well",
        ),
    ],
)
def test_text_encoders_that_are_not_read(sd: Path, edit_json: Edit, changes: dict, message: str) -> None:
    edit_json(sd / "model_index.json", **changes)
    with pytest.raises(TargetError, match=message):
        load(sd)


def test_an_absent_second_text_encoder_is_none(sd: Path, edit_json: Edit) -> None:
    edit_json(sd / "model_index.json", text_encoder_2=[None, None])
    assert load(sd).info.family == "text-to-image"


def test_a_text_encoder_beside_an_unconditional_network(ldm: Path, sd: Path, edit_json: Edit) -> None:
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(sd / part, ldm / part)
    index = json.loads((sd / "model_index.json").read_text())
    edit_json(ldm / "model_index.json", text_encoder=index["text_encoder"], tokenizer=index["tokenizer"])
    with pytest.raises(TargetError, match="expected only unet for LDMPipeline in .*, but found text_encoder as well"):
        load(ldm)


def test_a_tokenizer_without_words(sd: Path) -> None:
    # transformers would make one without any, and every caption would be the same
    for path in (sd / "tokenizer").iterdir():
        path.unlink()
    with pytest.raises(TargetError, match=r"expected tokenizer\.json or vocab\.json in .*tokenizer, found neither"):
        load(sd)


def test_a_tokenizer_with_more_words_than_the_encoder(sd: Path, make_sd: Make) -> None:
    weights = sd / "text_encoder" / "model.safetensors"
    edit_weights(
        weights,
        lambda parts: parts.update({
            name: value[:40].clone() for name, value in parts.items() if name.endswith("token_embedding.weight")
        }),
    )
    config = sd / "text_encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": 40}))
    with pytest.raises(TargetError, match="expected at most 40 tokens, which the text_encoder of .* a tokenizer with"):
        load(sd)


def test_text_embeddings_of_another_width(make_sd: Make) -> None:
    folder = make_sd(unet={"cross_attention_dim": 32})
    with pytest.raises(
        TargetError, match="cannot load .*: expected text embeddings of width 32 for the denoiser, got 16 from"
    ):
        load(folder)


# ------------------------------------------------------------------------------- the libraries around


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_a_quantised_component(sd: Path, edit_json: Edit, part: str) -> None:
    quantised = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    edit_json(sd / part / "config.json", quantization_config=quantised)
    with pytest.raises(TargetError, match=rf"cannot load .*/{part}: its weights are quantised \(bitsandbytes\), which"):
        load(sd)


def test_libraries_speak_again_after_loading(sd: Path, capfd: pytest.CaptureFixture[str]) -> None:
    libraries = (diffusers.utils.logging, transformers.utils.logging)
    for library in libraries:
        library.set_verbosity_info()
    try:
        load(sd).condition(prompts("cat " * 100))
        assert all(library.get_verbosity() == logging.INFO for library in libraries)
        assert all(library.is_progress_bar_enabled() for library in libraries)
    finally:
        for library in libraries:
            library.set_verbosity_warning()
    assert capfd.readouterr() == ("", "")
