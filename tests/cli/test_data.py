"""`privaudit data` as a user meets it: an image set of every kind of trouble, without a model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (40, 40), channels: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 250, (*size, channels), dtype=np.uint8))


@pytest.fixture
def root(tmp_path):
    return tmp_path


@pytest.fixture
def photos(root):
    """Nine files, of which five are different images that can be read."""
    folder = root / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(0, (60, 40)).save(folder / "a.jpg", exif=exif.tobytes())
    picture(1, (40, 80)).save(folder / "b.png")
    picture(2, channels=4).save(folder / "c.png")
    picture(3, (8, 8)).save(folder / "d.png")
    picture(4).save(folder / "e.png")
    picture(4).save(folder / "e-copy.bmp")
    picture(5).save(folder / "a-masklabel.png")
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    (folder / "raw.psd").write_bytes(b"8BPS")
    (folder / "a.txt").write_text("a dog on a lawn\nan animal\n")
    (folder / "b.txt").write_text("")
    return folder


def test_everything_that_would_be_read_and_everything_that_would_not(privaudit, photos):
    done = privaudit("data", photos, "--resolution", "32", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    lines = " ".join(done.stdout.split())
    assert (
        "layout folder images 5 (PNG 3, JPEG 1 and BMP 1), 8x8 to 40x80 pixels (height x width), 1 copy left out"
        in lines
    )
    assert "captions 1 of 5, from .txt files; 1 empty; 1 with several, of which the first is used" in lines
    assert "a.jpg: “a dog on a lawn”" in lines
    assert "1 image with an orientation tag; trainers differ: --orientation upright or stored" in lines
    assert "1 image with transparent pixels" in lines
    assert "2 images cropped by more than a tenth of the area to 32x32" in lines
    assert "1 image enlarged to 32x32" in lines
    assert "left out 1 mask of other images 1 file .psd" in lines
    assert "unreadable 1: not a readable image: OSError: " in lines


def test_json_has_the_same_numbers(privaudit, photos):
    done = privaudit("data", photos, photos, "--json", "--quiet", "--resolution", "32")
    first, second = json.loads(done.stdout)
    assert first == second
    assert {name: first[name] for name in ("images", "captioned", "turned", "transparent", "cropped", "enlarged")} == {
        "images": 5, "captioned": 1, "turned": 1, "transparent": 1, "cropped": 2, "enlarged": 1,
    }  # fmt: skip


def test_strict_names_everything_that_is_left_out(privaudit, photos):
    done = privaudit("data", photos, "--strict", "--quiet")
    assert done.returncode == 2
    assert "got 1 of the kind 'mask'; leave out --strict" in done.stderr
    assert "got 1 of the kind 'other format' with the suffix .psd; leave out --strict" in done.stderr


def test_options_of_the_reading_apply(privaudit, photos):
    done = privaudit("data", photos, "--caption", "sks, {caption}", "--quiet")
    assert "“sks, a dog on a lawn”" in done.stdout
    assert "--caption with .txt files" in " ".join(done.stdout.split())
    stated = privaudit("data", photos, "--orientation", "stored", "--quiet").stdout
    assert "1 image with an orientation tag\n" in stated.replace("  ", "").replace(" \n", "\n")
    bare = privaudit("data", photos, "--caption", "", "--quiet")
    assert "not used: .txt files; replaced by --caption" in " ".join(bare.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "expected a folder of images or a manifest, but nowhere does not exist"),
        (("photos", "--resolution", "x"), "expected --resolution in pixels, as in 1024 or 768x1024"),
        (("photos", "--caption-column", "blip"), "expected captions in 'blip' in photos, found none"),
        (("photos", "--orientation", "left"), "expected --orientation to be one of auto, upright, stored, got left"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(privaudit, photos, arguments, message):
    done = privaudit("data", *arguments, "--quiet")
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_scan_reads_from_a_file_applies_here_too(privaudit, photos, root, monkeypatch):
    (root / "privaudit.toml").write_text('target = "m"\nmembers = "a"\ncaption = "a photo of sks"\nresolution = "32"\n')
    done = privaudit("data", photos, "--quiet")
    assert "“a photo of sks”" in done.stdout
    assert "enlarged to 32x32" in " ".join(done.stdout.split())
    monkeypatch.setenv("PRIVAUDIT_CAPTION", "a dog")
    assert "“a dog”" in privaudit("data", photos, "--quiet").stdout
