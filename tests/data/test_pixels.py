"""How pixels are read: by default as before there were options, and otherwise as each option says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from privaudit.data import decode_image, load_images, read_set
from privaudit.data.image_file import UPRIGHT
from privaudit.data.listed import ListedImage
from privaudit.data.reading import ImageReading
from privaudit.errors import DataError

SIZE = (6, 8)


def noise(size: tuple[int, int], channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, channels), dtype=np.uint8)


def save(path: Path, image: Image.Image | NDArray[np.uint8], orientation: int = 1, **options: object) -> Path:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    image.save(path, exif=exif, **options)
    return path


def pixels(path: Path | ListedImage, size: tuple[int, int] = SIZE, **reading: object) -> NDArray[np.uint8]:
    return decode_image(path, size, ImageReading(**reading)).pixels


def read_by_the_first_release(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The reader before it had options, in one function."""
    with Image.open(path) as opened:
        opened.load()
        turn = UPRIGHT.get(opened.getexif().get(0x0112, 1))
        image = opened if turn is None else opened.transpose(turn)
        image.info.pop("transparency", None)
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image).astype(np.int64) / 257.0).round().astype(np.uint8))
        image = image.convert("RGB")
    height, width = size
    if (image.height, image.width) == size:
        return np.asarray(image)
    scale = max(height / image.height, width / image.width)
    resized = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.LANCZOS)
    x, y = (image.width - width) // 2, (image.height - height) // 2
    return np.asarray(image.crop((x, y, x + width, y + height)))


def image_of(mode: str, size: tuple[int, int]) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.random.default_rng(1).integers(0, 65536, size).astype(np.uint16))
    image = Image.fromarray(noise(size, 4), "RGBA")
    return image.convert("RGB").convert(mode) if mode in {"P", "CMYK", "1"} else image.convert(mode)


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"]),
    orientation=st.integers(1, 8),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    wanted=st.tuples(st.integers(1, 16), st.integers(1, 16)),
)
def test_the_defaults_read_every_image_as_before(
    tmp_path_factory: pytest.TempPathFactory,
    mode: str,
    orientation: int,
    size: tuple[int, int],
    wanted: tuple[int, int],
) -> None:
    path = tmp_path_factory.mktemp("any") / ("a.jpg" if mode == "CMYK" else "a.png")
    save(path, image_of(mode, size), orientation)
    expected = read_by_the_first_release(path, wanted)
    np.testing.assert_array_equal(pixels(path, wanted), expected)
    confirmed = pixels(path, wanted, orientation="upright", transparency="drop", crop="center")
    np.testing.assert_array_equal(confirmed, expected, "auto is not what it is said to be")


@pytest.mark.parametrize("suffix", [".png", ".tga", ".qoi", ".jp2", ".bmp", ".tif", ".ppm"])
def test_lossless_formats_are_equal(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(noise((32, 48))).save(tmp_path / f"a{suffix}")
    (sample,) = read_set(tmp_path, (32, 48)).samples
    np.testing.assert_array_equal(pixels(sample.path, (32, 48)), noise((32, 48)))


# ------------------------------------------------------------------------------- orientation


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_stored_pixels_are_not_turned(tmp_path: Path, suffix: str, orientation: int) -> None:
    lossless = {"lossless": True} if suffix == ".webp" else {}
    path = save(tmp_path / f"a{suffix}", np.kron(noise((6, 8)), np.ones((4, 4, 1), np.uint8)), orientation, **lossless)
    with Image.open(path) as opened:
        stored = np.asarray(opened.convert("RGB"))
    read = decode_image(path, (24, 32), ImageReading(orientation="stored"))
    np.testing.assert_array_equal(read.pixels, stored)
    assert (read.original_size, read.file.orientation) == ((24, 32), orientation)
    upright = decode_image(path, (32, 24))
    assert upright.original_size == ((32, 24) if orientation == 6 else (24, 32))


def test_pillow_turns_tiff_by_itself_and_it_is_turned_once(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", noise((6, 8)), 6)
    for orientation in ("upright", "stored"):
        read = decode_image(path, (8, 6), ImageReading(orientation=orientation))
        np.testing.assert_array_equal(read.pixels, np.rot90(noise((6, 8)), -1))
        assert read.file.orientation == 1, "no trainer that uses Pillow sees it otherwise"


def test_samples_with_the_same_pixels_and_other_sizes_do_not_share_scores(tmp_path: Path) -> None:
    # A cache is keyed by the id, which is that of the pixels, and by the prompt, which has the original size.
    tmp_path = tmp_path / "set"
    tmp_path.mkdir()
    save(tmp_path / "a.png", np.full((6, 8, 3), 9, np.uint8), 6)
    upright, stored = (
        read_set(tmp_path, (4, 4), reading=ImageReading(orientation=orientation)).samples[0]
        for orientation in ("upright", "stored")
    )
    assert upright.id == stored.id
    assert (upright.prompt.original_size, stored.prompt.original_size) == ((8, 6), (6, 8))


# ------------------------------------------------------------------------------- transparency

COLOURS = np.array([[10, 20, 30], [200, 100, 0], [0, 255, 0], [7, 7, 7]], np.uint8)


def transparent_image(kind: str) -> tuple[Image.Image, dict[str, object], NDArray[np.float64], NDArray[np.uint8]]:
    """An image, how to save it, and its opacity in [0, 1] and colours by hand."""
    index = np.arange(48, dtype=np.uint8).reshape(SIZE) % 4
    if kind == "RGBA":
        image = noise(SIZE, 4)
        return Image.fromarray(image), {}, image[..., 3] / 255, image[..., :3]
    if kind == "LA":
        image = noise(SIZE, 2)
        return Image.fromarray(image), {}, image[..., 1] / 255, np.repeat(image[..., :1], 3, axis=2)
    if kind == "16-bit gray":
        values = (index.astype(np.uint16) * 257) + 256
        gray = np.round(values / 257).astype(np.uint8)
        opaque = np.where(values == values[0, 2], 0.0, 1.0)
        return Image.fromarray(values), {"transparency": int(values[0, 2])}, opaque, np.stack([gray] * 3, axis=2)
    image = Image.fromarray(index)
    image.putpalette(COLOURS.ravel().tolist())
    if kind == "palette index":
        return image, {"transparency": 1}, np.where(index == 1, 0.0, 1.0), COLOURS[index]
    table = bytes([0, 128, 255, 255])
    return image, {"transparency": table}, np.array(list(table))[index] / 255, COLOURS[index]


KINDS = ["RGBA", "LA", "16-bit gray", "palette index", "palette table"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error")
def test_transparent_pixels_take_the_colour_of_the_ground(tmp_path: Path, kind: str) -> None:
    image, options, alpha, colours = transparent_image(kind)
    path = save(tmp_path / "a.png", image, **options)
    assert decode_image(path, SIZE).file.transparent
    np.testing.assert_array_equal(pixels(path, transparency="drop"), colours)
    for name, value in (("white", 255), ("black", 0)):
        expected = alpha[..., None] * colours + (1 - alpha[..., None]) * value
        np.testing.assert_allclose(pixels(path, transparency=name).astype(float), expected, atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_an_image_whose_pixels_are_all_opaque_is_not_transparent(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(noise(SIZE)).convert(mode)
    options = {"transparency": 255} if mode == "P" else {}  # an entry of the palette that no pixel has
    if mode == "P":
        image = Image.fromarray(np.minimum(np.asarray(image), 250), "P")
        image.putpalette(list(range(256)) * 3)
    path = save(tmp_path / "a.png", image, **options)
    assert not decode_image(path, SIZE).file.transparent
    np.testing.assert_array_equal(pixels(path, transparency="white"), pixels(path, transparency="drop"))


def test_alpha_is_turned_with_its_image(tmp_path: Path) -> None:
    image = noise((6, 8), 4)
    image[..., 3] = 255
    image[0, :, 3] = 0  # the first stored row becomes the last column
    path = save(tmp_path / "a.png", image, 6)
    assert (pixels(path, (8, 6), transparency="white")[:, -1] == 255).all()


# ------------------------------------------------------------------------------- filter and crop


@pytest.mark.parametrize("name", ["lanczos", "bicubic", "bilinear", "box", "hamming", "nearest"])
def test_the_filter_is_the_named_one(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "a.png", noise((13, 17)))
    expected = Image.fromarray(noise((13, 17))).resize((8, 6), Image.Resampling[name.upper()])
    np.testing.assert_array_equal(pixels(path, resampling=name, crop="none"), np.asarray(expected))


def test_without_a_crop_both_sides_are_resized(tmp_path: Path) -> None:
    read = decode_image(save(tmp_path / "a.png", noise((13, 40))), SIZE, ImageReading(crop="none"))
    expected = Image.fromarray(noise((13, 40))).resize((8, 6), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(read.pixels, np.asarray(expected))
    assert (read.crop, read.crop_loss, read.enlarged) == ((0, 0), 0.0, False)


def test_a_listed_crop_counts_pixels_of_the_resized_image(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise((12, 40)))
    read = decode_image(ListedImage(path, crop=(0, 11)), SIZE, ImageReading(crop="listed"))
    resized = np.asarray(Image.fromarray(noise((12, 40))).resize((20, 6), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(read.pixels, resized[:, 11:19])
    assert read.crop == (0, 11)


@pytest.mark.parametrize(("crop", "reason"), [(None, "got none; add crop_top"), ((0, 13), "resized to 20x6, got 8x6")])
def test_a_missing_or_impossible_crop_says_so(tmp_path: Path, crop: tuple[int, int] | None, reason: str) -> None:
    path = save(tmp_path / "a.png", noise((12, 40)))
    with pytest.raises(DataError, match=reason):
        pixels(ListedImage(path, crop=crop), crop="listed")


def test_loss_and_enlargement_are_those_of_the_file(tmp_path: Path) -> None:
    wide = decode_image(save(tmp_path / "a.png", noise((6, 16))), SIZE)
    assert (wide.crop_loss, wide.enlarged) == (0.5, False)
    small = decode_image(save(tmp_path / "b.png", noise((3, 4))), SIZE)
    assert (small.crop_loss, small.enlarged) == (0.0, True)


# ------------------------------------------------------------------------------- buckets


def test_an_image_takes_the_size_of_its_bucket_and_is_loaded_at_it(tmp_path: Path) -> None:
    for name, size in (("a", (33, 64)), ("b", (64, 32)), ("c", (50, 50))):
        save(tmp_path / f"{name}.png", noise(size))
    reading = ImageReading(buckets=16)
    samples = read_set(tmp_path, (32, 32), reading=reading).samples
    assert [sample.size for sample in samples] == [(16, 32), (32, 16), (32, 32)]
    resized = Image.fromarray(noise((33, 64))).resize((32, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png", (32, 32), reading).pixels, np.asarray(resized))
    for sample in samples:
        assert load_images([sample], sample.size).shape == (1, 3, *sample.size)


# ------------------------------------------------------------------------------- memory

READ = """
import sys
from pathlib import Path
from privaudit.data import decode_image
def peak():
    # not ru_maxrss, which begins with the peak of the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
start = peak()
shape = decode_image(Path(sys.argv[1]), (512, 512)).pixels.shape
assert shape == (512, 512, 3), shape
print(peak() - start)
"""


def megabytes(path: Path) -> float:
    """Memory that reading an image at 512x512 takes in a new process."""
    run = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    return float(run.stdout)


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 200_000)])
def test_memory_does_not_grow_with_the_length_of_a_strip(tmp_path: Path, size: tuple[int, int]) -> None:
    assert megabytes(save(tmp_path / "a.png", noise(size))) <= 300


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    wanted=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    name=st.sampled_from(["lanczos", "bicubic", "bilinear"]),
)
def test_the_crop_alone_is_that_of_the_whole_image(
    tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int], wanted: tuple[int, int], name: str
) -> None:
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [127 + 60 * np.sin(x / 5 + shift) + 50 * np.cos(y / 4 - shift) for shift in range(3)]
    path = save(tmp_path_factory.mktemp("any") / "a.png", np.stack(waves, axis=2).astype(np.uint8))
    whole = pixels(path, wanted, resampling=name).astype(int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("privaudit.data.framing.MAX_RESIZED", 0)
        np.testing.assert_allclose(pixels(path, wanted, resampling=name).astype(int), whole, atol=4)


def test_sixteen_bit_gray_takes_no_more_than_its_image(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8000, 8000), np.uint16)).save(tmp_path / "a.png", compress_level=1)
    # 64 million pixels: 128 MB as stored, 64 MB of gray and 256 MB of RGB, some of it twice for a moment
    assert megabytes(tmp_path / "a.png") <= 600
