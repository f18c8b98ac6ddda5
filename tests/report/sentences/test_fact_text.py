"""Every fact has a template, which says all that a reader needs of its values."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from results import sample_fact

from privaudit.evaluation import fact
from privaudit.evaluation.facts import CODES
from privaudit.report.sentences.fact_text import TEMPLATES, fact_text, facts_text, sentence

DERIVED = {
    "score": {"attack", "mask"},
    "correction": {"tests"},
    "beyond": {"margin"},
    "metric_name": {"metric"},
    "effective": {"effective_members", "effective_nonmembers"},
    "independent": {"nonmembers"},
    "the_positives": set(),
}
"""What a template may say in addition to the values of its code, and the values that it is made of."""
NOT_SAID = {
    "limit_needs_nonmembers": {"error"},
    "gate_needs_nonmembers": {"error"},
}
"""Values that are for machines alone."""


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_code_has_a_template_and_every_template_a_code() -> None:
    assert list(TEMPLATES) == list(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_template_says_every_value_and_nothing_else(code: str) -> None:
    said = set()
    for name in fields(TEMPLATES[code]):
        said |= DERIVED.get(name, {name})
    assert said == set(CODES[code]) - NOT_SAID.get(code, set())


@pytest.mark.parametrize("code", CODES)
def test_a_fact_is_a_clause(code: str) -> None:
    text = fact_text(sample_fact(code))
    assert text == text.strip()
    assert not text.endswith(".")
    assert not re.search(r"[{}]|  |\bnan\b|\bNone\b", text)
    assert code == "text" or not text[0].isupper() or text.startswith(("TPR", "AUROC"))


@pytest.mark.parametrize("code", [code for code in CODES if "{the_positives}" in TEMPLATES[code]])
def test_the_positives_have_the_name_of_the_design(code: str) -> None:
    assert "members" in re.sub("non-members", "", fact_text(sample_fact(code)))
    assert "suspects" in fact_text(sample_fact(code), "suspects")
    assert "members" not in re.sub("non-members", "", fact_text(sample_fact(code), "suspects"))


def test_what_several_values_say_together() -> None:
    limit = {"attack": "epsilon", "mask": "none", "limit": 0.61234, "side": "lower", "confidence": 0.95}
    assert fact_text(fact("limit_beyond_gate", **limit, tests=15)) == (
        "lower limit 0.6123 (epsilon (attack)) exceeds the gate (95 % confidence, corrected for 15 tests)"
    )
    assert fact_text(fact("limit_within_gate", **limit, tests=0)).endswith("does not exceed the gate (95 % confidence)")
    told_apart = fact("blind_told_apart", family="files", auroc=0.9, lower=0.8)
    assert fact_text(told_apart) == (
        "members and non-members differ in file properties, which alone tell them apart without the model (AUROC "
        "0.900, at least 0.800)"
    )
    unknown = fact("blind_told_apart_by_rank", family="watermarks", auroc=0.9, p=0.001)
    assert fact_text(unknown).startswith("members and non-members differ in watermarks, which alone tell")
    few = {"members": 3, "nonmembers": 4, "tests": 2}
    whole = fact("perfect_scores_unnoticed", **few, effective_members=3.0, effective_nonmembers=4.0)
    assert fact_text(whole).startswith("3 members and 4 non-members are too few")
    grouped = fact("perfect_scores_unnoticed", **few, effective_members=1.5, effective_nonmembers=4.0)
    assert fact_text(grouped).startswith("3 members and 4 non-members (which count as 1.5 and 4.0, since")
    assert fact_text(fact("no_rise_shown", tests=1, margin=0.0)) == "none of 1 difference is shown to have risen"
    assert fact_text(fact("no_rise_shown", tests=2, margin=0.02)).endswith("have risen by more than 0.02")


@pytest.mark.parametrize(("images", "wanted"), [(0, "0 images"), (1, "1 image "), (2, "2 images ")])
def test_what_is_counted_agrees_with_its_number(images: int, wanted: str) -> None:
    assert fact_text(fact("in_both_sets", images=images)).startswith(wanted)


def test_facts_in_a_row_and_as_a_sentence() -> None:
    facts = (fact("no_score"), fact("checks_failed"))
    assert facts_text(facts) == "no attack was scored; a check failed"
    assert sentence(facts_text(facts)) == "No attack was scored; a check failed."
    assert sentence("Ends with a full stop.") == "Ends with a full stop."
    assert sentence("") == facts_text(()) == ""


def test_a_text_of_an_earlier_version_is_shown_as_it_is() -> None:
    assert fact_text(fact("text", text="{fpr:%} of {x}")) == "{fpr:%} of {x}"
