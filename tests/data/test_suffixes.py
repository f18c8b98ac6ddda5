from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from privaudit.data.suffixes import IMAGE_SUFFIXES, is_image

KINDS = ["PNG", "JPEG", "WEBP", "AVIF", "HEIF", "JXL", "JPEG2000", "BMP", "GIF", "TIFF", "QOI", "PPM"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_without_a_suffix_is_recognised(kind: str) -> None:
    import pillow_heif
    import pillow_jxl  # noqa: F401 - it registers itself

    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, kind)
    assert is_image(buffer.getvalue()[:64])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"P",
        b"PK\x03\x04",
        b"a caption",
        b"{}",
        b"\x93NUMPY",
        b"RIFF\0\0\0\0WAVE",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    ],
)
def test_another_file_is_not(content: bytes) -> None:
    assert not is_image(content)


def test_every_suffix_but_those_with_packages_is_known_to_pillow() -> None:
    Image.init()
    packaged = {".heic", ".heif", ".hif", ".jxl"}
    assert IMAGE_SUFFIXES - packaged <= set(Image.registered_extensions())
    assert packaged <= IMAGE_SUFFIXES
