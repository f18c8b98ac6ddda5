from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.suspects import SuspectReport

REPORT = SuspectReport(
    count=120,
    nonmembers=900,
    known_members=0,
    suspect_groups=120,
    nonmember_groups=300,
    search_space=("sima@50", "pia@[200]", "mean of all"),
    selected_on="the best of 3",
    chosen="pia@[200]",
    chosen_by_fold=("pia@[200]", "sima@50", "sima@50", "pia@[200]", "pia@[200]"),
    auroc=0.75,
    set_p=0.0012,
    out_of_fold_p=0.034,
    welch_p=0.0,
    permutations=9999,
    alpha=0.05,
    type_i_rate=Estimate(0.048, 0.031, 0.071),
    false_flag_rate=Estimate(0.09, 0.066, 0.119),
    type_i_repeats=500,
    flagged={"0.05": 3, "0.1": 11},
    smallest_p=1 / 301,
    reason=None,
    statement="There is evidence, [not] proof.",
)


def text(report, width=100):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(suspects_section(report))
    return console.file.getvalue()


def test_every_number_is_shown():
    shown = text(REPORT, width=200)
    for part in (
        "120 against 900 (300 groups) non-members",
        "p = 0.0012: the chance of scores as high if none was trained on (9999 permutations); evidence if 0.05 or less",
        "chosen on other folds: p = 0.034, AUROC .750; Welch's p below 0.001 as if folds were independent",
        ".048 [.031,.071] of 500 splits of the non-members gave p <= 0.05 (5 % are expected)",
        ".090 [.066,.119] a flagged image",
        "3 at 5 %, 11 at 10 %; least possible p 0.0033",
        "pia@[200], in other folds sima@50 (2): the best of 3",
        "There is evidence, [not] proof.",
    ):
        assert part in shown
    assert "note" not in shown


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, text(REPORT, width).splitlines())) <= width


def test_what_could_not_be_measured_says_why():
    unknown = Estimate(math.nan, math.nan, math.nan, "too few")
    shown = text(
        replace(REPORT, type_i_rate=unknown, out_of_fold_p=math.nan, reason="one suspect is few", auroc=math.nan), 200
    )
    assert "null      not measured: too few" in shown
    assert "p n/a, AUROC n/a" in shown
    assert "note      one suspect is few" in shown
    assert "nan" not in shown


def test_known_members_leave_nothing_to_cross_fit():
    shown = text(replace(REPORT, known_members=40, out_of_fold_p=math.nan, chosen_by_fold=("pia@[200]",)), 200)
    assert "non-members, 40 known members" in shown
    assert "other folds" not in shown
    assert "AUROC .750" in shown
