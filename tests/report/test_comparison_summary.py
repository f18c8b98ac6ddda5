"""What a comparison looks like: on the terminal and in Markdown."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from results import noted
from rich.console import Console
from runs import labels, rewrite, write_run

from privaudit.compare import CompareOptions, run_comparison
from privaudit.compare.comparison import NotCompared
from privaudit.evaluation import Check
from privaudit.report.comparison_markdown import render_comparison
from privaudit.report.sentences.comparison_text import headline, lead_lines
from privaudit.report.terminal.comparison_summary import print_comparison
from privaudit.results.audit_result import AuditResult

MEMBER = labels(300)
OPTIONS = CompareOptions(fail_on_regression=True, replicates=400)


def simulate(strength: float, noise: int, attacks=("sima", "a_very_long_name_of_an_attack")) -> dict:
    of_images = np.random.default_rng(7).normal(size=600)
    own = np.random.default_rng(noise)
    return {
        (attack, mask): of_images + 0.4 * own.normal(size=600) + strength * MEMBER
        for attack in attacks
        for mask in ("none", "random", "influence", "weighted")
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("comparison")
    gates = ("auroc>0.7",)
    return {
        "weak": write_run(root / "weak", simulate(0.4, 1), MEMBER, gates=gates),
        "strong": write_run(root / "strong", simulate(1.2, 2), MEMBER, gates=gates, model="f" * 32),
        "broken": write_run(
            root / "broken", simulate(1.2, 3), MEMBER, checks=(Check("blind baseline", "fail", noted("sets differ")),)
        ),
    }


@pytest.fixture(scope="module")
def worse(folders):
    return run_comparison(folders["weak"], folders["strong"], OPTIONS)


def printed(result, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_comparison(result, console)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("weak", "strong", "LEAKS MORE"),
        ("strong", "weak", "LEAKS LESS"),
        ("weak", "weak", "NOTHING CHANGED"),
        ("weak", "broken", "INCONCLUSIVE"),
    ],
)
def test_headline(folders, old, new, expected):
    assert headline(run_comparison(folders[old], folders[new], OPTIONS)) == expected


def test_headline_of_a_change_that_is_not_shown(folders, tmp_path):
    near = write_run(tmp_path / "near", simulate(0.4, 5), MEMBER)
    assert headline(run_comparison(folders["weak"], near, OPTIONS)) == "NO CHANGE SHOWN (GATES DIFFER)"
    held = write_run(tmp_path / "held", simulate(0.4, 5), MEMBER, gates=("auroc>0.7",))
    assert headline(run_comparison(folders["weak"], held, OPTIONS)) == "NO CHANGE SHOWN"


def test_the_strongest_is_the_strongest_of_those_compared(worse):
    assert lead_lines(worse)[0][1].startswith("Strongest now is sima, ")
    without = replace(worse, not_compared=(NotCompared("combined", ("pia",)),))
    assert lead_lines(without)[0][1].startswith("Strongest now of those compared (combined is not) is sima, ")


def test_headline_of_suspects(folders, worse):
    of_suspects = replace(worse, new=replace(worse.new, design="suspects"))
    assert headline(of_suspects) == "SUSPECTS STAND OUT MORE"


class TestTerminal:
    def test_says_what_got_worse_first(self, worse):
        lines = printed(worse).splitlines()
        change = next(c for c in worse.changes if (c.attack, c.mask, c.metric) == ("sima", "none", "auroc"))
        assert "LEAKS MORE" in lines[1]
        assert any("--fail-on-regression: FAIL" in line for line in lines[:16])
        assert f"{change.difference.value:+.3f}".replace("0.", ".", 1) in "".join(lines)

    def test_gates_before_and_now(self, worse):
        assert "auroc>0.7: pass -> fail" in printed(worse)

    @pytest.mark.parametrize("width", [80, 160])
    def test_every_row_fits(self, worse, width):
        assert max(len(line.rstrip()) for line in printed(worse, width).splitlines()) <= width
        assert "a_very_long_name" in printed(worse, width)

    def test_wide_terminals_get_both_intervals(self, worse):
        old = next(c for c in worse.changes if (c.attack, c.mask, c.metric) == ("sima", "none", "auroc")).old
        interval = f"{old.value:.3f} [{old.lo:.3f},{old.hi:.3f}]".replace("0.", ".")
        assert interval in printed(worse, 160)
        assert interval not in printed(worse, 80)

    def test_no_table_is_padded(self, worse):
        lines = printed(worse).splitlines()
        table = lines[lines.index("AUROC, 95 % intervals, paired") + 1 :]
        assert [line for line in table if line != line.rstrip()] == []

    def test_what_was_allowed_is_said(self, folders, tmp_path):
        seeded = write_run(tmp_path / "seeded", simulate(0.4, 5), MEMBER, config={"seed": 7})
        found = run_comparison(folders["weak"], seeded, replace(OPTIONS, allow=("seed",)))
        assert "seed: 0 -> 7 (--allow seed)" in printed(found)

    def test_control_characters_do_not_reach_it(self, folders, tmp_path):
        hostile = write_run(tmp_path / "hostile", simulate(1.2, 2), MEMBER)
        target = replace(AuditResult.load(hostile).target, id="evil\x1b[2J[red]model")
        found = run_comparison(folders["weak"], rewrite(hostile, target=target), OPTIONS)
        text = printed(found)
        assert "\x1b" not in text
        assert "\\x1b[2J[red]model" in text


class TestMarkdown:
    def test_has_the_verdict_and_a_table_a_metric(self, worse):
        text = render_comparison(worse)
        assert text.startswith("## privaudit compare: `small` → `small`: LEAKS MORE\n")
        assert "### AUROC, 95 % intervals, paired" in text
        assert "### TPR@1%FPR, without intervals of the differences" in text  # 300 non-members are too few
        assert "**worse**" in text
        assert text.endswith("\n")

    def test_every_change_has_a_row(self, worse):
        assert render_comparison(worse).count("| `sima` | ") == sum(c.attack == "sima" for c in worse.changes)

    def test_it_names_no_folder(self, worse, folders):
        assert str(folders["weak"].parent) not in render_comparison(worse)

    def test_names_are_not_alive(self, folders, tmp_path):
        hostile = write_run(tmp_path / "hostile", simulate(1.2, 2), MEMBER)
        result = AuditResult.load(hostile)
        name = "<script>alert(1)</script>|[x](http://evil)@team"
        rewrite(hostile, target=replace(result.target, id=name), checks=(Check(name, "warn", noted(name)),))
        text = render_comparison(run_comparison(folders["weak"], hostile, OPTIONS))
        rendered = markdown_html(text)
        assert "<script>" not in rendered
        assert 'href="http://evil"' not in rendered

    def test_it_stays_short(self, folders, worse):
        many = tuple(replace(c, attack=f"{c.attack}{n}") for n in range(200) for c in worse.changes)
        text = render_comparison(replace(worse, changes=many))
        assert len(text.encode()) < 100_000
        assert "more in" in text


def markdown_html(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
