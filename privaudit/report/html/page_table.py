"""Tables of the page: cells with an interval, and footnotes that say why a number is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from privaudit.evaluation.estimate import Difference, EpsilonBound, Estimate, RateEstimate
from privaudit.report.numbers import NOT_MEASURED, PAGE, Interval
from privaudit.report.sentences.fact_text import reason_text

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MIN_SHARED_NOTE = 3
"""Minimum number of rows for a note that all of them share to stand once, in the head of the column."""
MAX_RATE_GAP = 0.1
"""Maximum relative gap between a realised false-positive rate and its target without a footnote."""
MAX_PRINTED = 20
"""Maximum number of rows of a table on paper, so that it fits on a page with a plot; page.css has the same number."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: First line.
        detail: Second line, smaller.
        order: Value by which the column is sorted; None sorts last.
        note: Footnote: why there is no number, or what to keep in mind about it.
        mark: Status, shown as a badge instead of the text.
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
        title: Text of the head.
        kind: ``number`` is aligned right, ``prose`` gets room for sentences.
        about: Key of the glossary entry that explains the column.
    """

    title: str
    kind: Literal["", "number", "prose"] = ""
    about: str | None = None


@dataclass(frozen=True)
class Row:
    """One row; the first cell is its header.

    Attributes:
        cells: One cell per column.
        quiet: Whether the row is set in grey, such as a control.
        chosen: Whether the row is highlighted, such as the quoted score.
    """

    cells: tuple[Cell, ...]
    quiet: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: Identifier of the table on the page.
        caption: Title above the table.
        columns: Heads of the columns.
        rows: Rows in the order of the page.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def unprinted(self) -> int:
        """Number of rows that are left out on paper."""
        return max(0, len(self.rows) - MAX_PRINTED)

    @property
    def shared(self) -> tuple[Cell | None, ...]:
        """For each column a cell whose note all rows share, so that it stands in the head; None without one."""
        if len(self.rows) < MIN_SHARED_NOTE:
            return (None,) * len(self.columns)
        columns = zip(*(row.cells for row in self.rows), strict=True)
        return tuple(
            cells[0] if len({cell.note for cell in cells}) == 1 and cells[0].note else None for cells in columns
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Every footnote once, in the order in which they are first needed: heads before rows."""
        heads = [cell.note for cell in self.shared if cell is not None]  # heads are read first, so they get letter a
        noted = [*heads, *(cell.note for row in self.rows for cell in row.cells)]
        return tuple(dict.fromkeys(note for note in noted if note))

    @property
    def first(self) -> Mapping[str, str]:
        """Where each footnote is first referred to: ``head-COLUMN`` or ``ROW-COLUMN``, from 0."""
        shared = self.shared
        places: dict[str, str] = {}
        for column, cell in enumerate(shared):
            if cell is not None and cell.note:
                places.setdefault(cell.note, f"head-{column}")
        for number, row in enumerate(self.rows):
            for column, cell in enumerate(row.cells):
                if cell.note and shared[column] is None:
                    places.setdefault(cell.note, f"{number}-{column}")
        return places

    def letter(self, note: str) -> str:
        """The mark of a footnote: a, b, …, aa, since a digit next to a number would read as a part of it."""
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
    return _measured(estimate, reason_text(estimate.reason))


def rate_cell(rate: RateEstimate | None, target: float) -> Cell:
    """Make a cell of a true-positive rate; a note gives the realised false-positive rate if it is off the target."""
    if rate is None:
        return Cell(NOT_MEASURED, note="n/a: too few non-members")
    note, realised = reason_text(rate.reason), rate.fpr_realised
    if not math.isnan(rate.value) and abs(realised - target) > MAX_RATE_GAP * target:
        counts = f"realised at a false-positive rate of {realised:.3g} ({rate.k} of {rate.n} non-members)"
        note = f"{counts}; {note}" if note else counts
    return _measured(rate, note)


def bound_cell(bound: EpsilonBound) -> Cell:
    """Make a cell of a one-sided bound."""
    detail = "" if math.isnan(bound.value) else f"{PAGE.percent(bound.confidence)} confidence"
    return Cell(PAGE.number(bound.value), detail, _order(bound.value), reason_text(bound.reason))


def difference_cells(difference: Difference | None) -> tuple[Cell, Cell]:
    """Make the cells of a paired difference and of its p-value."""
    if difference is None:
        return Cell("–"), Cell("–")
    note = reason_text(difference.reason)
    p_note = note if math.isnan(difference.p) else None
    p = Cell(PAGE.p_value(difference.p), order=_order(difference.p), note=p_note)
    return _measured(difference, note, signed=True), p


def _measured(estimate: Interval, note: str | None, *, signed: bool = False) -> Cell:
    limits = PAGE.limits(estimate, signed=signed)
    text = PAGE.number(estimate.value, signed=signed)
    return Cell(text, PAGE.no_limits if limits == NOT_MEASURED else limits, _order(estimate.value), note)


def _order(value: float) -> float | None:
    return None if math.isnan(value) else value
