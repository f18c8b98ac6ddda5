"""Parquet and Arrow files with the images inside, compared with the same images in a plain manifest."""

import io
import json
import os
import pickle
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from privaudit.data import SampleSet, read_set
from privaudit.data.embedded import parquet_cell
from privaudit.data.layouts import CaptionChoices
from privaudit.data.listed import CaptionUse, LeftOut
from privaudit.data.listing import list_set
from privaudit.errors import DataError

SIZE = (8, 8)
CAPTIONS = ("a cat, sitting", "naïve dog", "sea", "")
CELL = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
LARGE_CELL = pyarrow.struct([("bytes", pyarrow.large_binary()), ("path", pyarrow.large_string())])


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def cell(seed: int) -> dict[str, Any]:
    return {"bytes": picture(seed), "path": f"{seed}.png"}


def table(columns: dict[str, Sequence[Any]], cells: pyarrow.DataType = CELL, **features: Any) -> pyarrow.Table:
    """Make a table whose column ``image`` has a type; what `datasets` notes about columns is added if there is any."""
    arrays = {
        name: pyarrow.array(
            values, cells if name in ("image", "path", "mask") and isinstance(values[0], dict) else None
        )
        for name, values in columns.items()
    }
    notes = {"huggingface": json.dumps({"info": {"features": features}})} if features else None
    return pyarrow.table(arrays).replace_schema_metadata(notes)


ROWS = table({"image": [cell(seed) for seed in range(4)], "text": CAPTIONS})


def write_parquet(path: Path, rows: pyarrow.Table = ROWS, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, path.with_suffix(".parquet"), **options)
    return path.with_suffix(".parquet")


def write_arrow(path: Path, rows: pyarrow.Table = ROWS, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.with_suffix(".arrow")
    with pyarrow.ipc.new_stream(path, rows.schema, **options) as stream:
        stream.write_table(rows, max_chunksize=3)
    return path


def write_arrow_file(path: Path, rows: pyarrow.Table = ROWS) -> Path:
    path = path.with_suffix(".arrow")
    with pyarrow.ipc.new_file(path, rows.schema) as stream:
        stream.write_table(rows, max_chunksize=3)
    return path


def save_to_disk(folder: Path, rows: pyarrow.Table = ROWS, shards: int = 2) -> Path:
    """Write what ``Dataset.save_to_disk`` writes."""
    half = len(rows) // shards
    names = [f"data-{shard:05d}-of-{shards:05d}.arrow" for shard in range(shards)]
    for shard, name in enumerate(names):
        write_arrow(folder / name, rows.slice(shard * half, half))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def write_shards(folder: Path, rows: pyarrow.Table = ROWS) -> Path:
    for shard in range(2):
        write_parquet(folder / "data" / f"train-{shard:05d}-of-00002", rows.slice(shard * 2, 2))
    (folder / "README.md").write_text("about the set")
    return folder


def read(source: Path, **choices: str) -> SampleSet:
    return read_set(source, SIZE, choices=CaptionChoices(**choices))


def facts(images: SampleSet) -> list[tuple[Any, ...]]:
    return [(sample.id, sample.caption, sample.file) for sample in images.samples]


@pytest.fixture
def plain(tmp_path: Path) -> SampleSet:
    for seed in range(4):
        (tmp_path / f"{seed}.png").write_bytes(picture(seed))
    rows = [{"path": f"{seed}.png", "caption": text} for seed, text in enumerate(CAPTIONS)]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(tmp_path / "set.jsonl")


BINARY = pyarrow.table({"jpg": [picture(seed) for seed in range(4)], "text": CAPTIONS})
ONE_BINARY = pyarrow.table({"photo": [picture(seed) for seed in range(4)], "text": CAPTIONS})
NO_PATH = table({"image": [cell(seed) for seed in range(4)], "text": CAPTIONS}, pyarrow.struct([CELL.field("bytes")]))


@pytest.mark.parametrize(
    "write",
    [
        write_parquet,
        write_arrow,
        write_arrow_file,
        save_to_disk,
        write_shards,
        lambda path: write_parquet(path, row_group_size=3, compression="zstd"),
        lambda path: write_parquet(path, table({"path": ROWS["image"].to_pylist(), "caption": CAPTIONS})),
        lambda path: write_parquet(path, ROWS.set_column(0, "image", ROWS["image"].cast(LARGE_CELL))),
        lambda path: write_arrow(path, ROWS.set_column(0, "image", ROWS["image"].cast(LARGE_CELL))),
        lambda path: write_parquet(path, BINARY),
        lambda path: write_arrow(path, BINARY),
        lambda path: write_parquet(path, ONE_BINARY),
        lambda path: write_parquet(path, NO_PATH),
        lambda path: write_arrow(path, NO_PATH),
        lambda path: write_parquet(path, ROWS, write_statistics=False),
        lambda path: write_parquet(path, ROWS, data_page_version="2.0", use_dictionary=False),
    ],
)
def test_ids_and_captions_are_those_of_a_plain_manifest(
    tmp_path: Path, plain: SampleSet, write: Callable[[Path], Path]
) -> None:
    embedded = read(write(tmp_path / "embedded"))
    assert facts(embedded) == facts(plain)
    assert not embedded.left_out
    assert embedded.captions.source in ("column text", "column caption")


def test_rows_are_named_below_their_table(tmp_path: Path) -> None:
    source = write_shards(tmp_path / "set")
    assert [str(sample.path.relative_to(source)) for sample in read(source).samples] == [
        "data/train-00000-of-00002.parquet/row 1",
        "data/train-00000-of-00002.parquet/row 2",
        "data/train-00001-of-00002.parquet/row 1",
        "data/train-00001-of-00002.parquet/row 2",
    ]


class TestColumns:
    """Which column holds the images, and what the others say."""

    def test_what_datasets_notes_decides(self, tmp_path: Path, plain: SampleSet) -> None:
        columns = {"thumbnail": [b"x"] * 4, "photo": [picture(seed) for seed in range(4)], "text": CAPTIONS}
        noted = table(columns, thumbnail={"_type": "Value"}, photo={"_type": "Image"})
        assert facts(read(write_parquet(tmp_path / "set", noted))) == facts(plain)

    def test_the_usual_name_decides_between_two(self, tmp_path: Path, plain: SampleSet) -> None:
        columns = {"mask": [cell(seed + 9) for seed in range(4)], "image": ROWS["image"].to_pylist(), "text": CAPTIONS}
        assert facts(read(write_parquet(tmp_path / "set", table(columns)))) == facts(plain)

    def test_two_without_a_usual_name_are_refused(self, tmp_path: Path) -> None:
        source = write_parquet(tmp_path / "set", table({name: [cell(0)] for name in ("mask", "path")}))
        message = (
            f"expected one column of images in {source}, got mask, path; rename that of the trained images to image"
        )
        with pytest.raises(DataError, match=message):
            list_set(source)

    def test_audio_is_no_image(self, tmp_path: Path) -> None:
        source = write_arrow(tmp_path / "set", table({"image": [cell(0)]}, image={"_type": "Audio"}))
        with pytest.raises(DataError, match=f"expected a column with the bytes of images in {source}, got: image"):
            list_set(source)

    def test_a_table_of_paths_is_a_manifest(self, tmp_path: Path) -> None:
        (tmp_path / "0.png").write_bytes(picture(0))
        source = write_parquet(tmp_path / "set", pyarrow.table({"path": ["0.png"], "sha256": [b"x"]}))
        assert read(source).layout == "manifest .parquet"

    def test_class_group_and_id(self, tmp_path: Path) -> None:
        columns = {"image": [cell(0), cell(1)], "label": [3, -1], "group": ["x", None], "id": [7, 8]}
        noted = table(columns, image={"_type": "Image"}, label={"_type": "ClassLabel", "names": list("abcd")})
        first, second = read(write_parquet(tmp_path / "set", noted)).samples
        assert (first.class_label, first.group, first.label) == (3, "x", "7")
        assert (second.class_label, second.class_name, second.group, second.label) == (None, None, None, "8")

    def test_several_captions_per_image(self, tmp_path: Path) -> None:
        rows = table({"image": [cell(0), cell(1)], "caption": [["first", "second"], []], "text": ["x", "y"]})
        first, second = list_set(write_parquet(tmp_path / "set", rows)).entries
        assert (first.caption, first.captions) == ("first", 2)
        assert (second.caption, second.captions) == (None, 0)
        assert list_set(write_arrow(tmp_path / "set", rows)).captions == CaptionUse("column caption", "column text")

    def test_a_caption_column_can_be_chosen(self, tmp_path: Path) -> None:
        source = write_parquet(tmp_path / "set", ROWS.append_column("blip", pyarrow.array([*"wxyz"])))
        assert [sample.caption for sample in read(source, column="blip").samples] == [*"wxyz"]
        assert read(source, caption="sks, {caption}").samples[2].caption == "sks, sea"
        with pytest.raises(DataError, match=f"expected a column 'bilp' of captions in the table {source}"):
            read(source, column="bilp")


class TestRowsWithoutBytes:
    ROWS = table({"image": [cell(0), None, {"bytes": None, "path": None}, {"bytes": None, "path": "there.png"}]})

    @pytest.mark.parametrize(
        "write", [write_parquet, write_arrow, lambda path, rows: write_parquet(path, rows, write_statistics=False)]
    )
    def test_a_path_is_read_and_no_image_is_counted(
        self, tmp_path: Path, write: Callable[[Path, pyarrow.Table], Path]
    ) -> None:
        (tmp_path / "there.png").write_bytes(picture(3))
        source = write(tmp_path / "set", self.ROWS)
        embedded = read(source)
        assert [sample.path for sample in embedded.samples] == [source / "row 1", tmp_path / "there.png"]
        assert embedded.left_out == (LeftOut("empty row", "", 2, f"row 2 of {source.name}"),)

    @pytest.mark.parametrize("write", [write_parquet, write_arrow])
    def test_paths_alone(self, tmp_path: Path, write: Callable[[Path, pyarrow.Table], Path]) -> None:
        """This is how `datasets` caches a folder of images."""
        (tmp_path / "0.png").write_bytes(picture(0))
        (tmp_path / "1.png").write_bytes(picture(1))
        paths = [str(tmp_path / "0.png"), "1.png"]
        entries = list_set(write(tmp_path / "set", table({"image": [{"bytes": None, "path": path} for path in paths]})))
        assert [(entry.path, entry.content) for entry in entries.entries] == [
            (tmp_path / "0.png", None),
            (tmp_path / "1.png", None),
        ]

    def test_empty_bytes_are_an_unreadable_image(self, tmp_path: Path) -> None:
        source = write_arrow(tmp_path / "set", table({"image": [{"bytes": b"", "path": "0.png"}]}))
        with pytest.raises(DataError, match="none of its 1 files can be read"):
            read(source)

    def test_a_missing_file_is_unreadable(self, tmp_path: Path) -> None:
        (skipped,) = read(write_parquet(tmp_path / "set", self.ROWS)).skipped
        assert (skipped.path, "No such file" in skipped.reason) == (tmp_path / "there.png", True)


class TestSavedToDisk:
    def test_tables_of_an_earlier_call_are_not_read(self, tmp_path: Path) -> None:
        save_to_disk(tmp_path, shards=2)
        save_to_disk(tmp_path, shards=1)
        assert len(list(tmp_path.glob("*.arrow"))) == 3
        assert len(list_set(tmp_path).entries) == 4

    def test_a_split_has_to_be_named(self, tmp_path: Path) -> None:
        for name in ("train", "test"):
            save_to_disk(tmp_path / "set" / name)
        (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
        folder = tmp_path / "set"
        with pytest.raises(
            DataError, match=f"expected one split, got test and train in {folder}; pass {folder}@test or"
        ):
            list_set(folder)
        for source in (Path(f"{folder}@test"), folder / "test"):
            assert [entry.path.parent.parent for entry in list_set(source).entries] == [folder / "test"] * 4

    @pytest.mark.parametrize("name", ["../other.arrow", "/other.arrow"])
    def test_a_table_outside_of_the_folder_is_refused(self, tmp_path: Path, name: str) -> None:
        save_to_disk(tmp_path)
        (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
        with pytest.raises(DataError, match=f"expected tables next to .*state.json, got {name}; save again"):
            list_set(tmp_path)

    @pytest.mark.parametrize("state", ["", "[]", "{}", '{"_data_files": []}', '{"_data_files": [1]}'])
    def test_a_damaged_list_of_tables_is_refused(self, tmp_path: Path, state: str) -> None:
        save_to_disk(tmp_path)
        (tmp_path / "state.json").write_text(state)
        with pytest.raises(DataError, match="expected (the list of )?tables .*save"):
            list_set(tmp_path)


class TestDamage:
    """One line that names the file."""

    @pytest.mark.parametrize("cut", [0, 5, 300, -1])
    def test_a_truncated_shard(self, tmp_path: Path, cut: int) -> None:
        write_shards(tmp_path / "set")
        shard = tmp_path / "set" / "data" / "train-00001-of-00002.parquet"
        shard.write_bytes(shard.read_bytes()[:cut])
        with pytest.raises(DataError, match=f"cannot read the table {shard}: [^\n]*; copy it again$"):
            list_set(tmp_path / "set")

    @pytest.mark.parametrize("cut", [0, 5, 300, 900, -8])
    def test_a_truncated_arrow_file(self, tmp_path: Path, cut: int) -> None:
        source = write_arrow(tmp_path / "set")
        source.write_bytes(source.read_bytes()[:cut])
        with pytest.raises(DataError, match=f"cannot read the table {source}: [^\n]*; copy it again$"):
            list_set(source)

    def test_a_compressed_arrow_file(self, tmp_path: Path) -> None:
        source = write_arrow(tmp_path / "set", options=pyarrow.ipc.IpcWriteOptions(compression="lz4"))
        with pytest.raises(DataError, match=f"expected an Arrow file without compression, got {source}; write it as"):
            list_set(source)

    def test_a_damaged_page_is_an_unreadable_image(self, tmp_path: Path) -> None:
        source = write_parquet(tmp_path / "set", use_dictionary=False, write_page_checksum=True)
        chunk = parquet.ParquetFile(source).metadata.row_group(0).column(0)
        stored = bytearray(source.read_bytes())
        stored[chunk.data_page_offset + chunk.total_compressed_size - 1] ^= 1
        source.write_bytes(stored)
        with pytest.raises(
            DataError, match="none of its 4 files can be read; the first: .*set.parquet/row 1: not a readable image"
        ) as caught:
            read(source)
        assert "\n" not in str(caught.value)

    def test_a_shard_without_images(self, tmp_path: Path) -> None:
        write_shards(tmp_path / "set")
        shard = write_parquet(tmp_path / "set" / "data" / "train-00002", pyarrow.table({"text": ["x"]}))
        with pytest.raises(DataError, match=f"expected a column with the bytes of images in {shard}, got: text"):
            list_set(tmp_path / "set")

    def test_an_archive_next_to_tables_is_left_out(self, tmp_path: Path) -> None:
        (write_shards(tmp_path / "set") / "more.tar").write_bytes(b"")
        assert list_set(tmp_path / "set").left_out == (LeftOut("container", ".tar", 1, "more.tar"),)

    def test_splits_in_one_folder(self, tmp_path: Path) -> None:
        write_shards(tmp_path / "set")
        write_parquet(tmp_path / "set" / "data" / "test-00000-of-00001")
        with pytest.raises(DataError, match="expected one split, got test and train in "):
            list_set(tmp_path / "set")
        assert len(list_set(Path(f"{tmp_path / 'set'}@test")).entries) == 4


class TestReading:
    """Cells in any order, in any process, with few of their neighbours in memory."""

    @pytest.fixture
    def cells(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Any, bytes]:
        """Contents of cells in row groups of 25 and, in another file, in one row group; chunks hold about 10 rows."""
        monkeypatch.setattr(parquet_cell, "CHUNK_BYTES", 1000)
        monkeypatch.setattr(parquet_cell, "CACHE_BYTES", 2000)
        monkeypatch.setattr(parquet_cell, "MAX_OPEN_FILES", 1)
        parquet_cell._chunks.cache_clear()
        images = [bytes([number]) * 100 for number in range(90)]
        rows = table({"image": [{"bytes": data, "path": None} for data in images]})
        sources = [
            write_parquet(tmp_path / str(size), rows, row_group_size=size, use_dictionary=False) for size in (25, 90)
        ]
        contents = {}
        for source in sources:
            contents |= {entry.content: data for entry, data in zip(list_set(source).entries, images, strict=True)}
        yield contents
        parquet_cell._chunks.cache_clear()

    def test_any_order(self, cells: dict[Any, bytes]) -> None:
        shuffled = list(cells)
        random.Random(0).shuffle(shuffled)
        for order in (list(cells), shuffled, list(cells)[::-1]):
            assert [content.open().read() for content in order] == [cells[content] for content in order]
        assert {content.size for content in cells} == {100}

    def test_reading_on_decodes_each_chunk_once(self, cells: dict[Any, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        decoded = []
        original = parquet_cell.bytes_of
        monkeypatch.setattr(parquet_cell, "bytes_of", lambda batch: decoded.append(len(batch)) or original(batch))
        for content in cells:
            content.open()
        assert sum(decoded) == len(cells)
        assert max(decoded) <= 10

    def test_what_is_in_memory_is_bounded(self, cells: dict[Any, bytes]) -> None:
        for content in cells:
            content.open()
        chunks = parquet_cell._chunks(os.getpid())
        assert sum(part.nbytes for part in chunks._decoded._values.values()) <= 2000

    def test_two_files_in_turn(self, cells: dict[Any, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = (list(cells)[start : start + 90] for start in (0, 90))
        for pair in zip(first, second, strict=True):
            assert [content.open().read() for content in pair] == [cells[content] for content in pair]

    def test_a_file_that_is_written_anew(self, tmp_path: Path) -> None:
        source = write_parquet(tmp_path / "set")
        (content, *_) = [entry.content for entry in list_set(source).entries]
        assert content.open().read() == picture(0)
        write_parquet(source, table({"image": [cell(9)]}))
        assert content.open().read() == picture(9)

    def test_cells_can_be_sent_to_other_processes(self, cells: dict[Any, bytes]) -> None:
        assert {content: content.open().read() for content in pickle.loads(pickle.dumps(list(cells)))} == cells
