"""A CLIP tokenizer with a vocabulary for given captions: each of their words is one token, other words several."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

SPECIAL = ("<|startoftext|>", "<|endoftext|>")
WORDS = re.compile(r"[^\W\d_]+|\d|[^\s\w]+|_+")
"""A sequence of letters, a digit, or a sequence of marks."""
END = "</w>"
"""Suffix that CLIP adds to the last piece of a word."""


def build_tokenizer(captions: Iterable[str], length: int) -> CLIPTokenizer:
    """Learn byte pairs until every word is one token.

    The vocabulary has the layout of CLIP: the 256 byte letters, the same letters at the end of a word, the merged
    pairs, and the start and end tokens.

    Returns:
        The tokenizer.
    """
    merges = _learn_merges(sorted({word for caption in captions for word in _split(caption)}))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(letter + END for letter in letters), *(one + other for one, other in merges), *SPECIAL]
    with TemporaryDirectory() as folder:
        place = {word: row for row, word in enumerate(words)}
        (Path(folder) / "vocab.json").write_text(json.dumps(place, ensure_ascii=False), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        (Path(folder) / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder, model_max_length=length)


def _split(caption: str) -> list[str]:
    """Split a caption into words, single digits and marks as CLIP does, and spell them in bytes."""
    words = WORDS.findall(unicodedata.normalize("NFC", caption).lower())
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return ["".join(piece for piece, _ in letters.pre_tokenize_str(word)) for word in words]


def _learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Merge the most frequent pair of pieces, alphabetically first among ties, until every word is one piece."""
    # Not BpeTrainer of tokenizers: it breaks ties by the order of a hash map, which differs between processes.
    pieces = [[*word[:-1], word[-1] + END] for word in words]
    merges = []
    while counts := Counter(pair for word in pieces for pair in pairwise(word)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        pieces = [_merge(word, best) for word in pieces]
    return merges


def _merge(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
