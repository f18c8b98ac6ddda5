"""Names and captions come from users: whatever they hold, no format runs it, and every file still parses.

Each format is compared with the same report under a plain name: the hostile one may differ in its texts alone, never in
its elements, links, columns or rules.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from results import make_exemplars, make_failure, make_result, noted, with_hostile_names
from rich.console import Console

from privaudit.compare import CompareOptions, ComparisonResult, run_comparison
from privaudit.escape import csv_cell, csv_text, encodable, escape_control, markdown, markdown_code
from privaudit.report.comparison_markdown import render_comparison
from privaudit.report.formats import FORMATS, Report
from privaudit.report.terminal.comparison_summary import print_comparison
from privaudit.report.terminal.summary import print_failure, print_report
from privaudit.results.audit_result import AuditResult, read_report
from privaudit.results.data_report import SkippedReport

HOSTILE = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": "\"' onmouseover=alert(1) x='\"><svg onload=alert(1)></title></style>",
    "comment": "<!-- --><![CDATA[ x ]]>&lt;b&gt;&#60;b&#62;",
    "link": "[click](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example> [a]: https://e.vil",
    "autolink": "https://evil.example www.evil.example a.b@evil.example ftp://evil.example mailto:x@evil.example",
    "mention": "@everyone (@team/x) #1 user/repo#2 GH-3 !4 :tada: :+1:",
    "emphasis": "**b** __c__ ~~d~~ `e` $f$ *g* <b>h</b>",
    "table": "| a | b |\\| c \\\\| d",
    "heading": "# heading",
    "blocks": "x\n\n# heading\n\n- list\n\n| a | b |\n|---|---|\n\n```\nfence\n```\n\n---\n",
    "list": "1. one",
    "backticks": "``a` b``` c\\`",
    "ansi": "\x1b[2J\x1b]8;;https://evil.example\x07click\x1b]8;;\x07\x1b[31mred\x9b31m\x08\x07",
    "formula": '=HYPERLINK("https://evil.example","x")',
    "formula in full width": "＝1+1",
    "formula after a space": " \t=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(1)",
    "xml": "a\x00b\x01\x0b\x1f\ufffe\uffff]]><x/>&amp;",
    "bidi": "safe\u202egnp.exe\u2066x\u2069\u200b\u200e\ufeff\U000e0041",
    "lines": "a\r\nb\u2028c\u2029d\x85e\x0cf",
    "surrogates": "caf\udce9\ud800",
    "rich": "[red]x[/red] [link=https://evil.example]y[/link] [/]",
    "template": "{{ 7*7 }} {% raw %} ${x} %s {0} {",
    "yaml": "a: b # c\n- d: !!python/object 1\n---\n'\"",
    "comma": "a,b;c\td\"e'\nf",
    "empty": "",
    "long": "x<b>" * 5000,
}
PLAIN = "plain"
GATES = ("tpr@1%fpr>0.05", "auroc>0.99", "tpr@0.1%fpr>0.1")
RESULT = make_result(gates=GATES, groups=("one", "two"))


def hostile(name: str) -> AuditResult:
    """A result with the name wherever a text of someone else can stand."""
    result = with_hostile_names(RESULT, name)
    # Names of files and folders are left out or cut before anything is escaped: they must not be the name itself, or
    # nothing of it would be left to escape.
    places = {key: f"{key} {name}" for key in ("target", "members", "nonmembers", "reference")}
    skipped = (SkippedReport(f"{name}.png", f"cannot be read: {name}"),)
    first, *others = result.attacks
    verdict = result.verdict
    quoted = [
        replace(test, attack=name if test.attack == first.name else test.attack) for test in verdict.gates[0].tests
    ]
    gates = (
        replace(verdict.gates[0], gate=f"{name}>0.1", reason=noted(name)[0], tests=tuple(quoted)),
        *verdict.gates[1:],
    )
    return replace(
        result,
        target=replace(result.target, id=places["target"]),
        config={**result.config, **places},
        data=replace(result.data, skipped=skipped),
        attacks=(replace(first, name=name, learners=(name,), reference=name), *others),
        checks=(*result.checks, replace(result.checks[0], name=name or "empty", status="fail")),
        hardware={**result.hardware, "name": name, "device": name},
        verdict=replace(
            verdict,
            gates=gates,
            finding=replace(verdict.finding, reason=noted(f"by {name}: {name}")[0], attack=name, mask="none"),
        ),
    )


def failed(name: str) -> Report:
    return replace(make_failure(name, f"expected {name}, got {name}", kind="DataError"), target=f"models {name}")


@cache
def both(name: str) -> tuple[Report, ...]:
    return hostile(name), failed(name)


def rendered(form: str, report: Report) -> str:
    plain = [place for place, one in enumerate(both(PLAIN)) if one is report]
    return rendered_plain(form, plain[0]) if plain else content(form, report)


@cache
def rendered_plain(form: str, place: int) -> str:
    return content(form, both(PLAIN)[place])


def content(form: str, report: Report) -> str:
    name = report.target if isinstance(report.target, str) else report.target.id
    return FORMATS[form].encoded(report, make_exemplars(f"{name}.png")).decode()


def acting(text: str, allowed: str = "\n") -> list[str]:
    """Characters that do something to whoever shows the text."""
    return [
        c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in f"{allowed}\u200b"
    ]


names = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "parquet"])
def test_names_reach_the_formats(form: str) -> None:
    """Otherwise the tests below would look at nothing."""
    for report in both(HOSTILE["html"]):
        assert "alert(1)" in rendered(form, report)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.attributes: Counter[tuple[str, str]] = Counter()
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.update((tag, name) for name, _ in attrs)
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


PAGES = [name for name in HOSTILE.values() if name]


@pytest.mark.parametrize("start", range(4))
def test_html(start: int) -> None:
    """A page takes seconds, so each holds several names, one after the other."""
    name = " ".join(PAGES[start::4])
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        check_page(Page(rendered("html", report)), Page(rendered("html", plain)))


def check_page(page: Page, expected: Page) -> None:
    """Nothing on a page is alive that is not on the plain one."""
    for tag in {"script", "img", "svg", "a", "style", "iframe", "object", "link", "meta", "form", "base"}:
        assert page.elements[tag] == expected.elements[tag], tag
    assert set(page.elements) == set(expected.elements)
    assert not [attribute for _, attribute in page.attributes if attribute.startswith("on")]
    assert not acting("".join(page.texts), "\n\t")


GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": True})


def parse_markdown(text: str) -> list:
    """As GitHub does: tables, strikethrough, HTML, and addresses that nobody marked as links."""
    tokens = GITHUB.parse(text)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


STRUCTURE = ("heading_open", "table_open", "tr_open", "td_open", "th_open", "bullet_list_open", "list_item_open")


@names
@pytest.mark.parametrize("form", ["md", "card"])
def test_markdown(form: str, name: str) -> None:
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        check_markdown(body(rendered(form, report)), body(rendered(form, plain)))


def check_markdown(text: str, plain: str) -> None:
    """Nothing in a text is alive that is not in the plain one."""
    tokens, expected = parse_markdown(text), parse_markdown(plain)
    found, wanted = (Counter(token.type for token in one) for one in (tokens, expected))
    assert {kind: found[kind] for kind in STRUCTURE} == {kind: wanted[kind] for kind in STRUCTURE}
    assert set(found) <= {*wanted, "text_special"}, "no link, image, HTML, fence or quote"
    assert found["strong_open"] == wanted["strong_open"]
    for line in (token.children for token in tokens if token.children):
        check_prose("".join(token.content if token.type in ("text", "text_special") else " " for token in line))


def body(text: str) -> str:
    """Without the front matter of a model card."""
    if not text.startswith("---\n"):
        return text
    _, front, rest = text.split("\n---\n", 1)[0], *text[4:].split("\n---\n", 1)
    assert yaml.safe_load(front).keys() == {"model-index"}
    return rest


def check_prose(text: str) -> None:
    """What sites look for in finished text."""
    assert not acting(text)
    assert not LinkifyIt().match(text), LinkifyIt().match(text)
    assert not re.search(r"(?<!\w)@\w|#\d|GH-\d|(?<!\w)![0-9]|(?<!\w):[\w+-]+:", text)


@names
def test_markdown_alone(name: str) -> None:
    """The two functions that every Markdown goes through, at every place where they are put."""
    for written in (markdown(name), markdown_code(name)):
        for text, kinds in (
            (f"{written}", {"paragraph_open", "paragraph_close"}),
            (f"- {written}", {"bullet_list_open", "list_item_open", "list_item_close", "bullet_list_close"}),
            (f"## {written}", {"heading_open", "heading_close"}),
            (f"| a |\n|---|\n| {written} |", {"table_open", "td_open"}),
        ):
            tokens = parse_markdown(text)
            found = Counter(token.type for token in tokens)
            assert kinds <= set(found) or not written
            assert found["td_open"] == ("table_open" in kinds)
            assert not {
                "link_open",
                "image",
                "html_inline",
                "html_block",
                "fence",
                "em_open",
                "strong_open",
                "s_open",
            } & set(found)
            for line in (token.children for token in tokens if token.children):
                check_prose("".join(token.content if token.type in ("text", "text_special") else " " for token in line))
            shown = "".join(token.content for token in tokens if token.type in ("text", "text_special", "code_inline"))
            shown = without_spaces(shown.replace("\u200b", ""))
            assert shown.endswith((without_spaces(name), without_spaces(escape_control(name)))) or not name.strip()


def without_spaces(text: str) -> str:
    """Markdown may join spaces."""
    return re.sub(r"\s+", "", escape_control(text, keep="\r\n\t"))


@names
def test_junit(name: str) -> None:
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        root, expected = (ET.fromstring(rendered("junit", one).encode()) for one in (report, plain))
        assert [element.tag for element in root.iter()] == [element.tag for element in expected.iter()]
        texts = [text for element in root.iter() for text in (element.text or "", *element.attrib.values())]
        assert not acting("".join(texts))


@names
def test_sarif(name: str) -> None:
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        text = rendered("sarif", report)
        assert text.isascii()
        (run,), (expected,) = json.loads(text)["runs"], json.loads(rendered("sarif", plain))["runs"]
        assert len(run["results"]) == len(expected["results"])
        assert all(re.fullmatch(r"privaudit/[a-z0-9-]+", item["ruleId"]) for item in run["results"])
        for message in messages(run):
            assert "](" not in message
            assert not re.search(r"\{\d+\}", message)
            assert not acting(message)


def messages(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["text"]] if isinstance(value.get("text"), str) else []
        value = [item for key, item in value.items() if key != "properties"]  # for programs: no viewer shows them
    if isinstance(value, list):
        for item in value:
            yield from messages(item)


@names
def test_csv(name: str) -> None:
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        rows, expected = (list(csv.reader(io.StringIO(rendered("csv", one)))) for one in (report, plain))
        assert [len(row) for row in rows] == [len(row) for row in expected]
        check_cells(rows)


def check_cells(rows: list[list[str]]) -> None:
    for cell in (cell for row in rows for cell in row):
        assert not acting(cell, "")
        try:
            float(cell)
        except ValueError:
            assert not re.match(r"\s*[=+\-@＝＋－＠\t\r]", cell)


@names
def test_any_table_as_csv(name: str) -> None:
    columns = {"path": [name, "a"], encodable(name) or "b": [-1.5, 2.0], "label": [None, name], "flag": [True, False]}
    frame = pd.DataFrame(columns, dtype=object)
    rows = list(csv.reader(io.StringIO(csv_text(frame))))
    assert [len(row) for row in rows] == [4, 4, 4]
    assert [row[1] for row in rows[1:]] == ["-1.5", "2.0"]
    check_cells(rows)


def test_numbers_are_no_formulas() -> None:
    assert [csv_cell(value) for value in (-1.5, -2, None, True)] == [-1.5, -2, None, True]


@names
def test_parquet(name: str) -> None:
    for report, plain in zip(both(name), both(PLAIN), strict=True):
        frame, expected = (pd.read_parquet(io.BytesIO(FORMATS["parquet"].encoded(one))) for one in (report, plain))
        assert frame.shape == expected.shape
        assert list(frame.dtypes) == list(expected.dtypes)


@names
def test_json_is_exact_and_plain(name: str) -> None:
    for report in both(name):
        text = rendered("json", report)
        assert text.isascii()
        assert not acting(text)
        assert read_report(text).to_json() == text


@names
def test_terminal(name: str) -> None:
    """Whatever reaches a terminal beside the text are the colours of rich; whatever reaches a pipe is text."""
    for report in both(name):
        for terminal in (True, False):
            out = io.StringIO()
            console = Console(file=out, force_terminal=terminal, width=100, highlight=False, legacy_windows=False)
            if isinstance(report, AuditResult):
                print_report(report, Path("runs/x"), console)
            else:
                print_failure(report, (), console)
            shown = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) if terminal else out.getvalue()
            assert not acting(shown)
            assert "\x1b]8" not in out.getvalue()


def compared(label: str, folder: Path) -> ComparisonResult:
    """Compare two runs that somebody else may have written."""
    made = hostile(label)  # a comparison refuses gates that it cannot read
    made = replace(made, verdict=replace(made.verdict, gates=RESULT.verdict.gates))
    runs = [folder / f"{which} {label == PLAIN}" for which in ("old", "new")]
    for run, result in zip(runs, (made, replace(made, checks=RESULT.checks)), strict=True):
        run.mkdir()
        (run / "report.json").write_text(result.to_json())
    return run_comparison(*runs, CompareOptions(allow=("all",)))


@names
def test_comparison(name: str, tmp_path: Path) -> None:
    """On the terminal, in Markdown and as JSON."""
    texts = {}
    for label in (name, PLAIN):
        found = compared(label, tmp_path)
        assert found.to_json().isascii()
        out = io.StringIO()
        print_comparison(found, Console(file=out, width=100, highlight=False))
        assert not acting(out.getvalue())
        texts[label] = render_comparison(found)
    check_markdown(texts[name], texts[PLAIN])


@pytest.mark.parametrize("start", range(4))
def test_page_of_a_comparison(start: int, tmp_path: Path) -> None:
    name = " ".join(PAGES[start::4])
    check_page(*(Page(compared(label, tmp_path).to_html()) for label in (name, PLAIN)))


@names
def test_notebook(name: str) -> None:
    page, expected = (Page(hostile(label)._repr_html_()) for label in (name, PLAIN))
    assert page.elements == expected.elements
    assert page.attributes == expected.attributes
    assert not acting("".join(page.texts), "\n\t")
