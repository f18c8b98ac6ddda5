"""What an auditor asks a result for."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from results import make_exemplars, make_result, noted, with_hostile_names

import privaudit
from privaudit.errors import ConfigError, ResultError
from privaudit.evaluation import Check
from privaudit.report.frames import TABLES
from privaudit.report.notebook import render_notebook
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.overall import answer
from privaudit.results.audit_result import AuditResult

KINDS = ("metrics", *TABLES)


@pytest.fixture(scope="module")
def result():
    return make_result(
        images=400,
        gates=("auroc>0.6", "tpr@1%fpr>0.9"),
        groups=("cats", "dogs"),
        checks=(Check("sample size", "warn", noted("few")),),
    )


class TestFrame:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_is_a_table_without_nameless_columns(self, result, kind):
        table = result.frame(kind)
        assert isinstance(table, pd.DataFrame)
        assert len(table) > 0
        assert all(isinstance(column, str) and column for column in table.columns)
        assert table.columns.is_unique
        assert table.index.tolist() == list(range(len(table)))

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "metrics"])
    def test_a_table_without_rows_has_all_columns(self, result, kind):
        nothing = replace(result, attacks=(), checks=(), verdict=replace(result.verdict, gates=()))
        assert result.frame(kind).columns.tolist() == nothing.frame(kind).columns.tolist()
        assert len(nothing.frame(kind)) == 0

    def test_metrics_are_those_of_the_report(self, result):
        table = result.frame().set_index(["attack", "mask"])
        for report in result.attacks:
            for mask, metrics in report.masks.items():
                row = table.loc[(report.name, mask)]
                assert (row["auroc"], row["auroc_lo"]) == (metrics.auroc.value, metrics.auroc.lo)
                assert row["tpr@0.01"] == metrics.tpr_at_fpr["0.01"].value

    def test_comparisons_say_what_is_compared_with_what(self, result):
        table = result.frame("comparisons").set_index(["attack", "mask"])
        sima, combined = result.attacks[0], result.attacks[-1]
        weighted, learned = table.loc[("sima", "weighted")], table.loc[("combined", "none")]
        assert weighted["tpr_gain_p"] == sima.weighted_vs_none.tpr_delta.p
        assert (weighted["baseline_attack"], weighted["baseline_mask"]) == ("sima", "none")
        assert (learned["baseline_attack"], learned["baseline_mask"]) == (combined.best_published, "none")
        assert learned["auroc_gain"] == combined.versus_published.auroc_delta.value
        assert len(table) == 3 * 2 + 1

    def test_quartiles_levels_and_groups(self, result):
        sima = result.attacks[0]
        quartiles = result.frame("quartiles").query("attack == 'sima'")
        assert quartiles["quartile"].tolist() == [1, 2, 3, 4]
        assert quartiles["auroc"].tolist() == [stratum.auroc.value for stratum in sima.distortion_quartiles]
        levels = result.frame("levels").query("attack == 'sima' and mask == 'random'")
        assert levels["auroc_hi"].tolist() == [level.auroc["random"].hi for level in sima.levels]
        groups = result.frame("groups").query("attack == 'sima'")
        assert groups["group"].tolist() == ["cats", "dogs"]
        assert groups["tpr"].tolist() == pytest.approx([group.tpr.value for group in sima.groups], nan_ok=True)

    def test_a_group_whose_rate_is_not_resolved_has_none(self, result):
        sima = result.attacks[0]
        groups = (replace(sima.groups[0], tpr=None), *sima.groups[1:])
        table = replace(result, attacks=(replace(sima, groups=groups),)).frame("groups")
        assert np.isnan(table["tpr"][0])

    def test_curves_and_histograms(self, result):
        sima = result.attacks[0]
        curve = result.frame("curves").query("attack == 'sima' and mask == 'none'")
        assert curve["fpr"].tolist() == list(sima.curves["none"].fpr)
        assert curve["tpr_hi"].tolist() == pytest.approx(sima.curves["none"].hi, nan_ok=True)
        bins = result.frame("histograms").query("attack == 'sima' and mask == 'none'")
        assert bins["lower"].tolist() == list(sima.histograms["none"].edges[:-1])
        assert (bins["members"].sum(), bins["nonmembers"].sum()) == (400, 400)

    def test_checks_and_gates(self, result):
        assert result.frame("checks")["status"].tolist() == ["ok", "warn"]
        gates = result.frame("gates")
        assert gates["gate"].tolist() == ["auroc>0.6", "tpr@1%fpr>0.9"]
        assert gates["status"].tolist() == [outcome.status for outcome in result.verdict.gates]

    def test_an_unknown_kind(self, result):
        with pytest.raises(ResultError, match=r"a kind of table \(metrics, comparisons, .*gates\), got 'metric'"):
            result.frame("metric")


class TestSave:
    def test_json_reads_back_exactly(self, result, tmp_path):
        assert result.save(tmp_path) == tmp_path / "report.json"
        assert result.save(str(tmp_path / "mine.json")) == tmp_path / "mine.json"
        for place in (tmp_path, str(tmp_path / "mine.json")):
            assert AuditResult.load(place).to_json() == result.to_json()

    def test_the_name_says_which_format(self, result, tmp_path):
        made = result.save(tmp_path / "numbers.csv")
        assert len(pd.read_csv(made)) == len(result.frame())
        assert result.save(tmp_path / "page.html").read_text() == result.to_html()

    def test_exemplars_are_shown_where_they_are_given(self, result, tmp_path):
        exemplars = make_exemplars("cat.png")
        page = result.save(tmp_path / "page.html", exemplars).read_text()
        assert "cat.png" in page
        assert "cat.png" not in result.to_html()

    def test_an_unknown_format(self, result, tmp_path):
        with pytest.raises(ConfigError):
            result.save(tmp_path / "report.docx")
        assert list(tmp_path.iterdir()) == []


class Reader(HTMLParser):
    """Tags that are open, all tags, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


class TestNotebook:
    def test_shows_verdict_numbers_gates_and_what_is_not_ok(self, result):
        text = read(result._repr_html_()).text
        metrics = result.attacks[0].masks["none"]
        assert statement(result) in text
        assert answer(result) in text
        assert f"{metrics.auroc.value:.3f}".lstrip("0") in text
        for gate in result.verdict.gates:
            assert f"gate {gate.gate}: {gate.status.upper()}" in text
        assert "check sample size: warn" in text
        assert "blind baseline" not in text

    def test_names_do_nothing(self, result):
        hostile = with_hostile_names(result, "<script>alert(1)</script>\x1b[31m</div>\u202e")
        html = render_notebook(hostile)
        assert "script" not in read(html).tags
        assert "\x1b" not in html
        assert "\u202e" not in html

    def test_is_small_whatever_there_is(self):
        many = make_result(images=50, attacks=tuple(f"attack{number}" for number in range(30)))
        text = read(many._repr_html_()).text
        assert "attack19" in text
        assert "attack20" not in text
        assert "11 more: .frame()" in text

    def test_takes_the_notebooks_colours(self, result):
        """A dark page is dark: no text and no background of its own but the edge of the box."""
        html = result._repr_html_()
        assert "<style" not in html
        assert set(re.findall(r"(?<![-\w])(?:color|background):([^;\"]+)", html)) == {"inherit", "none"}

    def test_what_could_not_be_measured_is_no_number(self):
        text = read(make_result(images=20)._repr_html_()).text
        assert "n/a" in text
        assert "nan" not in text.lower().replace("finance", "")


class TestText:
    def test_a_result_is_one_line(self, result):
        text = repr(result)
        assert "\n" not in text
        assert len(text) < 300
        assert "sima" in text
        assert f"finding='{result.verdict.finding.level}'" in text
        assert str(result) == text

    def test_results_are_still_compared_by_value(self, result):
        assert replace(result) == result
        assert replace(result, created="later") != result


def test_every_public_name_is_there():
    for name in privaudit.__all__:
        assert getattr(privaudit, name) is not None
    assert set(privaudit.__all__) <= set(dir(privaudit))
    with pytest.raises(AttributeError, match="no attribute 'aduit'"):
        _ = privaudit.aduit


def test_a_saved_result_needs_no_torch(result, tmp_path):
    result.save(tmp_path)
    code = (
        "import sys, privaudit; result = privaudit.AuditResult.load(sys.argv[1]); result.frame(); result.plot.roc();"
        "result._repr_html_(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
