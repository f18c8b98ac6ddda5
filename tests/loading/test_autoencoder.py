import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import pytest
import torch
from models import MEAN, STD
from pipelines_autoencoders import CONFIGS, SHAPES, class_of
from pipelines_autoencoders import make_autoencoder as make
from safetensors.torch import load_file, save_file

from privaudit.errors import ConfigError, DataError, TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.loading.autoencoder import DiffusersAutoencoder, wrap_autoencoder
from privaudit.loading.autoencoder.diffusers_autoencoder import TILING
from privaudit.loading.autoencoder.layouts import AUTOENCODERS, IMAGENET, TILED_AS_RELEASED, UNREADABLE

Make = Callable[..., Path]
Edit = Callable[..., None]
WEIGHTS = "diffusion_pytorch_model.safetensors"
CHANNELS = {"AutoencoderKLTemporalDecoder": 2}
"""The axis of the channels, where it is not the first after the items."""


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def load(folder: Path | str, dtype: str = "float32") -> DiffusersAutoencoder:
    return load_autoencoder(ModelSource(folder, device="cpu", dtype=dtype, upcast=False))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One saved autoencoder of each kind."""
    base = tmp_path_factory.mktemp("autoencoders")
    for kind in CONFIGS:
        model = make(kind)
        if kind == "AutoencoderKLLTXVideo":
            model.latents_mean[:], model.latents_std[:] = torch.tensor(MEAN), torch.tensor(STD)
        model.save_pretrained(base / kind)
    return {kind: base / kind for kind in CONFIGS}


@pytest.fixture
def kl(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A private copy."""
    return Path(shutil.copytree(folders["AutoencoderKL"], tmp_path / "kl"))


# ------------------------------------------------------------------------------- contract of every kind


def test_every_kind_is_tested() -> None:
    assert sorted(CONFIGS) == sorted(SHAPES) == sorted(AUTOENCODERS)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", AUTOENCODERS)
@torch.no_grad()
def test_shapes_and_types(folders: dict[str, Path], kind: str, dtype: str) -> None:
    data, latent = SHAPES[kind]
    autoencoder = load(folders[kind], dtype)
    assert autoencoder.dtype == getattr(torch, dtype)
    assert autoencoder.layout[autoencoder.channel_axis] == "channels"
    assert autoencoder.channel_axis == CHANNELS.get(kind, 1)
    assert latent[autoencoder.channel_axis - 1] == autoencoder.latent_channels
    assert autoencoder.dtype == next(autoencoder.module.parameters()).dtype
    latents = autoencoder.encode(normal(2, *data))
    decoded = autoencoder.decode(latents)
    assert (latents.shape, latents.dtype) == ((2, *latent), torch.float32)
    assert (decoded.shape, decoded.dtype) == ((2, *data), torch.float32)
    reference = load(folders[kind]).decode(latents)
    # bfloat16 has 8 bits, and a code may change
    assert float((decoded - reference).norm() / reference.norm()) < (0.3 if kind == "VQModel" else 0.1)
    assert torch.equal(decoded, reference) == (autoencoder.dtype == torch.float32)


@pytest.mark.parametrize("kind", AUTOENCODERS)
@torch.no_grad()
def test_an_item_is_the_same_alone_and_in_a_batch(folders: dict[str, Path], kind: str) -> None:
    autoencoder, data = load(folders[kind]), normal(3, *SHAPES[kind][0])
    latents = autoencoder.encode(data)
    alone = torch.cat([autoencoder.encode(item[None]) for item in data])
    torch.testing.assert_close(latents, alone, rtol=1e-4, atol=1e-5)
    decoded = torch.cat([autoencoder.decode(latent[None]) for latent in latents])
    torch.testing.assert_close(autoencoder.decode(latents), decoded, rtol=1e-4, atol=1e-5)
    assert torch.equal(autoencoder.decode(latents), autoencoder.decode(latents))


@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_derivatives_pass_through_and_weights_are_frozen(folders: dict[str, Path], kind: str) -> None:
    autoencoder = load(folders[kind])
    assert not any(part.training for part in autoencoder.module.modules())
    assert not any(parameter.requires_grad for parameter in autoencoder.module.parameters())
    latents = normal(1, *SHAPES[kind][1]).requires_grad_()
    autoencoder.decode(latents).square().sum().backward()
    assert bool((latents.grad != 0).any())


def unit_range(kind: str, images: torch.Tensor) -> torch.Tensor:
    """What a class decodes, in [-1, 1]."""
    if kind == "AutoencoderKLMiniMaxH3":
        mean, deviation = (torch.tensor(each).view(3, 1, 1, 1) for each in IMAGENET)
        images = images * deviation + mean
    return 2 * images - 1 if kind in ("AutoencoderRAE", "PaellaVQModel", "AutoencoderKLMiniMaxH3") else images


@pytest.mark.parametrize("kind", AUTOENCODERS)
@torch.no_grad()
def test_it_decodes_as_diffusers_does(folders: dict[str, Path], kind: str) -> None:
    autoencoder, module = load(folders[kind]), class_of(kind).from_pretrained(folders[kind]).eval()
    raw = normal(1, *SHAPES[kind][1])
    still = kind == "AutoencoderKLQwenImage21"
    if kind == "AutoencoderKLTemporalDecoder":
        decoded = module.decode(raw[0], num_frames=3).sample[None]
    elif kind == "AutoencoderKLFlux2":
        decoded = module.decode(torch.pixel_shuffle(raw, 2)).sample
    else:
        decoded = module.decode(raw.unsqueeze(2) if still else raw)
        decoded = getattr(decoded, "sample", decoded)
    wanted = unit_range(kind, decoded.squeeze(2) if still else decoded)
    frames = kind == "AutoencoderKLTemporalDecoder"
    scaled = autoencoder.units.scaled(raw[0])[None] if frames else autoencoder.units.scaled(raw)
    torch.testing.assert_close(autoencoder.decode(scaled), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_other_channels_and_axes_are_refused(folders: dict[str, Path], kind: str) -> None:
    autoencoder, shape = load(folders[kind]), [2, *SHAPES[kind][0]]
    axis = CHANNELS.get(kind, 1)
    other = list(shape)
    other[axis] = 5
    for wrong in (other, shape[1:], [*shape, 4]):
        with pytest.raises(
            DataError, match=rf"expected data of shape \(n, .*\b{shape[axis]}\b.* for {kind}, got "
        ) as e:
            autoencoder.encode(torch.zeros(wrong))
        assert str(tuple(wrong)) in str(e.value)
        assert str(e.value).endswith("convert the data, or pass an autoencoder that was trained on such data")
    shape = [2, *SHAPES[kind][1]]
    other = list(shape)
    other[axis] = 5
    for wrong in (other, shape[1:], [*shape, 4]):
        with pytest.raises(
            DataError, match=rf"expected latents of shape \(n, .*\b{shape[axis]}\b.* for {kind}, got "
        ) as e:
            autoencoder.decode(torch.zeros(wrong))
        assert f"got {tuple(wrong)}; pass latents that this autoencoder encoded" in str(e.value)


# ------------------------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("kind", "scale", "shift"),
    [
        ("AutoencoderKL", [0.18215 / s for s in STD], MEAN),
        ("AutoencoderKLHunyuanImage", [0.75289], [0.0]),
        ("VQModel", [0.18215], [0.0]),
        ("AutoencoderTiny", [1.0], [0.0]),
        ("AutoencoderDC", [0.4], [0.0]),
        ("AutoencoderKLCogVideoX", [1.15258426], [0.0]),
        ("AutoencoderKLHunyuanVideo", [0.476986], [0.0]),
        ("AutoencoderKLLTXVideo", [0.7 / s for s in STD], MEAN),  # std and mean are among its weights
        ("AutoencoderKLQwenImage", [1.0 / s for s in STD], MEAN),
        ("AutoencoderKLWan", [1.0 / s for s in STD], MEAN),
        ("AutoencoderOobleck", [1.0], [0.0]),
        ("AutoencoderKLHunyuanImageRefiner", [1.03682], [0.0]),
        ("AutoencoderKLMagvit", [0.7125], [0.0]),
        ("AutoencoderKLMochi", [0.7 / s for s in STD], MEAN),
        ("AutoencoderSAME", [1.0], [0.0]),
        ("Kandinsky6SRVAE", [0.910344], [0.0]),
    ],
)
@torch.no_grad()
def test_latents_are_in_the_denoisers_units(
    folders: dict[str, Path], kind: str, scale: list[float], shift: list[float]
) -> None:
    data, latent = SHAPES[kind]
    wide = (-1, *[1] * (len(latent) - 1))
    scales, shifts = torch.tensor(scale).view(wide), torch.tensor(shift).view(wide)
    autoencoder, module = load(folders[kind]), getattr(diffusers, kind).from_pretrained(folders[kind]).eval()
    images, encoded = normal(2, *data), module.encode(normal(2, *data))
    raw = encoded.latent_dist.mean if hasattr(encoded, "latent_dist") else encoded[0]
    torch.testing.assert_close(autoencoder.encode(images), (raw - shifts) * scales, rtol=1e-4, atol=1e-5)
    latents = normal(2, *latent)
    wanted = module.decode(latents / scales + shifts).sample
    torch.testing.assert_close(autoencoder.decode(latents), wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_latents_of_cosmos_are_normalised_per_channel_and_frame(folders: dict[str, Path]) -> None:
    autoencoder, videos = load(folders["AutoencoderKLCosmos"]), normal(2, *SHAPES["AutoencoderKLCosmos"][0])
    raw = autoencoder.module.encode(videos).latent_dist.mode()
    mean = torch.arange(20).view(1, 4, 5, 1, 1)[:, :, :3] / 10
    torch.testing.assert_close(autoencoder.encode(videos), (raw - mean) / (1 + mean), rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="expected latents of at most 5 frames, of which .*, got 6; cut the videos"):
        autoencoder.decode(normal(1, 4, 6, 4, 4))


@torch.no_grad()
def test_latents_of_spectrograms_are_normalised_per_channel_and_band(folders: dict[str, Path]) -> None:
    autoencoder = load(folders["AutoencoderKLLTX2Audio"])
    data = normal(2, *SHAPES["AutoencoderKLLTX2Audio"][0])
    raw = autoencoder.module.encode(data).latent_dist.mode()
    packed = diffusers.LTX2Pipeline._pack_audio_latents(raw)
    mean, deviation = autoencoder.module.latents_mean, autoencoder.module.latents_std
    wanted = diffusers.LTX2Pipeline._normalize_audio_latents(packed, mean, deviation)
    found = diffusers.LTX2Pipeline._pack_audio_latents(autoencoder.encode(data))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_latents_of_wuerstchen_are_divided_by_their_scale(folders: dict[str, Path]) -> None:
    autoencoder, images = load(folders["PaellaVQModel"]), normal(2, 3, 16, 16)
    raw = autoencoder.module.encode((images + 1) / 2).latents
    torch.testing.assert_close(autoencoder.encode(images), raw / 0.3764, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rae_normalises_latents_itself_and_decodes_one_size(folders: dict[str, Path]) -> None:
    autoencoder, images = load(folders["AutoencoderRAE"]), normal(2, 3, 16, 16)
    torch.testing.assert_close(autoencoder.encode(images), autoencoder.module.encode((images + 1) / 2).latent)
    with pytest.raises(DataError, match="expected images of 16x16 for AutoencoderRAE, which decodes no other .* 16x24"):
        autoencoder.encode(normal(1, 3, 16, 24))


@torch.no_grad()
def test_latents_of_flux_2_are_the_normalised_patches_of_its_pipeline(tmp_path: Path) -> None:
    model = make("AutoencoderKLFlux2")
    model.bn.running_mean.normal_(generator=torch.Generator().manual_seed(1))
    model.bn.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))
    model.save_pretrained(tmp_path)
    autoencoder, images = load(tmp_path), normal(2, 3, 16, 16)
    pipeline = diffusers.Flux2KleinPipeline(None, model, None, None, None)
    wanted = pipeline._encode_vae_image(images, None)
    torch.testing.assert_close(autoencoder.encode(images), wanted, rtol=1e-4, atol=1e-5)
    raw = model.encode(images).latent_dist.mode()
    torch.testing.assert_close(autoencoder.decode(wanted), model.decode(raw).sample, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_frames_are_encoded_alone_and_decoded_together(folders: dict[str, Path]) -> None:
    folder = folders["AutoencoderKLTemporalDecoder"]
    autoencoder, module = load(folder), diffusers.AutoencoderKLTemporalDecoder.from_pretrained(folder).eval()
    videos = normal(2, 3, 3, 16, 16)
    latents = autoencoder.encode(videos)
    for video, found in zip(videos, latents, strict=True):
        raw = torch.cat([module.encode(frame[None]).latent_dist.mean for frame in video])
        torch.testing.assert_close(found, raw * 0.18215, rtol=1e-4, atol=1e-5)
        wanted = module.decode(raw, num_frames=3).sample
        torch.testing.assert_close(autoencoder.decode(found[None])[0], wanted, rtol=1e-4, atol=1e-5)
    # frames depend on each other
    assert not torch.allclose(autoencoder.decode(latents)[:, :1], autoencoder.decode(latents[:, :1]), atol=1e-4)


@torch.no_grad()
def test_channels_of_patches_are_not_channels_of_videos(tmp_path: Path) -> None:
    make("AutoencoderKLWan", in_channels=12, out_channels=12, patch_size=2).save_pretrained(tmp_path)
    autoencoder = load(tmp_path)
    latents = autoencoder.encode(normal(1, 3, 5, 16, 16))
    assert latents.shape == (1, 4, 3, 4, 4)
    assert autoencoder.decode(latents).shape == (1, 3, 5, 16, 16)


# ------------------------------------------------------------------------------- precision


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@torch.no_grad()
def test_codes_are_compared_in_float32(folders: dict[str, Path], dtype: str) -> None:
    autoencoder, module = load(folders["VQModel"], dtype), load(folders["VQModel"]).module
    assert autoencoder.dtype == getattr(torch, dtype)
    codes = module.quantize.embedding.weight
    assert torch.equal(autoencoder.module.quantize.embedding.weight, codes)
    latents = codes[:16].T.reshape(1, 3, 4, 4) * 0.18215
    wanted = module.decode(latents / 0.18215, force_not_quantize=True).sample
    torch.testing.assert_close(autoencoder.decode(latents), wanted, rtol=0.1, atol=0.1)


@torch.no_grad()
def test_spatial_normalisation_sees_the_codes(tmp_path: Path) -> None:
    make("VQModel", norm_type="spatial", block_out_channels=[32, 32]).save_pretrained(tmp_path)
    module, latents = diffusers.VQModel.from_pretrained(tmp_path).eval(), normal(2, 3, 8, 8)
    torch.testing.assert_close(load(tmp_path).decode(latents), module.decode(latents / 0.18215).sample)


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("upcast", [True, False])
def test_only_a_request_makes_it_run_in_16_bits(kl: Path, edit_json: Edit, upcast: bool, asks: bool) -> None:
    edit_json(kl / "config.json", force_upcast=asks)
    autoencoder = load_autoencoder(
        ModelSource(kl, device="cpu", dtype="bfloat16", **({} if upcast else {"upcast": False}))
    )
    wanted = torch.float32 if upcast else torch.bfloat16
    assert autoencoder.dtype == wanted
    assert {parameter.dtype for parameter in autoencoder.module.parameters()} == {wanted}


def test_device_and_dtype_are_checked(kl: Path) -> None:
    with pytest.raises(ConfigError, match="expected --dtype auto, float32, bfloat16, float16, got int8"):
        load_autoencoder(ModelSource(kl, dtype="int8"))
    with pytest.raises(ConfigError, match="expected --device auto, cuda or cpu, got tpu"):
        load_autoencoder(ModelSource(kl, device="tpu"))
    assert load_autoencoder(ModelSource(kl, device="cpu")).dtype == torch.float32


# ------------------------------------------------------------------------------- where it is read from


@torch.no_grad()
def test_a_pipelines_autoencoder_is_read_without_the_rest(ldm: Path, sd: Path) -> None:
    for folder, part in ((ldm, "vqvae"), (sd, "vae")):
        images = normal(2, 3, 16, 16)
        wanted = load_target(ModelSource(folder, device="cpu")).encode(images)
        for other in folder.iterdir():
            if other.is_dir() and other.name != part:
                shutil.rmtree(other)
        assert torch.equal(load(folder).encode(images), wanted)
        assert torch.equal(load(folder / part).encode(images), wanted)


def test_a_relative_folder(kl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, source in ((kl, "."), (kl.parent, "kl"), (kl.parent, "kl/")):
        monkeypatch.chdir(place)
        assert type(load(source).module).__name__ == "AutoencoderKL"


def test_a_hub_id_is_downloaded_without_the_denoiser(kl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(name: str, allow_patterns: list[str], **options: object) -> str:
        asked.extend([name, *allow_patterns])
        return str(kl)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load("org/model").channels == 3
    assert asked[0] == "org/model"
    assert {"vae/*.safetensors", "config.json"} < set(asked)
    assert not any(pattern.startswith(("unet", "*")) or pattern.endswith((".py", ".bin", "*")) for pattern in asked)


# ------------------------------------------------------------------------------- what is refused


def test_no_folder_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"expected a diffusers folder or a hub id \(org/name\), but .* is neither"):
        load(tmp_path / "none")
    with pytest.raises(
        TargetError, match="expected the folder of a diffusers pipeline or autoencoder, but .* is an emp"
    ):
        load(tmp_path)


def test_other_models_are_refused(ldm: Path, kl: Path, edit_json: Edit) -> None:
    with pytest.raises(TargetError, match=r"unet is one component of a pipeline .UNet2DModel.; pass the folder of the"):
        load(ldm / "unet")
    edit_json(ldm / "model_index.json", vqvae=["diffusers", "UNet2DModel"])
    with pytest.raises(TargetError, match=r"expected vqvae of .* got UNet2DModel"):
        load(ldm)
    edit_json(ldm / "model_index.json", vqvae=[None, None])
    with pytest.raises(TargetError, match=r"expected vqvae of .* got None"):
        load(ldm)
    for name in ("MotionAdapter", "NoSuchModel"):
        edit_json(kl / "config.json", _class_name=name)
        with pytest.raises(
            TargetError, match=f"kl is one component of a pipeline .{name}.; pass its base as the model"
        ):
            load(kl)
    edit_json(kl / "config.json", _class_name=None)
    with pytest.raises(TargetError, match="kl is a folder that holds diffusion_pytorch_model.safetensors, the weights"):
        load(kl)


def test_every_autoencoder_of_diffusers_is_read_or_has_a_reason(tmp_path: Path) -> None:
    exported = {name for name in dir(diffusers.models.autoencoders) if name[0].isupper()}
    assert exported - {"PaellaVQModel"} == {*AUTOENCODERS, *UNREADABLE} - {"PaellaVQModel"}
    assert not set(AUTOENCODERS) & set(UNREADABLE)
    assert all(reason[0].islower() and not reason.endswith(".") for reason in UNREADABLE.values())
    for name, reason in UNREADABLE.items():
        (tmp_path / "config.json").write_text(json.dumps({"_class_name": name}))
        with pytest.raises(TargetError, match=f"cannot read .*: {name} {reason}"):
            load(tmp_path)
        module = type(name, (), {"config": {}})()
        with pytest.raises(TargetError, match=f"cannot read an autoencoder of this class: {name} {reason}"):
            wrap_autoencoder(module, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("AutoencoderVidTok", {"regularizer": "fsq", "double_z": False, "codebook_size": 8**4}),
        ("AutoencoderRAE", {"reshape_to_2d": False}),
    ],
)
def test_latents_that_are_no_grid_of_numbers_are_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(TargetError, match=f"expected {kind} with continuous latents on a grid, got regularizer = "):
        wrap_autoencoder(make(kind, **changes), torch.device("cpu"), torch.float32)


def test_modules_of_other_classes_are_not_wrapped(ldm: Path) -> None:
    network = diffusers.UNet2DModel.from_pretrained(ldm, subfolder="unet")
    with pytest.raises(TargetError, match="expected an autoencoder of a class among AutoencoderKL, .* got UNet2DModel"):
        wrap_autoencoder(network, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    "changes", [{"timestep_conditioning": True}, {"decoder_inject_noise": [True, False, False]}], ids=str
)
def test_decoders_that_take_more_than_the_latent_are_refused(changes: dict[str, Any]) -> None:
    module = make("AutoencoderKLLTXVideo", **changes)
    with pytest.raises(TargetError, match="expected a decoder that is a function of the latent, got AutoencoderKLLTX"):
        wrap_autoencoder(module, torch.device("cpu"), torch.float32)


def disable_tiling(module: Any) -> None:
    for switch in TILING:
        if hasattr(module, switch):
            setattr(module, switch, switch in TILED_AS_RELEASED.get(type(module).__name__, ()))


TILED = [
    kind
    for kind in AUTOENCODERS
    if hasattr(make(kind), "use_tiling") and "use_tiling" not in TILED_AS_RELEASED.get(kind, ())
]


@pytest.mark.parametrize("kind", TILED)
def test_tiling_is_refused_before_and_after(kind: str) -> None:
    module = make(kind)
    module.enable_tiling()
    message = f"expected {kind} without tiling, got use_tiling.* = True: tiles overlap and are blended, so the function"
    with pytest.raises(TargetError, match=message):
        wrap_autoencoder(module, torch.device("cpu"), torch.float32)
    disable_tiling(module)
    autoencoder = wrap_autoencoder(module, torch.device("cpu"), torch.float32)
    data, latent = SHAPES[kind]
    autoencoder.module.enable_tiling()
    for compute, values in ((autoencoder.encode, normal(1, *data)), (autoencoder.decode, normal(1, *latent))):
        with pytest.raises(TargetError, match=message):
            compute(values)
    disable_tiling(autoencoder.module)
    assert autoencoder.decode(normal(1, *latent)).shape == (1, *data)


def test_runs_of_frames_are_refused_where_they_are_a_choice() -> None:
    module = make("AutoencoderKLLTXVideo")
    module.use_framewise_encoding = module.use_framewise_decoding = True
    message = "got use_framewise_encoding and use_framewise_decoding = True: tiles overlap"
    with pytest.raises(TargetError, match=message):
        wrap_autoencoder(module, torch.device("cpu"), torch.float32)
    released = make("AutoencoderKLHunyuanVideo")  # of which no copy was ever used without
    assert released.use_framewise_decoding
    wrap_autoencoder(released, torch.device("cpu"), torch.float32)
    assert released.use_framewise_decoding


@torch.no_grad()
def test_slicing_is_switched_off_and_changes_nothing() -> None:
    module, latents = make("AutoencoderKL"), normal(3, 4, 8, 8)
    module.enable_slicing()
    sliced = module.decode(latents).sample
    autoencoder = wrap_autoencoder(module, torch.device("cpu"), torch.float32)
    assert not module.use_slicing
    torch.testing.assert_close(module.decode(latents).sample, sliced, rtol=1e-4, atol=1e-5)
    assert autoencoder.decode(latents).shape == sliced.shape


def test_weights_must_be_complete_and_safe(kl: Path) -> None:
    weights = load_file(kl / WEIGHTS)
    removed = weights.pop("encoder.conv_in.weight")
    save_file(weights, kl / WEIGHTS, {"format": "pt"})
    with pytest.raises(TargetError, match=r"expected all weights of kl .* 1 are missing, among them encoder\.conv_in"):
        load(kl)
    torch.save(weights | {"encoder.conv_in.weight": removed}, kl / "diffusion_pytorch_model.bin")
    (kl / WEIGHTS).unlink()
    with pytest.raises(TargetError, match=r"cannot load .*/kl: only complete safetensors weights"):
        load(kl)


def test_a_configuration_that_is_no_json(kl: Path) -> None:
    (kl / "config.json").write_text(json.dumps([1]))
    with pytest.raises(TargetError, match="expected a JSON object in "):
        load(kl)
