"""Which model was audited, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from results import make_result, with_model_files

from privaudit.model.model_files import HeaderWords, LeftOut, MergedAdapter, ModelFiles
from privaudit.report.sentences.advice import advice
from privaudit.report.sentences.lines import opening_lines
from privaudit.report.sentences.model_text import (
    audited_text,
    file_lines,
    header_advice,
    header_lines,
    model_name,
    reference_line,
    unmerged_line,
)

STYLE = MergedAdapter("a/style.safetensors", "c" * 32, "LoRA", "kohya", 0.8, {"unet": 24, "text_encoder": 1}, (4, 16))


def with_files(files: ModelFiles, target: str = "models/base", **config: object):
    result = make_result(target=target)
    return replace(result, target=replace(result.target, files=files), config={**result.config, **config})


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (ModelFiles(), "base"),
        (ModelFiles(adapters=(STYLE,)), "base + style.safetensors"),
        (ModelFiles(sources={"unet": "out/checkpoint-500/unet"}), "base + checkpoint-500/unet"),
        (ModelFiles(sources={"unet": "fix"}, adapters=(STYLE,)), "base + fix + style.safetensors"),
        (ModelFiles(sources={"unet": "fix"}, adapters=(STYLE, replace(STYLE, path="b"))), "base + 3 parts"),
    ],
)
def test_a_model_is_named_by_its_base_and_what_was_added(files, name):
    assert model_name(with_files(files).target) == name


def test_a_single_file_is_no_addition_to_itself():
    files = ModelFiles(
        sources={"unet": "x/all.safetensors", "vae": "x/all.safetensors", "text_encoder": "sd/text_encoder"}
    )
    result = with_files(files, target="x/all.safetensors", config_from="sd")
    assert model_name(result.target) == "all.safetensors"
    assert audited_text(result) == (
        "Audited: all.safetensors (unet and vae) with text_encoder (text_encoder); sd (configuration)."
    )


def test_every_file_is_listed_with_what_was_read_from_it():
    files = ModelFiles(
        adapters=(STYLE, replace(STYLE, kind="LoKr", scale=1.0, layers={"unet": 2}, ranks=None)),
        sources={"unet": "out/checkpoint-500/unet"},
        embeddings={"<cat-toy>": "cat.safetensors"},
    )
    assert file_lines(with_files(files)) == (
        ("checkpoint-500/unet", "unet"),
        ("style.safetensors", "LoRA at scale 0.8, 24 layers of unet and 1 layer of text_encoder, rank 4 to 16"),
        ("style.safetensors", "LoKr at scale 1, 2 layers of unet"),
        ("cat.safetensors", "embedding for <cat-toy>"),
    )


def test_one_rank_is_no_range():
    files = ModelFiles(adapters=(replace(STYLE, ranks=(4, 4)),))
    assert file_lines(with_files(files))[0][1].endswith("text_encoder, rank 4")


def test_nothing_is_said_of_a_folder_alone():
    result = make_result()
    assert (file_lines(result), audited_text(result), reference_line(result)) == ((), "", "")
    assert (unmerged_line(result.target), header_lines(result.target.files), header_advice(result.target.files)) == (
        "",
        (),
        (),
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"folders": ("a", "b", "c"), "tags": 120}, "names 3 folders and 120 tags"),
        ({"tags": 1, "images": 40}, "names 1 tag and counts 40 training images"),
        ({"images": 1}, "counts 1 training image"),
        ({"notes": {"ss_output_name": "x", "ss_comment": "y"}}, "names 2 further texts"),
    ],
)
def test_what_a_header_says_is_counted_and_not_quoted(words, said):
    (line,) = header_lines(ModelFiles(headers=(HeaderWords("x/style.safetensors", **words),)))
    assert line == (
        f"The header of style.safetensors {said}. Anyone who has the file can read this, whatever the attacks find."
    )


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_header_is_a_finding_whatever_the_attacks_find(strength):
    result = with_model_files(make_result(strength=strength), "x")
    assert opening_lines(result)[-1:] == header_lines(result.target.files)
    assert header_advice(result.target.files)[0] in [step.text for step in advice(result)]


def test_a_finding_without_an_adapter_of_the_folder_says_so():
    adapter = LeftOut("base/lora.safetensors", "adapter", "base")
    result = with_files(ModelFiles(left_out=(adapter, LeftOut("base/unet_ema", "average", "base/unet"))))
    line = "This is about base alone: lora.safetensors in its folder was not merged."
    assert unmerged_line(result.target) == line
    assert line in opening_lines(result)
    several = with_files(ModelFiles(left_out=(adapter,) * 3))
    assert unmerged_line(several.target) == "This is about base alone: 3 adapters in its folder were not merged."


def test_the_reference_is_named():
    assert reference_line(with_files(ModelFiles(), reference="sd")) == "NAME-reference: errors minus those of sd"
    assert reference_line(with_files(ModelFiles(), lora=["a.safetensors"])) == (
        "NAME-reference: errors minus those of the same model without its LoRA"
    )
