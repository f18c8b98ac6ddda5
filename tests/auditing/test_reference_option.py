from __future__ import annotations

import pytest

from privaudit.auditing.reference_option import reference_text


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({}, None),
        ({"reference": None, "lora": None}, None),
        ({"reference": "base"}, "base"),
        ({"reference": None, "lora": ["a.safetensors@0.8"]}, "the same model without its LoRA"),
        (
            {"lora": ["a.safetensors"], "embeddings": ["b.safetensors"]},
            "the same model without its LoRA and embeddings",
        ),
        ({"reference": "base", "lora": ["a.safetensors"]}, "base"),
        ({"reference": "none", "lora": ["a.safetensors"]}, None),
        ({"reference": None, "lora": ["none"]}, None),
        ({"embeddings": ["b.safetensors"]}, None),
    ],
)
def test_the_reference_of_a_model_with_adapters_is_the_model_without_them(config, text):
    assert reference_text(config) == text
