import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from privaudit.lab.family import save_pipeline
from privaudit.lab.tokenizer import build_tokenizer

CAPTIONS = ("chelsea, row 3 column 12, dark orange", "night sky, grey", "a red, red dog", "Größe (cm)")


def pieces(tokenizer: CLIPTokenizer, text: str) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)


def test_every_word_is_one_token() -> None:
    found = pieces(build_tokenizer(CAPTIONS, 16), "Chelsea, row 3 column 12, grey dog")
    words = ["chelsea", ",", "row", "3", "column", "1", "2", ",", "grey", "dog"]
    assert found == ["<|startoftext|>", *(f"{word}</w>" for word in words), "<|endoftext|>"]
    assert len(pieces(build_tokenizer(CAPTIONS, 16), "größe")) == 3


@given(st.lists(st.text("abcde", min_size=1, max_size=6), min_size=1, max_size=12))
def test_any_words_become_tokens(words: list[str]) -> None:
    assert len(build_tokenizer([" ".join(words)], 16)(" ".join(words)).input_ids) == len(words) + 2


@pytest.mark.parametrize("text", ["zebra", "日本", "x; y", "étoile", "\U0001f600"])
def test_other_text_is_spelled_out(text: str) -> None:
    tokenizer = build_tokenizer(CAPTIONS, 64)
    found = pieces(tokenizer, text)
    assert found.count("<|endoftext|>") == 1  # the end, and no unknown piece, which would be the same
    assert len(found) > 2


def test_captions_are_cut_and_padded() -> None:
    tokenizer = build_tokenizer(CAPTIONS, 5)
    assert tokenizer.model_max_length == 5
    long = tokenizer("red " * 10, truncation=True).input_ids
    short = tokenizer("red", padding="max_length").input_ids
    assert len(long) == len(short) == 5
    assert short[2:] == [tokenizer.eos_token_id] * 3


def test_the_order_of_captions_and_the_process_do_not_matter() -> None:
    vocabulary = build_tokenizer(CAPTIONS, 16).get_vocab()
    assert build_tokenizer(CAPTIONS[::-1], 16).get_vocab() == vocabulary
    code = (
        "import json; from privaudit.lab.tokenizer import build_tokenizer; "
        f"print(json.dumps(build_tokenizer({CAPTIONS!r}, 16).get_vocab()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == vocabulary


class Pipeline:
    """As much of a pipeline as is saved here."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        self.components = {"tokenizer": tokenizer, "other": None}

    def save_pretrained(self, folder: Path, safe_serialization: bool) -> None:
        assert safe_serialization
        self.components["tokenizer"].save_pretrained(folder / "tokenizer")


@pytest.mark.parametrize("left_out", ["tokenizer.json", "vocab.json"])
def test_a_saved_tokenizer_can_be_read_from_either_kind_of_file(tmp_path: Path, left_out: str) -> None:
    tokenizer = build_tokenizer(CAPTIONS, 16)
    save_pipeline(Pipeline(tokenizer), tmp_path)
    folder = tmp_path / "tokenizer"
    assert (folder / "merges.txt").is_file()
    (folder / left_out).unlink()
    again = CLIPTokenizer.from_pretrained(folder)
    for text in (*CAPTIONS, "zebra"):
        assert again(text).input_ids == tokenizer(text).input_ids
