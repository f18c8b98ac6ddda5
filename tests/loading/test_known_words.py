"""Words in angle brackets that the tokenizers of a pipeline know."""

from __future__ import annotations

from types import SimpleNamespace

from privaudit.loading.embeddings import known_words


class Tokenizer:
    """Tokens that a tokenizer has in addition to its vocabulary."""

    def __init__(self, *added: str, special: tuple[str, ...] = ()):
        self.added, self.all_special_tokens = added, list(special)

    def get_added_vocab(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.added)}


def family(*tokenizers: str) -> SimpleNamespace:
    return SimpleNamespace(text_encoders=[SimpleNamespace(tokenizer=name) for name in tokenizers])


def test_words_of_all_tokenizers_count_that_stand_in_angle_brackets():
    processor = SimpleNamespace(tokenizer=Tokenizer("<dog>"))
    pipeline = SimpleNamespace(one=Tokenizer("<cat-toy>", "cat", special=("<pad>", "[SEP]")), two=processor, three=None)
    assert known_words(pipeline, family("one", "two", "three", "missing")) == {"<cat-toy>", "<pad>", "<dog>"}


def test_a_model_without_text_knows_none():
    assert known_words(SimpleNamespace(), family()) == frozenset()
