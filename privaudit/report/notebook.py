"""The box that a notebook shows for a result: the verdict and the numbers that it rests on, not the whole page."""

from __future__ import annotations

from html import escape

from privaudit.escape import escape_control
from privaudit.report.numbers import COMPACT
from privaudit.report.quoted import confidence_of
from privaudit.report.redact import redact
from privaudit.report.sentences.design_words import positives_text
from privaudit.report.sentences.fact_text import sentence
from privaudit.report.sentences.finding_text import statement
from privaudit.report.sentences.model_text import header_lines, model_name, unmerged_line
from privaudit.report.sentences.overall import answer, headline, tone
from privaudit.report.sentences.verdict_text import check_text, gate_reason, pass_meaning
from privaudit.results.audit_result import AttackReport, AuditResult

EDGES = {
    "none": "#2e8540",
    "neutral": "#57738a",
    "low": "#b8860b",
    "medium": "#d9730d",
    "high": "#d1242f",
    "unclear": "#8250df",
}
"""Colour of the edge of the box by tone; the headline says the same in words."""
RATES = {"TPR at 1 % FPR": "0.01", "TPR at 0.1 % FPR": "0.001"}
MAX_ROWS = 20
"""Maximum number of rows of the table."""
LINE = "1px solid rgba(128,128,128,.4)"
"""A grey that is visible in light and dark notebooks; text keeps the notebook's own colour."""
CELL = f"text-align:left;padding:2px 14px 2px 0;border:0;border-bottom:{LINE};background:none;color:inherit"


def render_notebook(result: AuditResult) -> str:
    """Render the box, with inline styles only and without scripts."""
    result = redact(result)  # notebooks are shared with their outputs
    data, note = result.data, " ".join(pass_meaning(result))
    about_files = filter(None, (unmerged_line(result.target), *header_lines(result.target.files)))
    size = f"{positives_text(data)}, {data.nonmembers} non-members"
    lines = [
        f'<div style="border:{LINE};border-left:6px solid {EDGES[tone(result)]};padding:8px 14px;max-width:60em;'
        'font-size:14px;line-height:1.45;color:inherit">',
        f"<strong>{_text(headline(result))}</strong> <span>{_text(model_name(result.target))}: {size}</span>",
        f'<p style="margin:6px 0">{_text(answer(result))}</p>',
        f'<p style="margin:6px 0">{_text(statement(result))}</p>',
        *(f'<p style="margin:6px 0">{_text(line)}</p>' for line in about_files),
        *(
            f'<p style="margin:6px 0">gate {_text(gate.gate)}: <strong>{gate.status.upper()}</strong>. '
            f"{_text(sentence(gate_reason(gate, result)))}</p>"
            for gate in result.verdict.gates
        ),
        *([f'<p style="margin:6px 0;opacity:.75">{_text(note)}</p>'] if note else []),
        _table(result),
        *(
            f'<p style="margin:6px 0">check {_text(check.name)}: <strong>{check.status}</strong>. '
            f"{_text(sentence(check_text(check, result.data)))}</p>"
            for check in result.checks
            if check.status != "ok"
        ),
        '<p style="margin:6px 0;opacity:.75">More: <code>.frame()</code>, <code>.plot.roc()</code>, '
        '<code>.save("report.html")</code></p>',
        "</div>",
    ]
    return "\n".join(lines)


def _table(result: AuditResult) -> str:
    percent = f"{100 * confidence_of(result):g} %"
    head = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in ("attack", "AUROC", *RATES))
    rows = "".join(_row(report) for report in result.attacks[:MAX_ROWS])
    further = len(result.attacks) - MAX_ROWS
    more = f"<tr><td colspan='4' style=\"{CELL}\">{further} more: .frame()</td></tr>" if further > 0 else ""
    return (
        '<table style="border-collapse:collapse;margin:8px 0;background:none;color:inherit;font-size:inherit">'
        f'<caption style="text-align:left;padding:2px 0;color:inherit">Without mask, with {percent} intervals</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}{more}</tbody></table>"
    )


def _row(report: AttackReport) -> str:
    metrics = report.masks["none"]
    numbers = [COMPACT.estimate(metrics.auroc), *(COMPACT.estimate(metrics.tpr_at_fpr[fpr]) for fpr in RATES.values())]
    cells = "".join(f'<td style="{CELL}">{number}</td>' for number in numbers)
    return f'<tr><th scope="row" style="{CELL};font-weight:600">{_text(report.name)}</th>{cells}</tr>'


def _text(text: str) -> str:
    return escape(escape_control(text))
