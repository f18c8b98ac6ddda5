from __future__ import annotations

from pathlib import Path

from PIL import Image

from privaudit.auditing.expected_sizes import images_by_size, pixels_of, relative_images, size_text
from privaudit.data.listed import ListedImage
from privaudit.data.reading import ImageReading

BUCKETS = ImageReading(buckets=16)


def listed(folder: Path) -> list[ListedImage]:
    for name, size in {"a": (64, 32), "b": (32, 64), "c": (64, 32)}.items():
        Image.new("RGB", size).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no image")
    return [ListedImage(path) for path in sorted(folder.iterdir())]


def test_images_are_grouped_without_those_that_cannot_be_read(tmp_path: Path) -> None:
    a, b, broken, c = listed(tmp_path)
    assert images_by_size([a, b, broken, c], (32, 32), BUCKETS) == {(16, 32): [a, c], (32, 16): [b]}
    assert images_by_size([broken], (32, 32), BUCKETS) == {(32, 32): [broken]}, "the plan says what is wrong with it"


def test_all_images_have_one_size_without_buckets(tmp_path: Path) -> None:
    images = listed(tmp_path)
    assert images_by_size(images, (32, 32), ImageReading()) == {(32, 32): images}


def test_images_count_by_their_pixels() -> None:
    assert relative_images({"16x32": 4, "32x32": 3}, "16x32", 7) == 10
    assert relative_images({"16x32": 4}, "16x32", 5) == 5
    assert pixels_of(size_text((16, 32))) == 512
