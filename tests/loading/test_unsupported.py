"""Every pipeline that diffusers exports is read, or refused with a reason of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_target
from privaudit.loading.components import PipelineFolder
from privaudit.loading.families import FAMILIES
from privaudit.loading.families.contract import find_family
from privaudit.loading.unsupported import UNSUPPORTED

NO_MODEL = {"DiffusionPipeline", "StableDiffusionMixin", "ModularPipeline"}
EXPORTED = {
    name
    for name in dir(diffusers)
    if name.endswith(("Pipeline", "PipelineLegacy", "PipelineSafe"))
    and not name.endswith("ModularPipeline")
    and name not in NO_MODEL
}
BY_COMPONENTS = {
    "StableDiffusionPipeline": (
        "CycleDiffusionPipeline",
        "SemanticStableDiffusionPipeline",
        "StableDiffusionAttendAndExcitePipeline",
        "StableDiffusionInpaintPipelineLegacy",
        "StableDiffusionModelEditingPipeline",
        "StableDiffusionPanoramaPipeline",
        "StableDiffusionParadigmsPipeline",
        "StableDiffusionPipelineSafe",
        "StableDiffusionSAGPipeline",
        "TextToVideoZeroPipeline",
        # These have parts that are refused by name when the folder is read.
        "StableDiffusionDiffEditPipeline",
        "StableDiffusionPix2PixZeroPipeline",
    ),
    "StableDiffusionXLPipeline": (
        "StableDiffusionXLPAGPipeline",
        "TextToVideoZeroSDXLPipeline",
    ),
}
"""Pipelines without a family of their own that are read as another, by family: they share its components."""


def read_by_name() -> set[str]:
    return {name for kind in FAMILIES.values() for name in (kind.pipeline, *kind.variants)}


def test_every_class_that_is_named_exists() -> None:
    assert {name for name in UNSUPPORTED if not hasattr(diffusers, name)} == set()


def test_no_class_is_both_read_and_refused() -> None:
    listed = {name for names in BY_COMPONENTS.values() for name in names}
    assert set(UNSUPPORTED) & (read_by_name() | listed) == set()


def test_every_pipeline_of_diffusers_is_read_or_has_a_reason() -> None:
    listed = {name for names in BY_COMPONENTS.values() for name in names}
    assert EXPORTED - read_by_name() - set(UNSUPPORTED) - listed == set()


@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, names in BY_COMPONENTS.items() for name in names]
)
def test_pipelines_with_the_components_of_another_are_read_as_it(tmp_path: Path, family: str, name: str) -> None:
    kind = FAMILIES[family]
    index: dict[str, Any] = {
        "_class_name": name,
        "vae": ["diffusers", "AutoencoderKL"],
        kind.denoiser: ["diffusers", kind.networks[0]],
    }
    for text in kind.text_encoders:
        index |= {text.encoder: ["transformers", text.classes[0]], text.tokenizer: ["transformers", text.tokenizers[0]]}
    assert name in EXPORTED
    assert isinstance(find_family(PipelineFolder(tmp_path, index)), kind)


def test_reasons_follow_the_name_in_a_sentence() -> None:
    for name, reason in UNSUPPORTED.items():
        assert reason[0].islower(), name
        assert not reason.endswith("."), name


@pytest.mark.parametrize(
    "name", ["WanPipeline", "StableAudioPipeline", "DDPMPipeline", "AmusedPipeline", "PRXPipeline"]
)
def test_the_reason_is_the_message(tmp_path: Path, name: str) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name, "transformer": ["diffusers", "X"]}))
    with pytest.raises(TargetError) as caught:
        load_target(ModelSource(tmp_path, device="cpu"))
    assert str(caught.value) == f"cannot audit {tmp_path}: {name} {UNSUPPORTED[name]}"
