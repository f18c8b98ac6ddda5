"""The text of the HTML page: whole, self-contained, escaped, and with every number."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import fields, replace
from functools import cache

import pytest
from markup import Element, read_page
from results import CANARIES, NAMES, SUSPECTS, make_exemplars, make_failure, make_result, noted, with_hostile_names

from privaudit.evaluation import Candidate, Check, Finding, fact
from privaudit.evaluation.estimate import Estimate
from privaudit.evaluation.selection import MEAN
from privaudit.report.html import render_html, render_html_failure
from privaudit.report.html.page import assets
from privaudit.report.html.page_table import Cell, Column, Row, Table, text_cell
from privaudit.report.html.svg import SHADES
from privaudit.report.quoted import area_of_suspects, quoted
from privaudit.report.sentences.attacker import NOT_TESTED, base_rate
from privaudit.report.sentences.design_text import suspect_statement
from privaudit.report.sentences.fact_text import fact_text
from privaudit.report.sentences.finding_text import brief_statement, evidence
from privaudit.report.sentences.verdict_text import WHY, gate_reason, ordered_checks
from privaudit.results.data_report import SkippedReport

NAN = math.nan
UNCLEAR = Finding("unclear", reason=fact("no_score"))


def with_suspects():
    result = make_result()
    finding = Finding("low", "set_test", attack="sima", mask="none")
    return replace(
        result,
        data=replace(result.data, design="suspects", suspects=12),
        verdict=replace(result.verdict, finding=finding),
        suspects=SUSPECTS,
    )


def with_canaries():
    result = make_result()
    return replace(result, data=replace(result.data, design="canaries"), canaries=CANARIES)


def without_a_curve():
    """No blind baseline, no masks, no levels, no quarters: what the smallest audit may lack."""
    result = make_result()
    bare = [
        replace(report, masks={"none": report.masks["none"]}, levels=(), distortion_quartiles=(), choices=(), groups=())
        for report in result.attacks
    ]
    gains = {"random_vs_none": None, "influence_vs_none": None, "weighted_vs_none": None, "versus_published": None}
    attacks = tuple(replace(report, **gains) for report in bare)
    return replace(result, attacks=attacks, blind=replace(result.blind, curve=None, families={}), refused=())


CASES = {
    "high": lambda: make_result(strength=2.0, gates=("tpr@1%fpr>0.05", "auroc>0.98")),
    "none": lambda: make_result(strength=0.0),
    "few": lambda: make_result(strength=0.5, images=12),
    "two": lambda: make_result(images=2),
    "groups": lambda: make_result(groups=("clinic", "street")),
    "suspects": with_suspects,
    "canaries": with_canaries,
    "bare": without_a_curve,
    "unclear": lambda: replace(make_result(), verdict=replace(make_result().verdict, finding=UNCLEAR)),
}


@cache
def page_of(case: str) -> str:
    if case == "failure":
        return render_html_failure(make_failure("one thing", "another thing"))
    if case == "exemplars":
        return render_html(make_result(), make_exemplars())
    return render_html(CASES[case]())


EVERY = [*CASES, "failure", "exemplars"]


def numbers(table: Element) -> list[list[str]]:
    return [[cell.text for cell in row.all("td", "th")] for row in table.all("tbody")[0].all("tr")]


def text_of_note(page: Element, mark: Element) -> str:
    return re.sub(r"^\[[a-z]\] | ↩$", "", page.one(mark.attributes["href"][1:]).text)


def table_with(page: Element, caption: str) -> Element:
    (found,) = [table for table in page.all("table") if caption in table.all("caption")[0].text]
    return found


@pytest.mark.parametrize("case", EVERY)
def test_every_page_is_well_formed_and_every_reference_in_it_leads_somewhere(case):
    page = read_page(page_of(case))
    names = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(names) == len(set(names))
    for element in page.all():
        for attribute in ("aria-labelledby", "aria-describedby", "for"):
            for name in (element.attributes.get(attribute) or "").split():
                assert name in names, f"{attribute} of {element.tag} names {name}"
        if (target := element.attributes.get("href") or "").startswith("#"):
            assert target[1:] in names, f"nothing at {target}"
        for name in re.findall(r"url\(#([^)]*)\)", element.attributes.get("clip-path") or ""):
            assert name in names


@pytest.mark.parametrize("case", EVERY)
def test_every_page_can_be_read_without_seeing_it(case):
    page = read_page(page_of(case))
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in zip(levels, levels[1:], strict=False))
    assert [len(page.all(tag)) for tag in ("main", "header", "footer", "title")] == [1, 1, 1, 1 + _drawn_titles(page)]
    for table in page.all("table"):
        assert table.all("caption")[0].text
        assert all(head.attributes["scope"] == "col" for head in table.all("thead")[0].all("th"))
        assert all(row.children[0].attributes.get("scope") == "row" for row in table.all("tbody")[0].all("tr"))
    for drawing in page.all("svg"):
        hidden = drawing.attributes.get("aria-hidden") == "true" or drawing.inside("ul")
        assert hidden or (drawing.attributes["role"] == "img" and drawing.all("title")[0].text)
    for plot in [drawing for drawing in page.all("svg") if drawing.attributes.get("class") == "plot"]:
        assert len(plot.all("desc")[0].text) > 40
        assert re.search(r"\d|n/a|could be measured", plot.all("desc")[0].text)
    assert all(image.attributes["alt"] for image in page.all("img"))


def _drawn_titles(page: Element) -> int:
    return sum(len(drawing.all("title")) for drawing in page.all("svg"))


@pytest.mark.parametrize("case", EVERY)
def test_no_page_can_load_anything_or_run_anything_but_its_own_script(case):
    page = read_page(page_of(case))
    for element in page.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on"), f"{element.tag} has {name}"
            assert name not in ("style", "srcset", "action", "formaction", "poster", "ping", "srcdoc")
            if name in ("src", "href", "xlink:href", "data"):
                assert value is not None
                assert value.startswith(("#", "data:image/png;base64,")), f"{element.tag} loads {value[:60]}"
    assert {element.tag for element in page.all()}.isdisjoint({"link", "iframe", "object", "embed", "base", "form"})
    (style,) = page.all("style")
    source = "".join(style.texts)
    assert "@import" not in source
    assert "url(" not in source


@pytest.mark.parametrize("case", ["high", "failure"])
def test_the_policy_allows_this_style_and_this_script_and_nothing_else(case):
    page = read_page(page_of(case))
    (policy,) = [
        meta.attributes["content"]
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for kind in ("style", "script"):
        text = "".join(page.all(kind)[0].texts)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {"img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def test_the_first_screen_says_what_was_tested_found_how_sure_and_what_to_do():
    result = CASES["high"]()
    first = read_page(page_of("high")).all("section")[0].text
    rate = quoted(result).metrics.tpr_at_fpr["0.01"]
    assert first.startswith("Leak found: high")
    data = result.data
    compared = f"{data.positives} images that the model was trained on and {data.nonmembers} that it was not trained on"
    assert compared in first
    assert "3 attacks gave 9 scores per image: 7 are compared, 2 (random masks) are controls." in first
    assert (
        "Someone who has an image and the model's weights can often tell whether the model was trained on it." in first
    )
    assert "Black-box access, to an interface that only returns images, was not tested." in first
    assert NOT_TESTED in first
    assert brief_statement(result) in first
    assert evidence(result) in read_page(page_of("high")).one("numbers").text
    assert first.count(f"{100 * rate.value:.0f} of 100") == 2  # the number, and what the picture shows
    limits = f"at least {100 * result.verdict.finding.limit:.0f}, at most {100 * rate.hi:.0f} with 95 % confidence"
    assert first.count(f"{limits}; guessing would recognise 1") == 2  # in the same places
    assert base_rate(result) in first
    assert "Do not publish the model" in first
    assert "A pass means that no more than the gate allows was shown." in first
    assert "Of 2 gates: 1 failed, 1 passed. Exit code 1 by default." in first
    assert "✕ fail tpr@1%fpr>0.05" in first
    assert gate_reason(result.verdict.gates[1], result)[1:] in first


def test_squares_show_the_interval_and_the_scale_fits_a_small_share():
    page = read_page(page_of("high"))
    rate = quoted(CASES["high"]()).metrics.tpr_at_fpr["0.01"]
    (picture,) = [drawing for drawing in page.all("svg") if drawing.attributes.get("class") == "squares"]
    kinds = [square.attributes["class"] for square in picture.all("rect")]
    assert len(kinds) == 100
    least = CASES["high"]().verdict.finding.limit
    assert kinds.count("sure") == round(100 * least) < round(100 * rate.lo)  # corrected, as the finding says it
    assert "at least perhaps measured guessing" in page.all("section")[0].text
    assert kinds.count("sure") + kinds.count("maybe") == round(100 * rate.hi)  # as the sentence rounds it
    assert picture.all("title")[0].text.count(f"at least {kinds.count('sure')}, ") == 1
    (bar,) = [path.attributes["d"] for path in picture.all("path") if path.attributes["class"] == "whisker"]
    assert bar == f"M{276 * least:.1f} 6H{276 * rate.hi:.1f}"  # the range of the squares
    assert picture.all("text")[-1].text == "100"
    (small,) = [d for d in read_page(page_of("none")).all("svg") if d.attributes.get("class") == "squares"]
    assert small.all("text")[-1].text == "10"


def test_a_finding_that_cannot_be_told_shows_no_number_to_remember():
    first = read_page(page_of("unclear")).all("section")[0]
    assert first.text.startswith("Inconclusive")
    assert "No number of this audit can be relied on" in first.text
    assert "of 100" not in first.text


def test_too_few_non_members_for_a_rate_show_the_auroc_instead():
    first = read_page(page_of("few")).all("section")[0].text
    area = quoted(CASES["few"]()).metrics.auroc
    assert f"{100 * area.value:.0f} of 100 such pairs" in first
    assert "guessing would be right in 50" in first


def test_every_metric_of_every_score_stands_in_the_table_with_its_interval():
    result = CASES["high"]()
    rows = numbers(table_with(read_page(page_of("high")), "Every attack under every mask"))
    labels = {"none": "no mask", "random": "random (control)", "influence": "influence", "weighted": "weighted"}
    best = quoted(result)
    assert [(row[0], row[1]) for row in rows][0] == (best.report.name, labels[best.mask])
    strongest = sorted(result.attacks, key=lambda r: (r.name != best.report.name, -r.masks["none"].auroc.value))
    assert list(dict.fromkeys(row[0] for row in rows)) == [report.name for report in strongest]
    masks = {text: mask for mask, text in labels.items()}
    reports = {report.name: report for report in result.attacks}
    wanted = [(reports[row[0]], masks[row[1]]) for row in rows]
    assert len(set(map(tuple, (row[:2] for row in rows)))) == sum(len(report.masks) for report in result.attacks)
    for row, (report, mask) in zip(rows, wanted, strict=True):
        metrics = report.masks[mask]
        rates = metrics.tpr_at_fpr
        estimates = [rates["0.01"], metrics.auroc, rates["0.001"], metrics.advantage, metrics.attack_success]
        for cell, estimate in zip(row[2:], estimates, strict=False):
            if math.isnan(estimate.value):
                assert cell.startswith("n/a")
            elif math.isnan(estimate.lo):
                assert cell.startswith(f"{estimate.value:.3f}")
                assert cell.endswith("interval n/a")
            else:
                assert cell.startswith(f"{estimate.value:.3f}")
                assert cell.endswith(f"{estimate.lo:.3f} to {estimate.hi:.3f}")
        assert row[-1].startswith(f"{metrics.epsilon_lower.value:.3f}")


def test_gains_are_paired_and_signed():
    result = CASES["high"]()
    rows = numbers(table_with(read_page(page_of("high")), "Gain of each mask"))
    gain = result.attacks[0].influence_vs_none.auroc_delta
    (row,) = [row for row in rows if row[:2] == [result.attacks[0].name, "influence"]]
    signed = [f"{value:+.3f}".replace("-", "\N{MINUS SIGN}") for value in (gain.value, gain.lo, gain.hi)]
    assert row[2] == f"{signed[0]} {signed[1]} to {signed[2]}"


@pytest.mark.parametrize("case", ["two", "few", "none", "suspects", "bare"])
def test_what_was_not_measured_is_na_with_its_reason_and_never_nan(case):
    text = page_of(case)
    page = read_page(text)
    assert not re.search(r"(?i)(?<![a-z0-9+/])nan(?![a-z0-9+/])", text)
    for table in page.all("table"):
        heads = table.all("thead")[0].all("th")
        for row in table.all("tbody")[0].all("tr"):
            for head, cell in zip(heads, row.all("th", "td"), strict=True):
                if cell.text.startswith("n/a"):
                    (note,) = [*head.all("a"), *cell.all("a")]  # in the head if all rows have it
                    reason = text_of_note(page, note)
                    assert len(reason) > 10
                    assert reason in note.attributes["aria-label"]
                    assert note.attributes["data-tip"]


def test_some_numbers_are_missing_in_what_the_last_test_looks_at():
    assert any(row[2].startswith("n/a") for row in numbers(table_with(read_page(page_of("two")), "Every attack")))


def test_a_note_that_all_rows_have_is_told_once_in_the_head_and_leads_back():
    table = table_with(read_page(page_of("few")), "Every attack under every mask")
    heads = [head for head in table.all("thead")[0].all("th") if head.all("a")]
    assert heads[0].text == "TPR at 1 % FPR [a]"
    assert not table.all("tbody")[0].all("a")
    page = read_page(page_of("few"))
    for back in [link for link in page.all("a") if link.attributes.get("class") == "back"]:
        mark = page.one(back.attributes["href"][1:])
        assert page.one(mark.attributes["href"][1:]).all("a")[0].attributes == back.attributes
    assert "n/a: 1 % false positives need at least 100 non-members; there are 12" in page.text


def test_few_rows_keep_their_notes():
    row = Row((text_cell("a"), Cell("n/a", note="why")))
    columns = (Column("Attack"), Column("AUROC"))
    assert [cell is not None for cell in Table("t", "c", columns, (row,) * 2).shared] == [False, False]
    assert [cell is not None for cell in Table("t", "c", columns, (row,) * 3).shared] == [False, True]
    other = Row((text_cell("b"), Cell("1")))
    assert Table("t", "c", columns, (row, row, other)).shared == (None, None)
    assert Table("t", "c", columns, (other, row, row)).first == {"why": "1-1"}


def test_a_rate_realised_far_from_its_target_says_so():
    result = make_result()
    attack = result.attacks[0]
    rate = replace(attack.masks["none"].tpr_at_fpr["0.01"], fpr_realised=0.0025, k=1, reason=None)
    metrics = replace(attack.masks["none"], tpr_at_fpr={"0.01": rate})
    changed = replace(result, attacks=(replace(attack, masks={**attack.masks, "none": metrics}), *result.attacks[1:]))
    assert f"realised at a false-positive rate of 0.0025 (1 of {rate.n} non-members)" in render_html(changed)


def test_sections_exist_where_there_is_something_to_say():
    sections = {case: {s.attributes.get("id") for s in read_page(page_of(case)).all("section")} for case in CASES}
    assert "groups" in sections["groups"]
    assert "suspects" in sections["suspects"]
    assert "canaries" in sections["canaries"]
    assert not {"groups", "suspects", "canaries", "images-shown"} & sections["high"]


def test_suspects_are_told_with_their_error_rates():
    page = read_page(page_of("suspects"))
    section = page.one("suspects").text
    for wanted in (
        suspect_statement(SUSPECTS),
        "12 suspects (10 groups) with 400 non-members",
        "p below 0.001: the chance of scores this high if the model was trained on none (9999 permutations); evidence "
        "at 0.05 or less",
        "0.048 (0.030 to 0.070) of 500 splits of the non-members gave p at most 0.05 (5 % are expected)",
        "n/a flagged an image",
        "3 at a false discovery rate of 5 %, 4 at a false discovery rate of 10 %",
        "so there is no out-of-fold test",
    ):
        assert wanted in section
    first = page.all("section")[0].text
    assert "There is evidence that the model was trained on some of the suspects." in first
    assert "recognises" not in first
    assert "suspects would score this high in fewer than 0.1 of 100 cases" in first
    assert not [drawing for drawing in page.all("svg") if drawing.attributes.get("class") == "squares"]
    assert "Epsilon at least" not in table_with(page, "Every attack under every mask").text
    assert "suspects above the threshold" in page.text
    assert "Set a gate" not in first
    for wrong in ("members found", "the model leaks.", "the 20 most exposed", "recognises most clearly"):
        assert wrong not in page.text, wrong


def test_canaries_are_told_with_their_bound():
    section = read_page(page_of("canaries")).one("canaries").text
    for wanted in (
        "28 of 30 right",
        "at least 1.234 (95 % confidence, delta 1e-05)",
        "p below 0.001: the chance",
        "9999 rearr",
    ):
        assert wanted in section


def test_groups_are_listed_with_who_they_were_compared_with():
    result = make_result(groups=("clinic", "street"))
    report = quoted(result).report
    alone = replace(report.groups[0], against="all", tpr=None)
    attacks = tuple(replace(r, groups=(alone, *r.groups[1:])) if r.name == report.name else r for r in result.attacks)
    rows = numbers(table_with(read_page(render_html(replace(result, attacks=attacks))), "by group"))
    (row,) = [row for row in rows if row[2].endswith("of all groups")]
    assert row[4].startswith("n/a")
    assert float(rows[0][3][:5]) >= float(rows[1][3][:5])


def test_of_thousands_of_groups_the_most_exposed_are_listed():
    result = make_result(groups=("clinic",))
    (group,) = quoted(result).report.groups
    many = tuple(replace(group, name=f"clinic {number}") for number in range(2000))
    page = read_page(render_html(replace(result, attacks=tuple(replace(r, groups=many) for r in result.attacks))))
    assert len(numbers(table_with(page, "by group"))) == 100
    assert "1900 more in report.json" in page.one("groups").text


def test_no_folder_and_no_single_image_is_named():
    result = make_result()
    config = {
        **result.config,
        "target": "/home/alice/secret/model",
        "members": "/home/alice/patients/members",
        "nonmembers": "C:\\Users\\alice\\patients\\others",
        "out": "runs/of/alice/one",
    }
    lost = SkippedReport("/home/alice/patients/members/mrs-smith.png", "cannot be read")
    looked = Check("unreadable files", "warn", noted(f"1 files were skipped, the first: {lost.path}"))
    page = render_html(
        replace(
            result,
            config=config,
            target=replace(result.target, id="/home/alice/secret/model"),
            data=replace(result.data, skipped=(lost,)),
            checks=(*result.checks, looked),
        ),
    )
    for private in ("alice", "secret", "patients", "mrs-smith"):
        assert private not in page
    text = read_page(page).text
    assert "--members members --nonmembers others" in text
    assert "1 files were skipped, the first: (left out)" in text
    assert re.search(r"unreadable files\s+1\b", text)


def test_images_are_shown_only_when_asked_for():
    exemplars = make_exemplars("a.png", "b.png")
    without = page_of("high")
    assert not re.search(r"<img|a\.png|[0-9a-f]{31}1", without)
    given = read_page(page_of("exemplars"))
    assert "This page shows images." in given.text
    assert len(given.all("img")) == 2 * len(exemplars)
    assert "sima: score 3.00, above 99 % of the non-members" in given.text
    assert "images/members" not in page_of("exemplars")


def test_a_thumbnail_that_is_no_picture_is_not_put_onto_the_page():
    evil = base64.b64encode(b"<script>alert(1)</script>").decode()
    shown = [
        replace(exemplar, thumbnail=text)
        for exemplar, text in zip(make_exemplars(), (evil, '"><script>alert(1)</script>'), strict=True)
    ]
    page = render_html(make_result(), shown)
    assert evil not in page
    assert "alert(1)" not in page
    assert page.count("This image cannot be shown.") == 2


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg><svg onload=alert(1)>",
    "]]><b>&amp;&lt;",
    "a\x1b[31mred\x1b[0m\x07\x00b",
    "$x_1$ \\frac{1}{2} $",
    "gnp.\u202etxt",
    "{{ 7 * 7 }}{% raw %}",
    "_hidden",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_users_are_shown_and_do_nothing(name):
    result = with_hostile_names(make_result(attacks=("sima",), learned=False, groups=("one", "two")), name)
    attack = replace(result.attacks[0], name=name, kind="ours")
    finding = Finding("high", attack=name, mask="none")
    exemplars = [replace(exemplar, path=name, label=name, attack=name) for exemplar in make_exemplars()]
    result = replace(
        result,
        data=replace(result.data, skipped=()),
        target=make_result().target,  # otherwise the name is a path, of which the page shows the last part
        config=make_result().config,
        attacks=(attack, *result.attacks[1:]),
        verdict=replace(result.verdict, finding=finding),
    )
    text = render_html(result, exemplars)
    page = read_page(text)
    test_tags = {"script": 1, "style": 1, "title": 1 + _drawn_titles(page), "b": 0, "base": 0}
    assert {tag: len(page.all(tag)) for tag in test_tags} == test_tags
    assert not any(attribute.startswith("on") for element in page.all() for attribute in element.attributes)
    assert all(image.attributes["src"].startswith("data:image/png") for image in page.all("img"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "49" not in page.one("groups").all("h2")[0].text
    shown = {"a\x1b[31m": r"a\x1b[31mred\x1b[0m\x07\x00b", "gnp.": r"gnp.\u202etxt"}
    wanted = next((value for key, value in shown.items() if name.startswith(key)), name)
    assert wanted in page.one("groups").all("caption")[0].text
    drawn = [t.text for svg in page.all("svg") if svg.attributes.get("class") == "plot" for t in svg.all("text")]
    assert any(wanted[:6].strip() in text for text in drawn)  # literal, where matplotlib would read a formula


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_the_model_and_of_folders_do_nothing(name):
    text = render_html(with_hostile_names(make_result(attacks=("sima",), learned=False), name))
    page = read_page(text)
    assert [len(page.all(tag)) for tag in ("script", "style", "b", "base", "img")] == [1, 1, 0, 0, 0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert page.all("h1")[0].text.removeprefix("Privacy audit of ")


def test_a_reason_with_markup_is_text_in_note_and_tooltip():
    result = make_result()
    reason = noted('too few <b>"images"</b>')[0]
    attack = result.attacks[0]
    metrics = replace(attack.masks["none"], auroc=Estimate(NAN, NAN, NAN, reason))
    changed = replace(result, attacks=(replace(attack, masks={**attack.masks, "none": metrics}), *result.attacks[1:]))
    page = read_page(render_html(changed))
    notes = [link for link in page.all("a") if link.attributes.get("data-tip") == fact_text(reason)]
    assert notes
    assert text_of_note(page, notes[0]) == fact_text(reason)


def test_a_failure_says_that_nothing_was_found_and_what_to_do():
    text = read_page(page_of("failure")).text
    for wanted in (
        "The audit ended with an error",
        "nothing is known about the model",
        "one thing",
        "another thing",
        "run the same",
    ):
        assert wanted in text
    defect = render_html_failure(make_failure("<b>broken</b>", kind="KeyError", defect=True))
    assert "&lt;b&gt;broken" in defect
    assert "This is a defect of privaudit (KeyError). Please report it" in read_page(defect).text


def test_a_failure_names_no_folder():
    failure = make_failure("expected images at /home/alice/patients/members, found none")
    text = render_html_failure(replace(failure, target="/home/alice/model"))
    assert "alice" not in text
    assert "expected images at members, found none" in text


def test_plots_take_their_colours_from_the_style_sheet():
    page = read_page(page_of("high"))
    style = assets().style
    allowed = {f"{letter}-{shade}" for letter in "fs" for shade in SHADES} | {"plot", "pixelated"}
    for plot in [drawing for drawing in page.all("svg") if drawing.attributes.get("class") == "plot"]:
        for element in [plot, *plot.all()]:
            assert set((element.attributes.get("class") or "").split()) <= allowed
            for attribute in ("fill", "stroke"):
                colour = element.attributes.get(attribute)
                assert colour in (None, "none") or "influence" in plot.attributes["aria-labelledby"], colour
    for shade in SHADES:
        assert style.count(f"--c-{shade}:") == 2  # in light and in dark
        assert f".f-{shade} {{ fill: var(--c-{shade}); }}" in style


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_have_the_contrast_that_wcag_asks_for_in_light_and_dark():
    schemes = re.findall(r":root \{([^}]*)\}", assets().style)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        for text in ("ink", "soft", "link"):
            for ground in ("paper", "card", "faint"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for tone in ("none", "low", "medium", "high", "unclear"):
            assert contrast(colours[tone], colours[f"{tone}-bg"]) >= 4.5, tone
            assert contrast(colours["ink"], colours[f"{tone}-bg"]) >= 4.5, tone
            assert contrast(colours[tone], colours["card"]) >= 4.5, tone
        for shade in SHADES:
            if shade not in ("grid", "background"):  # lines behind the data are no information
                least = 4.5 if shade in ("text", "muted", "chance") else 3.0  # words, and graphical objects
                assert contrast(colours[f"c-{shade}"], colours["c-background"]) >= least, shade


def test_the_same_result_makes_the_same_page():
    assert render_html(CASES["groups"]()) == page_of("groups")


@pytest.mark.slow
def test_a_page_of_many_attacks_is_small():
    result = make_result(attacks=NAMES, groups=("a", "b", "c"))
    assert len(result.attacks) == len(NAMES) + 1
    assert len(render_html(result).encode()) < 1_000_000


def test_the_page_is_made_from_the_result_alone(tmp_path, monkeypatch):
    from privaudit.results.audit_result import AuditResult

    result = CASES["high"]()
    monkeypatch.chdir(tmp_path)
    assert render_html(AuditResult.from_json(json.dumps(json.loads(result.to_json())))) == page_of("high")


def test_all_checks_are_listed_with_their_status():
    result = make_result(
        checks=(Check("duplicates", "warn", noted("1 pair")), Check("files", "fail", noted("all differ")))
    )
    text = read_page(render_html(result)).one("checked").text
    for wanted in ("✓ ok blind baseline", "! warning duplicates 1 pair.", "✕ fail files All differ."):
        assert wanted in text


def test_every_option_is_listed():
    from privaudit.auditing.option_table import flag_of, table
    from privaudit.auditing.options import AuditOptions

    listed = {row[0] for row in numbers(table_with(read_page(page_of("high")), "Options of the audit"))}
    named = {name: flag_of(name, entry) if entry.help else name for name, entry in table(AuditOptions).items()}
    assert {named[option.name] for option in fields(AuditOptions)} <= listed
    assert "--mask-scope" in listed


def test_templates_style_and_script_are_installed_with_the_package():
    import tomllib
    from pathlib import Path

    import privaudit

    package = Path(privaudit.__file__).parent
    project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["privaudit"]
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    needed = {p for p in (package / "report" / "html").rglob("*") if p.suffix in (".html", ".css", ".js")}
    assert len(needed) > 8
    assert needed <= installed


def first_of(result) -> Element:
    return read_page(render_html(result)).all("section")[0]


def test_a_tick_only_for_a_test_that_could_have_found_a_leak():
    assert "level-none" in first_of(make_result(strength=0.0)).attributes["class"]
    small = first_of(make_result(strength=0.0, images=40))
    assert "level-neutral" in small.attributes["class"]
    assert small.text.startswith(
        "No leak found by a small test A leak with an AUROC of up to 0.61 could have gone unnoticed"
    )
    undecided = first_of(make_result(strength=0.3, images=40, gates=("tpr@1%fpr>0.05",)))
    assert "level-unclear" in undecided.attributes["class"]
    assert "needs at least 492 independent non-members, since 7 tests share the error; there are 40." in undecided.text


def test_where_the_rate_shows_nothing_the_pairs_are_counted():
    result = make_result(strength=0.12, gates=("auroc>0.6",))
    assert result.verdict.finding.level == "low"
    rate = quoted(result).metrics.tpr_at_fpr["0.01"]
    assert rate.lo <= 0.01
    first = first_of(result).text
    assert f"{100 * quoted(result).metrics.auroc.value:.0f} of 100 such pairs" in first
    assert f"{100 * rate.value:.1f} of 100" not in first


def test_a_learned_score_is_called_the_worst_case_with_the_best_that_is_not_learned_beside_it():
    result = make_result(images=400, strength=2.0)
    assert result.verdict.finding.attack == "combined"
    first = first_of(result).text
    assert "This attacker already knows other training images and learns from them: the worst case." in first
    tested = [
        (report.masks[mask].auroc, report.name)
        for report in result.attacks
        if report.kind != "learned"
        for mask in ("none", "influence", "weighted")
    ]
    area, name = max(tested, key=lambda found: found[0].value)
    assert f"An attacker who uses them only to choose the noise level (attack “{name}" in first
    assert f"tells {100 * area.value:.0f} of 100 pairs apart ({100 * area.lo:.0f} to {100 * area.hi:.0f})." in first


def test_pages_whose_numbers_mean_nothing_say_so_above_the_table():
    assert "These numbers cannot be relied on." in read_page(page_of("unclear")).one("numbers").text
    assert "These numbers cannot be relied on." not in read_page(page_of("high")).one("numbers").text


def test_every_check_says_why_it_matters_and_the_worst_come_first():
    worst = Check("sample size", "fail", noted("two images"))
    result = replace(
        make_result(), checks=(*make_result().checks, worst, Check("file properties, suspects", "warn", noted("x")))
    )
    checks = ordered_checks(result)
    assert [check.status for check in checks] == sorted((c.status for c in checks), key=["fail", "warn", "ok"].index)
    assert all(WHY[check.name] for check in checks)
    assert f"Why: {WHY['sample size']}." in read_page(render_html(result)).one("checked").text
    new = read_page(render_html(replace(result, checks=(Check("new", "ok", noted("x")),)))).one("checked")
    assert "Why" not in new.text


def test_the_glossary_says_how_sure_an_accusation_is_here():
    result = CASES["high"]()
    rate = quoted(result).metrics.tpr_at_fpr["0.01"].value
    text = read_page(page_of("high")).one("term-sure").text
    assert f"Of 100 accusations, {100 * rate / (rate + 0.01):.0f} are right if half of the images" in text
    assert f"but only {100 * 0.001 * rate / (0.001 * rate + 0.999 * 0.01):.1f} if 1 of 1000 is." in text
    assert "an AUROC of at least 0.85 is high and of 0.69 medium" in read_page(page_of("high")).one("term-levels").text


def test_advice_about_checks_leads_to_them():
    result = replace(make_result(), checks=(*make_result().checks, Check("<b>", "warn", noted("x"))))
    (item,) = [item for item in first_of(result).all("li") if item.text.startswith("Read the checks")]
    assert item.all("a")[0].attributes["href"] == "#checked"
    assert "<b>" in item.text
    assert not item.all("b")


def test_problems_of_a_failure_are_told_one_by_one():
    page = read_page(
        render_html_failure(make_failure("expected images at a, found none", "expected a model at b, found none"))
    )
    items = [item.text for item in page.all("li")]
    assert items == ["expected images at a, found none", "expected a model at b, found none"]
    assert "level-error" in page.all("section")[0].attributes["class"]


def test_the_tested_score_of_suspects_has_its_auroc():
    result = with_suspects()
    assert area_of_suspects(result) == result.attacks[0].masks["none"].auroc
    at = replace(result, suspects=replace(SUSPECTS, chosen=Candidate("sima", 60.0, "weighted")))
    assert area_of_suspects(at) == result.attacks[0].levels[1].auroc["weighted"]
    for chosen in (MEAN, Candidate("sima", 61.0, "none"), Candidate("other", None, "none")):
        assert area_of_suspects(replace(result, suspects=replace(SUSPECTS, chosen=chosen))) is None
    assert area_of_suspects(make_result()) is None
