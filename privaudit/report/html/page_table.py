"""A table as the page lays it out: cells with their interval, and notes below that say why a number is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from privaudit.evaluation.estimate import Difference, EpsilonBound, Estimate, RateEstimate
from privaudit.evaluation.facts import Fact
from privaudit.report.numbers import NOT_MEASURED, PAGE, Interval
from privaudit.report.sentences.fact_text import fact_text

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MIN_SHARED_NOTE = 3
"""Minimum number of rows for which a note that all of them have stands once, in the head of the column."""
MAX_UNTOLD_GAP = 0.1
"""Maximum relative gap up to which a realised false-positive rate is not given next to its target."""
MAX_PRINTED = 20
"""Maximum number of rows of a table on paper, which fit on a page with a plot; page.css counts them, too."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: First line.
        detail: Second line, smaller.
        order: What the column is sorted by; None sorts last.
        note: Footnote: why there is no number, or what to keep in mind about it.
        mark: Status that is shown as a badge instead of the text.
    """

    text: str
    detail: str = ""
    order: float | str | None = None
    note: str | None = None
    mark: Literal["ok", "warn", "fail", "pass", "inconclusive", "worse", "better"] | None = None


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Attributes:
        title: In words.
        kind: ``number`` is set flush right, ``prose`` gets room for sentences.
        about: Identifier of the entry in the glossary that explains it.
    """

    title: str
    kind: Literal["", "number", "prose"] = ""
    about: str | None = None


@dataclass(frozen=True)
class Row:
    """One row; the first cell is its header.

    Attributes:
        cells: As many as there are columns.
        quiet: A control or otherwise of less interest.
        chosen: The one that the finding quotes.
    """

    cells: tuple[Cell, ...]
    quiet: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: Identifier on the page.
        caption: What it shows.
        columns: Heads.
        rows: In the order of the page.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def unprinted(self) -> int:
        """Rows that are left out on paper."""
        return max(0, len(self.rows) - MAX_PRINTED)

    @property
    def shared(self) -> tuple[Cell | None, ...]:
        """For each column the cell whose note all rows have, which its head then tells once; None without one."""
        if len(self.rows) < MIN_SHARED_NOTE:
            return (None,) * len(self.columns)
        columns = zip(*(row.cells for row in self.rows), strict=True)
        return tuple(
            cells[0] if len({cell.note for cell in cells}) == 1 and cells[0].note else None for cells in columns
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Every footnote once, in the order in which they are first needed: heads before rows."""
        heads = [cell.note for cell in self.shared if cell is not None]
        noted = [*heads, *(cell.note for row in self.rows for cell in row.cells)]
        return tuple(dict.fromkeys(note for note in noted if note))

    @property
    def first(self) -> Mapping[str, str]:
        """Where each footnote is first referred to: ``head-COLUMN`` or ``ROW-COLUMN``, from 0."""
        shared = self.shared
        found: dict[str, str] = {}
        for column, cell in enumerate(shared):
            if cell is not None and cell.note:
                found.setdefault(cell.note, f"head-{column}")
        for number, row in enumerate(self.rows):
            for column, cell in enumerate(row.cells):
                if cell.note and shared[column] is None:
                    found.setdefault(cell.note, f"{number}-{column}")
        return found

    def letter(self, note: str) -> str:
        """The letter of a footnote, from a, then aa: a digit beside a number would be taken for one of its own."""
        place = self.notes.index(note)
        return LETTERS[place % len(LETTERS)] * (1 + place // len(LETTERS))


def text_cell(text: str, detail: str = "") -> Cell:
    """Make a cell of words, sorted without regard to case."""
    return Cell(text, detail, order=text.casefold())


def count_cell(count: int, detail: str = "") -> Cell:
    """Make a cell of a whole number."""
    return Cell(f"{count}", detail, order=float(count))


def estimate_cell(estimate: Estimate) -> Cell:
    """Make a cell of a value with its interval."""
    return _measured(estimate, _note(estimate.reason))


def rate_cell(rate: RateEstimate | None, target: float) -> Cell:
    """Make a cell of a true-positive rate.

    Returns:
        The cell; a note says what false-positive rate was realised if it is far from the target.
    """
    if rate is None:
        return Cell(NOT_MEASURED, note="n/a: too few non-members")
    note, realised = _note(rate.reason), rate.fpr_realised
    if not math.isnan(rate.value) and abs(realised - target) > MAX_UNTOLD_GAP * target:
        counts = f"realised at a false-positive rate of {realised:.3g} ({rate.k} of {rate.n} non-members)"
        note = f"{counts}; {note}" if note else counts
    return _measured(rate, note)


def bound_cell(bound: EpsilonBound) -> Cell:
    """Make a cell of a one-sided bound."""
    sure = "" if math.isnan(bound.value) else f"{PAGE.percent(bound.confidence)} sure"
    return Cell(PAGE.number(bound.value), sure, _order(bound.value), _note(bound.reason))


def difference_cells(difference: Difference | None) -> tuple[Cell, Cell]:
    """Make the cells of a paired difference and of its p-value."""
    if difference is None:
        return Cell("–"), Cell("–")
    note = _note(difference.reason)
    why = note if math.isnan(difference.p) else None
    p = Cell(PAGE.p_value(difference.p), order=_order(difference.p), note=why)
    return _measured(difference, note, signed=True), p


def _measured(estimate: Interval, note: str | None, *, signed: bool = False) -> Cell:
    limits = PAGE.limits(estimate, signed=signed)
    text = PAGE.number(estimate.value, signed=signed)
    return Cell(text, PAGE.no_limits if limits == NOT_MEASURED else limits, _order(estimate.value), note)


def _note(reason: Fact | None) -> str | None:
    return None if reason is None else fact_text(reason)


def _order(value: float) -> float | None:
    return None if math.isnan(value) else value
