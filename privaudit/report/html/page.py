"""Renders the HTML page of a result and that of an audit that ended with an error."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from privaudit.auditing.scan_command import scan_command
from privaudit.report.html import figures, run_tables, scores
from privaudit.report.html.descriptions import masks_helped
from privaudit.report.html.first import first_screen
from privaudit.report.html.gallery import gallery
from privaudit.report.html.glossary import BRIEF, glossary
from privaudit.report.html.svg import STYLE
from privaudit.report.numbers import PAGE
from privaudit.report.quoted import area_of_suspects, quoted
from privaudit.report.redact import redact
from privaudit.report.sentences import design_text
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.finding_text import evidence
from privaudit.report.sentences.lines import NOTHING_KNOWN, REQUESTED, remedy
from privaudit.report.sentences.names import attack_text, candidate_text
from privaudit.report.sentences.verdict_text import WHY, check_text, ordered_checks
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar


class Assets(NamedTuple):
    """Contents of the head of every page.

    Attributes:
        style: Style sheet.
        script: Script, which the page can do without.
        policy: Content security policy: no requests, images only from the page itself.
    """

    style: Markup
    script: Markup
    policy: str


@cache
def assets() -> Assets:
    """Read style and script from the package."""
    style, script = _read("page.css") + STYLE, _read("page.js")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Assets(Markup(style), Markup(script), policy)  # safe unescaped: files of this package, no user's text


def _read(name: str) -> str:
    return files("privaudit.report.html").joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """Return the hash by which the policy allows an inline element: of the exact text between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


TABLES = (
    scores.score_table,
    scores.gain_table,
    scores.versus_table,
    scores.quartile_table,
    scores.level_table,
    scores.group_table,
    scores.blind_table,
    run_tables.attack_table,
    run_tables.choice_table,
    run_tables.option_table,
    run_tables.data_table,
    run_tables.provenance_table,
    run_tables.file_table,
    run_tables.timing_table,
)


class Test(NamedTuple):
    """A test that some designs have in addition to the attacks.

    Attributes:
        title: Title of the section.
        statement: Outcome in words.
        lines: What the outcome rests on: a name and a line each.
    """

    title: str
    statement: str
    lines: Sequence[tuple[str, str]]


def render_html(result: AuditResult, exemplars: Sequence[Exemplar] = ()) -> str:
    """Render a result as one self-contained HTML page.

    The page loads nothing and works without its script. It has no folders, and nothing about a single image unless
    there are exemplars (see `privaudit.report.redact`).

    Returns:
        Content of the file.
    """
    shown = redact(result)
    score = quoted(shown)
    checks = ordered_checks(shown)
    return (
        environment()
        .get_template("report.html")
        .render(
            result=shown,
            first=first_screen(shown),
            evidence=evidence(shown) if shown.data.membership_known else "",
            score=score,
            tables={table.name: table for table in (make(shown) for make in TABLES)},
            plots=figures.shown(shown),
            masks_helped=masks_helped(shown),
            further=figures.further(shown, score),
            exemplars=gallery(exemplars),
            glossary=glossary(shown),
            brief=BRIEF,
            command=scan_command(shown.config),
            words=words_of(shown.data),
            checks=[(check, sentence(check_text(check, shown.data)), WHY.get(check.name, "")) for check in checks],
            unsure=shown.verdict.finding.level == "unclear",
            suspects=_suspects(shown),
            suspect_score="" if shown.suspects is None else candidate_text(shown.suspects.chosen),
            canaries=_canaries(shown),
            assets=assets(),
        )
    )


def _suspects(result: AuditResult) -> Test | None:
    report = result.suspects
    if report is None:
        return None
    lines, auroc = list(design_text.suspect_lines(report, PAGE)), area_of_suspects(result)
    if auroc is not None:
        name = candidate_text(report.chosen)
        lines.insert(2, ("AUROC of that score", f"{name}: {PAGE.estimate(auroc)}, every image taken as independent"))
    return Test(design_text.SUSPECTS_TITLE, design_text.suspect_statement(report), lines)


def _canaries(result: AuditResult) -> Test | None:
    report = result.canaries
    if report is None:
        return None
    lines = design_text.canary_lines(report, PAGE)
    return Test(design_text.CANARIES_TITLE, design_text.canary_statement(report, result.checks), lines)


def render_html_failure(failure: AuditFailure) -> str:
    """Render an audit that ended with an error as an HTML page."""
    shown = redact(failure)
    return (
        environment()
        .get_template("failure.html")
        .render(
            failure=shown,
            nothing_known=NOTHING_KNOWN,
            requested=REQUESTED,
            remedy=remedy(shown),
            model=shown.target,
            command=scan_command(shown.config),
            assets=assets(),
        )
    )


@cache
def environment() -> Environment:
    """Prepare the templates: whatever they show is escaped, and an undefined variable is an error."""
    made = Environment(
        loader=PackageLoader("privaudit.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"attack_text": attack_text, "fact": fact_text, "percent": PAGE.percent}
    return made
