"""Weight files: variants, shards, and what one line says about files that cannot be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub.utils import filter_repo_objects
from pipelines_unet import make_variant, save_child
from safetensors.torch import load_file, save_file

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_target
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

WEIGHTS = "diffusion_pytorch_model.safetensors"


def load(folder: Path | str, **options: Any) -> Target:
    return load_target(ModelSource(folder, device="cpu", **options))


def noise(target: Target) -> torch.Tensor:
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return target.predict_noise(noisy, 500, target.condition([Prompt("a cat")]))


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline whose default files hold 16 bits."""
    folder = save_child(tmp_path_factory.mktemp("half") / "model", "StableDiffusionPipeline")
    for path in folder.rglob("*.safetensors"):
        values = {name: value.half() if value.is_floating_point() else value for name, value in load_file(path).items()}
        save_file(values, path, {"format": "pt"})
    return folder


@pytest.mark.parametrize("shard_size", ["10GB", "20KB"])
@pytest.mark.parametrize("requested", [None, "fp16"])
def test_the_only_variant_is_read(tmp_path: Path, halves: Path, shard_size: str, requested: str | None) -> None:
    folder = make_variant(Path(shutil.copytree(halves, tmp_path / "model")), "fp16", shard_size=shard_size)
    assert not (folder / "unet" / WEIGHTS).exists()
    assert (len(list((folder / "unet").glob("*.safetensors"))) > 1) is (shard_size == "20KB")
    assert torch.equal(noise(load(folder, variant=requested)), noise(load(halves)))


def test_the_only_variant_on_the_hub_is_downloaded(
    tmp_path: Path, halves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_variant(Path(shutil.copytree(halves, tmp_path / "model")), "fp16", shard_size="20KB")
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    copy, downloads = tmp_path / "copy", []

    def download(name: str, allow_patterns: list[str], ignore_patterns: list[str] | None = None, **_: Any) -> str:
        chosen = list(filter_repo_objects(files, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns))
        downloads.append(chosen)
        for file in chosen:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / file, copy / file)
        return str(copy)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert torch.equal(noise(load("org/model")), noise(load(halves)))
    first, second = downloads
    assert not any("fp16" in file for file in first)
    assert {file.split("/")[0] for file in second} == {"text_encoder", "unet", "vae"}


def test_default_files_come_before_a_variant(tmp_path: Path, halves: Path) -> None:
    folder = Path(shutil.copytree(halves, tmp_path / "model"))
    weights = load_file(folder / "unet" / WEIGHTS)
    save_file(
        {name: 2 * value for name, value in weights.items()},
        folder / "unet" / f"{WEIGHTS[:-12]}.non_ema{WEIGHTS[-12:]}",
    )
    assert torch.equal(noise(load(folder)), noise(load(halves)))
    assert not torch.equal(noise(load(folder, variant="non_ema")), noise(load(halves)))


def test_several_variants_and_no_default_are_a_choice(tmp_path: Path, halves: Path) -> None:
    folder = Path(shutil.copytree(halves, tmp_path / "model"))
    for variant in ("fp16", "bf16"):
        shutil.copy(folder / "unet" / WEIGHTS, folder / "unet" / WEIGHTS.replace(".", f".{variant}."))
    (folder / "unet" / WEIGHTS).unlink()
    with pytest.raises(
        TargetError, match="expected weights without a variant in .*/unet, found only bf16 and fp16; ch"
    ):
        load(folder)
    assert torch.equal(noise(load(folder, variant="bf16")), noise(load(halves)))


def cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def beginning(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100])


def pointer(folder: Path) -> None:
    (folder / WEIGHTS).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3438167536\n"
    )


def nothing(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "diffusion_pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def absent(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def unlisted(folder: Path) -> None:
    (folder / f"{WEIGHTS}.index.json").write_text("{}")


def missing_shard(folder: Path) -> None:
    names = {f"layer.{place}": f"diffusion_pytorch_model-0000{place}-of-00003.safetensors" for place in (1, 2, 3)}
    (folder / WEIGHTS).rename(folder / names["layer.2"])
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": names}))


def quantised(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"quantization_config": {"quant_method": "torchao"}}
    (folder / "config.json").write_text(json.dumps(config))


def of_another_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"block_out_channels": [16, 16]}
    (folder / "config.json").write_text(json.dumps(config))


def diverged(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["conv_in.weight"][0] = float("nan")
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            cut,
            r"cannot load .*/unet/diffusion_py.*: it has \d+ of \d+ bytes; copy or download it again",
        ),
        (
            beginning,
            "cannot load .*/unet/diffusion_py.*: it is no safetensors file, or only its beginning; copy or download",
        ),
        (
            nothing,
            "cannot load .*/unet/diffusion_py.*: it is no safetensors file, or only its beginning; copy or download",
        ),
        (
            pointer,
            "is a pointer of Git LFS and not the weights; install git-lfs and run git lfs pull in the repository",
        ),
        (
            pickled,
            "only complete safetensors weights are supported, and it has diffusion_pytorch_model.bin, which can run",
        ),
        (absent, "only complete safetensors weights are supported, and it has none; copy the folder again"),
        (unlisted, "diffusion_pytorch_model.safetensors.index.json does not list its weight files; copy it again"),
        (missing_shard, "2 of its 3 weight files are missing, among them diffusion_pytorch_model-00001-of-00003.safet"),
        (quantised, r"its weights are quantised \(torchao\), which rounds away the small differences that an audit"),
        (
            diverged,
            "expected finite weights of unet in .*, got NaN or infinity in conv_in.weight; the training may have",
        ),
        (of_another_model, r"expected shape .*, but got torch.Size\(.*\); its configuration and its weights may be"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, halves: Path, damage: Any, message: str) -> None:
    folder = Path(shutil.copytree(halves, tmp_path / "model"))
    damage(folder / "unet")
    with pytest.raises(TargetError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
