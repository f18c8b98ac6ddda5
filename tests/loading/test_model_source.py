from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_a_path_takes_the_defaults_and_a_source_stays_itself() -> None:
    source = ModelSource(Path("model"))
    assert (source.id, source.device, source.dtype, source.upcast) == ("model", "auto", "auto", True)
    assert ModelSource.of("model") == ModelSource("model")
    assert ModelSource.of(source) is source


def test_a_source_is_where_and_how() -> None:
    assert ModelSource("m", device="cpu", dtype="bfloat16").resolve() == (torch.device("cpu"), torch.bfloat16)


@pytest.mark.parametrize("load", [load_target, load_autoencoder])
@pytest.mark.parametrize(
    ("choice", "what"),
    [
        ({"adapters": ("style.safetensors",)}, "adapters, got style.safetensors"),
        ({"replaced": {"vae": "other"}}, "replaced components, got vae"),
        ({"overrides": {"prediction_type": "v_prediction"}}, "overrides, got prediction_type"),
    ],
)
def test_what_cannot_be_honoured_yet_is_refused(ldm_master: Path, load, choice: dict, what: str) -> None:
    with pytest.raises(ConfigError, match=f"expected a model without {what} for .*; .* are not supported yet: merge"):
        load(ModelSource(ldm_master, device="cpu", **choice))


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_target(ModelSource("m", adapters=("a",), overrides={"b": 1}))
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
