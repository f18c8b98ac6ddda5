"""Single characters and cells; whole reports are in tests/report/test_injection.py."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privaudit.escape import csv_cell, csv_text, encodable, escape_control, markdown, markdown_code, terminal

ANY = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("héé 漢字 🦊 שלום", "héé 漢字 🦊 שלום"),
        ("👩\u200d🔬 क्\u200dष", "👩\u200d🔬 क्\u200dष"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("soft\xadhyphen\u200b", r"soft\xadhyphen\u200b"),
        ("\U000e0041", r"\U000e0041"),
        ("caf\udce9", r"caf\udce9"),
    ],
)
def test_harmless(text: str, shown: str) -> None:
    assert escape_control(text) == shown
    assert escape_control(shown) == shown


@given(ANY)
def test_nothing_acts_in_a_harmless_text(text: str) -> None:
    shown = escape_control(text, keep="\n")
    assert not [
        c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in "\n\u200c\u200d"
    ]
    assert escape_control(shown, keep="\n") == shown
    shown.encode("utf-8")


@given(ANY)
def test_markdown_is_one_line(text: str) -> None:
    for written in (markdown(text), markdown_code(text)):
        assert len(written.splitlines()) <= 1
        assert "|" not in written
        assert "<" not in markdown(text)


@given(ANY)
def test_what_utf8_can_hold_is_stored_as_it_is(text: str) -> None:
    plain = text.encode("utf-8", "ignore").decode()
    assert encodable(plain) == plain
    encodable(text).encode("utf-8")


@pytest.mark.parametrize("value", [None, 1, -1.5, True])
def test_only_texts_change(value: object) -> None:
    assert csv_cell(value) is value
    assert encodable(value) is value


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "＝1", "-"])
def test_formulas_become_texts(text: str) -> None:
    assert str(csv_cell(text)).startswith("'")


def test_a_table_keeps_its_numbers_and_its_missing_values() -> None:
    frame = pd.DataFrame({
        "number": [-1.5, float("nan")],
        "count": pd.array([-3, None], dtype="Int64"),
        "flag": [True, False],
        "text": ["-x", None],
    })
    assert csv_text(frame) == "number,count,flag,text\n-1.5,-3,True,'-x\n,,False,\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error file=a::b", r"\::error file=a::b"),
        ("  ::stop-commands::x", r"  \::stop-commands::x"),
        ("a ##[add-mask]b", r"a #\#[add-mask]b"),
        ("##vso[task.complete]", r"#\#vso[task.complete]"),
        ("privaudit::x, ## and :: stay", "privaudit::x, ## and :: stay"),
        ("\x1b[2J", r"\x1b[2J"),
    ],
)
def test_a_log_finds_no_command(text: str, shown: str) -> None:
    assert terminal(text) == shown
    assert terminal(terminal(text)) == shown
