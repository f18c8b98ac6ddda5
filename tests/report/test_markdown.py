"""The Markdown summary: what stands in it, and that it always fits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from results import NAMES, make_failure, make_result

from privaudit.evaluation import Check, GateOutcome, GroupStratum
from privaudit.evaluation.canaries import CanaryReport
from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.suspects import SuspectReport
from privaudit.report.markdown import render_md, render_md_failure
from privaudit.report.numbers import interval_text
from privaudit.result import AuditResult, RefusedReport, SkippedReport

LIMIT = 900_000
"""Bytes; a job summary of GitHub holds 1 MiB."""
GATED = make_result(gates=("tpr@1%fpr>0.05", "auroc>0.99", "tpr@0.1%fpr>0.1"))


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    found: list[list[str]] = []
    for token, inner in zip(tokens, tokens[1:], strict=False):
        if token.type == "tr_open":
            found.append([])
        if token.type in ("td_open", "th_open"):
            found[-1].append("".join(child.content for child in inner.children or ()))
    return found


def test_the_verdict_comes_first() -> None:
    lines = render_md(GATED).split("\n")
    assert lines[0] == "## privaudit: `small`: LEAK FOUND: MEDIUM"
    assert lines[2].startswith("An attacker who accuses 1 of 100 unseen images wrongly recognises")
    assert lines[4] == "### Gates: **fail**"


def test_gates_that_fail_come_before_those_that_pass() -> None:
    table = rows(render_md(GATED))
    at = table.index(["gate", "outcome", "why"])
    assert [row[:2] for row in table[at + 1 : at + 4]] == [
        ["tpr@1%fpr>0.05", "fail"],
        ["tpr@0.1%fpr>0.1", "inconclusive"],
        ["auroc>0.99", "pass"],
    ]
    assert "No gate was set (`--fail-on`)" in render_md(make_result())


def test_every_attack_stands_with_its_intervals() -> None:
    table = rows(render_md(GATED))
    for report in GATED.attacks:
        metrics = report.masks["none"]
        (row,) = [row for row in table if row[0] == report.name]
        assert row[1:4] == [
            interval_text(metrics.auroc),
            *(interval_text(metrics.tpr_at_fpr[fpr]) for fpr in ("0.01", "0.001")),
        ]


def test_what_was_not_measured_says_why() -> None:
    text = render_md(make_result(images=30))
    assert "n/a; expected at least 100 non-members" in text
    assert "nan" not in text.lower().replace("nanc", "")


def test_checks_that_failed_come_first_and_refused_attacks_are_named() -> None:
    checks = (Check("size", "warn", "few"), Check("blind", "fail", "the sets differ"))
    text = render_md(make_result(checks=checks))
    assert [row[0] for row in rows(text) if row[1:2] in (["size"], ["blind"], ["blind baseline"])] == [
        "fail",
        "warn",
        "ok",
    ]
    assert "clid: needs a text-conditional model" in text


def test_groups_suspects_and_canaries_where_they_are() -> None:
    plain, groups = render_md(GATED), render_md(make_result(groups=("left|right", "other")))
    assert not any(f"### {title}" in plain for title in ("Suspects", "Canaries"))
    assert "by group, the most exposed first" in groups
    assert any(row[0] == "left|right" for row in rows(groups))
    text = render_md(replace(GATED, suspects=suspects(), canaries=canaries()))
    assert "7 suspects against 20 non-members; p 0.03 of no member among them" in text
    assert "2 at 5%, 3 at 10%" in text
    assert "50 canaries: 10 to choose on, 40 audited; 17 of 20 guesses right; p n/a of no leakage" in text


def test_a_failure() -> None:
    text = render_md_failure(make_failure("no model", "no images", kind="ConfigError"))
    assert text.startswith("## privaudit: `small`: AUDIT FAILED\n")
    assert "- no model\n- no images\n" in text
    assert "defect" not in text
    assert "This is a defect of privaudit" in render_md_failure(make_failure("x", defect=True))


def test_it_fits_whatever_the_audit_holds() -> None:
    """10 000 images and 12 attacks, and far more of everything that has no limit, under the longest of names."""
    result = make_result(images=300, attacks=NAMES, groups=("one", "two"))
    text = render_md(replace(result, data=replace(result.data, members=5000, nonmembers=5000)))
    assert len(text.encode()) < 20_000
    assert len(render_md(monstrous(result)).encode()) < LIMIT
    failure = make_failure(*[f"{number}" + "@\U0010ffff" * 1_000 for number in range(100)])
    assert len(render_md_failure(failure).encode()) < LIMIT


def test_what_does_not_fit_is_counted() -> None:
    text = render_md(monstrous(make_result(groups=("one", "two"))))
    for count in (150, 160, 188, 30):
        assert f"{count} more in report.json" in text


def monstrous(result: AuditResult) -> AuditResult:
    """Every list long and every text longer."""
    long = "@\U0010ffff" * 500
    group = result.attacks[0].groups[0]
    attacks = [replace(report, name=f"{number}{long}") for number in range(30) for report in result.attacks]
    crowd = [GroupStratum(f"{number}{long}", 3, 3, "all", group.auroc, group.tpr) for number in range(200)]
    gates = [GateOutcome(f"{number}{long}", "fail", long) for number in range(200)]
    verdict = replace(result.verdict, gates=tuple(gates), finding=replace(result.verdict.finding, statement=long))
    return replace(
        result,
        target=replace(result.target, id=long),
        attacks=tuple(replace(report, groups=tuple(crowd)) if not at else report for at, report in enumerate(attacks)),
        refused=tuple(RefusedReport(f"{number}", long) for number in range(200)),
        checks=tuple(Check(f"{number}{long}", "warn", long) for number in range(200)),
        data=replace(result.data, skipped=tuple(SkippedReport(f"{n}.png", "broken") for n in range(10_000))),
        verdict=verdict,
    )


def suspects() -> SuspectReport:
    rate = Estimate(0.05, 0.01, 0.1)
    return SuspectReport(
        count=7,
        nonmembers=20,
        known_members=0,
        suspect_groups=7,
        nonmember_groups=20,
        search_space=("sima",),
        selected_on="the whole",
        chosen="sima",
        chosen_by_fold=("sima",),
        auroc=0.7,
        set_p=0.03,
        out_of_fold_p=0.04,
        welch_p=0.01,
        permutations=999,
        alpha=0.05,
        type_i_rate=rate,
        false_flag_rate=rate,
        type_i_repeats=100,
        flagged={"0.05": 2, "0.1": 3},
        smallest_p=0.05,
        reason=None,
        statement="Some of them were trained on.",
    )


def canaries() -> CanaryReport:
    return CanaryReport(
        canaries=50,
        pilot=10,
        audited=40,
        included=21,
        chosen="sima",
        search_space=("sima",),
        guesses_in=10,
        guesses_out=10,
        correct=17,
        epsilon_lower=0.4,
        epsilon_most=2.0,
        confidence=0.95,
        delta=0.0,
        p=math.nan,
        draws=999,
        seed=0,
        statement="The model knows coins.",
    )


@pytest.mark.parametrize("report", [GATED, make_result()], ids=["gated", "plain"])
def test_it_ends_with_one_newline(report: AuditResult) -> None:
    text = render_md(report)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
