"""The files of a model in every form of the report: what was merged, what was left out, what headers say."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from markup import read_page
from results import make_result, with_model_files
from rich.console import Console

from privaudit.auditing.assess.model_checks import model_file_checks
from privaudit.report.formats import FORMATS
from privaudit.report.html import render_html
from privaudit.report.notebook import render_notebook
from privaudit.report.sentences.model_text import file_lines, header_lines, unmerged_line
from privaudit.report.terminal.summary import print_report

RESULT = with_model_files(make_result(strength=0.0), "fine")
RESULT = replace(RESULT, checks=(*RESULT.checks, *model_file_checks(RESULT.target.files)))
(HEADER,) = header_lines(RESULT.target.files)
UNMERGED = unmerged_line(RESULT.target)


def terminal() -> str:
    stream = io.StringIO()
    print_report(RESULT, Path("run"), Console(file=stream, width=400))
    return " ".join(stream.getvalue().replace("│", " ").split())


def words(html: str) -> str:
    return " ".join(read_page(html).text.split())


@pytest.mark.parametrize("form", ["html", "md", "card", "junit", "notebook", "terminal"])
def test_a_header_and_an_adapter_that_was_left_out_are_told_with_the_finding(form):
    shown = {"terminal": terminal, "notebook": lambda: words(render_notebook(RESULT))}
    text = shown[form]() if form in shown else FORMATS[form].encoded(RESULT).decode().replace("\\", "")
    assert HEADER in text
    assert UNMERGED in text


@pytest.mark.parametrize("form", ["html", "md", "terminal"])
def test_every_file_is_listed(form):
    text = terminal() if form == "terminal" else FORMATS[form].encoded(RESULT).decode()
    plain = text.replace("\\", "").replace("&lt;", "<").replace("&gt;", ">").replace("`", "")
    lines = file_lines(RESULT)
    assert len(lines) == 4
    for name, about in lines:
        assert name in plain
        assert about in plain
    assert "errors minus those of the same model without its LoRA" in plain or form == "html"


def test_the_page_has_a_table_of_files_and_of_what_lay_next_to_them():
    text = words(render_html(RESULT))
    assert "Files of the model" in text
    assert "not audited: an adapter in the folder" in text
    assert "--reference the same model without its LoRA and embeddings" in text
    assert "Files of the model" not in words(render_html(make_result()))


def test_a_header_is_a_result_of_code_scanning():
    (run,) = json.loads(FORMATS["sarif"].encoded(RESULT))["runs"]
    levels = {item["ruleId"]: item["level"] for item in run["results"]}
    assert levels == {"privaudit/finding-header": "warning", "privaudit/check-model-files": "note"}
    assert "5_fine" not in json.dumps(run)


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "json"])
def test_what_a_header_says_leaves_the_machine_in_no_form(form):
    assert b"5_fine" not in FORMATS[form].encoded(RESULT)
    assert b"5_fine" in FORMATS["json"].encoded(RESULT)
