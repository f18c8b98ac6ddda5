import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import ExifTags, Image

from privaudit.data import (
    ImageFileInfo,
    Sample,
    SampleSet,
    decode_image,
    load_images,
    phash,
    read_pixels,
    read_set,
    sample_id,
    thumbnail,
)
from privaudit.errors import DataError
from privaudit.model.prompt import Prompt

SIZE = (6, 8)
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, in two folders."""
    for seed, name in enumerate(["a.png", "b.png", "sub/deep/c.png"]):
        save(tmp_path / "images" / name, picture(seed))
    return tmp_path / "images"


def names(found: SampleSet) -> list[str]:
    return [sample.path.name for sample in found.samples]


# ------------------------------------------------------------------------------- kinds of images


def test_rgb_keeps_its_pixels(tmp_path: Path) -> None:
    read = read_pixels(save(tmp_path / "a.png", picture()), SIZE)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, picture())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_exif_orientation_turns_the_image_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    # What a viewer shows for each orientation, in numpy: the stored rows and columns are what the tag says.
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation]
    blocks = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, np.ones((8, 8), np.uint8))
    stored = np.stack([blocks] * 3, axis=-1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {".jpg": {"quality": 100}, ".webp": {"lossless": True}}.get(suffix, {})
    path = save(tmp_path / f"a{suffix}", stored, exif=exif.tobytes(), **options)
    expected = upright(stored)
    np.testing.assert_allclose(read_pixels(path, expected.shape[:2]).astype(int), expected, atol=2)


def test_one_odd_exif_tag_costs_neither_the_image_nor_its_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    odd = exif.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")  # now ImageWidth holds the text
    path = save(tmp_path / "a.jpg", picture(), exif=odd, quality=100)
    with Image.open(path) as opened:
        if not isinstance(opened.getexif()[0x0100], str):
            pytest.fail("the tag is not odd")
        expected = np.rot90(np.asarray(opened.convert("RGB")), -1)
    np.testing.assert_array_equal(read_pixels(path, (8, 6)), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_gives_anything_but_pixels_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM"]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, kind, **({"exif": exif.tobytes()} if kind in {"PNG", "JPEG"} else {}))
    content = bytearray(buffer.getvalue())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6)):
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "image"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_pixels(path, SIZE).shape == (*SIZE, 3)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


def test_gray_becomes_three_equal_channels(tmp_path: Path) -> None:
    gray = picture()[..., 0]
    np.testing.assert_array_equal(read_pixels(save(tmp_path / "a.png", gray), SIZE), np.stack([gray] * 3, axis=-1))


def test_gray_with_alpha_drops_alpha(tmp_path: Path) -> None:
    pixels = picture()[..., :2]
    read = read_pixels(save(tmp_path / "a.png", pixels), SIZE)
    np.testing.assert_array_equal(read, np.repeat(pixels[..., :1], 3, axis=-1))


def test_alpha_is_dropped_and_not_blended(tmp_path: Path) -> None:
    alpha = np.zeros((*SIZE, 1), np.uint8)
    path = save(tmp_path / "a.png", np.concatenate([picture(), alpha], axis=-1))
    np.testing.assert_array_equal(read_pixels(path, SIZE), picture())


@pytest.mark.parametrize("transparency", [1, bytes([0, 128, 255, 255])])
@pytest.mark.filterwarnings("error")
def test_palette_with_transparency(tmp_path: Path, transparency: int | bytes) -> None:
    colours = np.array([[10, 20, 30], [200, 100, 0], [0, 255, 0], [7, 7, 7]], np.uint8)
    index = np.random.default_rng(0).integers(0, 4, SIZE, dtype=np.uint8)
    image = Image.fromarray(index)
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "a.png", transparency=transparency)
    with Image.open(tmp_path / "a.png") as opened:
        assert (opened.mode, opened.info["transparency"]) == ("P", transparency)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png", SIZE), colours[index])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_gray_is_scaled_and_not_clipped_to_white(tmp_path: Path, suffix: str) -> None:
    deep = np.linspace(0, 65535, 48).astype(np.uint16).reshape(SIZE)
    read = read_pixels(save(tmp_path / f"a{suffix}", deep), SIZE)
    np.testing.assert_array_equal(read[..., 0], np.round(deep / 257).astype(np.uint8))
    assert read[..., 0].min() == 0
    assert (read == 255).mean() < 0.05
    np.testing.assert_array_equal(read[..., 0], read[..., 2])


def test_cmyk_jpeg_is_converted(tmp_path: Path) -> None:
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[:, :4] = [0, 255, 255, 0]  # magenta and yellow: red
    ink[:, 4:] = [255, 0, 0, 0]  # cyan
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    read = read_pixels(tmp_path / "a.jpg", (8, 8)).astype(int)
    np.testing.assert_allclose(read[4, 1], [255, 0, 0], atol=6)
    np.testing.assert_allclose(read[4, 6], [0, 255, 255], atol=6)


def test_one_bit(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, SIZE).astype(bool)
    Image.fromarray(bits).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == "1"
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png", SIZE)[..., 1], bits * np.uint8(255))


def test_float_tiff_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.zeros(SIZE, np.float32))
    with pytest.raises(DataError, match="expected 8 or 16 bits per channel, got floats; convert it first"):
        read_pixels(path, SIZE)


@pytest.mark.parametrize("value", [-1, 65536])
def test_thirty_two_bit_tiff_is_refused_with_a_reason(tmp_path: Path, value: int) -> None:
    path = save(tmp_path / "a.tif", np.full(SIZE, value, np.int32))
    with pytest.raises(DataError, match="expected 8 or 16 bits per channel, got 32; convert it first"):
        read_pixels(path, SIZE)


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
def test_the_first_frame_of_several_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((*SIZE, 3), value, np.uint8)) for value in (10, 200)]
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **options)
    assert set(read_pixels(tmp_path / f"a{suffix}", SIZE).ravel()) == {10}


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("zero.png", lambda content: b""),
        ("text.jpg", lambda content: b"<html>not found</html>"),
        ("cut.jpg", lambda content: content[: len(content) // 2]),
        ("cut.png", lambda content: content[: len(content) // 2]),
    ],
)
def test_an_unreadable_file_says_why_in_one_line(tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]) -> None:
    path = save(tmp_path / name, picture(size=(64, 64)))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"not a readable image: \w+: .") as caught:
        read_pixels(path, SIZE)
    assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", picture(size=(32, 32)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="DecompressionBombError"):
        read_pixels(path, SIZE)


# ------------------------------------------------------------------------------- resize and crop


def test_landscape_is_cropped_left_and_right(tmp_path: Path) -> None:
    pixels = picture(size=(6, 20))
    np.testing.assert_array_equal(read_pixels(save(tmp_path / "a.png", pixels), SIZE), pixels[:, 6:14])


def test_portrait_is_cropped_above_and_below(tmp_path: Path) -> None:
    pixels = picture(size=(20, 8))
    np.testing.assert_array_equal(read_pixels(save(tmp_path / "a.png", pixels), SIZE), pixels[7:13])


@pytest.mark.parametrize("size", [(24, 40), (5, 8)])  # 5 x 8 becomes 6 x 9.6
def test_the_shorter_side_is_resized_by_lanczos(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = picture(size=size)
    expected = np.asarray(Image.fromarray(pixels).resize((10, 6), Image.Resampling.LANCZOS))[:, 1:9]
    np.testing.assert_array_equal(read_pixels(save(tmp_path / "a.png", pixels), SIZE), expected)


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((2, 3, 3), 77, np.uint8))
    read = read_pixels(path, (12, 12))
    assert read.shape == (12, 12, 3)
    assert set(read.ravel()) == {77}


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), wanted=st.tuples(st.integers(1, 16), st.integers(1, 16)))
def test_any_size_becomes_the_wanted_one(
    tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    path = save(tmp_path_factory.mktemp("any") / "a.bmp", picture(size=size))
    assert read_pixels(path, wanted).shape == (*wanted, 3)


# ------------------------------------------------------------------------------- ids


def test_ids_are_those_of_the_pixels_in_any_lossless_format(tmp_path: Path) -> None:
    paths = [
        save(tmp_path / "one.png", picture()),
        save(tmp_path / "two.PNG", picture(), compress_level=0),
        save(tmp_path / "other" / "three.webp", picture(), lossless=True),
        save(tmp_path / "four.bmp", picture()),
        save(tmp_path / "five.tif", picture()),
    ]
    ids = {sample_id(read_pixels(path, SIZE)) for path in paths}
    assert len(ids) == 1
    assert len(next(iter(ids))) == 32
    assert set(next(iter(ids))) <= set("0123456789abcdef")


@settings(max_examples=60, deadline=None)
@given(first=PIXELS, second=PIXELS)
def test_ids_differ_exactly_where_pixels_or_shapes_do(first: np.ndarray, second: np.ndarray) -> None:
    same = first.shape == second.shape and bool((first == second).all())
    assert (sample_id(first) == sample_id(second)) is same
    assert sample_id(first) == sample_id(np.asfortranarray(first))


def test_ids_see_one_value_and_the_shape() -> None:
    changed = picture()
    changed[3, 4, 1] ^= 1
    assert sample_id(changed) != sample_id(picture())
    assert sample_id(picture()) != sample_id(picture().reshape(8, 6, 3))


# ------------------------------------------------------------------------------- folders


def test_a_folder_is_read_recursively_in_sorted_order(folder: Path) -> None:
    found = read_set(folder, SIZE)
    assert names(found) == ["a.png", "b.png", "c.png"]
    assert [sample.id for sample in found.samples] == [sample_id(picture(seed)) for seed in range(3)]
    assert (len(found), found.skipped, found.duplicates) == (3, (), 0)
    stored = ImageFileInfo("PNG", 8, 6, (folder / "a.png").stat().st_size, "RGB")
    assert found.samples[0] == Sample(
        sample_id(picture(0)), folder / "a.png", file=stored, original_size=(6, 8), crop=(0, 0)
    )
    assert found.samples[0].perceptual_hash == phash(picture(0))
    assert found.samples[0].thumbnail == thumbnail(picture(0))


def test_hidden_files_hidden_folders_and_other_kinds_are_left_out(folder: Path) -> None:
    save(folder / "._a.png", picture(5))
    save(folder / ".thumbnails" / "a.png", picture(6))
    (folder / "notes.txt").write_text("not an image")
    (folder / "folder.png").mkdir()
    assert names(read_set(folder, SIZE)) == ["a.png", "b.png", "c.png"]


def test_a_folder_below_a_hidden_one_is_read(tmp_path: Path) -> None:
    save(tmp_path / ".cache" / "images" / "a.png", picture())
    assert names(read_set(tmp_path / ".cache" / "images", SIZE)) == ["a.png"]


def test_upper_case_suffixes_count(tmp_path: Path) -> None:
    for seed, name in enumerate(["A.PNG", "B.Jpg", "C.JPEG", "D.TIFF", "E.jfif"]):
        save(tmp_path / name, picture(seed), format={"E.jfif": "JPEG"}.get(name))
    assert names(read_set(tmp_path, SIZE)) == ["A.PNG", "B.Jpg", "C.JPEG", "D.TIFF", "E.jfif"]


def test_progress_counts_every_file(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    read_set(folder, SIZE, on_image=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_unreadable_files_are_skipped_and_named(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"nothing")
    found = read_set(folder, SIZE)
    assert names(found) == ["a.png", "b.png", "c.png"]
    assert [skipped.path for skipped in found.skipped] == [folder / "bad.png"]
    assert "UnidentifiedImageError" in found.skipped[0].reason


def test_strict_raises_for_the_first_unreadable_file(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"bad\.png: not a readable image.*leave out --strict to skip"):
        read_set(folder, SIZE, strict=True)


def test_duplicates_within_a_set_are_dropped_and_counted(folder: Path) -> None:
    save(folder / "again.bmp", picture(0))
    save(folder / "sub" / "once-more.webp", picture(0), lossless=True)
    found = read_set(folder, SIZE)
    assert names(found) == ["a.png", "b.png", "c.png"]
    assert found.duplicates == 2


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder of images or a manifest, but .*nowhere does not exist"):
        read_set(tmp_path / "nowhere", SIZE)


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"found none \(but 1 \.txt\); it should hold files ending in .*\.png"):
        read_set(tmp_path, SIZE)


def test_wrong_file_type(tmp_path: Path) -> None:
    path = save(tmp_path / "one.png", picture())
    with pytest.raises(DataError, match=r"expected an image set \(.*a folder of images.*\), got the file .*one"):
        read_set(path, SIZE)


def test_nothing_readable(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"none of its 2 files can be read; the first: .*a\.png: not a readable"):
        read_set(tmp_path, SIZE)


# ------------------------------------------------------------------------------- manifests

ROWS = [
    {"path": "a.png", "caption": "a cat, sitting", "id": "001", "group": "7"},
    {"path": "b.png", "caption": None, "id": None, "group": None},
    {"path": "sub/deep/c.png", "caption": "naïve “quotes”", "id": "3", "group": "7"},
]


def write_manifest(path: Path, rows: list[dict], quoting: int = csv.QUOTE_MINIMAL) -> Path:
    table = pd.DataFrame(rows)
    if path.suffix == ".csv":
        table.to_csv(path, index=False, quoting=quoting)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


SUFFIXES = [".csv", ".jsonl", ".ndjson", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_manifests_of_every_kind(folder: Path, suffix: str) -> None:
    found = read_set(write_manifest(folder / f"set{suffix}", ROWS), SIZE)
    assert [(s.path, s.caption, s.label, s.group) for s in found.samples] == [
        (folder / row["path"], row["caption"], row["id"], row["group"]) for row in ROWS
    ]
    assert [s.id for s in found.samples] == [sample_id(picture(seed)) for seed in range(3)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_the_path_is_needed(folder: Path, suffix: str) -> None:
    found = read_set(write_manifest(folder / f"set{suffix}", [{"path": "b.png", "width": 8}, {"path": "a.png"}]), SIZE)
    assert names(found) == ["b.png", "a.png"]
    assert {(s.caption, s.label, s.group) for s in found.samples} == {(None, None, None)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_paths_are_relative_to_the_manifest_or_absolute(folder: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "lists").mkdir()
    rows = [{"path": "../images/a.png"}, {"path": str(folder / "b.png")}]
    found = read_set(write_manifest(tmp_path / "lists" / f"set{suffix}", rows), SIZE)
    assert [s.id for s in found.samples] == [sample_id(picture(0)), sample_id(picture(1))]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_numbers_become_the_text_that_was_written(folder: Path, suffix: str) -> None:
    # Beside a missing value, a table of floats would make group 7 into "7.0", which is another group than "7"
    rows = [{"path": "a.png", "id": 1, "group": 7}, {"path": "b.png"}, {"path": "sub/deep/c.png", "id": 2, "group": 8}]
    found = read_set(write_manifest(folder / f"set{suffix}", rows), SIZE)
    assert [(s.label, s.group) for s in found.samples] == [("1", "7"), (None, None), ("2", "8")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_class_label_is_a_whole_number(folder: Path, suffix: str) -> None:
    rows = [{"path": "a.png", "class_label": 7}, {"path": "b.png"}, {"path": "sub/deep/c.png", "class_label": 0}]
    found = read_set(write_manifest(folder / f"set{suffix}", rows), SIZE)
    assert [sample.prompt.class_label for sample in found.samples] == [7, None, 0]


@pytest.mark.parametrize("label", ["cat", "-1", 1.5])
def test_other_class_labels_are_refused(folder: Path, label: object) -> None:
    path = write_manifest(folder / "set.jsonl", [{"path": "a.png", "class_label": label}])
    with pytest.raises(DataError, match=f"expected a whole number from 0 in class_label of row 1 of .*, got '{label}'"):
        read_set(path, SIZE)


def test_what_a_model_may_be_told_about_an_image(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((30, 20, 3), np.uint8))  # 20 wide, 30 high, and turned to the right
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    path = write_manifest(tmp_path / "set.jsonl", [{"path": "a.jpg", "caption": "x", "class_label": 3}])
    (sample,) = read_set(path, (10, 10)).samples
    # upright it is 30 wide and 20 high; resized to 15 x 10, cut at the left after 2 pixels
    assert sample.prompt == Prompt("x", 3, original_size=(20, 30), crop=(0, 2))


def test_fractions_and_large_numbers_keep_their_digits(folder: Path) -> None:
    rows = [{"path": "a.png", "id": 9007199254740993, "group": 1.5}, {"path": "b.png", "id": 10**30}]
    found = read_set(write_manifest(folder / "set.jsonl", rows), SIZE)
    assert [(s.label, s.group) for s in found.samples] == [("9007199254740993", "1.5"), (str(10**30), None)]


def test_parquet_with_the_path_as_index(folder: Path) -> None:
    pd.DataFrame({"caption": ["x"]}, index=pd.Index(["a.png"], name="path")).to_parquet(folder / "set.parquet")
    assert read_set(folder / "set.parquet", SIZE).samples[0].caption == "x"


def test_nan_and_empty_cells_are_none(folder: Path) -> None:
    (folder / "set.jsonl").write_text('{"path": "a.png", "caption": NaN, "group": ""}\n\n{"path": "b.png"}\n')
    pd.DataFrame({
        "path": ["a.png", "b.png"],
        "caption": [np.nan, None],
        "group": pd.array([None, 1], dtype="Int64"),
    }).to_parquet(folder / "set.parquet")
    (folder / "set.csv").write_text("path,caption,group\na.png,,\nb.png\n")
    for name in ("set.jsonl", "set.parquet", "set.csv"):
        found = read_set(folder / name, SIZE)
        assert {(s.caption, s.label) for s in found.samples} == {(None, None)}
        assert found.samples[0].group is None


def test_words_that_look_like_missing_values_are_captions(folder: Path) -> None:
    (folder / "set.csv").write_text("path,caption\na.png,None\nb.png,nan\nsub/deep/c.png,NA\n")
    assert [s.caption for s in read_set(folder / "set.csv", SIZE).samples] == ["None", "nan", "NA"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_manifest(folder: Path, suffix: str) -> None:
    path = write_manifest(folder / f"set{suffix}", ROWS[:1])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_set(path, SIZE).samples[0].caption == "a cat, sitting"


def test_csv_with_spaces_after_commas_and_windows_lines(folder: Path) -> None:
    (folder / "set.csv").write_bytes(b'path, caption , id\r\na.png, "a cat, sitting", 4\r\nb.png, dog, 5\r\n')
    found = read_set(folder / "set.csv", SIZE)
    assert [(s.caption, s.label) for s in found.samples] == [("a cat, sitting", "4"), ("dog", "5")]


def test_upper_case_manifest_suffix(folder: Path) -> None:
    (folder / "SET.CSV").write_text("path\na.png\n")
    assert names(read_set(folder / "SET.CSV", SIZE)) == ["a.png"]


def test_labels_may_repeat_and_never_decide_the_id(folder: Path) -> None:
    found = read_set(write_manifest(folder / "set.csv", [{"path": p, "id": "same"} for p in ("a.png", "b.png")]), SIZE)
    assert [s.label for s in found.samples] == ["same", "same"]
    assert len({s.id for s in found.samples}) == 2


def test_a_file_named_twice_is_a_duplicate_and_a_missing_one_is_skipped(folder: Path) -> None:
    rows = [{"path": "a.png"}, {"path": "gone.png"}, {"path": "a.png"}, {"path": "sub"}]
    found = read_set(write_manifest(folder / "set.csv", rows), SIZE)
    assert (names(found), found.duplicates) == (["a.png"], 1)
    assert [(s.path.name, s.reason.split(":")[1].strip()) for s in found.skipped] == [
        ("gone.png", "FileNotFoundError"),
        ("sub", "IsADirectoryError"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "file,caption\na.png,x\n",
            r"expected a column 'path', 'file_name' or 'image' in the manifest .*, got: file, caption",
        ),
        ("a.csv", "", "expected a column 'path', 'file_name' or 'image' in the manifest .*, got: none"),
        ("a.csv", "path\n", "expected images in the manifest .*, but it has no rows below its header"),
        (
            "a.csv",
            "path,caption\na.png,a cat, sitting\nb.png,a dog, running\n",
            "cannot read the manifest .*: line 2 has more fields than the header; put text that holds commas in quotes",
        ),
        ("a.csv", 'path,caption\na.png,"cat\n', "cannot read the manifest .*: unexpected end of data"),
        ("a.csv", b"path,caption\na.png,caf\xe9\n", "cannot read the manifest .*'utf-8' codec.*; save it as UTF-8"),
        (
            "a.jsonl",
            '{"caption": "x"}\n',
            "expected a column 'path', 'file_name' or 'image' in the manifest .*, got: caption",
        ),
        ("a.jsonl", '{"path": "a.png"}\n{"path"\n', "cannot read the manifest .*: line 2 is not JSON"),
        ("a.jsonl", '[{"path": "a.png"}]', "cannot read the manifest .*: expected an object in line 1, got list"),
        (
            "a.ndjson",
            '{"path": "a.png", "caption": {"en": "a"}}',
            "expected a caption or a list of .* row 1 .*got dict",
        ),
        ("a.ndjson", '{"path": ["a.png"]}', "expected text in path of row 1 of .*, got list"),
        ("a.csv", "path\nhttps://x.org/a.png\n", "expected paths on this machine in path of the manifest .* row 1"),
        ("a.parquet", "hello", "cannot read the table .*Parquet"),
    ],
)
def test_malformed_manifests(folder: Path, name: str, content: str | bytes, message: str) -> None:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as caught:
        read_set(folder / name, SIZE)
    assert "\n" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(caption=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_caption_survives_every_manifest(tmp_path_factory: pytest.TempPathFactory, caption: str) -> None:
    folder = tmp_path_factory.mktemp("captions")
    save(folder / "a.bmp", picture())
    for suffix in (".csv", ".jsonl", ".parquet"):
        path = write_manifest(folder / f"set{suffix}", [{"path": "a.bmp", "caption": caption}], csv.QUOTE_ALL)
        assert read_set(path, SIZE).samples[0].caption == caption


# ------------------------------------------------------------------------------- pixels for the model


def test_load_images_scales_to_plus_minus_one(tmp_path: Path) -> None:
    pixels = picture()
    pixels[0, 0], pixels[0, 1] = 0, 255
    save(tmp_path / "a.png", pixels)
    save(tmp_path / "b.png", picture(1))
    images = load_images(read_set(tmp_path, SIZE).samples, SIZE)
    assert (images.shape, images.dtype) == ((2, 3, *SIZE), np.float32)
    assert (images.min(), images.max()) == (-1.0, 1.0)
    np.testing.assert_allclose(images[0], pixels.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)


def test_load_images_does_not_depend_on_the_batch(folder: Path) -> None:
    samples = read_set(folder, SIZE).samples
    together = load_images(samples, SIZE)
    np.testing.assert_array_equal(together, np.concatenate([load_images([sample], SIZE) for sample in samples]))


def test_load_images_of_nothing() -> None:
    assert load_images([], SIZE).shape == (0, 3, *SIZE)


def test_a_changed_file_is_an_error(folder: Path) -> None:
    samples = read_set(folder, SIZE).samples
    save(folder / "b.png", picture(9))
    with pytest.raises(DataError, match=r"b\.png changed while it was being audited; run the same command again"):
        load_images(samples, SIZE)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_file_that_went_away_is_named(folder: Path, spoil: Callable[[Path], object]) -> None:
    samples = read_set(folder, SIZE).samples
    spoil(folder / "b.png")
    with pytest.raises(DataError, match=r"b\.png changed while it was being audited: not a readable image"):
        load_images(samples, SIZE)


def test_linked_folders_are_read_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    Image.new("RGB", (16, 16), (1, 2, 3)).save(tmp_path / "real" / "a.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    assert [sample.path.name for sample in read_set(tmp_path / "set", (16, 16)).samples] == ["a.png"]


# ------------------------------------------------------------------------------- how a file was stored


def test_facts_are_those_of_the_file_and_not_of_the_preprocessed_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    save(tmp_path / "a.jpg", picture(size=(20, 30)), quality=50, exif=exif, icc_profile=b"profile")
    found = decode_image(tmp_path / "a.jpg", SIZE)
    assert found.pixels.shape == (*SIZE, 3)
    table = sum(Image.open(tmp_path / "a.jpg").quantization[0])
    size = (tmp_path / "a.jpg").stat().st_size
    assert found.file == ImageFileInfo(
        "JPEG", 30, 20, size, "RGB", exif=True, icc=True, quantisation=table, orientation=6
    )
    assert table > sum(Image.open(save(tmp_path / "b.jpg", picture(), quality=90)).quantization[0]) > 0


@pytest.mark.parametrize(
    ("mode", "suffix", "name"), [("L", ".png", "PNG"), ("P", ".gif", "GIF"), ("RGBA", ".tiff", "TIFF")]
)
def test_facts_know_mode_and_format(tmp_path: Path, mode: str, suffix: str, name: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture()).convert(mode).save(path)
    file = decode_image(path, SIZE).file
    assert (file.format, file.mode, file.quantisation, file.exif) == (name, mode, 0, False)


def test_exif_at_the_end_of_a_png_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    save(tmp_path / "a.png", picture(), exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"eXIf") - 4
    chunk = data[start : start + 12 + int.from_bytes(data[start : start + 4], "big")]
    end = data.index(b"IEND") - 4
    (tmp_path / "b.png").write_bytes(data[:start] + data[start + len(chunk) : end] + chunk + data[end:])
    assert decode_image(tmp_path / "b.png", SIZE).file.exif


# ------------------------------------------------------------------------------- perceptual hash


def test_perceptual_hash_is_the_transform_against_its_median() -> None:
    from scipy.fft import dctn

    pixels = picture(3, (32, 32))
    low = dctn(np.asarray(Image.fromarray(pixels).convert("L"), dtype=float), type=2)[:8, :8].ravel()
    bits = "".join(str(int(value > np.median(low))) for value in low)
    assert f"{phash(pixels):064b}" == bits


def test_perceptual_hash_survives_what_keeps_the_look_and_nothing_else() -> None:
    y, x = np.mgrid[:48, :64]
    waves = np.stack([np.sin(x / 9 + k) + np.cos(y / 7 - k) + np.sin(x * y / 300) for k in range(3)], axis=2)
    scene = np.clip(127 + 40 * waves, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(scene).save(buffer, "JPEG", quality=80)
    smaller = np.asarray(Image.fromarray(scene).resize((40, 30), Image.Resampling.LANCZOS))
    for alike in (np.asarray(Image.open(buffer)), smaller, (scene * 0.95).astype(np.uint8)):
        assert (phash(scene) ^ phash(alike)).bit_count() <= 6
    for other in (scene[::-1], scene[:, ::-1], picture(1, (48, 64))):
        assert (phash(scene) ^ phash(other)).bit_count() > 16


def test_uniform_images_have_one_perceptual_hash() -> None:
    for size, value in (((2, 2), 0), ((32, 32), 255), ((40, 7), 77)):
        assert phash(np.full((*size, 3), value, dtype=np.uint8)) == (0 if value == 0 else 1 << 63)


def test_thumbnail_has_the_means_of_fields() -> None:
    pixels = picture(4, (16, 24))
    means = pixels.reshape(8, 2, 8, 3, 3).mean(axis=(1, 3))
    found = np.frombuffer(thumbnail(pixels), dtype=np.uint8).reshape(8, 8, 3)
    np.testing.assert_allclose(found, means, atol=1)
