"""Image formats for which Pillow needs another package, HEIC and JPEG XL, which is loaded when such a file is met."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import BinaryIO

from PIL import Image

from privaudit.data.jxl_size import jxl_size
from privaudit.data.suffixes import AVIF_BRANDS, HEIF_BRANDS, brands
from privaudit.errors import DataError

JXL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")


def prepare_reader(stream: BinaryIO) -> None:
    """Load the package that reads an image, if it needs one and has not been loaded.

    Whether it needs one is decided by its first bytes, so that a HEIC file that is called ``.jpg`` is read, too.

    Args:
        stream: Bytes of the file, seekable; afterwards at its start.

    Raises:
        DataError: The package is not installed, or the image is too large.
        OSError: The stream cannot be read.
    """
    first_bytes = stream.read(64)
    stream.seek(0)
    named = brands(first_bytes)
    if named & HEIF_BRANDS and not named & AVIF_BRANDS:
        _load(_register_heif, "pillow-heif", "heif")
    elif first_bytes.startswith(JXL):
        _load(_register_jxl, "pillow-jxl-plugin", "jxl")
        _refuse_jxl_bomb(stream)


def _load(register: Callable[[], None], package: str, extra: str) -> None:
    try:
        register()
    except ImportError as error:
        raise DataError(f"needs {package}: pip install 'privaudit[{extra}]'") from error


def _refuse_jxl_bomb(stream: BinaryIO) -> None:
    """Refuse what Pillow would refuse, before the decoder takes memory for it."""
    size = jxl_size(stream.read())
    stream.seek(0)
    limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if size is not None and limit and size[0] * size[1] > limit:
        raise DataError(f"not a readable image: expected at most {limit:.0f} pixels, got {size[1]}x{size[0]}")


@cache
def _register_heif() -> None:
    Image.init()  # so that Pillow asks the readers of its own first
    import_module("pillow_heif").register_heif_opener()


@cache
def _register_jxl() -> None:
    Image.init()
    import_module("pillow_jxl")
