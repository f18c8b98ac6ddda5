"""Components that are read from elsewhere: as from a folder made by hand, or refused in one line."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_target
from privaudit.model.target import Target

WEIGHTS = {"text_encoder": "model"}


class Trap:
    """Stops the test where it is unpickled."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return exec, ("raise SystemExit('a pickle was read')",)


def weights(folder: Path) -> Path:
    return folder / f"{WEIGHTS.get(folder.name, 'diffusion_pytorch_model')}.safetensors"


def tuned(source: Path, folder: Path, factor: float = 1.5) -> Path:
    """A copy of a component with other weights."""
    shutil.copytree(source, folder)
    file = next(folder.glob("*.safetensors"))
    changed = {key: value * factor if value.is_floating_point() else value for key, value in load_file(file).items()}
    save_file(changed, file, {"format": "pt"})
    return folder


def load(path: Path, **options) -> Target:
    return load_target(ModelSource(path, device="cpu", **options))


@pytest.mark.parametrize("name", ["unet", "vae", "text_encoder"])
def test_a_component_is_read_as_from_a_folder_made_by_hand(sd: Path, tmp_path: Path, name: str) -> None:
    other = tuned(sd / name, tmp_path / "checkpoint-5" / name)
    by_hand = Path(shutil.copytree(sd, tmp_path / "by-hand"))
    shutil.rmtree(by_hand / name)
    shutil.copytree(other, by_hand / name)
    wanted, base = load(by_hand).info, load(sd).info
    for place in (other, other.parent):  # the folder of the component, or of the checkpoint around it
        info = load(sd, replaced={name: str(place)}).info
        assert (info.hash, info.components) == (wanted.hash, wanted.components)
        assert info.files.sources == {name: str(other)}
        assert [(item.path, item.kind, item.audited) for item in info.files.left_out] == [
            (str(sd / name), "component", str(other))
        ]
    changed = {part for part in base.components if base.components[part] != wanted.components[part]}
    assert changed == {name}


def test_vae_stands_for_the_autoencoder(ldm: Path, tmp_path: Path) -> None:
    other = tuned(ldm / "vqvae", tmp_path / "other")
    assert load(ldm, replaced={"vae": str(other)}).info.files.sources == {"vqvae": str(other)}


class TestRefusal:
    def test_an_unknown_name(self, sd: Path) -> None:
        message = r"expected a component of the pipeline \(.*unet.*\), got unit; did you mean unet\?"
        with pytest.raises(TargetError, match=message):
            load(sd, replaced={"unit": str(sd / "unet")})

    def test_a_missing_folder(self, sd: Path) -> None:
        with pytest.raises(
            TargetError, match=r"expected a folder with unet, but .*none does not exist; check the path"
        ):
            load(sd, replaced={"unet": str(sd / "none")})

    def test_a_folder_of_something_else(self, sd: Path, tmp_path: Path) -> None:
        (tmp_path / "notes").mkdir()
        with pytest.raises(
            TargetError, match=r"expected the folder of unet, .* but .*notes is an empty folder; pass a"
        ):
            load(sd, replaced={"unet": str(tmp_path / "notes")})

    def test_another_class(self, sd: Path) -> None:
        with pytest.raises(TargetError) as caught:
            load(sd, replaced={"unet": str(sd / "vae")})
        assert "AutoencoderKL" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_another_shape(self, sd: Path, tmp_path: Path) -> None:
        other = tuned(sd / "unet", tmp_path / "unet")
        file = weights(other)
        tensors = load_file(file)
        save_file(tensors | {"conv_in.weight": torch.zeros(3, 4, 3, 3)}, file, {"format": "pt"})
        with pytest.raises(TargetError, match=r"cannot load unet \(UNet2DConditionModel\)") as caught:
            load(sd, replaced={"unet": str(other)})
        assert "\n" not in str(caught.value)


class TestAveragedWeights:
    def test_next_to_raw_ones_are_left_out_and_named(self, sd: Path, tmp_path: Path) -> None:
        raw = tuned(sd / "unet", tmp_path / "checkpoint-5" / "unet")
        averaged = tuned(sd / "unet", tmp_path / "checkpoint-5" / "unet_ema", 0.5)
        files = load(sd, replaced={"unet": str(raw.parent)}).info.files
        assert files.sources == {"unet": str(raw)}
        assert (str(averaged), "average", str(raw)) in [(item.path, item.kind, item.audited) for item in files.left_out]
        files = load(sd, replaced={"unet": str(averaged)}).info.files
        assert files.sources == {"unet": str(averaged)}
        assert (str(raw), "average", str(averaged)) in [(item.path, item.kind, item.audited) for item in files.left_out]

    def test_alone_are_read_on_request_alone(self, sd: Path, tmp_path: Path) -> None:
        averaged = tuned(sd / "unet", tmp_path / "checkpoint-5" / "unet_ema")
        with pytest.raises(
            TargetError, match=rf"got unet_ema alone, .*; pass --component unet={averaged} to audit them"
        ):
            load(sd, replaced={"unet": str(averaged.parent)})


class TestFiles:
    """Which of several weight files are read, and which are named as left out."""

    @staticmethod
    def shards(folder: Path, variant: str, style: str, factor: float) -> None:
        """Write weights in two shards: fp16 before or after their numbers."""
        tensors = load_file(weights(folder))
        keys, names = sorted(tensors), {}
        for number, part in enumerate((keys[::2], keys[1::2]), start=1):
            of = f"-{number:05d}-of-00002"
            name = (
                f"diffusion_pytorch_model.{variant}{of}"
                if style == "before"
                else f"diffusion_pytorch_model{of}.{variant}"
            )
            values = {key: tensors[key] * factor for key in part}
            save_file(values, folder / f"{name}.safetensors", {"format": "pt"})
            names |= dict.fromkeys(part, f"{name}.safetensors")
        index = {"metadata": {}, "weight_map": names}
        (folder / f"diffusion_pytorch_model.safetensors.index.{variant}.json").write_text(json.dumps(index))

    @staticmethod
    def first(target: Target) -> torch.Tensor:
        return target.denoiser.module.conv_in.weight

    @pytest.mark.parametrize("style", ["before", "after"])
    @pytest.mark.parametrize("alone", [True, False])
    def test_a_sharded_variant(self, sd: Path, style: str, alone: bool) -> None:
        own = load_file(weights(sd / "unet"))["conv_in.weight"]
        self.shards(sd / "unet", "fp16", style, 2.0)
        if alone:
            weights(sd / "unet").unlink()
        read = load(sd, variant="fp16")
        assert torch.equal(self.first(read), own * 2)
        left_out = [(item.path, item.kind, item.audited) for item in read.info.files.left_out]
        full, half = (str(sd / "unet" / name) for name in ("*.safetensors", "*.fp16.safetensors"))
        assert left_out == ([] if alone else [(full, "variant", half)])
        read = load(sd)
        assert torch.equal(self.first(read), own * (2 if alone else 1))
        left_out = [(item.path, item.kind, item.audited) for item in read.info.files.left_out]
        assert left_out == ([] if alone else [(half, "variant", full)])

    def test_a_pickle_alone_is_refused_and_next_to_safetensors_not_opened(self, sd: Path) -> None:
        pickled = sd / "unet" / "diffusion_pytorch_model.bin"
        pickled.write_bytes(pickle.dumps(Trap()))
        load(sd)
        weights(sd / "unet").unlink()
        with pytest.raises(
            TargetError, match=r"has diffusion_pytorch_model.bin, which can run code .* safe_serializat"
        ):
            load(sd)

    def test_quantised_weights_are_refused(self, sd: Path) -> None:
        tensors = load_file(weights(sd / "unet"))
        save_file(tensors | {"conv_in.weight": tensors["conv_in.weight"].to(torch.float8_e4m3fn)}, weights(sd / "unet"))
        with pytest.raises(
            TargetError, match=r"are quantised \(fp8\), which rounds away .*; pass the model with its orig"
        ):
            load(sd)
