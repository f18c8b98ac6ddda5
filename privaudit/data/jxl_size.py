"""Size of a JPEG XL image from its header, because the decoder has no limit and decodes when a file is opened."""

from __future__ import annotations

RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width by height that a header can name instead of a width."""


def jxl_size(content: bytes) -> tuple[int, int] | None:
    """Read the size of an image (ISO/IEC 18181-1, SizeHeader, and 18181-2, boxes).

    Args:
        content: The file, or its beginning with the start of the codestream.

    Returns:
        Height and width; None if the content has no codestream.
    """
    codestream = _codestream(content)
    if codestream[:2] != b"\xff\x0a":
        return None
    bits = _Bits(int.from_bytes(codestream[2:14], "little"))
    small = bool(bits.take(1))
    height = _side(bits, small)
    numerator, denominator = RATIOS[bits.take(3)]
    return height, height * numerator // denominator or _side(bits, small)


def _side(bits: _Bits, small: bool) -> int:
    return (bits.take(5) + 1) * 8 if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


def _codestream(content: bytes) -> bytes:
    """The start of the codestream, which may be in a box of a container."""
    start = 0
    while content[:2] != b"\xff\x0a" and start + 16 <= len(content):
        length, kind, header = int.from_bytes(content[start : start + 4], "big"), content[start + 4 : start + 8], 8
        if length == 1:  # the length has eight bytes
            length, header = int.from_bytes(content[start + 8 : start + 16], "big"), 16
        if kind in {b"jxlc", b"jxlp"}:  # a partial codestream begins with its number
            return content[start + header + (4 if kind == b"jxlp" else 0) :][:14]
        if length < header:
            break
        start += length
    return content[:14]


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        taken, self._value = self._value & ((1 << count) - 1), self._value >> count
        return taken
