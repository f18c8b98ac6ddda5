"""A table as the page lays it out: cells with their interval, and notes below that say why a number is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from privaudit.evaluation.estimate import Difference, EpsilonBound, Estimate, RateEstimate
from privaudit.report.html.numbers import between, decimal, probability

UNLIKE = 0.1
"""Relative gap from which on a realised false-positive rate is told beside its target."""


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
    mark: Literal["ok", "warn", "fail"] | None = None


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
    def notes(self) -> tuple[str, ...]:
        """Every footnote once, in the order in which they are first needed."""
        return tuple(dict.fromkeys(cell.note for row in self.rows for cell in row.cells if cell.note))

    def number(self, note: str) -> int:
        """The number of a footnote, from 1."""
        return self.notes.index(note) + 1


def text_cell(text: str, detail: str = "") -> Cell:
    """Make a cell of words, sorted without regard to case."""
    return Cell(text, detail, order=text.casefold())


def count_cell(count: int, detail: str = "") -> Cell:
    """Make a cell of a whole number."""
    return Cell(f"{count}", detail, order=float(count))


def estimate_cell(estimate: Estimate) -> Cell:
    """Make a cell of a value with its interval."""
    return Cell(decimal(estimate.value), between(estimate), _order(estimate.value), estimate.reason)


def rate_cell(rate: RateEstimate | None, target: float) -> Cell:
    """Make a cell of a true-positive rate.

    Args:
        rate: None where it was not measured at all.
        target: False-positive rate that was asked for.

    Returns:
        The cell; a note tells a realised false-positive rate that is far from the target.
    """
    if rate is None:
        return Cell("n/a", note="not resolved by so few non-members")
    note = rate.reason
    realised = rate.fpr_realised
    if not math.isnan(rate.value) and abs(realised - target) > UNLIKE * target:
        told = f"realised at a false-positive rate of {realised:.3g} ({rate.k} of {rate.n} non-members)"
        note = f"{told}; {note}" if note else told
    return Cell(decimal(rate.value), between(rate), _order(rate.value), note)


def bound_cell(bound: EpsilonBound) -> Cell:
    """Make a cell of a one-sided bound."""
    sure = "" if math.isnan(bound.value) else f"{100.0 * bound.confidence:g} % sure"
    return Cell(decimal(bound.value), sure, _order(bound.value), bound.reason)


def difference_cells(difference: Difference | None) -> tuple[Cell, Cell]:
    """Make the cells of a paired difference and of its p-value."""
    if difference is None:
        return Cell("–"), Cell("–")
    limits = between(difference, signed=True)
    value = Cell(decimal(difference.value, signed=True), limits, _order(difference.value), difference.reason)
    why = difference.reason if math.isnan(difference.p) else None
    return value, Cell(probability(difference.p), order=_order(difference.p), note=why)


def _order(value: float) -> float | None:
    return None if math.isnan(value) else value
