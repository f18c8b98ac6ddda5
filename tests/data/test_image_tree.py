"""Folders of images with what people keep next to them, each compared with the same images in a plain manifest."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from privaudit.data import SampleSet, read_set
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import LeftOut
from privaudit.data.listing import list_set
from privaudit.errors import DataError

SIZE = (8, 8)
CAPTIONS = {"a": "a cat, sitting", "b": "naïve dog", "c": "sea"}


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8))


def images(folder: Path, names: Mapping[str, int] | None = None) -> Path:
    """Save pictures by name; the same number gives the same pixels."""
    for name, seed in (names or {"a.png": 0, "b.png": 1, "c.png": 2}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(folder / name)
    return folder


def read(source: Path, **choices: str) -> SampleSet:
    return read_set(source, SIZE, choices=CaptionChoices(**choices))


def captions(source: Path, **choices: str) -> dict[str, str | None]:
    return {sample.path.stem: sample.caption for sample in read(source, **choices).samples}


def left_out(source: Path) -> set[tuple[str, str, int]]:
    return {(item.kind, item.suffix, item.count) for item in list_set(source).left_out}


@pytest.fixture
def plain(tmp_path: Path) -> SampleSet:
    """The same images with the same captions, in a manifest."""
    folder = images(tmp_path / "plain")
    rows = [{"path": f"{name}.png", "caption": text} for name, text in CAPTIONS.items()]
    pd.DataFrame(rows).to_csv(folder / "set.csv", index=False)
    return read(folder / "set.csv")


def beside(folder: Path, suffix: str, write: Callable[[str], bytes] = str.encode) -> Path:
    for name, text in CAPTIONS.items():
        (images(folder) / f"{name}{suffix}").write_bytes(write(text))
    return folder


def metadata(folder: Path, suffix: str, column: str = "text", key: str = "file_name") -> Path:
    table = pd.DataFrame([{key: f"{name}.png", column: text} for name, text in CAPTIONS.items()])
    images(folder)
    path = folder / f"metadata.{suffix}"
    if suffix == "csv":
        table.to_csv(path, index=False)
    elif suffix == "parquet":
        table.to_parquet(path, index=False)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
    return folder


LAYOUTS: Mapping[str, tuple[Callable[[Path], Path], str, str]] = {
    "txt": (lambda f: beside(f, ".txt"), "folder", ".txt files"),
    "caption": (lambda f: beside(f, ".caption"), "folder", ".caption files"),
    "upper case": (lambda f: beside(f, ".TXT"), "folder", ".txt files"),
    "json": (lambda f: beside(f, ".json", lambda t: json.dumps({"caption": t}).encode()), "folder", ".json files"),
    "mark": (lambda f: beside(f, ".txt", lambda t: b"\xef\xbb\xbf" + t.encode()), "folder", ".txt files"),
    "windows": (lambda f: beside(f, ".txt", lambda t: t.encode() + b"\r\n"), "folder", ".txt files"),
    "lines": (lambda f: beside(f, ".txt", lambda t: b"\n" + t.encode() + b"\nother\n"), "folder", ".txt files"),
    **{
        f"metadata {suffix} {column}": (
            lambda f, s=suffix, c=column: metadata(f, s, c), "folder, metadata", f"column {column}",
        )
        for suffix in ("csv", "jsonl", "parquet")
        for column in ("text", "caption", "prompt")
    },
    "other name": (lambda f: metadata(f, "csv", key="image_file_name"), "folder, metadata", "column text"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_ids_and_captions_are_those_of_a_plain_manifest(tmp_path: Path, plain: SampleSet, name: str) -> None:
    build, layout, source = LAYOUTS[name]
    result = read(build(tmp_path / "set"))
    assert [(s.id, s.prompt) for s in result.samples] == [(s.id, s.prompt) for s in plain.samples]
    assert (result.layout, result.captions.source, result.captions.unused) == (layout, source, "")
    assert result.left_out == ()


def test_metadata_may_be_in_the_folders_of_a_split(tmp_path: Path, plain: SampleSet) -> None:
    metadata(tmp_path / "set" / "train", "jsonl")
    assert [s.id for s in read(tmp_path / "set").samples] == [s.id for s in plain.samples]
    assert captions(tmp_path / "set") == CAPTIONS


def test_several_splits_are_refused_by_name(tmp_path: Path) -> None:
    images(tmp_path / "train")
    images(tmp_path / "test")
    with pytest.raises(DataError, match=r"expected one split, got test and train in .*; pass .*test or another"):
        list_set(tmp_path)


def test_an_image_that_the_metadata_does_not_name_is_left_out(tmp_path: Path) -> None:
    images(metadata(tmp_path, "csv"), {"further.png": 9})
    assert set(captions(tmp_path)) == set(CAPTIONS)
    assert left_out(tmp_path) == {("not in metadata", ".png", 1)}


def test_a_file_that_the_metadata_names_and_that_is_missing_is_unreadable(tmp_path: Path) -> None:
    (metadata(tmp_path, "csv") / "b.png").unlink()
    result = read(tmp_path)
    assert [item.path.name for item in result.skipped] == ["b.png"]
    assert len(result) == 2


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "sub/../../a.png"])
def test_metadata_names_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder = images(tmp_path / "set")
    (folder / "metadata.csv").write_text(f"file_name,text\n{name},x\n")
    with pytest.raises(DataError, match="expected images below .*set in .*metadata.csv, got "):
        list_set(folder)


def test_conditions_of_other_images_are_left_out(tmp_path: Path) -> None:
    images(tmp_path, {"a.png": 0, "edges/a.png": 1})
    (tmp_path / "metadata.csv").write_text("file_name,edges_file_name,text\na.png,edges/a.png,x\n,,\n")
    assert captions(tmp_path) == {"a": "x"}
    assert left_out(tmp_path) == {("mask", "", 1), ("empty row", "", 1)}


@pytest.mark.parametrize(
    ("table", "caption", "count"),
    [
        ("file_name\na.png\na.png\n", None, 0),
        ("file_name,text\na.png,\na.png,second\n", "second", 1),
        ("file_name,text\na.png,first\na.png,second\n", "first", 2),
    ],
)
def test_rows_of_one_image_are_its_captions(tmp_path: Path, table: str, caption: str | None, count: int) -> None:
    (images(tmp_path) / "metadata.csv").write_text(table)
    (sample,) = read(tmp_path).samples
    assert (sample.caption, sample.captions) == (caption, count)


def test_names_with_dots_are_not_repeated_as_suffixes(tmp_path: Path) -> None:
    """The suffixes that are left out appear in reports, which are shared."""
    images(tmp_path)
    for name in ("Dr. Example 1", "Dr. Example 2", "b.psd"):
        (tmp_path / name).write_text("x")
    assert left_out(tmp_path) == {("other format", "", 2), ("other format", ".psd", 1)}


def test_a_link_that_leads_nowhere_is_an_unreadable_image(tmp_path: Path) -> None:
    """A folder of links to a disk that is not there would otherwise shrink without a word."""
    (images(tmp_path) / "d.png").symlink_to("moved.png")
    assert [item.path.name for item in read(tmp_path).skipped] == ["d.png"]


def test_one_of_several_image_columns_has_to_be_the_trained_one(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "metadata.csv").write_text("one_file_name,two_file_name\na.png,b.png\n")
    with pytest.raises(DataError, match="expected one column file_name in .*, got: one_file_name, two_file_name"):
        list_set(tmp_path)


def test_an_empty_caption_is_a_caption_and_no_file_is_none(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "b.txt").write_text(" \n\t\n")
    result = read(tmp_path)
    assert {s.path.stem: (s.caption, s.captions) for s in result.samples} == {
        "a": ("", 1),
        "b": ("", 1),
        "c": (None, 0),
    }


def test_the_first_of_several_lines_is_used_and_counted(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "a.txt").write_text("one\n\n two \nthree")
    first, *_ = read(tmp_path).samples
    assert (first.caption, first.captions) == ("one", 3)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "a.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(DataError, match=r"expected UTF-8 in the caption file .*a\.txt, got the byte 0xe9 at pos"):
        list_set(tmp_path)


def test_a_second_caption_file_with_another_text_is_named_as_unused(tmp_path: Path) -> None:
    beside(tmp_path, ".caption", lambda text: b"x" + text.encode())
    beside(tmp_path, ".txt")
    assert captions(tmp_path) == CAPTIONS
    assert list_set(tmp_path).captions.unused == ".caption files"
    chosen = list_set(tmp_path, CaptionChoices(column=".caption"))
    assert [entry.caption for entry in chosen.entries] == [f"x{text}" for text in CAPTIONS.values()]
    assert chosen.captions.source == ".caption files"


def test_the_same_caption_in_two_files_is_not_unused(tmp_path: Path) -> None:
    beside(tmp_path, ".json", lambda text: json.dumps({"caption": text, "url": "x"}).encode())
    beside(tmp_path, ".txt")
    assert list_set(tmp_path).captions.unused == ""


def test_another_column_of_captions_is_named_as_unused(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,text,caption,blip\na.png,one,two,three\n")
    assert captions(tmp_path) == {"a": "two"}
    assert list_set(tmp_path).captions.unused == "column text"
    assert captions(tmp_path, column="blip") == {"a": "three"}
    assert list_set(tmp_path, CaptionChoices(column="blip")).captions.unused == ""


def test_a_column_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    images(tmp_path)
    with pytest.raises(DataError, match="expected captions in 'blip' in .*, found none; name a column"):
        list_set(tmp_path, CaptionChoices(column="blip"))
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,one\n")
    with pytest.raises(DataError, match="expected a column 'blip' of captions in .*metadata.csv, got: file_name, text"):
        list_set(tmp_path, CaptionChoices(column="blip"))


def test_one_caption_for_all_and_a_template(tmp_path: Path) -> None:
    images(tmp_path)
    (tmp_path / "a.txt").write_text("a cat")
    sks = list_set(tmp_path, CaptionChoices("a photo of sks"))
    assert {entry.caption for entry in sks.entries} == {"a photo of sks"}
    assert (sks.captions.source, sks.captions.unused) == ("--caption", ".txt files")
    prefixed = list_set(tmp_path, CaptionChoices("sks, {caption}"))
    assert [entry.caption for entry in prefixed.entries] == ["sks, a cat", None, None]
    assert (prefixed.captions.source, prefixed.captions.unused) == ("--caption with .txt files", "")


def test_words_of_a_folder_are_captions_and_repeats_are_no_copies(tmp_path: Path) -> None:
    images(tmp_path / "10_sks dog", {"a.png": 0, "b.png": 1})
    images(tmp_path / "img" / "3_dog", {"c.png": 2})
    (tmp_path / "10_sks dog" / "b.txt").write_text("a dog on a lawn")
    result = read(tmp_path)
    assert captions(tmp_path) == {"a": "sks dog", "b": "a dog on a lawn", "c": "dog"}
    assert (len(result), result.duplicates, result.layout) == (3, 0, "folder, kohya")
    assert result.captions.source == ".txt files and folder names"


@pytest.mark.parametrize("name", ["reg", "REG", "regularization", "regularisation_images", "class_images"])
def test_regularisation_images_are_no_members(tmp_path: Path, name: str) -> None:
    images(tmp_path / "img" / "10_sks dog", {"a.png": 0})
    images(tmp_path / name / "1_dog", {"x.png": 5, "y.png": 6})
    assert set(captions(tmp_path)) == {"a"}
    assert ("regularisation", "", 2) in left_out(tmp_path)
    assert set(captions(tmp_path / name)) == {"x", "y"}, "passed by itself, the folder is read"


def test_masks_with_a_partner_are_left_out_and_others_are_images(tmp_path: Path) -> None:
    names = ["0.png", "0-masklabel.png", "0-condlabel.png", "1.jpg", "1-masklabel-2.png", "alone-masklabel.png"]
    images(tmp_path, {name: seed for seed, name in enumerate(names)})
    assert set(captions(tmp_path)) == {"0", "1", "alone-masklabel"}
    assert left_out(tmp_path) == {("mask", "", 3)}


def test_what_is_no_image_is_counted_by_kind_and_suffix(tmp_path: Path) -> None:
    images(tmp_path)
    for name in ("a.npz", "a_te_outputs.npz", "b.safetensors", "film.mp4", "notes.md", "raw.psd", "x.parquet", "d.txt"):
        (tmp_path / name).write_bytes(b"0")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.png"):
        (tmp_path / name).write_bytes(b"0")
    assert left_out(tmp_path) == {
        ("cached latents", ".npz", 2), ("cached latents", ".safetensors", 1), ("video", ".mp4", 1),
        ("other format", ".md", 1), ("other format", ".psd", 1), ("other format", ".txt", 1),
        ("container", ".parquet", 1),
    }  # fmt: skip
    with pytest.raises(
        DataError, match=r"got 2 of the kind 'cached latents' with the suffix \.npz; leave out --strict"
    ):
        read_set(tmp_path, SIZE, strict=True)


def test_strict_accepts_images_with_captions_and_metadata(tmp_path: Path) -> None:
    assert len(read_set(beside(metadata(tmp_path, "csv"), ".txt"), SIZE, strict=True)) == 3


def test_what_was_left_out_has_an_example(tmp_path: Path) -> None:
    (images(tmp_path) / "raw.psd").write_bytes(b"0")
    assert list_set(tmp_path).left_out == (LeftOut("other format", ".psd", 1, "raw.psd"),)


def test_folders_are_names_of_classes(tmp_path: Path) -> None:
    images(tmp_path, {"cat/a.png": 0, "dog/b.png": 1, "dog/deep/c.png": 2})
    assert {entry.path.stem: entry.class_name for entry in list_set(tmp_path).entries} == {
        "a": "cat", "b": "dog", "c": "dog",
    }  # fmt: skip


def test_a_file_without_a_suffix_is_an_image_by_its_first_bytes(tmp_path: Path) -> None:
    (images(tmp_path) / "a.png").rename(tmp_path / "0f3a")
    (tmp_path / "LICENSE").write_text("text")
    assert set(captions(tmp_path)) == {"0f3a", "b", "c"}
    assert left_out(tmp_path) == {("other format", "", 1)}


def test_the_metadata_may_name_images_of_any_suffix(tmp_path: Path) -> None:
    (images(tmp_path) / "a.png").rename(tmp_path / "a.img")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.img,x\n")
    assert captions(tmp_path) == {"a": "x"}


def test_a_caption_file_that_holds_no_text_is_named_in_private(tmp_path: Path) -> None:
    (images(tmp_path) / "a.json").write_text('{"caption": {"en": "x"}}')
    with pytest.raises(DataError, match="expected a caption or a list of captions in caption of .*got dict") as caught:
        read(tmp_path)
    assert caught.value.private == (str(tmp_path / "a.json"),)
