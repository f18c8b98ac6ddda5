"""The page of a comparison: every number and sentence, no folder, and fit for every reader in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, screenshot_folder, visiting
from markup import Element, read_page
from runs import labels, write_run

from privaudit.compare import CompareOptions, ComparisonResult, run_comparison
from privaudit.compare.comparison import Mismatch
from privaudit.evaluation import Check
from privaudit.evaluation.facts import fact
from privaudit.report.html.comparison_page import MAX_DRAWN, render_comparison_html
from privaudit.report.numbers import PAGE
from privaudit.report.sentences import comparison_text as text

MEMBER = labels(400)
PHONE = {"width": 390, "height": 844}
MASKS = ("none", "random", "influence", "weighted")


def simulate(strength: float, noise: int, loss: float = 0.6) -> dict[tuple[str, str], np.ndarray]:
    of_images, own = np.random.default_rng(7).normal(size=len(MEMBER)), np.random.default_rng(noise)
    return {
        (attack, mask): of_images + 0.4 * own.normal(size=len(MEMBER)) + shift * MEMBER
        for attack, shift in (("sima", strength), ("loss", loss), ("a_very_long_name_of_an_attack", 0.5))
        for mask in MASKS
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ComparisonResult]:
    root = tmp_path_factory.mktemp("secret-folder")
    gates = ("auroc>0.7", "tpr@10%fpr>0.5")
    failed = (Check("blind baseline", "fail", (fact("blind_not_measured"),)),)
    weak = write_run(root / "weak", simulate(0.4, 1), MEMBER, gates=gates)
    strong = write_run(root / "strong", simulate(1.2, 2, 0.2), MEMBER, gates=gates, model="f" * 32)
    calm = write_run(root / "calm", simulate(0.1, 4, 0.2), MEMBER, gates=gates)
    broken = write_run(root / "broken", simulate(1.2, 3), MEMBER, checks=failed, config={"seed": 3})
    options = CompareOptions(fail_on_regression=True, replicates=400, allow=("seed",))
    pairs = {"worse": (weak, strong), "better": (strong, calm), "neutral": (weak, weak), "inconclusive": (weak, broken)}
    return {name: run_comparison(*pair, options) for name, pair in pairs.items()}


@pytest.fixture(scope="module")
def texts(found: dict[str, ComparisonResult]) -> dict[str, str]:
    return {name: result.to_html() for name, result in found.items()}


@pytest.fixture(scope="module")
def pages(texts: dict[str, str]) -> dict[str, Element]:
    return {name: read_page(page) for name, page in texts.items()}


NAMES = ("worse", "better", "neutral", "inconclusive")
every = pytest.mark.parametrize("name", NAMES)


def tables(page: Element) -> list[Element]:
    return [table for table in page.all("table") if "data-sortable" in table.attributes]


@every
def test_the_headline_has_the_tone_of_what_came_out(found, pages, name):
    (first,) = [part for part in pages[name].all("section") if "first" in (part.attributes["class"] or "")]
    assert first.attributes["class"] == f"first level-{name}"
    assert pages[name].one("finding").text.upper() == text.headline(found[name])
    assert {"worse": "LEAKS MORE", "better": "LEAKS LESS"}.get(name, "") in text.headline(found[name])


@every
def test_every_sentence_of_a_comparison_stands_on_it(found, pages, name):
    shown = " ".join(pages[name].text.split())
    lines = [line for _, line in (*text.lead_lines(found[name], PAGE), *text.what_differs(found[name], PAGE))]
    for line in (*lines, *text.note_lines(found[name]), text.pairing_text(found[name]), text.exit_text(found[name])):
        assert " ".join(line.split()) in shown


@every
def test_every_change_has_a_row_with_its_numbers(found, pages, name):
    for metric, table in zip(text.metrics_of(found[name].changes), tables(pages[name]), strict=True):
        rows = table.all("tbody")[0].all("tr")
        for change, row in zip(text.worst_first(found[name], metric), rows, strict=True):
            cells = [cell.text for cell in row.all("th", "td")]
            assert cells[0] == change.attack
            assert PAGE.number(change.old.value) in cells[2]
            assert PAGE.number(change.new.value) in cells[3]
            assert PAGE.number(change.difference.value, signed=True) in cells[4]
            assert PAGE.p_value(change.difference.p).replace("\xa0", " ") in cells[5]
            assert cells[6].lstrip("▲▼ ") == text.SHOWN[change.direction]


def test_what_is_worse_comes_first_and_is_marked_by_more_than_colour(pages):
    rows = tables(pages["worse"])[0].all("tbody")[0].all("tr")
    marks = [row.all("td")[-1].text for row in rows]
    assert marks == sorted(marks, key=["▲ worse", "▼ better", "neither", "not tested"].index)
    assert {"▲ worse", "▼ better"} <= set(marks)


def test_findings_verdicts_and_gates_before_and_after(found, pages):
    result, (first, *_) = found["worse"], pages["worse"].all("section")
    assert f"Finding{result.old.level} → {result.new.level}" in first.text
    assert "pass" in first.text
    assert "✓ pass → ✕ fail auroc>0.7" in first.text
    other = pages["inconclusive"].all("section")[0].text
    assert "→ not set auroc>0.7" in other


def test_differences_are_drawn_and_described(found, pages):
    plots = [svg for svg in pages["worse"].all("svg") if svg.attributes.get("class") == "plot"]
    metrics = [metric for metric in text.metrics_of(found["worse"].changes) if text.measured(found["worse"], metric)]
    assert len(plots) == len(metrics) == 3  # AUROC, TPR at 1 % and at 10 %
    for metric, plot in zip(metrics, plots, strict=True):
        assert plot.attributes["role"] == "img"
        assert plot.all("desc")[0].text == " ".join(text.plot_text(found["worse"], metric, PAGE).split())
        assert {"sima", "a_very_…attack, influence mask"} <= {label.text for label in plot.all("text")}
    shades = {shade for element in plots[0].all() for shade in (element.attributes.get("class") or "").split()}
    assert {"s-cycle-1", "s-cycle-2", "s-none", "s-random"} <= shades  # worse, better, neither, the control


def test_without_intervals_nothing_is_drawn(found):
    lost = [
        replace(change, difference=replace(change.difference, lo=float("nan"), hi=float("nan")))
        for change in found["worse"].changes
    ]
    page = read_page(render_comparison_html(replace(found["worse"], changes=tuple(lost))))
    assert not [svg for svg in page.all("svg") if svg.attributes.get("class") == "plot"]
    assert len(tables(page)) == 3


def test_a_plot_has_an_end(found):
    many = tuple(
        replace(change, attack=f"{change.attack}{number}")
        for number in range(5)
        for change in found["worse"].changes
        if change.metric == "auroc"
    )
    page = read_page(render_comparison_html(replace(found["worse"], changes=many)))
    assert f"The first {MAX_DRAWN} of {len(many)} rows are drawn; the table has all." in page.text
    assert len(tables(page)[0].all("tbody")[0].all("tr")) == len(many)


def test_a_comparison_of_nothing_has_a_page(found):
    reasons = (fact("nothing_in_common"),)
    verdict = replace(found["worse"].verdict, status="inconclusive", reasons=reasons)
    page = read_page(render_comparison_html(replace(found["worse"], changes=(), tests=0, gates=(), verdict=verdict)))
    assert page.one("finding").text == "Inconclusive"


@every
def test_it_names_no_folder(texts, name):
    assert "secret-folder" not in texts[name]


def test_a_reference_model_loses_its_folder(found):
    allowed = (Mismatch("reference", "reference", "/home/alice/base", r"C:\models\bob\tuned"),)
    page = render_comparison_html(replace(found["worse"], allowed=allowed))
    assert "reference: base → tuned (--allow reference)" in page
    assert not re.search(r"alice|bob", page)


@every
def test_it_is_one_file_that_may_load_nothing(texts, pages, name):
    page = pages[name]
    (policy,) = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    assert policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", texts[name], flags=re.DOTALL)
        assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy
    assert not [element for element in page.all() if {"src", "style"} & element.attributes.keys()]
    named = set(re.findall(r"\w+://[^\s\"'<)]+", texts[name]))
    assert named <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names of kinds of elements


@every
def test_identifiers_links_and_headings_fit_together(pages, name):
    page = pages[name]
    identifiers = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {link.attributes["href"] for link in page.all("a")} <= {f"#{identifier}" for identifier in identifiers}
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(levels, levels[1:], strict=False))


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def files(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, page in texts.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return screenshot_folder(tmp_path_factory.mktemp("screenshots"))


class TestBrowser:
    @every
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_renders_offline_and_axe_finds_nothing(self, browser, files, screenshots, name, scheme):
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra test)")
        with visiting(browser, files[name], color_scheme=scheme) as visit:
            visit.page.screenshot(path=screenshots / f"comparison-{name}-{scheme}.png", full_page=True)
            assert visit.requests == [files[name].as_uri()]
            assert visit.errors == []
            response = axe.Axe().run(visit.page).response
        assert len(response["passes"]) > 15  # it has looked
        assert [(problem["id"], problem["nodes"][0]["html"]) for problem in response["violations"]] == []

    def test_colours_follow_the_scheme(self, browser, files):
        seen = {}
        for scheme in ("light", "dark"):
            with visiting(browser, files["worse"], color_scheme=scheme) as visit:
                seen[scheme] = visit.page.evaluate(
                    "['.verdict h2', '.badge-worse', '.plot .s-cycle-1'].map(name =>"
                    " { const style = getComputedStyle(document.querySelector(name));"
                    " return style.color + style.stroke })"
                )
        assert all(light != dark for light, dark in zip(seen["light"], seen["dark"], strict=True))

    @every
    def test_nothing_is_wider_than_a_phone(self, browser, files, screenshots, name):
        with visiting(browser, files[name], **PHONE) as visit:
            visit.page.screenshot(path=screenshots / f"comparison-{name}-phone.png", full_page=True)
            assert visit.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
            sizes = visit.page.evaluate(
                "[...document.querySelectorAll('.plot')].map(plot =>"
                " 10 * plot.getBoundingClientRect().width / plot.viewBox.baseVal.width)"
            )
            assert min(sizes) > 9

    def test_a_table_is_sorted_from_the_keyboard(self, browser, files):
        with visiting(browser, files["worse"]) as visit:
            head = visit.page.locator("#part-differences-0 thead th").nth(4)
            head.locator("button").focus()
            visit.page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == "descending"
            cells = visit.page.locator("#part-differences-0 tbody tr td:nth-child(5) .value").all_inner_texts()
            values = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in cells]
            assert values == sorted(values, reverse=True)

    def test_it_can_be_printed(self, browser, files, screenshots):
        with visiting(browser, files["worse"], color_scheme="dark", width=703) as visit:
            visit.page.emulate_media(media="print", color_scheme="dark")
            assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            cut = visit.page.evaluate(
                "[...document.querySelectorAll('table')].filter(table => table.getBoundingClientRect().right >"
                " document.documentElement.clientWidth + 1).length"
            )
            assert cut == 0
            visit.page.pdf(path=screenshots / "comparison.pdf", prefer_css_page_size=True, print_background=True)
            assert (screenshots / "comparison.pdf").read_bytes().startswith(b"%PDF")
