"""The section for a model's README, read back by the hub's own library."""

from __future__ import annotations

from huggingface_hub import ModelCard
from results import make_failure, make_result

from privaudit.evaluation import Check
from privaudit.report.model_card import render_card, render_card_failure
from privaudit.report.numbers import interval_text
from privaudit.report.quoted import quoted

RESULT = make_result(images=600)


def test_the_hub_reads_the_numbers() -> None:
    card = ModelCard(render_card(RESULT))
    score = quoted(RESULT)
    found = {entry.metric_type: entry for entry in card.data.eval_results or []}
    area = found["roc_auc"]
    assert card.data.model_name == "small"
    assert area.metric_value == round(score.metrics.auroc.value, 4)
    assert area.metric_args == {
        "attack": score.report.name,
        "mask": score.mask,
        "confidence": 0.95,
        "lo": round(score.metrics.auroc.lo, 4),
        "hi": round(score.metrics.auroc.hi, 4),
    }
    assert area.task_type == "other"
    assert area.dataset_revision == RESULT.data.split_hash
    assert area.dataset_name == "600 members and 600 non-members"
    assert found["tpr_at_fpr_0.01"].metric_value == round(score.metrics.tpr_at_fpr["0.01"].value, 4)
    assert "tpr_at_fpr_0.001" not in found, "it has no interval, and no number stands for it"


def test_the_section_says_it_in_words_and_numbers() -> None:
    text = ModelCard(render_card(RESULT)).text
    assert text.lstrip().startswith("## Privacy evaluation\n\n**LEAK FOUND")
    assert interval_text(quoted(RESULT).metrics.auroc) in text
    assert "n/a; expected at least 1000 non-members" in text


def test_checks_that_do_not_hold_stand_in_the_card() -> None:
    assert "Read with care" not in render_card(RESULT)
    text = render_card(make_result(checks=(Check("sample size", "warn", "few images"),)))
    assert "- sample size: few images" in text


def test_an_audit_that_measured_nothing_has_no_metadata() -> None:
    text = render_card(make_result(images=1))
    assert text.startswith("## Privacy evaluation")
    assert "nan" not in text.lower().replace("nanc", "")


def test_a_failure_says_that_nothing_is_known() -> None:
    text = render_card_failure(make_failure("no model"))
    assert not text.startswith("---")
    assert "nothing is known about what this model reveals:\n\n- no model" in text
