"""Captions that are longer than the text encoders read."""

from __future__ import annotations

from pathlib import Path

from privaudit.loading import load_target


def test_captions_beyond_the_window_are_counted(sd: Path):
    """The tokenizer has 12 places, two of which are beginning and end; each letter but those of "cat" is a token."""
    conditioner = load_target(sd).conditioner
    assert conditioner is not None
    assert conditioner.cut(["cat"] * 3 + [" ".join("abcdefghij")]) == 0
    assert conditioner.cut([" ".join("abcdefghijk"), "cat " * 20, "cat " * 20]) == 3
    assert conditioner.cut([]) == 0


def test_the_longest_window_of_several_encoders_counts(sd3: Path):
    conditioner = load_target(sd3).conditioner
    assert conditioner is not None
    assert conditioner.cut(["a " * 400, "cat"]) == 1
