from pathlib import Path

import huggingface_hub
import pytest
import torch

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target


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
        ({"variant": "fp16"}, "weight variants, got fp16"),
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
    with pytest.raises(TargetError, match="expected a revision with a hub id alone, got main with the folder"):
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
