"""Zips, tars and shards of WebDataset as image sets, compared with the same images in a plain manifest."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from privaudit.data import SampleSet, read_set
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import CaptionUse, LeftOut
from privaudit.data.listing import list_set
from privaudit.errors import DataError

SIZE = (8, 8)
CAPTIONS = {"a": "a cat, sitting", "b": "naïve dog", "c": "sea"}


def picture(seed: int, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(buffer, form)
    return buffer.getvalue()


IMAGES = {f"{name}.png": picture(seed) for seed, name in enumerate(CAPTIONS)}
TEXTS = {f"{name}.txt": text.encode() for name, text in CAPTIONS.items()}
JSONS = {f"{name}.json": json.dumps({"caption": text, "key": name}).encode() for name, text in CAPTIONS.items()}
Files = Mapping[str, bytes]


def zipped(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def sharded(folder: Path, files: Files) -> Path:
    first = {name: data for name, data in files.items() if name.startswith("a")}
    tarred(folder / "data" / "train-00000.tar", first)
    tarred(folder / "data" / "train-00001.tar", {name: data for name, data in files.items() if name not in first})
    (folder / "README.md").write_text("about the set")
    return folder


def read(source: Path) -> SampleSet:
    return read_set(source, SIZE)


@pytest.fixture
def plain(tmp_path: Path) -> SampleSet:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, data in IMAGES.items():
        (folder / name).write_bytes(data)
    rows = [{"path": f"{name}.png", "caption": text} for name, text in CAPTIONS.items()]
    pd.DataFrame(rows).to_csv(folder / "set.csv", index=False)
    return read(folder / "set.csv")


@pytest.mark.parametrize("texts", [TEXTS, JSONS], ids=["txt", "json"])
@pytest.mark.parametrize(
    ("write", "name", "layout"), [(zipped, "set.ZIP", "zip"), (tarred, "set.tar", "tar"), (sharded, "shards", "tar")]
)
def test_ids_and_captions_are_those_of_a_plain_manifest(
    tmp_path: Path, plain: SampleSet, write: Callable[[Path, Files], Path], name: str, layout: str, texts: Files
) -> None:
    archived = read(write(tmp_path / name, IMAGES | texts))
    assert [(sample.id, sample.caption, sample.path.name, sample.file) for sample in archived.samples] == [
        (sample.id, sample.caption, sample.path.name, sample.file) for sample in plain.samples
    ]
    assert archived.layout == layout
    assert not archived.left_out


def test_images_are_named_below_their_container(tmp_path: Path) -> None:
    source = sharded(tmp_path / "shards", IMAGES)
    assert [str(sample.path.relative_to(source)) for sample in read(source).samples] == [
        "data/train-00000.tar/a.png",
        "data/train-00001.tar/b.png",
        "data/train-00001.tar/c.png",
    ]


def test_shards_are_no_classes_and_folders_in_them_are(tmp_path: Path) -> None:
    for shard in range(2):
        tarred(tmp_path / f"{shard}.tar", {"0.png": picture(shard), "cat/0.png": picture(shard + 5), "../x": b"x"})
    listing = list_set(tmp_path)
    assert [(entry.path.name, entry.class_name) for entry in listing.entries] == [("0.png", None), ("0.png", "cat")] * 2
    assert listing.left_out == (LeftOut("unsafe name", "", 2, "../x"),)


def test_a_folder_of_zips_is_read_as_one_set(tmp_path: Path, plain: SampleSet) -> None:
    for name, data in IMAGES.items():
        zipped(tmp_path / "zips" / f"{name}.zip", {name: data})
    assert [sample.id for sample in read(tmp_path / "zips").samples] == [sample.id for sample in plain.samples]


def test_a_zip_has_metadata_as_a_folder_has(tmp_path: Path) -> None:
    rows = "".join(json.dumps({"file_name": f"{name}.png", "text": text}) + "\n" for name, text in CAPTIONS.items())
    archived = read(zipped(tmp_path / "set.zip", IMAGES | {"metadata.jsonl": rows.encode()}))
    assert [sample.caption for sample in archived.samples] == list(CAPTIONS.values())
    assert archived.captions == CaptionUse("column text")


def test_an_archive_next_to_images_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(IMAGES["a.png"])
    tarred(tmp_path / "b.tar", {"b.png": IMAGES["b.png"]})
    listing = list_set(tmp_path)
    assert [entry.path for entry in listing.entries] == [tmp_path / "a.png"]
    assert listing.left_out == (LeftOut("container", ".tar", 1, "b.tar"),)


def test_unsafe_names_are_counted(tmp_path: Path) -> None:
    archived = read(tarred(tmp_path / "set.tar", IMAGES | {"../x.png": picture(9)}))
    assert len(archived) == 3
    assert archived.left_out == (LeftOut("unsafe name", "", 1, "../x.png"),)


class TestSamplesOfWebDataset:
    """A sample is what has one name up to the first dot."""

    def names(self, tmp_path: Path, *names: str) -> list[str]:
        files = {name: picture(seed) for seed, name in enumerate(names)}
        listing = list_set(tarred(tmp_path / "set.tar", files))
        further = len(names) - len(listing.entries)
        assert sum(item.count for item in listing.left_out if item.kind == "mask") == further
        return [entry.path.name for entry in listing.entries]

    def test_a_mask_is_no_image(self, tmp_path: Path) -> None:
        assert self.names(tmp_path, "0.jpg", "0.seg.png", "1.jpg", "1.seg.png", "x/0.png") == [
            "0.jpg",
            "1.jpg",
            "0.png",
        ]

    def test_one_image_per_sample(self, tmp_path: Path) -> None:
        assert self.names(tmp_path, "0.png", "0.jpg", "0.webp", "1.webp") == ["0.jpg", "1.webp"]

    def test_dots_in_names_of_photographs_stay(self, tmp_path: Path) -> None:
        assert self.names(tmp_path, "2021.05.03.jpg", "2021.05.04.jpg") == ["2021.05.03.jpg", "2021.05.04.jpg"]

    def test_classes(self, tmp_path: Path) -> None:
        files = {"0.jpg": picture(0), "0.cls": b"7\n", "x/1.jpg": picture(1), "x/1.cls": b"cat", "x/2.jpg": picture(2)}
        listing = list_set(tarred(tmp_path / "set.tar", files))
        classes = {entry.path.name: (entry.class_label, entry.class_name) for entry in listing.entries}
        assert classes == {"0.jpg": (7, None), "1.jpg": (None, "cat"), "2.jpg": (None, "x")}
        assert not listing.left_out

    def test_a_zip_is_a_folder(self, tmp_path: Path) -> None:
        assert len(list_set(zipped(tmp_path / "set.zip", {"0.jpg": picture(0), "0.seg.png": picture(1)})).entries) == 2


class TestSplits:
    """Several splits in one folder are never read as one set."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for seed, name in enumerate(["train-0.tar", "train-1.tar", "sub/val/0.tar", "portraits-00000-of-00001.tar"]):
            tarred(tmp_path / "set" / name, {"0.png": picture(seed)})
        return tmp_path / "set"

    def test_one_has_to_be_named(self, folder: Path) -> None:
        message = f"expected one split, got portraits and train and val in {folder}; pass {folder}@portraits or"
        with pytest.raises(DataError, match=message):
            list_set(folder)

    @pytest.mark.parametrize(("split", "count"), [("train", 2), ("val", 1), ("portraits", 1)])
    def test_one_is_chosen(self, folder: Path, split: str, count: int) -> None:
        assert len(read(Path(f"{folder}@{split}"))) == count

    def test_an_unknown_one(self, folder: Path) -> None:
        with pytest.raises(DataError, match=r"expected a split of .* \(portraits, train, val\), got 'tset'"):
            list_set(Path(f"{folder}@tset"))

    def test_a_folder_without_splits(self, tmp_path: Path) -> None:
        tarred(tmp_path / "set" / "0.tar", IMAGES)
        with pytest.raises(DataError, match=r"\(it has none\), got 'train'"):
            list_set(Path(f"{tmp_path / 'set'}@train"))

    def test_a_file_has_no_splits(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="does not exist"):
            list_set(Path(f"{tarred(tmp_path / '0.tar', IMAGES)}@train"))

    def test_a_folder_may_have_an_at_sign_in_its_name(self, tmp_path: Path) -> None:
        tarred(tmp_path / "set@home" / "0.tar", IMAGES)
        assert len(read(tmp_path / "set@home")) == 3


def test_a_caption_column_of_json_can_be_chosen(tmp_path: Path) -> None:
    source = tarred(tmp_path / "set.tar", IMAGES | JSONS)
    listing = list_set(source, CaptionChoices(column="key"))
    assert [entry.caption for entry in listing.entries] == list(CAPTIONS)


def test_an_archive_of_regularisation_images_alone_says_how_to_audit_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("reg/1_dog/a.png", b"")
    with pytest.raises(DataError, match=r"found none \(but 1 regularisation\); .* pass their folder by itself"):
        read(tmp_path / "set.zip")
