"""The HTML page in a real browser: offline, without errors, for every reader."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from browser import chromium, screenshot_folder, visiting
from results import NAMES, SUSPECTS, make_exemplars, make_failure, make_result, noted

from privaudit.evaluation import Check, Estimate
from privaudit.report.html import render_html, render_html_failure
from privaudit.report.html.page_table import MAX_PRINTED

PHONE = {"width": 390, "height": 844}
SERIOUS = ("serious", "critical")


def with_a_gap():
    """One AUROC could not be measured, the others could."""
    result = make_result()
    report = result.attacks[0]
    lost = replace(report.masks["random"], auroc=Estimate(math.nan, math.nan, math.nan, noted("too few images")[0]))
    first = replace(report, masks={**report.masks, "random": lost})
    return replace(result, attacks=(first, *result.attacks[1:]))


def as_large_as_the_demo():
    """Two attacks and two gates more than `privaudit demo` has, and as many checks."""
    said = "1100 members and 1100 non-members; at 1 % the rate rests on 11 false positives, 10000 would do " * 2
    names = ("sample size", "duplicates", "file properties", "unreadable files", "convergence", "non-finite values")
    checks = tuple(Check(name, "warn" if place < 2 else "ok", noted(said)) for place, name in enumerate(names))
    return make_result(attacks=NAMES[:6], checks=checks, gates=("tpr@1%fpr>0.05", "auroc>0.98"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    leak = make_result(strength=1.5, gates=("tpr@1%fpr>0.05", "auroc>0.98"), groups=("clinic", "street"))
    suspects = replace(leak, data=replace(leak.data, design="suspects"), suspects=SUSPECTS)
    texts = {
        "report": render_html(leak),
        "demo": render_html(as_large_as_the_demo()),
        "suspects": render_html(suspects),
        "none": render_html(make_result(strength=0.0)),
        "few": render_html(make_result(images=12)),
        "gap": render_html(with_a_gap()),
        "images": render_html(make_result(), make_exemplars("a.png", "a-name-that-is-very-long" * 9)),
        "failure": render_html_failure(make_failure("expected a model folder at small, found none")),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory) -> Path:
    return screenshot_folder(tmp_path_factory.mktemp("screenshots"))


def wide(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("name", ["report", "none", "few", "images", "failure"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_renders_offline_and_asks_for_nothing_but_itself(browser, pages, screenshots, name, scheme):
    with visiting(browser, pages[name], color_scheme=scheme) as visit:
        visit.page.screenshot(path=screenshots / f"{name}-{scheme}.png", full_page=True)
        assert visit.page.locator("h1").is_visible()
        loaded = visit.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        outside = [url for url in (*visit.requests, *loaded) if not url.startswith("data:image/png")]
        assert outside == [pages[name].as_uri()]
        assert visit.errors == []


def test_schemes_differ_and_plots_follow_them(browser, pages):
    colours = {}
    for scheme in ("light", "dark"):
        with visiting(browser, pages["report"], color_scheme=scheme) as visit:
            colours[scheme] = visit.page.evaluate(
                "[getComputedStyle(document.body).backgroundColor,"
                " getComputedStyle(document.querySelector('.plot .f-text')).fill,"
                " getComputedStyle(document.querySelector('.plot .s-members')).stroke]"
            )
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True))


@pytest.mark.parametrize("name", ["report", "none"])
def test_the_first_screen_fits_a_small_laptop(browser, pages, name):
    with visiting(browser, pages[name]) as visit:
        assert visit.page.locator(".first").bounding_box()["height"] + 60 < 800
        visit.page.evaluate("window.scrollTo(0, 0)")
        box = visit.page.locator(".gates").bounding_box()
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("name", ["report", "few", "images", "failure"])
def test_nothing_is_wider_than_a_phone(browser, pages, screenshots, name):
    with visiting(browser, pages[name], **PHONE) as visit:
        for part in visit.page.locator("details").all():
            part.evaluate("part => { part.open = true }")
        visit.page.screenshot(path=screenshots / f"{name}-phone.png", full_page=True)
        assert wide(visit.page) == PHONE["width"]
        cut = visit.page.evaluate(
            "[...document.querySelectorAll('p, li, dd, dt, h1, h2, h3, figcaption, svg, pre')].filter(part =>"
            " !part.closest('.scroll, .bubble') && part.getBoundingClientRect().right > innerWidth + 0.5)"
            ".map(part => part.outerHTML.slice(0, 80))"
        )
        assert cut == []


def test_labels_of_plots_can_be_read_on_a_phone(browser, pages):
    with visiting(browser, pages["report"], **PHONE) as visit:
        sizes = visit.page.evaluate(
            "[...document.querySelectorAll('.plot')].filter(plot => plot.getBoundingClientRect().width).map(plot =>"
            " 10 * plot.getBoundingClientRect().width / plot.viewBox.baseVal.width)"
        )
        assert len(sizes) > 5
        assert min(sizes) > 9


def test_wide_tables_scroll_by_themselves_and_by_keyboard(browser, pages):
    with visiting(browser, pages["report"], **PHONE) as visit:
        box = visit.page.locator(".scroll").first
        assert box.evaluate("part => part.scrollWidth > part.clientWidth")
        box.focus()
        visit.page.keyboard.press("ArrowRight")
        assert any(_moved(visit.page, box) for _ in range(20))


def _moved(page, box) -> bool:
    page.wait_for_timeout(50)
    return box.evaluate("part => part.scrollLeft") > 0


def test_everything_is_there_without_the_script(browser, pages):
    with visiting(browser, pages["report"], java_script_enabled=False) as visit:
        assert visit.errors == []
        page = visit.page
        assert page.locator(".squares").is_visible()
        assert page.locator("thead button").count() == 0
        assert page.get_by_role("table").count() > 8
        page.locator("summary").first.click()
        assert page.locator("details[open] .plot").first.is_visible()
        link = page.locator("a.note").first
        link.click()
        assert page.url.endswith(link.get_attribute("href"))


def column(page, number: int) -> list[float]:
    cells = page.locator("#numbers table tbody tr").all()
    texts = [row.locator("th, td").nth(number).locator(".value").inner_text() for row in cells]
    return [float(text) for text in texts if text != "n/a"]


def test_a_table_is_sorted_from_the_keyboard(browser, pages):
    with visiting(browser, pages["report"]) as visit:
        page = visit.page
        head = page.locator("#numbers thead th").nth(2)
        rows = page.locator("#numbers tbody tr").count()
        head.locator("button").focus()
        assert "solid" in head.locator("button").evaluate("part => getComputedStyle(part).outlineStyle")
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        assert all(above >= below for above, below in pairwise(column(page, 2)))
        page.keyboard.press("Space")
        assert head.get_attribute("aria-sort") == "ascending"
        assert all(above <= below for above, below in pairwise(column(page, 2)))
        assert page.locator("#numbers tbody tr").count() == rows
        page.locator("#numbers thead button").first.press("Enter")
        assert head.get_attribute("aria-sort") == "none"


def test_numbers_that_are_missing_sort_last_both_ways(browser, pages):
    with visiting(browser, pages["gap"]) as visit:
        button = visit.page.locator("#numbers thead button").nth(3)
        for _ in range(2):
            button.press("Enter")
            texts = visit.page.locator("#numbers tbody td:nth-child(4) .value").all_inner_texts()
            missing = [text == "n/a" for text in texts]
            assert missing == [False] * (len(texts) - 1) + [True]


def test_the_reason_of_a_missing_number_shows_on_focus_and_leaves_on_escape(browser, pages):
    with visiting(browser, pages["few"]) as visit:
        link = visit.page.locator("a.note").first
        link.focus()
        bubble = visit.page.locator(".bubble")
        assert bubble.is_visible()
        assert bubble.inner_text() == link.get_attribute("data-tip")
        box = bubble.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1280
        visit.page.keyboard.press("Escape")
        assert not bubble.is_visible()


def test_the_first_stop_of_the_keyboard_is_the_link_that_skips_to_the_report(browser, pages):
    with visiting(browser, pages["report"]) as visit:
        visit.page.keyboard.press("Tab")
        skip = visit.page.locator(".skip")
        assert skip.evaluate("part => part === document.activeElement")
        assert skip.bounding_box()["x"] >= 0
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("script", [True, False])
def test_print_leaves_out_what_is_folded_says_so_and_cuts_no_table(browser, pages, screenshots, script):
    with visiting(browser, pages["report"], color_scheme="dark", java_script_enabled=script, width=703) as visit:
        page = visit.page
        assert not page.locator(".paper").first.is_visible()
        page.locator("summary", has_text="Every option").click()
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator(".first + .paper").is_visible()
        shown = page.evaluate(
            "[...document.querySelectorAll('.plot, table')].filter(part => part.checkVisibility()).map(part =>"
            " part.closest('details')?.querySelector('summary').textContent ?? '')"
        )
        assert set(shown) == {"", "Every option"}  # what was opened is printed, too
        assert not page.get_by_role("heading", name="The other attacks").is_visible()
        cut = page.evaluate(
            "[...document.querySelectorAll('table')].filter(table => table.getBoundingClientRect().right >"
            " document.documentElement.clientWidth + 1).map(table => table.caption.textContent)"
        )
        assert cut == []
        whole = page.evaluate(
            "[...document.querySelectorAll('figure, tr')].every(part => getComputedStyle(part).breakInside === 'avoid')"
        )
        assert whole
        if script:
            page.screenshot(path=screenshots / "report-print.png", full_page=True)


def count_sheets(page, paper: str, path: Path | None = None) -> int:
    return len(re.findall(rb"/Type /Page\b", page.pdf(path=path, format=paper, prefer_css_page_size=True)))


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_a_report_as_large_as_the_demo_takes_six_sheets(browser, pages, screenshots, paper):
    with visiting(browser, pages["demo"]) as visit:
        assert 2 < count_sheets(visit.page, paper, screenshots / f"demo-{paper}.pdf") <= 6


@pytest.mark.parametrize("name", ["demo", "report", "none", "few", "suspects", "failure"])
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_verdict_proportion_advice_and_gates_are_the_first_sheet(browser, pages, name, paper):
    with visiting(browser, pages[name]) as visit:
        page = visit.page
        sheets = count_sheets(page, paper)
        page.evaluate("document.querySelectorAll('main > :not(.first, .paper)').forEach(part => part.remove())")
        assert count_sheets(page, paper) == 1
        assert name == "failure" or sheets > 1  # the numbers begin on a new sheet
        first = page.locator(".first")
        assert first.get_by_role("heading", name="What to do").is_visible()
        assert first.get_by_role("heading", level=2).is_visible()


def test_the_rows_that_a_long_table_loses_on_paper_are_counted(browser, pages):
    with visiting(browser, pages["demo"]) as visit:
        page = visit.page
        rows = page.locator("#numbers > .scroll tbody tr")
        count = rows.count()
        assert count > MAX_PRINTED
        assert all(row.is_visible() for row in rows.all())
        page.emulate_media(media="print")
        assert sum(row.is_visible() for row in rows.all()) == MAX_PRINTED
        assert page.get_by_text(f"{count - MAX_PRINTED} further rows are on the HTML page.").is_visible()


@pytest.mark.parametrize("name", ["report", "few", "images", "failure"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, pages, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra test)")
    with visiting(browser, pages[name], color_scheme=scheme) as visit:
        for part in visit.page.locator("details").all():
            part.evaluate("part => { part.open = true }")
        found = axe.Axe().run(visit.page).response
    assert len(found["passes"]) > 15  # it has looked
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"] if v["impact"] in SERIOUS] == []
