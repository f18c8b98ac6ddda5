"""Suspects and canaries in words: every number is there, and what was not measured says why."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from results import SUSPECTS

from privaudit.evaluation import Candidate, Estimate, fact
from privaudit.evaluation.canary_audit import CanaryReport, audit_canaries
from privaudit.report.numbers import COMPACT
from privaudit.report.sentences.design_text import (
    canary_lines,
    canary_statement,
    suspect_lines,
    suspect_statement,
)
from privaudit.report.sentences.names import candidate_text

PIA, SIMA = Candidate("pia", "order 2, level 200", "weighted"), Candidate("sima", 50.0, "none")
REPORT = replace(
    SUSPECTS,
    count=120,
    nonmembers=900,
    suspect_groups=120,
    nonmember_groups=300,
    chosen=PIA,
    chosen_by_fold=(PIA, SIMA, SIMA, PIA, PIA),
    auroc=0.75,
    set_p=0.0012,
    out_of_fold_p=0.034,
    welch_p=0.0,
    false_flag_rate=Estimate(0.09, 0.066, 0.119),
    flagged={"0.05": 3, "0.1": 11},
    smallest_p=1 / 301,
    cautions=(),
)
IDS = [f"{i}" for i in range(200)]


def test_every_number_of_suspects_is_there() -> None:
    lines = dict(suspect_lines(REPORT, COMPACT))
    assert lines == {
        "compared": "120 suspects with 900 non-members (300 groups)",
        "as a set": "p = 0.0012: the chance of scores this high if the model was trained on none (9999 permutations); "
        "evidence at 0.05 or less",
        "score": "pia at order 2, level 200, weighted mask, in other folds sima at 50, no mask: the best of 3 "
        "candidates for suspects against non-members, chosen anew in every permutation and for every image",
        "next to it": "with the score chosen on other folds p = 0.034; AUROC .750 and Welch's p below 0.001 (as if "
        "folds were independent) are descriptions only",
        "how often wrong": ".048 [.030,.070] of 500 splits of the non-members gave p at most 0.05 (5 % are expected), "
        ".090 [.066,.119] flagged an image",
        "singly": "flagged: 3 at a false discovery rate of 5 %, 11 at a false discovery rate of 10 %; the smallest "
        "possible p is 0.0033",
    }


def test_what_could_not_be_measured_says_why() -> None:
    unknown = Estimate(math.nan, math.nan, math.nan, fact("splits_need_nonmembers", needed=4, nonmembers=3))
    few = replace(
        REPORT,
        type_i_rate=unknown,
        out_of_fold_p=math.nan,
        auroc=math.nan,
        cautions=(fact("no_out_of_fold_test"), fact("set_p_at_least", smallest_p=0.2)),
    )
    lines = dict(suspect_lines(few, COMPACT))
    assert lines["how often wrong"].startswith("not measured: needs at least 4 non-members to split")
    assert "p n/a; AUROC n/a" in lines["next to it"]
    assert lines["keep in mind"].count(";") == 2
    assert "nan" not in str(lines)


def test_known_members_leave_nothing_to_cross_fit() -> None:
    lines = dict(suspect_lines(replace(REPORT, known_members=40, chosen_by_fold=(PIA,)), COMPACT))
    assert lines["compared"].endswith("(300 groups); 40 known members")
    assert "other folds" not in str(lines)
    assert lines["next to it"].startswith("AUROC .750")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "There is evidence that the model was trained on some of these 120 images"),
        ({"set_p": 0.4, "flagged": {"0.1": 0}}, "No evidence was found that the model was trained on some of"),
        ({"set_p": 0.4}, "As a set they are no evidence: together they score not clearly higher"),
        ({"count": 1, "set_p": 0.4}, "No evidence was found that the model was trained on this image: it scores not"),
        ({"failed_checks": ("blind baseline",)}, "Whether the model was trained on the suspects cannot be told"),
    ],
)
def test_the_statement_of_suspects(changes: dict[str, object], wanted: str) -> None:
    text = suspect_statement(replace(REPORT, **changes))
    assert text.startswith(wanted)
    assert ("Evidence is not proof." in text) == ("failed_checks" not in changes)


def test_flags_are_said_to_be_wrong_now_and_then() -> None:
    stated = suspect_statement(REPORT)
    assert "11 images are flagged singly; up to 10 % of such flags are expected to be wrong." in stated
    assert "1 image is flagged singly" in suspect_statement(replace(REPORT, flagged={"0.1": 1}))


def a_report(shift: float, n: int = 200, **options: float) -> CanaryReport:
    rng = np.random.default_rng(0)
    coins = rng.random(n) < 0.5
    names = [Candidate("a", None, "none"), Candidate("[b]", 3.0, "weighted")]
    return audit_canaries(rng.normal(size=(n, 2)) + shift * coins[:, None], names, coins, IDS[:n], **options)


def test_every_number_of_canaries_is_there() -> None:
    report = a_report(3.0)
    lines = dict(canary_lines(report, COMPACT))
    assert lines["canaries"] == f"200: 50 to choose on, 150 audited ({report.included} of them trained on)"
    assert lines["score"] == f"{candidate_text(report.chosen)}, out of 3 candidates"
    assert lines["guesses"] == (
        f"{report.guesses_in} in, {report.guesses_out} out; {report.correct} of {report.guesses} right"
    )
    assert lines["epsilon"] == (
        f"at least {COMPACT.number(report.epsilon_lower)} (95 % confidence); even a perfect attack could have shown "
        f"only {COMPACT.number(report.epsilon_most)}"
    )
    assert lines["chance"] == (
        "p below 0.001: the chance of such scores if the model knew nothing of the coins (9999 rearrangements of the "
        "audited coins)"
    )
    assert f"{report.correct} of {report.guesses} guesses about canaries were right: at 95 %" in canary_statement(
        report
    )
    assert f"for any epsilon below {report.epsilon_lower:.3g}. Evidence of leakage" in canary_statement(report)


def test_delta_is_named_if_there_is_one() -> None:
    report = a_report(3.0, delta=1e-4, draws=9)
    assert "(95 % confidence, delta 0.0001)" in dict(canary_lines(report, COMPACT))["epsilon"]
    assert "not (epsilon, 0.0001)-differentially private" in canary_statement(report)


def test_no_evidence_of_canaries() -> None:
    text = canary_statement(a_report(0.0))
    assert text.endswith(")."), text
    assert "too few to show that epsilon is above 0. No evidence of leakage by these attacks (p = " in text


def test_too_few_canaries_say_why() -> None:
    lines = canary_lines(a_report(0.0, n=5), COMPACT)
    assert [name for name, _ in lines] == ["result"]
    assert lines[0][1].startswith("not measured: needs at least 2 canaries in the pilot and 6 others")
    assert canary_statement(a_report(0.0, n=5)).startswith("Not measured: needs at least 2")


def test_no_p_value_says_why() -> None:
    coins = np.ones(200, dtype=bool)
    report = audit_canaries(np.arange(200.0)[:, None], [SIMA], coins, IDS)
    assert dict(canary_lines(report, COMPACT))["chance"].startswith("no p-value: all 150 audited canaries came out in")
