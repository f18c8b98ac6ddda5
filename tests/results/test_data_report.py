from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from results import make_result

from privaudit.report.sentences.design_words import WORDS, positives_text
from privaudit.results.data_report import DESIGN_FACTS, DesignCode

DATA = replace(make_result().data, positives=12, suspects=5)


@pytest.mark.parametrize(
    ("design", "known", "at_random", "additional", "text"),
    [
        ("members", True, False, 5, "12 members"),
        ("canaries", True, True, 5, "12 included canaries"),
        ("suspects", False, False, 0, "12 suspects"),
    ],
)
def test_a_design_says_what_is_known_about_its_positives(design, known, at_random, additional, text):
    data = replace(DATA, design=design)
    assert (data.membership_known, data.drawn_at_random, data.additional_suspects) == (known, at_random, additional)
    assert positives_text(data) == text


def test_every_design_has_facts_and_words():
    assert set(DESIGN_FACTS) == set(WORDS) == set(get_args(DesignCode))
