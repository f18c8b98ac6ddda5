"""The page of a result, and that of an audit that ended with an error."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from privaudit.auditing.scan_command import scan_command
from privaudit.report.html import figures, run_tables, scores
from privaudit.report.html.first import first_screen
from privaudit.report.html.gallery import gallery
from privaudit.report.html.glossary import glossary
from privaudit.report.html.svg import STYLE
from privaudit.report.numbers import PAGE
from privaudit.report.quoted import area_of_suspects, quoted
from privaudit.report.redact import redact
from privaudit.report.sentences import design_text
from privaudit.report.sentences.design_text import canary_lines, canary_statement, suspect_lines, suspect_statement
from privaudit.report.sentences.design_words import words_of
from privaudit.report.sentences.fact_text import fact_text, sentence
from privaudit.report.sentences.lines import NOTHING_KNOWN, REQUESTED, problems, remedy
from privaudit.report.sentences.names import attack_text, candidate_text
from privaudit.report.sentences.verdict_text import WHY, check_text, ordered_checks
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar


@dataclass(frozen=True)
class Assets:
    """What stands in the head of every page.

    Attributes:
        style: The style sheet.
        script: The script, which the page can do without.
        policy: Content security policy: no request to anywhere, pictures only from the page itself.
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
    return Assets(Markup(style), Markup(script), policy)  # texts of this package, nothing of a user


def _read(name: str) -> str:
    return files("privaudit.report.html").joinpath(name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """The hash of an inline element, of its text exactly as it stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


@dataclass(frozen=True)
class Section:
    """A test that some designs have in addition to the attacks.

    Attributes:
        title: What is tested.
        statement: What was found.
        lines: What it rests on: a name and a line each.
        chosen: The score that it uses.
    """

    title: str
    statement: str
    lines: tuple[tuple[str, str], ...]
    chosen: str


def render_html(result: AuditResult, exemplars: Sequence[Exemplar] = ()) -> str:
    """Write the report as one self-contained HTML page.

    It loads nothing, works without its script, and holds no path and nothing about a single image unless exemplars are
    given (see `privaudit.report.redact`).

    Returns:
        The text of the file.
    """
    fit = redact(result)
    score = quoted(fit)
    tables = {
        table.name: table
        for table in (
            scores.score_table(fit),
            scores.gain_table(fit),
            scores.versus_table(fit),
            scores.quartile_table(fit),
            scores.level_table(fit),
            scores.group_table(fit),
            scores.blind_table(fit),
            run_tables.attack_table(fit),
            run_tables.choice_table(fit),
            run_tables.option_table(fit),
            run_tables.data_table(fit),
            run_tables.provenance_table(fit),
            run_tables.timing_table(fit),
        )
    }
    return (
        environment()
        .get_template("report.html")
        .render(
            result=fit,
            first=first_screen(fit),
            score=score,
            tables=tables,
            plots=figures.shown(fit),
            further=figures.further(fit, score),
            exemplars=gallery(exemplars),
            glossary=glossary(fit),
            command=scan_command(fit.config),
            words=words_of(fit.data),
            checks=[
                (check, sentence(check_text(check, fit.data)), WHY.get(check.name, "")) for check in ordered_checks(fit)
            ],
            unsure=fit.verdict.finding.level == "unclear",
            suspects=_suspects(fit),
            canaries=_canaries(fit),
            **_shared(),
        )
    )


def _suspects(result: AuditResult) -> Section | None:
    report = result.suspects
    if report is None:
        return None
    lines, area = list(suspect_lines(report, PAGE)), area_of_suspects(result)
    if area is not None:
        name = candidate_text(report.chosen)
        lines.insert(2, ("AUROC of that score", f"{name}: {PAGE.estimate(area)}, every image taken as independent"))
    return Section(design_text.SUSPECTS_TITLE, suspect_statement(report), tuple(lines), candidate_text(report.chosen))


def _canaries(result: AuditResult) -> Section | None:
    report = result.canaries
    if report is None:
        return None
    return Section(
        design_text.CANARIES_TITLE, canary_statement(report), canary_lines(report, PAGE), candidate_text(report.chosen)
    )


def render_html_failure(failure: AuditFailure) -> str:
    """Write the report of an audit that ended with an error."""
    fit = redact(failure)
    fit = replace(fit, verdict=replace(fit.verdict, reasons=problems(fit)))
    return (
        environment()
        .get_template("failure.html")
        .render(
            failure=fit,
            nothing_known=NOTHING_KNOWN,
            requested=REQUESTED,
            remedy=remedy(fit),
            model=fit.target,
            command=scan_command(fit.config),
            **_shared(),
        )
    )


def _shared() -> dict[str, Any]:
    return {"assets": assets()}


@cache
def environment() -> Environment:
    """Prepare the templates: everything that they show is escaped."""
    made = Environment(
        loader=PackageLoader("privaudit.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "attack_text": attack_text,
        "fact": fact_text,
        "number": PAGE.number,
        "percent": PAGE.percent,
    }
    return made
