"""Suffixes and first bytes of the image formats that are read."""

IMAGE_SUFFIXES = frozenset({
    ".png",
    ".apng",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".webp",
    ".avif",
    ".heic",
    ".heif",
    ".hif",
    ".jxl",
    ".jp2",
    ".j2k",
    ".jpx",
    ".bmp",
    ".gif",
    ".tif",
    ".tiff",
    ".tga",
    ".qoi",
    ".ppm",
    ".pgm",
    ".pnm",
})
"""Lower case. HEIC and JPEG XL need a package (see `privaudit.data.optional_formats`)."""

SIGNATURES = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"\xff\x0a",  # JPEG XL without a container
    b"\x00\x00\x00\x0cJXL \r\n\x87\n",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",  # JPEG 2000 without a container
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"qoif",
)
"""First bytes by which a format is recognised."""
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})


def is_image(first_bytes: bytes) -> bool:
    """Whether a file without a suffix, such as one of a cache, is an image of a format that is read.

    Args:
        first_bytes: The first 64 bytes of the file, or all of a shorter one.

    Returns:
        True for every format of `IMAGE_SUFFIXES` but TGA, which has no signature.
    """
    return (
        first_bytes.startswith(SIGNATURES)
        or (first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP")
        or (first_bytes[:1] == b"P" and first_bytes[1:2] in b"123456" and first_bytes[2:3].isspace())
        or bool(brands(first_bytes) & (HEIF_BRANDS | AVIF_BRANDS))
    )


def brands(first_bytes: bytes) -> set[bytes]:
    """Brands of an ISO base media file, such as HEIC, AVIF or MP4.

    Args:
        first_bytes: The first 64 bytes of the file.

    Returns:
        The major brand and the compatible ones; none for other files.
    """
    if first_bytes[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(first_bytes[:4], "big"), len(first_bytes))
    return {first_bytes[8:12], *(first_bytes[start : start + 4] for start in range(16, end, 4))}
