"""The HTML page of a comparison: what got worse or better first, every number below."""

from __future__ import annotations

from privaudit.compare import Change, ComparisonResult
from privaudit.report import plots
from privaudit.report.html.figures import WIDTH, PagePlot, page_plot
from privaudit.report.html.glossary import GLOSSARY
from privaudit.report.html.page import assets, environment
from privaudit.report.html.page_table import Cell, Column, Row, Table, difference_cells, estimate_cell, text_cell
from privaudit.report.html.scores import mask_text
from privaudit.report.html.svg import PALETTE
from privaudit.report.numbers import PAGE
from privaudit.report.redact import redact_comparison
from privaudit.report.sentences import comparison_text as text
from privaudit.report.sentences.fact_text import metric_name
from privaudit.report.sentences.names import attack_text

MAX_DRAWN = 40
"""Maximum number of rows of a plot."""


def render_comparison_html(result: ComparisonResult) -> str:
    """Render a comparison as one self-contained HTML page, which loads nothing and names no folder."""
    shown = redact_comparison(result)
    return (
        environment()
        .get_template("comparison.html")
        .render(
            result=shown,
            tone=text.tone(shown),
            headline=text.headline(shown).capitalize(),
            lines=text.lead_lines(shown, PAGE),
            outcome=text.exit_text(shown),
            runs=_runs(shown),
            metrics=[
                (metric_name(metric), _plot(shown, metric, number), _changes(shown, metric, number))
                for number, metric in enumerate(text.metrics_of(shown.changes))
            ],
            differs=text.what_differs(shown, PAGE),
            notes=text.note_lines(shown),
            pairing=text.pairing_text(shown),
            glossary=GLOSSARY,
            assets=assets(),
        )
    )


def _runs(result: ComparisonResult) -> Table:
    titles = ("Run", "Model", "Family", "Hash of the weights", "Scanned", "By privaudit")
    rows = (
        Row(tuple(map(text_cell, (which, run.target, run.family, run.hash[:12], run.created, run.privaudit_version))))
        for which, run in (("old", result.old), ("new", result.new))
    )
    return Table("runs", "Models and runs", tuple(map(Column, titles)), tuple(rows))


def _changes(result: ComparisonResult, metric: str, number: int) -> Table:
    titles = ("Old", "New", "Difference", "p")
    numbers = (Column(title, "number", "p" if title == "p" else "interval") for title in titles)
    return Table(
        f"differences-{number}",
        text.table_title(result, metric, PAGE),
        (Column("Attack"), Column("Mask", about="mask"), *numbers, Column("Shown")),
        tuple(map(_row, text.worst_first(result, metric))),
    )


def _row(change: Change) -> Row:
    mark = change.direction if change.direction in ("worse", "better") else None
    cells = (
        text_cell(attack_text(change.attack)),
        text_cell(mask_text(change.mask)),
        estimate_cell(change.old),
        estimate_cell(change.new),
        *difference_cells(change.difference),
        Cell(text.SHOWN[change.direction], order=float([*text.SHOWN].index(change.direction)), mark=mark),
    )
    return Row(cells, quiet=change.mask == "random")


def _plot(result: ComparisonResult, metric: str, number: int) -> PagePlot | None:
    """Draw the differences of a metric; None if none has an interval."""
    drawn = text.measured(result, metric)[:MAX_DRAWN]
    if not drawn:
        return None
    axes = plots.canvas(WIDTH, 0.8 + 0.25 * len(drawn), PALETTE)
    plots.differences(drawn, axes=axes, palette=PALETTE).locator_params(axis="x", nbins=4)
    title, about = text.table_title(result, metric, PAGE), text.plot_text(result, metric, PAGE)
    return page_plot(axes, f"differences-{number}", title, about, text.plot_caption(result, metric, len(drawn)))
