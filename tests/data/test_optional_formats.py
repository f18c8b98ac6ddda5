"""HEIC and JPEG XL: read by their packages, or with a reason that names the package."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from privaudit.data import decode_image, read_set
from privaudit.data.optional_formats import prepare_reader
from privaudit.data.reading import ImageReading
from privaudit.errors import DataError

SIZE = (16, 24)
PACKAGES = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}
OPTIONS = {"HEIF": {"quality": -1, "chroma": 444}, "JXL": {"lossless": True}}


def pixels() -> np.ndarray:
    return np.kron(np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def encoded(kind: str, orientation: int = 1) -> bytes:
    import pillow_heif
    import pillow_jxl  # noqa: F401 - it registers itself

    pillow_heif.register_heif_opener()
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels()).save(buffer, kind, exif=exif.tobytes(), **OPTIONS[kind])
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "name"), [("HEIF", "a.heic"), ("JXL", "a.jxl"), ("HEIF", "phone.jpg")])
def test_pixels_are_those_of_the_image_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(kind))
    (sample,) = read_set(tmp_path, SIZE).samples
    assert sample.file.format == kind
    np.testing.assert_allclose(decode_image(tmp_path / name, SIZE).pixels.astype(int), pixels(), atol=2)


def test_heic_is_turned_once_and_by_its_decoder(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(encoded("HEIF", 6))
    for orientation in ("upright", "stored"):
        read = decode_image(tmp_path / "a.heic", SIZE[::-1], ImageReading(orientation=orientation))
        np.testing.assert_allclose(read.pixels.astype(int), np.rot90(pixels(), -1), atol=2)
        assert (read.file.orientation, read.original_size) == (1, SIZE[::-1])


@pytest.mark.parametrize("from_jpeg", [False, True])
def test_jxl_is_turned_as_its_tag_says(tmp_path: Path, from_jpeg: bool) -> None:
    path = tmp_path / "a.jxl"
    path.write_bytes(encoded("JXL", 6))
    if from_jpeg:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(pixels()).save(tmp_path / "b.jpg", exif=exif.tobytes(), quality=100, subsampling=0)
        with Image.open(tmp_path / "b.jpg") as jpeg:
            jpeg.save(path, lossless_jpeg=True)
    upright = decode_image(path, SIZE[::-1], ImageReading(orientation="upright"))
    np.testing.assert_allclose(upright.pixels.astype(int), np.rot90(pixels(), -1), atol=4)
    stored = decode_image(path, SIZE, ImageReading(orientation="stored"))
    np.testing.assert_allclose(stored.pixels.astype(int), pixels(), atol=4)
    assert stored.file.orientation == 6


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("HEIF", "needs pillow-heif: pip install 'privaudit[heif]'"),
        ("JXL", "needs pillow-jxl-plugin: pip install 'privaudit[jxl]'"),
    ],
)
def test_without_the_package_the_file_is_skipped_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    (tmp_path / f"a.{kind.lower()}").write_bytes(encoded(kind))
    Image.fromarray(pixels()).save(tmp_path / "b.png")
    monkeypatch.setitem(sys.modules, PACKAGES[kind], None)
    for register in ("_register_heif", "_register_jxl"):
        function = getattr(sys.modules[prepare_reader.__module__], register)
        monkeypatch.setattr(f"privaudit.data.optional_formats.{register}", function.__wrapped__)
    (skipped,) = read_set(tmp_path, SIZE).skipped
    assert (skipped.path.suffix, skipped.reason) == (f".{kind.lower()}", reason)


def test_other_files_load_no_package() -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels()).save(buffer, "AVIF")
    before = set(sys.modules)
    buffer.seek(0)
    prepare_reader(buffer)
    assert buffer.tell() == 0
    assert not {name for name in set(sys.modules) - before if name.startswith("pillow_")}


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(["HEIF", "JXL"]), data=st.data())
def test_damage_gives_pixels_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(encoded(kind))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)):
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "image"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert decode_image(path, SIZE).pixels.shape == (*SIZE, 3)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (264, 8), (300, 700), (2000, 1)])
@pytest.mark.parametrize("container", [False, True])
def test_a_bomb_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: tuple[int, int], container: bool
) -> None:
    import pillow_jxl  # noqa: F401

    path = tmp_path / "a.jxl"
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path, use_container=container)
    monkeypatch.setattr("pillow_jxl.JpegXLImagePlugin.Decoder", None)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", size[0] * size[1] / 2)
    with pytest.raises(DataError, match="UnidentifiedImageError"):  # at the limit, the decoder is called and missing
        decode_image(path, SIZE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", (size[0] * size[1] - 1) / 2)
    with pytest.raises(DataError, match=rf"expected at most \d+ pixels, got {size[1]}x{size[0]}"):
        decode_image(path, SIZE)
