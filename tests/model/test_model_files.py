from __future__ import annotations

import pytest

from privaudit.model.model_files import HeaderWords, short_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/alice/style.safetensors", "style.safetensors"),
        ("/home/alice/out/checkpoint-500/unet/", "checkpoint-500/unet"),
        ("C:\\alice\\checkpoint-500\\unet", "checkpoint-500/unet"),
        ("checkpoint-smith/unet", "unet"),
        ("out/checkpoint-500", "checkpoint-500"),
        ("model.safetensors (vae)", "model.safetensors (vae)"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_only_a_numbered_checkpoint_stays_in_front_of_the_name(path, name):
    assert short_path(path) == name


@pytest.mark.parametrize("said", [{"folders": ("a",)}, {"tags": 1}, {"images": 2}, {"notes": {"a": "b"}}])
def test_a_header_says_something_by_any_of_its_parts(said):
    assert HeaderWords("a", **said).says_something
    assert not HeaderWords("a").says_something
