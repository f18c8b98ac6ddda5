"""The Markdown summary: what stands in it, and that it always fits."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from results import NAMES, SIMA, gate_outcome, make_failure, make_result, make_suspects, noted

from privaudit.evaluation import Check, Finding, GroupStratum
from privaudit.evaluation.canary_audit import CanaryReport
from privaudit.report.formats.markdown import render_md, render_md_failure
from privaudit.report.numbers import COMPACT
from privaudit.report.sentences.overall import answer
from privaudit.results.audit_result import AuditResult, RefusedReport
from privaudit.results.data_report import SkippedReport

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
    assert lines[2] == answer(GATED)
    assert lines[4].startswith(
        "Set so that 1 of 100 images not used in training is wrongly accused, the attack recognises"
    )
    assert lines[6] == "### Gates: **fail**"


def test_an_attacker_who_knows_members_is_called_the_worst_case() -> None:
    learned = replace(GATED.verdict.finding, attack="combined", mask="none")
    text = render_md(replace(GATED, verdict=replace(GATED.verdict, finding=learned)))
    assert "\nThis attacker already knows other training images and learns from them: the worst case." in text
    assert "This attacker" not in render_md(GATED), "the strongest score was not fitted to members"


def test_gates_that_fail_come_before_those_that_pass() -> None:
    table = rows(render_md(GATED))
    at = table.index(["gate", "outcome", "why"])
    assert [row[:2] for row in table[at + 1 : at + 4]] == [
        ["tpr@1%fpr>0.05", "fail"],
        ["tpr@0.1%fpr>0.1", "inconclusive"],
        ["auroc>0.99", "pass"],
    ]
    assert "No gate was set (--fail-on)" in render_md(make_result())


def test_every_attack_stands_with_its_intervals() -> None:
    table = rows(render_md(GATED))
    for report in GATED.attacks:
        metrics = report.masks["none"]
        (row,) = [row for row in table if row[0] == report.name]
        assert row[1:4] == [
            COMPACT.estimate(metrics.auroc),
            *(COMPACT.estimate(metrics.tpr_at_fpr[fpr]) for fpr in ("0.01", "0.001")),
        ]


def test_what_was_not_measured_says_why() -> None:
    text = render_md(make_result(images=30))
    assert "- TPR at 1 % FPR: n/a: 1 % false positives need at least 100 non-members; there are 30\n" in text
    assert "expected" not in text[text.index("### The numbers") : text.index("### All attacks")]
    assert "nan" not in text.lower().replace("nanc", "")


def test_checks_that_failed_come_first_and_refused_attacks_are_named() -> None:
    checks = (Check("size", "warn", noted("few")), Check("blind", "fail", noted("the sets differ")))
    text = render_md(make_result(checks=checks))
    assert [row[0] for row in rows(text) if row[1:2] in (["size"], ["blind"], ["blind baseline"])] == [
        "fail",
        "warn",
        "ok",
    ]
    assert "clid: needs a text-conditional model" in text


def of_suspects() -> AuditResult:
    """A run of images of unknown membership."""
    verdict = replace(GATED.verdict, gates=(), finding=Finding("none"))
    return replace(GATED, data=replace(GATED.data, design="suspects"), suspects=make_suspects(), verdict=verdict)


def test_a_run_of_suspects_has_no_rates_of_members() -> None:
    text = render_md(of_suspects())
    assert "### The numbers of" not in text
    assert "epsilon, lower" not in text
    assert "suspects above the threshold at 1 % FPR" in text
    assert "What the attacker needs" not in text
    assert text.index("### Suspects:") < text.index("### How suspects score")


@pytest.mark.parametrize(
    ("gates", "checks", "wanted"),
    [
        (("auroc>0.99",), (), "Exit code 0."),
        (("auroc>0.6",), (), "Exit code 1 by default."),
        (("tpr@0.1%fpr>0.1",), (), "Exit code 3 by default."),
        ((), (), "No gate was set (--fail-on), so the exit code is 0."),
        (
            (),
            (Check("blind", "fail", noted("differ")),),
            "No gate was set (--fail-on), so the exit code is 0, although the audit is inconclusive.",
        ),
    ],
)
def test_the_exit_code_is_named_as_far_as_it_is_known(gates, checks, wanted) -> None:
    assert f"\n{wanted}\n" in render_md(make_result(gates=gates, checks=checks))


def test_nothing_undecided_or_weak_is_called_free_of_leaks() -> None:
    small = render_md(make_result(strength=0.0, images=40, gates=("tpr@1%fpr>0.05",)))
    assert small.startswith("## privaudit: `small`: NOT DECIDED\n\nNo leak was found, but ")
    assert "LEAK FOUND" not in small.split("\n")[0]
    assert "A pass means that no more than the gate allows was shown." in render_md(
        make_result(strength=0.1, gates=("auroc>0.9",))
    )


def test_groups_suspects_and_canaries_where_they_are() -> None:
    plain, groups = render_md(GATED), render_md(make_result(groups=("left|right", "other")))
    assert not any(f"### {title}:" in plain for title in ("Suspects", "Canaries"))
    assert "by group, the most exposed first" in groups
    assert {"group 1", "group 2"} <= {row[0] for row in rows(groups)}
    assert "left" not in groups
    text = render_md(replace(GATED, suspects=make_suspects(), canaries=canaries()))
    assert "- compared: 7 suspects with 20 non-members\n- as a set: p = 0.03: the chance of scores this high" in text
    assert "flagged: 2 at a false discovery rate of 5 %, 3 at a false discovery rate of 10 %" in text
    assert "canaries: 50: 10 to choose on, 40 audited (21 of them trained on)" in text
    assert "10 in, 10 out; 17 of 20 right" in text
    assert "chance: n/a" in text
    assert "even a perfect attack could have shown only 2.000" in text


def test_a_failure() -> None:
    text = render_md_failure(make_failure("no model", "no images", kind="ConfigError"))
    assert text.startswith("## privaudit: `small`: AUDIT FAILED\n")
    assert "- no model\n- no images\n" in text
    assert "### What to do\n\nFix each of these and run the same command again" in text
    assert "### What was requested\n\n`privaudit scan " in text
    assert "defect" not in text
    assert "This is a defect of privaudit" in render_md_failure(make_failure("x", defect=True))


def test_it_fits_whatever_the_audit_holds() -> None:
    """10 000 images and 12 attacks, and far more of everything that has no limit, under the longest of names."""
    result = make_result(images=300, attacks=NAMES, groups=("one", "two"))
    text = render_md(replace(result, data=replace(result.data, positives=5000, nonmembers=5000)))
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
    gates = [gate_outcome(f"{number}{long}", "fail", long) for number in range(200)]
    verdict = replace(
        result.verdict, gates=tuple(gates), finding=replace(result.verdict.finding, reason=noted(long)[0])
    )
    return replace(
        result,
        target=replace(result.target, id=long),
        attacks=tuple(replace(report, groups=tuple(crowd)) if not at else report for at, report in enumerate(attacks)),
        refused=tuple(RefusedReport(f"{number}", long) for number in range(200)),
        checks=tuple(Check(f"{number}{long}", "warn", noted(long)) for number in range(200)),
        data=replace(result.data, skipped=tuple(SkippedReport(f"{n}.png", "broken") for n in range(10_000))),
        verdict=verdict,
    )


def canaries() -> CanaryReport:
    return CanaryReport(
        canaries=50,
        pilot=10,
        audited=40,
        included=21,
        chosen=SIMA,
        search_space=(SIMA,),
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
    )


@pytest.mark.parametrize("report", [GATED, make_result()], ids=["gated", "plain"])
def test_it_ends_with_one_newline(report: AuditResult) -> None:
    text = render_md(report)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
