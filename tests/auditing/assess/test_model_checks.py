from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from privaudit.auditing.assess.model_checks import (
    MAX_WORDS,
    model_file_checks,
    placeholder_checks,
    reference_checks,
)
from privaudit.evaluation import Fact, fact
from privaudit.model.model_files import LeftOut, ModelFiles
from privaudit.model.target import TargetInfo
from privaudit.scorers import ErrorTable

TARGET = TargetInfo("a", "0" * 32, "1" * 32, "unconditional", "epsilon", (1, 2, 2), (3, 4, 4))
LORA = LeftOut("base/lora.safetensors", "adapter", "base")


def left_out(*items: LeftOut) -> ModelFiles:
    return ModelFiles(left_out=items)


def test_nothing_left_out_is_no_check():
    assert model_file_checks(ModelFiles()) == ()


def test_an_adapter_that_was_not_merged_is_a_warning():
    (check,) = model_file_checks(left_out(LORA))
    assert (check.name, check.status) == ("model files", "warn")
    assert check.facts == (fact("adapter_left_out", file="lora.safetensors"),)


def test_averaged_weights_next_to_the_audited_ones_are_a_warning():
    (check,) = model_file_checks(left_out(LeftOut("b/unet_ema", "average", "b/unet")))
    assert (check.status, check.facts) == ("warn", (fact("average_left_out", file="unet_ema", audited="unet"),))


@pytest.mark.parametrize(
    ("item", "noticed"),
    [
        (LeftOut("b/vae", "component", "c/fix"), fact("component_left_out", file="vae", audited="fix")),
        (LeftOut("b/all.safetensors", "single file", "b"), fact("single_file_left_out", file="all.safetensors")),
    ],
)
def test_what_else_was_left_out_is_named_without_a_warning(item: LeftOut, noticed: Fact):
    (check,) = model_file_checks(left_out(item))
    assert (check.status, check.facts) == ("ok", (noticed,))


def test_variants_and_checkpoints_are_counted():
    variants = [LeftOut(f"{part}/m.fp16.safetensors", "variant", f"{part}/m.safetensors") for part in ("unet", "vae")]
    checkpoints = [LeftOut(f"checkpoint-{step}", "checkpoint", ".") for step in range(5)]
    (check,) = model_file_checks(left_out(*variants, *checkpoints, LORA))
    assert check.status == "warn"
    assert check.facts[1:] == (
        fact("variants_left_out", files=2, file="m.fp16.safetensors", audited="m.safetensors"),
        fact("checkpoints_left_out", checkpoints=5),
    )


def test_placeholder_words_without_embedding_are_counted_by_caption():
    captions = ["a <dog> and a <dog>", "<dog> on <sand>", "<cat-toy>", "2 < 3 > 1", None, ""]
    (check,) = placeholder_checks(captions, {"<cat-toy>"})
    assert (check.name, check.status) == ("placeholder words", "warn")
    assert check.facts == (
        fact("placeholder_unknown", captions=2, word="<dog>"),
        fact("placeholder_unknown", captions=1, word="<sand>"),
    )


def test_captions_with_known_words_alone_are_no_check():
    assert placeholder_checks(["<cat-toy>", "plain", None], {"<cat-toy>"}) == ()


def test_many_placeholder_words_are_cut():
    (check,) = placeholder_checks([f"<word{number}>" for number in range(MAX_WORDS + 2)], ())
    assert len(check.facts) == MAX_WORDS + 1
    assert check.facts[-1] == fact("further_placeholders", words=2)


def table(*values: float) -> ErrorTable:
    return ErrorTable("sima", "level", (1.0,), {"none": np.array(values).reshape(-1, 1)})


@pytest.mark.parametrize(
    ("changes", "scores", "status", "code"),
    [
        ({}, (1.0, 2.0), "warn", "reference_is_target"),
        ({"hash": "2" * 32}, (1.0, 2.0), "warn", "reference_scores_the_same"),
        ({"hash": "2" * 32}, (1.0, 2.5), "ok", "reference_shares_autoencoder"),
        ({"hash": "2" * 32, "autoencoder_hash": "3" * 32}, (1.0, 2.5), "warn", "reference_has_other_autoencoder"),
    ],
)
def test_what_a_reference_shares_with_the_target(changes, scores, status, code):
    (check,) = reference_checks(replace(TARGET, **changes), TARGET, [table(1.0, 2.0)], [table(*scores)])
    assert (check.name, check.status, check.facts) == ("reference", status, (fact(code),))


def test_one_attack_that_differs_is_enough():
    tables, others = [table(1.0), table(2.0)], [table(1.0), table(2.5)]
    (check,) = reference_checks(replace(TARGET, hash="2" * 32), TARGET, tables, others)
    assert check.facts == (fact("reference_shares_autoencoder"),)
