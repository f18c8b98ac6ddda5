"""Adapters, components and embeddings as text, as values, and on the way to the loader."""

from __future__ import annotations

import pytest

from privaudit import AuditOptions, SweepOptions
from privaudit.auditing.model_parts import (
    read_components,
    read_embeddings,
    read_loras,
    write_components,
    write_embeddings,
    write_loras,
)
from privaudit.errors import ConfigError
from privaudit.loading import AdapterSource, ModelSource

SETS = {"members": "m", "nonmembers": "n"}


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("style.safetensors", ("style.safetensors", 1.0)),
        ("style.safetensors@0.8", ("style.safetensors", 0.8)),
        ("style.safetensors@-1", ("style.safetensors", -1.0)),
        ("a@home/style.safetensors", ("a@home/style.safetensors", 1.0)),
        ("a@2/style.safetensors@.5", ("a@2/style.safetensors", 0.5)),
        ("folder@2@1", ("folder@2", 1.0)),
    ],
)
def test_a_lora_has_a_scale(text: str, pair: tuple[str, float]) -> None:
    assert read_loras([text]) == read_loras(text) == read_loras([pair]) == (pair,)
    assert read_loras(write_loras((pair,))) == (pair,)


def test_the_base_alone_is_not_the_same_as_nothing_said() -> None:
    assert (read_loras("none"), read_loras(["none"]), read_loras(())) == ((), (), ())
    assert (read_loras(None), read_loras([])) == (None, None)
    assert (write_loras(()), write_loras(None)) == (["none"], None)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["a@0"], "expected a scale other than 0 for --lora"),
        (["a@1e999"], "expected a scale other than 0 for --lora"),
        (["none", "a"], "expected --lora none, for the base alone, or files, got both"),
        (["a", "a@2"], "expected each --lora once, got a twice"),
    ],
)
def test_adapters_that_are_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_loras(texts)


def test_components_are_folders_by_name() -> None:
    pairs = read_components(["unet=a=b/unet", "vae=c"])
    assert pairs == (("unet", "a=b/unet"), ("vae", "c"))
    assert read_components(write_components(pairs)) == pairs == read_components(dict(pairs)) == read_components(pairs)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["unet"], "expected --component as NAME=FOLDER, as in unet=checkpoint-500/unet, got unet"),
        (["=a"], "expected --component as NAME=FOLDER"),
        (["unet=a", "unet=b"], "expected each --component once, got unet twice"),
    ],
)
def test_components_that_are_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_components(texts)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("cat.safetensors", ("cat.safetensors", None)),
        ("cat.safetensors@<cat-toy>", ("cat.safetensors", "<cat-toy>")),
        ("a@b/cat.safetensors", ("a@b/cat.safetensors", None)),
    ],
)
def test_an_embedding_may_have_a_word(text: str, pair: tuple[str, str | None]) -> None:
    assert read_embeddings([text]) == read_embeddings(text) == (pair,)
    assert read_embeddings(write_embeddings((pair,))) == (pair,)


def test_the_source_has_them_and_the_reference_has_not() -> None:
    options = AuditOptions.parse(
        target="base",
        lora=["style.safetensors@0.5"],
        components=["vae=v", "unet=u"],
        embeddings=["e.safetensors"],
        **SETS,
    )
    assert options.model.adapters == (AdapterSource("style.safetensors", 0.5),)
    assert options.model.replaced == {"vae": "v", "unet": "u"}
    assert options.reference_model == ModelSource(
        "base", adapters=(), replaced={"vae": "v", "unet": "u"}, embeddings=()
    )
    assert options.out.name == "base+style+v+u"


def test_a_named_reference_shares_no_file_but_the_autoencoder() -> None:
    options = AuditOptions.parse(
        target="base", reference="other", lora=["style.safetensors"], components=["vae=v", "unet=u"], **SETS
    )
    assert options.reference_model == ModelSource("other", adapters=(), replaced={"vae": "v"})


@pytest.mark.parametrize(("reference", "config_from"), [("base.safetensors", "folder"), ("base", None)])
def test_a_single_file_as_a_reference_has_the_configuration_of_the_target(
    reference: str, config_from: str | None
) -> None:
    options = AuditOptions.parse(target="tuned.safetensors", reference=reference, config_from="folder", **SETS)
    assert options.reference_model == ModelSource(reference, adapters=(), config_from=config_from)


@pytest.mark.parametrize("choices", [{"reference": "none", "lora": ["a"]}, {"lora": "none"}, {}])
def test_models_without_a_reference(choices: dict) -> None:
    assert AuditOptions.parse(target="base", **choices, **SETS).reference_model is None


def test_every_lora_of_diffusers_has_the_same_name() -> None:
    choices = {"lora": ["out/style/pytorch_lora_weights.safetensors"], **SETS}
    assert SweepOptions.parse(target="base", **choices).out.name == "base+style-sweep"


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        ({"components": ["unet=out/checkpoint-500/unet"]}, "base+checkpoint-500"),
        ({"components": {"unet": "out/checkpoint-500"}}, "base+checkpoint-500"),
        ({"components": ["unet=out/checkpoint-500/unet_ema"]}, "base+unet_ema"),
        ({"lora": "none"}, "base"),
        ({"lora": [("style.safetensors", 0.5)], "components": ["vae=better"]}, "base+style+better"),
    ],
)
def test_runs_of_different_files_have_different_folders(choices: dict, name: str) -> None:
    assert AuditOptions.parse(target="base", **choices, **SETS).out.name == name
