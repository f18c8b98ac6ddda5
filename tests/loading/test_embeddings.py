"""Textual-inversion embeddings are added as diffusers adds them, to the encoder that they were trained for."""

from pathlib import Path

import pipelines
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

from privaudit.errors import TargetError
from privaudit.loading import ModelSource, load_target
from privaudit.loading.embeddings import read_embedding
from privaudit.model.prompt import Prompt


def vectors(count: int = 1, width: int = 16) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(count))


def save(path: Path, **tensors: torch.Tensor) -> str:
    save_file(tensors, path)
    return str(path)


@pytest.mark.parametrize("count", [1, 3])
def test_a_word_is_embedded_as_in_diffusers(sd_master: Path, tmp_path: Path, count: int) -> None:
    file = save(tmp_path / "cat.safetensors", **{"<toy>": vectors(count)})
    pipeline = StableDiffusionPipeline.from_pretrained(sd_master, safety_checker=None)
    pipeline.load_textual_inversion(file)
    expected = pipeline.encode_prompt("a <toy> cat", "cpu", 1, False)[0]
    target = load_target(ModelSource(sd_master, device="cpu", embeddings=((file, None),)))
    without = load_target(ModelSource(sd_master, device="cpu"))
    prompts = [Prompt(caption="a <toy> cat"), Prompt(caption="a cat")]
    condition = target.condition(prompts)["encoder_hidden_states"]
    plain = without.condition(prompts)["encoder_hidden_states"]
    assert torch.equal(condition[:1], expected)
    assert not torch.equal(condition[0], plain[0])
    assert torch.equal(condition[1], plain[1])  # other captions are read as before
    assert target.info.files.embeddings == {"<toy>": file}
    assert target.info.components["text_encoder"] != without.info.components["text_encoder"]
    assert target.info.components["unet"] == without.info.components["unet"]


def test_each_encoder_of_sdxl_has_its_vectors(tmp_path: Path) -> None:
    folder = pipelines.save_sdxl(tmp_path / "sdxl", tmp_path / "words")
    first, second = vectors(2), vectors(3)[:2]
    file = save(tmp_path / "toy.safetensors", clip_l=first, clip_g=second)
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    for values, number in ((first, ""), (second, "_2")):
        parts = {part: getattr(pipeline, part + number) for part in ("text_encoder", "tokenizer")}
        pipeline.load_textual_inversion({"toy": values}, token="toy", **parts)
    expected = pipeline.encode_prompt("toy cat", device="cpu", do_classifier_free_guidance=False)[0]
    target = load_target(ModelSource(folder, device="cpu", embeddings=((file, None),)))
    assert torch.equal(target.condition([Prompt(caption="toy cat")])["encoder_hidden_states"], expected)


@pytest.mark.parametrize(
    ("key", "word", "expected"),
    [
        ("<toy>", None, "<toy>"),
        ("<toy>", "sks", "sks"),
        ("emb_params", None, "style"),
        ("emb_params", "sks", "sks"),
        ("toy", None, "toy"),
    ],
)
def test_the_word_is_named_or_the_files(tmp_path: Path, key: str, word: str | None, expected: str) -> None:
    file = save(tmp_path / "style.safetensors", **{key: vectors()})
    assert read_embedding(Path(file), word)[0] == expected


def test_the_key_of_an_encoder_is_no_word(tmp_path: Path) -> None:
    file = save(tmp_path / "style.safetensors", clip_l=vectors(), t5=vectors())
    assert read_embedding(Path(file))[0] == "style"


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({"<toy>": vectors(1, 24)}, r"expected vectors of <toy> .* \(16 in text_encoder\), got 24; pass the base"),
        ({"clip_g": vectors()}, r"expected vectors of clip_g .* with the width of one text encoder"),
        ({"<a>": vectors(), "<b>": vectors()}, "expected one word per embedding, got <a>, <b>"),
        ({"cat</w>": vectors()}, "cannot add .* already in tokenizer vocabulary"),
        ({"lora_unet_a.lora_down.weight": vectors()}, "textual-inversion embedding, but .* is a LoRA file"),
    ],
)
def test_what_does_not_fit_is_refused(sd_master: Path, tmp_path: Path, tensors: dict, problem: str) -> None:
    file = save(tmp_path / "toy.safetensors", **tensors)
    with pytest.raises(TargetError, match=problem) as caught:
        load_target(ModelSource(sd_master, device="cpu", embeddings=((file, None),)))
    assert "\n" not in str(caught.value)


def test_a_word_has_one_embedding(sd_master: Path, tmp_path: Path) -> None:
    files = [save(tmp_path / name, **{"<toy>": vectors()}) for name in ("a.safetensors", "b.safetensors")]
    with pytest.raises(TargetError, match="expected one embedding for <toy>, got .*a.safetensors and .*b.safetensors"):
        load_target(ModelSource(sd_master, device="cpu", embeddings=tuple((file, None) for file in files)))


@pytest.mark.parametrize("damage", ["missing", "short", "pickle"])
def test_a_file_that_is_none_is_refused(sd_master: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / ("toy.bin" if damage == "pickle" else "toy.safetensors")
    if damage != "missing":
        save(path, **{"<toy>": vectors()})
    if damage == "short":
        path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TargetError, match="check the path|copy it again|embedding") as caught:
        load_target(ModelSource(sd_master, device="cpu", embeddings=((str(path), None),)))
    assert "\n" not in str(caught.value)
