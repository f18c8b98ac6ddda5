"""The section for a model's README, read back by the hub's own library."""

from __future__ import annotations

from dataclasses import replace

from huggingface_hub import ModelCard
from results import SIMA, make_failure, make_result, make_suspects, noted

from privaudit.evaluation import Check, Finding
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.report.formats.model_card import render_card, render_card_failure
from privaudit.report.numbers import COMPACT
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
    limit = RESULT.verdict.finding.limit
    assert limit is not None
    assert found["tpr_at_fpr_0.01"].metric_args["corrected_lower"] == round(limit, 4), "the number to quote"
    assert area.task_type == "other"
    assert area.dataset_revision == RESULT.data.split_hash
    assert area.dataset_name == "600 members and 600 non-members"
    assert found["tpr_at_fpr_0.01"].metric_value == round(score.metrics.tpr_at_fpr["0.01"].value, 4)
    assert "tpr_at_fpr_0.001" not in found, "it has no interval, and no number stands for it"


def test_the_section_says_it_in_words_and_numbers() -> None:
    text = ModelCard(render_card(RESULT)).text
    assert text.lstrip().startswith("## Privacy evaluation\n\n**LEAK FOUND")
    assert COMPACT.estimate(quoted(RESULT).metrics.auroc) in text
    assert "TPR at 0.1 % FPR: n/a: 0.1 % false positives need at least 1000 non-members; there are 600" in text


def test_checks_that_do_not_hold_stand_in_the_card() -> None:
    assert "Read with care" not in render_card(RESULT)
    text = render_card(make_result(checks=(Check("sample size", "warn", noted("few images")),)))
    assert "- sample size: few images" in text


def test_an_audit_that_measured_nothing_has_no_metadata() -> None:
    text = render_card(make_result(images=1))
    assert text.startswith("## Privacy evaluation")
    assert "nan" not in text.lower().replace("nanc", "")


def test_suspects_and_failed_checks_leave_no_numbers_to_be_misread() -> None:
    verdict = replace(RESULT.verdict, finding=Finding("none"))
    of_suspects = replace(
        RESULT, data=replace(RESULT.data, design="suspects"), suspects=make_suspects(), verdict=verdict
    )
    text = render_card(of_suspects)
    assert text.startswith("## Privacy evaluation\n\n**NO EVIDENCE")
    assert "epsilon" not in text
    assert "| AUROC |" not in text
    assert "p = 0.03: the chance of scores this high if the model was trained on none" in text
    broken = render_card(make_result(images=600, checks=(Check("blind", "fail", noted("the sets differ")),)))
    assert broken.startswith("## Privacy evaluation\n\n**INCONCLUSIVE")


def test_a_small_test_is_called_one() -> None:
    assert "**NO LEAK FOUND BY A SMALL TEST.**" in render_card(make_result(strength=0.0, images=40))


def test_a_failure_says_that_nothing_is_known() -> None:
    text = render_card_failure(make_failure("no model"))
    assert not text.startswith("---")
    assert "nothing is known about the model.\n\n- no model" in text


def test_the_quoted_score_is_said_to_be_the_best_of_several() -> None:
    text = render_card(RESULT)
    assert "strongest of 7 scores that were compared. Quote “at least " in text
    assert "”: only it, and not the intervals, allows for that choice." in text


def test_of_canaries_the_bound_is_that_of_their_audit() -> None:
    drawn = CanaryReport(50, 10, 40, 20, SIMA, (SIMA,), 10, 10, 17, 0.7, 2.0, 0.95, 1e-5, 0.01, 999, 0)
    card = ModelCard(render_card(replace(RESULT, canaries=drawn)))
    (entry,) = [entry for entry in card.data.eval_results or [] if entry.metric_type == "epsilon_lower"]
    assert entry.metric_value == round(drawn.epsilon_lower, 4)
    assert entry.metric_args["method"] == "one-run audit of canaries"
    assert f"{COMPACT.number(drawn.epsilon_lower)} (95 % confidence, one-run audit)" in card.text
