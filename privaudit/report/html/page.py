"""The page of a result, and that of an audit that ended with an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from privaudit.report.design_words import words_of
from privaudit.report.html import figures, run_tables, scores
from privaudit.report.html.checked import checked
from privaudit.report.html.first import first_screen
from privaudit.report.html.gallery import gallery
from privaudit.report.html.glossary import glossary
from privaudit.report.html.page_numbers import decimal, equals, percent, probability, with_interval
from privaudit.report.html.policy import assets
from privaudit.report.missing import plain_reason
from privaudit.report.problems import problems, remedy
from privaudit.report.quoted import area_of_suspects, quoted
from privaudit.report.redact import redact
from privaudit.report.scan_command import scan_command
from privaudit.report.words import attack_text
from privaudit.results.audit_result import AuditFailure, AuditResult
from privaudit.results.exemplars import Exemplar

CHECKS = "Read the checks that warn"
"""How the advice about checks begins."""


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
        _environment()
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
            checks=checked(fit),
            unsure=fit.verdict.finding.level == "unclear",
            chosen=fit.suspects.chosen if fit.suspects is not None and fit.suspects.chosen else "another choice",
            area_of_suspects=area_of_suspects(fit),
            **_shared(),
        )
    )


def render_html_failure(failure: AuditFailure) -> str:
    """Write the report of an audit that ended with an error."""
    fit = redact(failure)
    fit = replace(fit, verdict=replace(fit.verdict, reasons=problems(fit)))
    return (
        _environment()
        .get_template("failure.html")
        .render(
            failure=fit,
            remedy=remedy(fit),
            model=fit.target,
            command=scan_command(fit.config),
            **_shared(),
        )
    )


def _shared() -> dict[str, Any]:
    return {"assets": assets()}


def linked(text: str) -> Markup:
    """Make the beginning of the advice about checks a link to them; everything is escaped."""
    if not text.startswith(CHECKS):
        return escape(text)
    return Markup('<a href="#checked">{}</a>{}').format(CHECKS, text.removeprefix(CHECKS))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("privaudit.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "attack_text": attack_text,
        "decimal": decimal,
        "equals": equals,
        "linked": linked,
        "plain": plain_reason,
        "percent": percent,
        "probability": probability,
        "with_interval": with_interval,
    }
    return environment
