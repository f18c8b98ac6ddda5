import io
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from privaudit.data.layouts import CaptionChoices
from privaudit.data.listing import list_set
from privaudit.data.tables import read_table
from privaudit.errors import DataError


def rows(data: bytes, suffix: str) -> list[dict]:
    return [dict(row) for _, row in read_table(io.BytesIO(data), suffix, "set").rows]


def write(folder: Path, name: str, text: str) -> Path:
    for place in ("0.png", "1.png", "img/0.png"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (len(place), 0, 0)).save(folder / place)
    (folder / name).write_text(text)
    return folder / name


def test_no_more_than_a_row_of_a_table_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows would not fit as a list of objects."""
    lines = b"".join(json.dumps({"path": f"{number}.png"}).encode() + b"\n" for number in range(10_000))
    parsed: list[str] = []
    original = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or original(text))
    table = read_table(io.BytesIO(lines), ".jsonl", "set")
    del parsed[:]
    assert next(iter(table.rows)) == (1, {"path": "0.png"})
    assert len(parsed) == 1


def test_tabs_separate_columns_and_not_commas() -> None:
    assert rows(b"path\tcaption\n0.png\ta cat, sitting\n", ".tsv") == [{"path": "0.png", "caption": "a cat, sitting"}]


def test_a_json_array_and_the_metadata_of_kohya() -> None:
    assert rows(b'[{"path": "0.png", "text": "x"}]', ".json") == [{"path": "0.png", "text": "x"}]
    kohya = {"0.png": {"caption": "a cat", "tags": "cat, red", "train_resolution": [64, 64]}, "1.png": {"tags": "dog"}}
    assert rows(json.dumps(kohya).encode(), ".json") == [
        {"path": "0.png", "caption": "a cat, cat, red", "train_resolution": [64, 64]},
        {"path": "1.png", "caption": "dog"},
    ]


@pytest.mark.parametrize("text", ["3", '["a.png"]', '{"path": "a.png"}', "{", "{}"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="cannot read the manifest set: "):
        rows(text.encode(), ".json")


def test_columns_of_bytes_and_structures_are_not_read(tmp_path: Path) -> None:
    pd.DataFrame({"path": ["0.png"], "image": [{"bytes": b"x", "path": "0.png"}], "raw": [b"y"]}).to_parquet(
        tmp_path / "set.parquet"
    )
    assert rows((tmp_path / "set.parquet").read_bytes(), ".parquet") == [{"path": "0.png"}]


def test_a_list_of_paths(tmp_path: Path) -> None:
    listing = list_set(write(tmp_path, "set.txt", "0.png\r\n\nimg/0.png\n"))
    assert [entry.path for entry in listing.entries] == [tmp_path / "0.png", tmp_path / "img" / "0.png"]
    assert listing.layout == "manifest .txt"


@pytest.mark.parametrize("column", ["path", "file_name", "image", "image_path"])
@pytest.mark.parametrize("caption", ["caption", "text", "prompt"])
def test_usual_names_of_columns(tmp_path: Path, column: str, caption: str) -> None:
    listing = list_set(write(tmp_path, "set.csv", f"{column},{caption}\n0.png,a cat\n"))
    assert [(entry.path.name, entry.caption) for entry in listing.entries] == [("0.png", "a cat")]
    assert listing.captions.source == f"column {caption}"


def test_paths_written_on_windows(tmp_path: Path) -> None:
    (entry,) = list_set(write(tmp_path, "set.csv", "path\nimg\\0.png\n")).entries
    assert entry.path == tmp_path / "img" / "0.png"
    (tmp_path / "img\\0.png").write_bytes((tmp_path / "0.png").read_bytes())
    (entry,) = list_set(tmp_path / "set.csv").entries
    assert entry.path == tmp_path / "img\\0.png", "a file of that very name"


def test_rows_without_an_image_are_counted(tmp_path: Path) -> None:
    listing = list_set(write(tmp_path, "set.csv", "path,caption\n0.png,x\n,y\n\n,z\n"))
    assert len(listing.entries) == 1
    assert [(item.kind, item.count, item.example) for item in listing.left_out] == [("empty row", 2, "row 2")]


def test_several_captions_in_a_cell(tmp_path: Path) -> None:
    path = write(
        tmp_path, "set.jsonl", '{"path": "0.png", "caption": ["one", "two"]}\n{"path": "1.png", "caption": []}'
    )
    assert [(entry.caption, entry.captions) for entry in list_set(path).entries] == [("one", 2), (None, 0)]


def test_rows_of_one_image_with_different_captions_are_one_image(tmp_path: Path) -> None:
    rows = "path,caption\n0.png,\n1.png,dog\n0.png,one\n0.png,two\n1.png,dog\n"
    listing = list_set(write(tmp_path, "set.csv", rows))
    assert [(entry.path.name, entry.caption, entry.captions) for entry in listing.entries] == [
        ("0.png", "one", 2), ("1.png", "dog", 1), ("1.png", "dog", 1),
    ]  # fmt: skip


def test_an_empty_cell_of_a_csv_is_no_caption_and_empty_text_of_json_is_one(tmp_path: Path) -> None:
    assert list_set(write(tmp_path, "set.csv", "path,caption\n0.png,\n")).entries[0].caption is None
    assert list_set(write(tmp_path, "set.jsonl", '{"path": "0.png", "caption": ""}')).entries[0].caption == ""


def test_a_label_is_a_number_or_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, "set.csv", "path,label\n0.png,7\n1.png,cat\nimg/0.png,\n")
    assert [(entry.class_label, entry.class_name) for entry in list_set(path).entries] == [
        (7, None), (None, "cat"), (None, None),
    ]  # fmt: skip


def test_crops_per_image(tmp_path: Path) -> None:
    path = write(tmp_path, "set.csv", "path,crop_top,crop_left\n0.png,3,0\n1.png,,\n")
    assert [entry.crop for entry in list_set(path).entries] == [(3, 0), None]
    with pytest.raises(DataError, match="expected a whole number from 0 in crop_top of row 1 of .*, got '-3'"):
        list_set(write(tmp_path, "set.csv", "path,crop_top,crop_left\n0.png,-3,0\n"))


def test_a_chosen_column(tmp_path: Path) -> None:
    path = write(tmp_path, "set.csv", "path,caption,blip\n0.png,x,y\n")
    listing = list_set(path, CaptionChoices(column="blip"))
    assert (listing.entries[0].caption, listing.captions.unused) == ("y", "")
    with pytest.raises(DataError, match="expected a column 'git' of captions in the manifest .*, got: path, caption"):
        list_set(path, CaptionChoices(column="git"))
