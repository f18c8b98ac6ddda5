"""Small models that the tests make themselves: nothing is downloaded."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def _import_by_path(name: str) -> None:
    """Make tests/<name>.py importable as a module, whatever directory pytest runs in."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


for _name in ("actions", "browser", "markup", "models", "reference", "results", "runs", "settings"):
    _import_by_path(_name)


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _global_state_untouched():
    """The library sets no global dtype or gradient flag."""
    before = (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    yield
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Images that go through each half of an autoencoder and through a denoiser, counted inside the real networks."""
    from diffusers import AutoencoderKL, UNet2DModel

    counts: Counter[str] = Counter()

    def count(kind: str, network: type, method: str) -> None:
        original = getattr(network, method)

        def counted(self, values, *args, **kwargs):
            if not values.is_meta:  # a pass that measures shapes computes nothing
                counts[kind] += len(values)
            return original(self, values, *args, **kwargs)

        monkeypatch.setattr(network, method, counted)

    count("encode", AutoencoderKL, "encode")
    count("decode", AutoencoderKL, "decode")
    count("forward", UNet2DModel, "forward")
    return counts
