"""What leaves the machine with a report, and what stays."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from results import make_failure, make_result, noted, with_model_files

from privaudit.evaluation import Check
from privaudit.report.quoted import quoted
from privaudit.report.redact import LEFT_OUT, base_name, redact
from privaudit.results.data_report import SkippedReport


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/alice/members", "members"),
        ("/home/alice/members/", "members"),
        ("C:\\images\\members", "members"),
        ("members", "members"),
        ("/", "/"),
    ],
)
def test_the_last_part_of_a_path_is_its_name(path, name):
    assert base_name(path) == name


def test_a_report_without_paths_stays_as_it_is():
    result = replace(make_result(), config={**make_result().config, "members": "a", "nonmembers": "b", "out": "c"})
    assert redact(result).to_json() == result.to_json()


@pytest.mark.parametrize(
    "option", ["target", "members", "nonmembers", "suspects", "canaries", "reference", "out", "config_file"]
)
def test_folders_are_named_by_their_last_part_wherever_they_stand(option):
    result = make_result()
    place = "data of alice/clinic a/set"
    found = redact(
        replace(
            result,
            config={**result.config, option: place},
            checks=(Check("one", "warn", noted(f"look at {place}, please")),),
        )
    )
    assert found.config[option] == "set"
    assert found.checks[0].facts[0].values["text"] == "look at set, please"
    assert "alice" not in found.to_json()


def test_paths_that_no_option_names_are_cut_too():
    check = Check("one", "ok", noted("read /srv/alice/x/a.png and ~/alice/b.png, or C:\\alice\\c\\d.png"))
    found = redact(replace(make_result(), checks=(check,)))
    assert found.checks[0].facts[0].values["text"] == "read a.png and b.png, or d.png"


@pytest.mark.parametrize("text", ["combined/none", "1/2 sum log G", "see https://example.org/a/b/c", "a and/or b/c/d"])
def test_what_only_looks_like_a_path_is_left(text):
    assert (
        redact(replace(make_result(), checks=(Check("one", "ok", noted(text)),))).checks[0].facts[0].values["text"]
        == text
    )


def test_groups_are_numbered_the_most_exposed_first():
    result = make_result(groups=("mrs smith", "mr jones", "bob@example.org"))
    shown = redact(result)
    for report in shown.attacks:
        assert [group.name for group in report.groups] == ["group 1", "group 2", "group 3"]
    values = [group.auroc.value for group in quoted(shown).report.groups]
    assert values == sorted(values, reverse=True)
    assert sorted(values) == sorted(group.auroc.value for group in quoted(result).report.groups)
    assert not any(name in shown.to_json() for name in ("smith", "jones", "bob"))


def test_a_group_has_the_same_number_in_every_attack():
    result = make_result(groups=("a", "b", "c"))
    sizes = {report.name: [g.auroc.value for g in report.groups] for report in result.attacks}
    for report, shown in zip(result.attacks, redact(result).attacks, strict=True):
        order = [sizes[report.name].index(group.auroc.value) for group in shown.groups]
        first = [sizes[result.attacks[0].name].index(group.auroc.value) for group in redact(result).attacks[0].groups]
        assert order == first


@pytest.mark.parametrize("option", ["target", "reference"])
def test_a_folder_with_the_name_of_a_hub_id_is_a_folder(option):
    result = make_result(target="mrs-smith/model")
    config = {**result.config, option: "mrs-smith/model", "target": "mrs-smith/model"}
    found = redact(replace(result, folders=("target", "reference"), config=config))
    assert "mrs-smith" not in found.to_json()


def test_of_an_error_not_even_the_name_of_an_image_is_kept():
    reasons = ("my sets/mrs smith.png: not a readable image", "seed in deep/bob/c.toml, line 4")
    failure = make_failure(*reasons)
    failure = replace(
        failure, private=("my sets/mrs smith.png",), config={**failure.config, "config_file": "deep/bob/c.toml"}
    )
    found = redact(failure)
    assert found.verdict.reasons == (f"{LEFT_OUT}: not a readable image", "seed in c.toml, line 4")
    assert "smith" not in found.to_json()
    assert "bob" not in found.to_json()


def test_a_hub_id_is_left():
    result = make_result(target="owner/model")
    assert redact(result).target.id == "owner/model"


def test_files_that_could_not_be_read_are_counted_and_not_named():
    result = make_result()
    skipped = (SkippedReport("set/mrs smith.png", "cannot open set/mrs smith.png"), SkippedReport("b.png", "broken"))
    check = Check("unreadable files", "warn", noted("2 files were skipped, the first: set/mrs smith.png"))
    found = redact(replace(result, data=replace(result.data, skipped=skipped), checks=(check,)))
    assert [item.path for item in found.data.skipped] == [LEFT_OUT, LEFT_OUT]
    assert found.data.skipped[0].reason == f"cannot open {LEFT_OUT}"
    assert found.checks[0].facts[0].values["text"] == f"2 files were skipped, the first: {LEFT_OUT}"


def test_files_of_the_model_are_named_by_their_last_part():
    result = with_model_files(make_result(), "x.safetensors")
    found = redact(replace(result, folders=("target", "reference", "config_from")))
    assert "folders/" not in found.to_json()
    files = found.target.files
    assert (files.adapters[0].path, files.headers[0].path) == ("style x.safetensors", "style x.safetensors")
    assert (files.sources, files.embeddings) == (
        {"unet": "unet x.safetensors"},
        {"<x.safetensors>": "embedding x.safetensors"},
    )
    assert {name: found.config[name] for name in ("lora", "components", "embeddings", "config_from")} == {
        "lora": ["style x.safetensors@0.8"],
        "components": ["unet=unet x.safetensors"],
        "embeddings": ["embedding x.safetensors@<x.safetensors>"],
        "config_from": "configuration x.safetensors",
    }


def test_a_checkpoint_keeps_its_number():
    result, place = make_result(), "mrs smith/out/checkpoint-500/unet"
    files = replace(result.target.files, sources={"unet": place})
    config = {**result.config, "components": [f"unet={place}"]}
    found = redact(replace(result, config=config, target=replace(result.target, files=files)))
    assert found.target.files.sources == {"unet": "checkpoint-500/unet"}
    assert found.config["components"] == ["unet=checkpoint-500/unet"]
    assert "smith" not in found.to_json()


def test_what_a_header_says_is_counted_and_left_out():
    found = redact(with_model_files(make_result(), "smith"))
    (words,) = found.target.files.headers
    assert words.folders == (LEFT_OUT, LEFT_OUT)
    assert (words.tags, words.images, words.notes) == (120, 40, {"ss_output_name": LEFT_OUT})


@pytest.mark.parametrize(
    "config",
    [
        {"lora": ["mrs smith/a.safetensors@0.8", 5]},
        {"components": {"unet": "mrs smith/unet"}},
        {"components": ["mrs smith/unet"]},
        {"embeddings": [["mrs smith/a.safetensors", "<a>"]]},
        {"config_from": "smith/base"},
    ],
)
def test_an_error_may_have_options_of_any_form(config):
    failure = make_failure("cannot read mrs smith/a.safetensors, mrs smith/unet")
    failure = replace(failure, config={**failure.config, **config})
    found = redact(failure)
    assert "smith" not in json.dumps(found.config)


def test_characters_that_cannot_be_seen_are_shown():
    found = redact(replace(make_result(), checks=(Check("one", "ok", noted("a\x1b[2J\u202eb")),)))
    assert found.checks[0].facts[0].values["text"] == r"a\x1b[2J\u202eb"


def test_a_failure_is_treated_alike():
    failure = replace(make_failure("expected a folder at /home/alice/model, found none"), target="/home/alice/model")
    found = redact(failure)
    assert found.target == "model"
    assert found.verdict.reasons == ("expected a folder at model, found none",)
