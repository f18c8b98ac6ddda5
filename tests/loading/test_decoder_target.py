"""Inversion and geometry with an autoencoder alone: which classes work, what is refused, and which size images have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from models import write_images
from pipelines_autoencoders import CONFIGS, SHAPES, make_autoencoder
from safetensors.torch import load_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_decoder_target, load_target
from privaudit.loading.autoencoder.layouts import AUTOENCODERS, OF_AUDIO
from privaudit.tasks.geometry_maps import GeometryOptions
from privaudit.tasks.geometry_maps.mapping import run_geometry
from privaudit.tasks.invert_options import InvertOptions
from privaudit.tasks.inverting import run_inversion
from privaudit.tasks.origin_options import OriginOptions
from privaudit.tasks.origin_test import run_origin

Edit = Callable[..., None]
ONE_FRAME = "which cannot encode and decode a video of one frame; pass another autoencoder"
REFUSED = {name: "which encodes sound; its decoder makes no image that could be inverted" for name in OF_AUDIO} | {
    "AutoencoderKLQwenImage21": r"got AutoencoderKLQwenImage21 of 4; images with transparency are not supported yet",
    "AutoencoderKLMiniMaxH3": ONE_FRAME,
    "AutoencoderVidTok": ONE_FRAME,
}
"""Classes that are refused, and the end of the message."""
READ = [name for name in AUTOENCODERS if name not in REFUSED]
SIDE = 16


def read(folder: Path, **options: Any) -> Any:
    return load_decoder_target(ModelSource(folder, device="cpu", **options))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One saved autoencoder of each class."""
    base = tmp_path_factory.mktemp("decoders")
    for kind in CONFIGS:
        make_autoencoder(kind).save_pretrained(base / kind)
    return {kind: base / kind for kind in CONFIGS}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images") / "set", 2, side=SIDE)


# ------------------------------------------------------------------------------- every class


def test_at_least_22_classes_are_read_by_the_commands() -> None:
    assert len(READ) >= 22
    assert set(REFUSED) < set(AUTOENCODERS)


@pytest.mark.parametrize("kind", READ)
def test_inversion_and_geometry_of_every_class(
    folders: dict[str, Path], images: Path, tmp_path: Path, kind: str
) -> None:
    chosen = {"target": folders[kind], "device": "cpu", "resolution": str(SIDE)}
    solver = "forward-step:evaluations=2:tolerance=0"
    inverted = run_inversion(InvertOptions.parse(images=images, out=tmp_path / "inversion", solver=solver, **chosen))
    channels, *_, height, width = SHAPES[kind][1]
    if kind == "AutoencoderKLTemporalDecoder":
        channels = SHAPES[kind][1][1]
    assert inverted.info.latent_shape == (channels, height, width)
    assert inverted.info.sample_shape == (3, SIDE, SIDE)
    stored = load_file(tmp_path / "inversion" / "latents.safetensors")
    assert {values.shape for values in stored.values()} == {inverted.info.latent_shape}
    assert np.isfinite(inverted.table["pixel_residual"]).all()
    mapped = run_geometry(
        GeometryOptions.parse(
            images=(images,),
            out=tmp_path / "geometry",
            geometry_latents="encoder",
            influence="hutchinson:probes=1",
            **chosen,
        )
    )
    assert mapped.influence.values.shape == (2, *inverted.info.latent_shape)
    assert mapped.decoded.shape == (2, SIDE, SIDE, 3)
    assert (mapped.influence.values > 0).any()


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_the_others_are_refused_with_the_reason(folders: dict[str, Path], kind: str) -> None:
    with pytest.raises(TargetError, match=REFUSED[kind]) as error:
        read(folders[kind], resolution=(SIDE, SIDE))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["AutoencoderKLWan", "AutoencoderKLTemporalDecoder", "AutoencoderKLCosmos"])
@torch.no_grad()
def test_an_image_is_a_video_of_one_frame(folders: dict[str, Path], kind: str) -> None:
    from privaudit.loading import load_autoencoder

    target, videos = read(folders[kind], resolution=(SIDE, SIDE)), load_autoencoder(folders[kind])
    axis = videos.layout.index("frames")
    pixels = torch.rand(2, 3, SIDE, SIDE) * 2 - 1
    latents = target.encode(pixels)
    torch.testing.assert_close(latents, videos.encode(pixels.unsqueeze(axis)).squeeze(axis))
    torch.testing.assert_close(target.decode(latents), videos.decode(latents.unsqueeze(axis)).squeeze(axis))


# ------------------------------------------------------------------------------- of pipelines


def test_nothing_but_the_autoencoder_is_loaded(sd: Path) -> None:
    whole = load_target(ModelSource(sd, device="cpu")).info
    for weights in [*sd.glob("unet/*.safetensors"), *sd.glob("text_encoder/*")]:
        weights.unlink()
    info = read(sd).info
    assert (info.sample_shape, info.prediction_type, info.family) == (
        whole.sample_shape,
        whole.prediction_type,
        "text-to-image",
    )
    shutil.rmtree(sd / "unet")
    shutil.rmtree(sd / "scheduler")
    assert read(sd, resolution=(32, 32)).info.prediction_type == "unknown"


@pytest.mark.parametrize("name", ["CogVideoXPipeline", "StableDiffusionControlNetPipeline", "SomeonesPipeline"])
def test_a_pipeline_whose_denoiser_is_refused_is_enough(sd: Path, edit_json: Edit, name: str) -> None:
    edit_json(sd / "model_index.json", _class_name=name, unet=["custom", "Net"])
    edit_json(sd / "vae" / "config.json", sample_size=32)
    with pytest.raises(TargetError):
        load_target(ModelSource(sd, device="cpu"))
    info = read(sd).info
    assert (info.family, info.prediction_type, info.image_size) == ("unknown", "unknown", (32, 32))


def test_a_hub_id_is_downloaded_without_the_weights_of_the_denoiser(sd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns: list[str] = []

    def download(name: str, allow_patterns: list[str], **options: object) -> str:
        patterns.extend(allow_patterns)
        return str(sd)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load_decoder_target(ModelSource("org/model", device="cpu")).info.id == "org/model"
    assert {"vae/*.safetensors", "unet/config.json", "transformer/config.json", "scheduler/*.json"} < set(patterns)
    assert not any(pattern.startswith(("unet/*", "text_encoder", "transformer/*", "*")) for pattern in patterns)


# ------------------------------------------------------------------------------- the size of the images


def test_an_autoencoder_alone_has_the_size_that_it_records(
    folders: dict[str, Path], tmp_path: Path, edit_json: Edit
) -> None:
    copy = Path(shutil.copytree(folders["AutoencoderKL"], tmp_path / "vae"))
    edit_json(copy / "config.json", sample_size=24)
    assert read(copy).info.image_size == (24, 24)
    edit_json(copy / "config.json", sample_size=[16, 24])
    assert read(copy).info.image_size == (16, 24)
    assert read(copy, resolution=(32, 16)).info.image_size == (32, 16)
    edit_json(copy / "config.json", sample_size=None)  # removes the key, and diffusers fills in 32
    with pytest.raises(
        TargetError, match=r"expected the size of the images .*vae, .*; pass it, as in --resolution 512"
    ):
        read(copy)
    assert read(folders["AutoencoderRAE"]).info.image_size == (16, 16)
    wide = Path(shutil.copytree(folders["AutoencoderKLCogVideoX"], tmp_path / "wide"))
    edit_json(wide / "config.json", sample_height=16, sample_width=32)
    assert read(wide).info.image_size == (16, 32)


@pytest.mark.parametrize("kind", ["AutoencoderKLHunyuanImage", "AutoencoderTiny", "AutoencoderKLWan"])
def test_a_size_that_no_file_records_is_asked_for(folders: dict[str, Path], kind: str) -> None:
    with pytest.raises(TargetError, match="which records none that is known to be that of its training"):
        read(folders[kind])


def test_the_default_of_kandinsky_is_no_size(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["VQModel"], tmp_path / "movq"))
    config = json.loads((copy / "config.json").read_text()) | {"sample_size": 32}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(TargetError, match="pass it, as in --resolution 512"):
        read(copy)


@pytest.mark.parametrize(
    ("kind", "step", "size"),
    [("AutoencoderKL", 2, (33, 17)), ("AutoencoderKLWan", 2, (17, 16)), ("AutoencoderKLFlux2", 4, (16, 18))],
)
def test_a_size_that_is_not_decoded_is_refused_with_one_that_is(
    folders: dict[str, Path], kind: str, step: int, size: tuple[int, int]
) -> None:
    nearest = f"{size[0] // step * step}x{size[1] // step * step}"
    with pytest.raises(TargetError) as error:
        read(folders[kind], resolution=size)
    assert f"expected a resolution of multiples of {step} for " in str(error.value)
    assert str(error.value).endswith(f"pass --resolution {nearest}")
    assert read(folders[kind], resolution=tuple(map(int, nearest.split("x")))).info.latent_shape


def test_an_autoencoder_of_one_size_names_it(folders: dict[str, Path]) -> None:
    with pytest.raises(TargetError, match="expected a resolution of 16x16 for .* got 32x32: AutoencoderRAE decodes no"):
        read(folders["AutoencoderRAE"], resolution=(32, 32))


# ------------------------------------------------------------------------------- what it cannot do


def test_it_has_no_denoiser_and_no_noise_levels(folders: dict[str, Path]) -> None:
    target = read(folders["AutoencoderKL"], resolution=(16, 16))
    assert not target.takes_captions
    with pytest.raises(TargetError, match="AutoencoderKL was loaded without its denoiser; use load_target"):
        target.predict_noise(torch.zeros(1, 4, 8, 8), 0, None)
    with pytest.raises(TargetError, match="was loaded without its denoiser"):
        _ = target.denoiser.module
    with pytest.raises(ConfigError, match="expected a noise level"):
        target.alpha_sigma(0)
    with pytest.raises(TargetError, match="expected a target with noise levels, got level 0 of one without its"):
        target.schedule.scales(0)


def test_origin_needs_the_whole_pipeline(sd: Path, folders: dict[str, Path], images: Path, tmp_path: Path) -> None:
    whole = (
        r"an autoencoder alone \(.*\), which 'privaudit invert' and 'geometry' read; pass the folder of the whole pip"
    )
    with pytest.raises(TargetError, match=whole):
        run_origin(OriginOptions.parse(target=sd / "vae", images=images, out=tmp_path / "out", device="cpu"))
    with pytest.raises(TargetError, match=r"is one component of a pipeline \(AutoencoderOobleck\)"):
        load_target(folders["AutoencoderOobleck"])


def test_other_problems_of_a_folder_are_named(sd: Path, edit_json: Edit) -> None:
    with pytest.raises(TargetError, match=r"unet is one component of a pipeline .UNet2DConditionModel."):
        read(sd / "unet")
    with pytest.raises(ConfigError, match=r"got condition\.nothing"):
        read(sd, overrides={"condition.nothing": 1})
    edit_json(sd / "model_index.json", unet=["onnxruntime", "OnnxRuntimeModel"])
    with pytest.raises(TargetError, match="unet hold networks exported to ONNX"):
        read(sd)
