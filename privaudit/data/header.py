"""The size of an image from the header of its file, without its pixels."""

from __future__ import annotations

from PIL import ExifTags, Image

from privaudit.data.buckets import bucket_size
from privaudit.data.listed import ListedImage
from privaudit.data.optional_formats import prepare_reader
from privaudit.data.reading import ImageReading
from privaudit.errors import DataError

FIRST_TURNED = 5
"""First EXIF orientation that exchanges height and width, as do those after it."""


def expected_size(image: ListedImage, base: tuple[int, int], reading: ImageReading) -> tuple[int, int]:
    """Tell the size to which an image will be resized and cropped.

    Args:
        image: The image.
        base: Height and width for which the model is trained.
        reading: How pixels are read.

    Returns:
        Height and width of its bucket; ``base`` without buckets, and then no file is opened.

    Raises:
        DataError: The file has no header that can be read.
    """
    if reading.buckets is None:
        return base
    try:
        with image.open() as stream:
            prepare_reader(stream)
            with Image.open(stream) as opened:
                turned = opened.getexif().get(ExifTags.Base.Orientation, 1) >= FIRST_TURNED
                turned = turned and opened.format != "TIFF"  # whose decoder turns it, and says the size after that
                width, height = opened.size
    except DataError:
        raise
    except Exception as error:  # as in `decode_image`: Pillow's parsers have no common error
        raise DataError(f"not a readable image: {type(error).__name__}") from error
    original = (width, height) if turned and reading.orientation != "stored" else (height, width)
    return bucket_size(original, base, reading.buckets, reading.bucket_max)
