"""The size of an image from its header is the size to which it is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from privaudit.data import decode_image
from privaudit.data.header import expected_size
from privaudit.data.listed import ListedImage
from privaudit.data.reading import AUTOMATIC, ImageReading
from privaudit.errors import DataError

BASE = (32, 32)


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("orientation", ["auto", "upright", "stored"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_is_that_of_the_decoded_pixels(tmp_path: Path, suffix: str, turned: int, orientation: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    Image.new("RGB", (64, 32)).save(tmp_path / f"wide.{suffix}", exif=exif)
    reading = ImageReading(orientation=orientation, buckets=16)
    image = ListedImage(tmp_path / f"wide.{suffix}")
    size = expected_size(image, BASE, reading)
    assert {size, size[::-1]} == {(16, 32), (32, 16)}
    if suffix == "jpg":
        assert size == ((16, 32) if turned < 5 or orientation == "stored" else (32, 16))
    assert size == decode_image(image, BASE, reading).pixels.shape[:2]


def test_sides_are_at_most_the_longest_of_the_buckets(tmp_path: Path) -> None:
    Image.new("RGB", (128, 32)).save(tmp_path / "wide.png")
    image, longer = ListedImage(tmp_path / "wide.png"), ImageReading(buckets=16, bucket_max=64)
    assert expected_size(image, BASE, ImageReading(buckets=16)) == (16, 32)
    assert expected_size(image, BASE, longer) == decode_image(image, BASE, longer).pixels.shape[:2] == (16, 64)


def test_no_file_is_opened_without_buckets(tmp_path: Path) -> None:
    assert expected_size(ListedImage(tmp_path / "missing.png"), BASE, AUTOMATIC) == BASE


def test_a_file_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="not a readable image: UnidentifiedImageError"):
        expected_size(ListedImage(tmp_path / "broken.png"), BASE, ImageReading(buckets=16))
