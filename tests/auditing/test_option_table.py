"""The table of options: one entry says everything, and what depends on options follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from privaudit.auditing.option_table import PANELS, flag_of, in_order_of_help, like, needed, option, rule, table
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.parsed_options import Options, OptionsError, default_folder


def read_pair(given):
    return tuple(map(int, given.split(","))) if isinstance(given, str) else given


@dataclass(frozen=True)
class Cake(Options):
    suffix = "-cake"
    out: Path = field(metadata=needed(kind="path", panel=PANELS[3], help="Folder."))
    layers: int = option(2, panel=PANELS[1], check=rule(lambda n: n > 0, "layers > 0"), help="How many.")
    size: tuple[int, int] = option("3,4", panel=PANELS[1], parse=read_pair, write=list, help="How wide and high.")
    icing: str = option("none", panel=PANELS[1], after="layers", choices=("none", "sugar"), help="On top.")
    guests: tuple[str, ...] = option(())


@dataclass(frozen=True)
class Tart(Options):
    out: Path = field(metadata=needed(kind="path", help="Folder."))
    layers: int = like(Cake, "layers", help="Of a tart.")
    size: tuple[int, int] = like(Cake, "size", default="1,1")


def test_an_entry_gives_kind_flag_and_default():
    entries = table(Cake)
    assert {name: entry.kind for name, entry in entries.items()} == {
        **{"target": "text", "out": "path", "layers": "integer", "size": "text", "icing": "text", "guests": "texts"},
    }
    assert [entries[name].unset for name in ("layers", "size", "guests")] == [2, "3,4", None]
    assert flag_of("mask_scope", entries["icing"]) == "--mask-scope"
    made = Cake("model", Path("x"))
    assert (made.layers, made.size, made.guests) == (2, (3, 4), ())
    assert made.texts()["size"] == [3, 4]


def test_help_is_in_the_order_of_panels_and_has_no_option_of_python_alone():
    assert list(in_order_of_help(Cake)) == ["target", "layers", "icing", "size", "out"]


def test_an_option_of_two_classes_is_said_once():
    made = Tart("model", Path("x"))
    assert (made.layers, made.size) == (2, (1, 1))
    assert (table(Tart)["layers"].help, table(Tart)["layers"].panel) == ("Of a tart.", PANELS[1])
    with pytest.raises(OptionsError, match="expected layers > 0, got 0"):
        Tart("model", Path("x"), layers=0)


def test_problems_come_in_the_order_of_the_options():
    with pytest.raises(OptionsError) as raised:
        Cake("model", Path("x"), icing="salt", layers=-1)
    assert raised.value.problems == ("expected layers > 0, got -1", "expected icing to be one of none, sugar, got salt")


def test_the_folder_follows_from_the_target():
    assert (
        Cake.parse(target="models/small").out
        == default_folder({"target": "small"}, "-cake")
        == Path("privaudit-runs/small-cake")
    )
    assert Cake.parse(target=Path("models/small"), out="x").out == Path("x")


def test_every_option_of_an_audit_is_in_the_table():
    assert all("option" in part.metadata for part in fields(AuditOptions))
    assert [name for name, entry in table(AuditOptions).items() if not entry.decides] == [
        *("offload", "out", "device", "fresh", "config_file")
    ]
