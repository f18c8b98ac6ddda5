from __future__ import annotations

import json
import math

import numpy as np
import pytest

from privaudit.errors import ConfigError, DataError, NonFiniteError
from privaudit.evaluation import Candidate, fact
from privaudit.evaluation.selection import MEAN
from privaudit.evaluation.suspects import SuspectReport, judge_suspects
from privaudit.report.sentences.design_text import suspect_statement
from privaudit.storage.exact_json import decode, encode

QUICK = {"permutations": 199, "repeats": 0}
C = [Candidate(f"c{i}", None, "none") for i in range(4)]


def a_case(suspects=20, nonmembers=60, columns=4, shift=0.0, seed=0):
    """Correlated Gaussian scores; the second column separates best."""
    generator = np.random.default_rng(seed)
    count = suspects + nonmembers
    table = generator.normal(size=(count, columns)) + generator.normal(size=(count, 1))
    is_suspect = np.arange(count) < suspects
    table[is_suspect] += shift * (np.arange(columns) == min(1, columns - 1))
    ids = [f"{value:08x}" for value in generator.choice(2**32, size=count, replace=False)]
    return table, C[:columns], ids, is_suspect


def test_members_among_the_suspects_are_found():
    findings = judge_suspects(*a_case(shift=4.0), permutations=999, repeats=0)
    report = findings.report
    assert report.set_p == report.out_of_fold_p == 1 / 1000
    assert report.chosen == C[1]
    assert report.chosen_by_fold == (C[1],) * 5
    assert report.search_space == (*C, MEAN)
    assert report.auroc > 0.9
    assert report.flagged["0.1"] >= report.flagged["0.05"] > 8
    assert (findings.q >= findings.p).all()
    assert findings.p.min() == report.smallest_p == 1 / 61
    statement = suspect_statement(report)
    assert statement.startswith("There is evidence that the model was trained on some of these 20 images")
    assert "not proof" in statement


def test_nothing_is_found_where_there_is_nothing():
    report = judge_suspects(*a_case(shift=0.0), **QUICK).report
    assert report.set_p > 0.05
    assert suspect_statement(report).startswith("No evidence was found")
    assert "does not clear them" in suspect_statement(report)


def test_lower_scores_are_no_evidence():
    table, *others = a_case(shift=-4.0, columns=1)
    report = judge_suspects(table, *others, **QUICK).report
    assert report.set_p > 0.9
    assert report.flagged == {"0.05": 0, "0.1": 0}
    assert report.smallest_set_p == 1 / 200


def test_the_order_of_the_images_does_not_matter():
    table, names, ids, is_suspect = a_case(shift=1.0)
    groups = [None if i % 3 else f"g{i // 6}" for i in range(len(ids))]
    order = np.random.default_rng(1).permutation(len(ids))
    one = judge_suspects(table, names, ids, is_suspect, groups=groups, permutations=199, repeats=20)
    two = judge_suspects(
        table[order],
        names,
        [ids[i] for i in order],
        is_suspect[order],
        groups=[groups[i] for i in order],
        permutations=199,
        repeats=20,
    )
    assert one.report == two.report
    place = {ids[i]: k for k, i in enumerate(np.flatnonzero(is_suspect))}
    back = [place[ids[i]] for i in order if is_suspect[i]]
    np.testing.assert_array_equal(one.p[back], two.p)
    np.testing.assert_array_equal(one.score[back], two.score)


def test_a_monotone_map_of_a_column_changes_nothing():
    table, names, ids, is_suspect = a_case(shift=1.0)
    mapped = table.copy()
    mapped[:, 0], mapped[:, 2] = np.exp(table[:, 0]), 1e6 * table[:, 2] - 3
    one, two = (judge_suspects(t, names, ids, is_suspect, **QUICK) for t in (table, mapped))
    assert encode(one.report) == encode(two.report)
    np.testing.assert_array_equal(one.p, two.p)


def test_infinite_scores_keep_their_rank():
    table, names, ids, is_suspect = a_case(shift=4.0)
    cut = table.copy()
    cut[table[:, 1].argsort()[-3:], 1] = np.inf
    cut[table[:, 1].argsort()[:3], 1] = -np.inf
    report = judge_suspects(cut, names, ids, is_suspect, **QUICK).report
    assert report.set_p == 1 / 200
    assert report.chosen == C[1]


def test_known_members_choose_without_a_look_at_the_suspects():
    generator = np.random.default_rng(3)
    table, names, ids, is_suspect = a_case(shift=2.0)
    known = generator.normal(size=(40, 4)) + 5.0 * (np.arange(4) == 2)
    report = judge_suspects(table, names, ids, is_suspect, known_members=known, **QUICK).report
    assert report.chosen == C[2]  # although c1 would separate these suspects
    assert report.chosen_by_fold == (C[2],)
    assert math.isnan(report.out_of_fold_p)
    assert 0 < report.auroc < 1
    assert report.known_members == 40
    swapped = judge_suspects(table, names, ids, ~is_suspect, known_members=known, **QUICK).report
    assert swapped.chosen == C[2]


def test_known_members_make_few_suspects_enough():
    table, names, ids, is_suspect = a_case(suspects=1, nonmembers=99, shift=8.0)
    known = np.random.default_rng(3).normal(size=(40, 4)) + 5.0 * (np.arange(4) == 1)
    findings = judge_suspects(table, names, ids, is_suspect, known_members=known, **QUICK)
    assert findings.p.tolist() == [1 / 100]
    assert findings.report.set_p <= 0.05


def test_groups_count_once():
    table, names, ids, is_suspect = a_case(suspects=20, nonmembers=60, shift=4.0)
    groups = [f"s{i // 10}" if i < 20 else f"n{i // 2}" for i in range(80)]
    report = judge_suspects(table, names, ids, is_suspect, groups=groups, **QUICK).report
    assert (report.suspect_groups, report.nonmember_groups) == (2, 30)
    assert report.smallest_p == 1 / 31
    alone = judge_suspects(table, names, ids, is_suspect, **QUICK).report
    assert alone.smallest_p == 1 / 61
    assert alone.set_p < report.set_p or alone.set_p == 1 / 200


def test_groups_of_unequal_size_are_compared_by_as_many_images_each():
    """Means of ten spread less than single scores: permuting the two together rejects 18 % of true nulls at 5 %."""

    def one(seed: int) -> SuspectReport:
        scores = np.random.default_rng(seed).normal(size=(10 + 400, 1))
        groups = [None] * 10 + [f"g{i // 10}" for i in range(400)]
        is_suspect, ids = np.arange(410) < 10, [f"{i:04d}" for i in range(410)]
        return judge_suspects(scores, C[:1], ids, is_suspect, groups=groups, folds=2, **QUICK).report

    reports = [one(seed) for seed in range(150)]
    assert sum(report.set_p <= 0.05 for report in reports) <= 15
    assert fact("part_of_each_group", images=1) in reports[0].cautions


def test_single_images_that_stand_out_of_a_set_that_does_not_are_named():
    table, *others = a_case(suspects=40, nonmembers=400, columns=1)
    table[:2] += 9.0
    report = judge_suspects(table - 0.5 * np.asarray(others[2])[:, None], *others, **QUICK).report
    assert report.set_p > 0.05
    assert report.flagged["0.1"] >= 2
    assert suspect_statement(report).startswith("As a set they are no evidence")
    assert "flagged singly" in suspect_statement(report)


def test_copies_of_an_image_in_one_group_are_no_further_evidence():
    _, names, ids, is_suspect = a_case(suspects=4, nonmembers=40, columns=1)
    table = np.r_[1.2, 0.8, 0.5, 0.1, np.linspace(-1.7, 1.7, 40)][:, None]
    rows = np.r_[np.arange(44), np.tile(np.arange(4), 9)]
    named = [f"{ids[row]} {copy}" for copy, row in enumerate(rows)]
    options = {"permutations": 1999, "repeats": 0}
    once = judge_suspects(table, names, ids, is_suspect, **options).report
    without = judge_suspects(table[rows], names, named, is_suspect[rows], **options).report
    grouped = judge_suspects(table[rows], names, named, is_suspect[rows], groups=[f"g{row}" for row in rows], **options)
    assert once.set_p > 0.05
    assert without.set_p < 0.01  # what the copies by themselves would make of it
    assert grouped.report.set_p > 0.05
    assert grouped.report.suspect_groups == 4


def test_a_group_may_hold_suspects_and_nonmembers():
    table, names, ids, is_suspect = a_case(shift=4.0)
    groups = [f"artist {i % 10}" for i in range(80)]
    report = judge_suspects(table, names, ids, is_suspect, groups=groups, **QUICK).report
    assert (report.suspect_groups, report.nonmember_groups) == (10, 10)
    assert report.set_p == 1 / 200


def test_the_measured_type_i_rate():
    report = judge_suspects(*a_case(suspects=10), permutations=199, repeats=200).report
    rate = report.type_i_rate
    assert report.type_i_repeats == 200
    assert rate.lo < 0.05 < rate.hi
    assert rate.value * 200 == pytest.approx(round(rate.value * 200))
    assert report.false_flag_rate.lo < 0.1
    assert rate.reason is None


def test_more_suspects_than_half_of_the_nonmembers_are_said():
    report = judge_suspects(*a_case(suspects=50, nonmembers=20), permutations=99, repeats=3).report
    assert report.type_i_rate.reason == report.false_flag_rate.reason == fact("fewer_pseudo_suspects", images=10)


@pytest.mark.parametrize(
    ("options", "nonmembers", "reason"),
    [
        ({"repeats": 5}, 3, fact("splits_need_nonmembers", needed=4, nonmembers=3)),
        ({"repeats": 0}, 60, fact("no_splits_requested")),
        ({"repeats": 5, "alpha": 0.001}, 60, fact("splits_cannot_resolve", permutations=199, level=0.001)),
    ],
)
def test_a_rate_that_cannot_be_measured_is_nan_with_a_reason(options, nonmembers, reason):
    report = judge_suspects(*a_case(suspects=2, nonmembers=nonmembers), permutations=99, **options).report
    assert math.isnan(report.type_i_rate.value)
    assert report.type_i_rate.reason == report.false_flag_rate.reason == reason
    assert report.type_i_repeats == 0


def test_one_suspect():
    findings = judge_suspects(*a_case(suspects=1, nonmembers=200, shift=50.0), permutations=1999, repeats=0)
    report = findings.report
    assert math.isnan(report.out_of_fold_p)
    assert math.isnan(report.auroc)
    assert math.isnan(report.welch_p)
    assert report.set_p < 0.05
    assert findings.candidate == (MEAN,)
    assert report.cautions == (fact("no_out_of_fold_test"),)
    assert "Nothing can be said with certainty about a single image" in suspect_statement(report)


def test_two_nonmembers_cannot_show_anything():
    report = judge_suspects(*a_case(suspects=2, nonmembers=2, shift=9.0), **QUICK).report
    assert report.set_p > 0.05
    assert report.flagged == {"0.05": 0, "0.1": 0}
    of_set, of_images = report.cautions
    assert (of_set.code, of_set.values["smallest_p"]) == ("set_p_at_least", pytest.approx(0.25))
    assert of_images == fact("no_flag_possible", rate=0.1, nonmembers=2, smallest_p=1 / 3, needed=9)


def test_many_suspects_need_many_on_top():
    report = judge_suspects(*a_case(suspects=200, nonmembers=99), permutations=99, repeats=0).report
    assert fact("flag_needs_several", rate=0.1, needed=20, suspects=200) in report.cautions


def test_permutations_that_do_not_resolve_the_level_are_said():
    report = judge_suspects(*a_case(shift=4.0), permutations=10, repeats=0).report
    assert report.set_p == 1 / 11
    assert fact("permutations_cannot_resolve", permutations=10, level=0.05) in report.cautions


def test_equal_scores_are_no_evidence():
    table, *others = a_case()
    findings = judge_suspects(np.zeros_like(table), *others, **QUICK)
    assert findings.report.set_p == 1.0
    assert (findings.p == 1.0).all()
    assert math.isnan(findings.report.welch_p)
    assert findings.report.cautions[0] == fact("all_scores_equal")


def test_a_constant_column_is_harmless():
    table, names, ids, is_suspect = a_case(shift=4.0)
    table[:, 0] = 7.0
    report = judge_suspects(table, names, ids, is_suspect, **QUICK).report
    assert report.chosen == C[1]
    assert report.set_p == 1 / 200


def test_the_report_survives_json():
    report = judge_suspects(*a_case(suspects=1, shift=4.0), **QUICK).report
    text = json.dumps(encode(report), allow_nan=False)
    assert encode(decode(SuspectReport, json.loads(text))) == encode(report)


def test_bad_input_is_refused():
    table, names, ids, is_suspect = a_case()
    with pytest.raises(DataError, match=r"expected scores of shape .* = \(80, 3\)"):
        judge_suspects(table, names[:3], ids, is_suspect)
    with pytest.raises(DataError, match="at least one candidate"):
        judge_suspects(table[:, :0], [], ids, is_suspect)
    with pytest.raises(DataError, match="got 79 ids"):
        judge_suspects(table, names, ids[1:], is_suspect)
    with pytest.raises(DataError, match="got 1 repeated"):
        judge_suspects(table, names, [ids[1], *ids[1:]], is_suspect)
    with pytest.raises(DataError, match="at least 1 suspect and 2 non-members"):
        judge_suspects(table, names, ids, np.zeros(80, bool))
    with pytest.raises(DataError, match="20 suspects and 60 non-members in 1 groups"):
        judge_suspects(table, names, ids, is_suspect, groups=[None] * 20 + ["all"] * 60)
    with pytest.raises(DataError, match="at least 2 known members"):
        judge_suspects(table, names, ids, is_suspect, known_members=table[:1])
    with pytest.raises(DataError, match=r"for 4 candidates, got shape \(80, 3\)"):
        judge_suspects(table, names, ids, is_suspect, known_members=table[:, :3])
    table[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="NaN for 1 of 80 images"):
        judge_suspects(table, names, ids, is_suspect)
    with pytest.raises(NonFiniteError, match="known members"):
        judge_suspects(a_case()[0], names, ids, is_suspect, known_members=table)
    with pytest.raises(ConfigError) as caught:
        judge_suspects(table, names, ids, is_suspect, folds=1, alpha=0.0, permutations=0, repeats=-1)
    assert len(caught.value.problems) == 4
