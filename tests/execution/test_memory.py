from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import LinearAutoencoder, linear_target, make_autoencoder, random_normal, write_images
from torch import nn

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run_stages import measure
from privaudit.data import read_set
from privaudit.decoder_geometry import ESTIMATORS
from privaudit.errors import ConfigError, TargetError
from privaudit.execution import memory
from privaudit.execution.memory import MAX_MEMORY_FRACTION, free_bytes, items_within, pass_bytes
from privaudit.scorers import parse_methods

CPU = torch.device("cpu")
GIB = 2**30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux with 8 GiB free and made-up control groups: group folder to the content of its files."""

    def make(lines: str, groups: dict[str, dict[str, object]]) -> None:
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB))
        monkeypatch.setattr(memory, "PROC_CGROUP", tmp_path / "proc")
        monkeypatch.setattr(memory, "CGROUPS", tmp_path / "groups")
        (tmp_path / "proc").write_text(lines)
        for folder, files in groups.items():
            (tmp_path / "groups" / folder).mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (tmp_path / "groups" / folder / name).write_text(f"{content}\n")

    return make


def version2(limit: object, used: int, cached: int) -> dict[str, object]:
    return {"memory.max": limit, "memory.current": used, "memory.stat": f"anon 1\ninactive_file {cached}"}


def version1(limit: int, used: int, cached: int) -> dict[str, object]:
    return {
        "memory.limit_in_bytes": limit,
        "memory.usage_in_bytes": used,
        "memory.stat": f"inactive_file 5\ntotal_inactive_file {cached}",
    }


class TestFreeBytes:
    def test_is_real_on_this_machine(self):
        assert 0 < free_bytes(CPU) <= psutil.virtual_memory().total

    def test_without_control_groups(self, monkeypatch):
        monkeypatch.setattr(memory, "PROC_CGROUP", Path("/no/such/file"))
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5))
        assert free_bytes(CPU) == 5

    @pytest.mark.parametrize(
        ("lines", "groups", "wanted"),
        [
            ("0::/\n", {"": version2(4 * GIB, 3 * GIB, GIB)}, 2 * GIB),
            ("0::/\n", {"": version2("max", 3 * GIB, 0)}, 8 * GIB),
            ("0::/a/b\n", {"a/b": version2("max", 0, 0), "a": version2(2 * GIB, GIB, 0)}, GIB),
            ("0::/host/path\n", {"": version2(3 * GIB, 0, 0)}, 3 * GIB),
            ("0::/\n", {"": version2(GIB, 2 * GIB, 0)}, 0),
            ("4:cpu,memory:/box\n0::/\n", {"memory/box": version1(4 * GIB, 2 * GIB, GIB)}, 3 * GIB),
            ("4:memory:/box\n", {"memory": version1(2**63 - 4096, GIB, 0)}, 8 * GIB),
            ("3:cpu:/box\n", {"memory/box": version1(1, 0, 0)}, 8 * GIB),
        ],
        ids=["v2", "no limit", "parent", "container", "over", "v1", "v1 without limit", "other controller"],
    )
    def test_a_containers_limit_counts(self, machine, lines, groups, wanted):
        machine(lines, groups)
        assert free_bytes(CPU) == wanted

    def test_cuda_counts_what_torch_holds_unused(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50)
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 20)
        assert free_bytes(torch.device("cuda")) == 130


class TestPassBytes:
    def test_counts_what_is_saved_once_and_no_parameters(self):
        layer = nn.Linear(10, 20).requires_grad_(False)
        # the output of a linear map alone: its derivative needs the weights only
        assert pass_bytes(layer, torch.zeros(5, 10)) == 20 * 4
        # exp saves its output, which is also the output of the pass
        assert pass_bytes(lambda z: layer(z).exp(), torch.zeros(5, 10)) == 20 * 4
        # the sine saves its input, twice used, and the output is new
        assert pass_bytes(lambda z: layer(z).sin(), torch.zeros(5, 10)) == 2 * 20 * 4
        trained = nn.Linear(10, 20)
        assert pass_bytes(lambda z: trained(z).sin(), torch.zeros(5, 10)) == (10 + 2 * 20) * 4

    def test_does_not_depend_on_the_batch_and_grows_with_the_image(self):
        model = make_autoencoder("AutoencoderKL").requires_grad_(False)
        decode = lambda z: model.decode(z).sample  # noqa: E731
        one, small, large = (random_normal(*shape) for shape in ((1, 4, 8, 8), (5, 4, 8, 8), (1, 4, 16, 16)))
        assert pass_bytes(decode, one) == pass_bytes(decode, small)
        assert 3 < pass_bytes(decode, large) / pass_bytes(decode, one) < 6
        weights = sum(part.numel() * 4 for part in model.parameters())
        assert pass_bytes(decode, random_normal(1, 4, 1, 1)) < weights

    def test_leaves_no_gradient_and_works_without_gradients_around_it(self):
        layer, inputs = nn.Linear(4, 4), torch.zeros(1, 4, requires_grad=True)
        with torch.no_grad():
            wanted = pass_bytes(lambda z: layer(z).sin(), inputs)
        with torch.inference_mode():
            assert pass_bytes(lambda z: layer(z).sin(), torch.zeros(1, 4)) == wanted
        assert inputs.grad is None
        assert layer.weight.grad is None

    def test_needs_an_item(self):
        with pytest.raises(ConfigError, match="one or more items to measure a pass on, got none"):
            pass_bytes(torch.sin, torch.zeros(0, 3))


@given(budget=st.integers(0, 1000), each=st.integers(1, 100), most=st.integers(1, 64))
def test_items_fit_or_are_one(budget, each, most):
    found = items_within(budget, each, most)
    assert 1 <= found <= most
    assert found == 1 or found * each <= budget
    assert found == most or (found + 1) * each > budget


@dataclass(frozen=True)
class Watched:
    """Notes how many latents are decoded with a derivative; may be random, or short of memory."""

    inner: LinearAutoencoder
    batches: list[int]
    noise: float = 0.0
    fits: int = 1000
    dtype: torch.dtype = torch.float32
    channel_axis: int = 1

    def encode(self, images):
        return self.inner.encode(images)

    def decode(self, latents):
        if torch.is_grad_enabled():
            self.batches.append(len(latents))
            if len(latents) > self.fits:
                raise torch.OutOfMemoryError("out of memory")
        decoded = self.inner.decode(latents)
        return decoded + self.noise * torch.randn(decoded.shape) if self.noise else decoded


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return read_set(write_images(tmp_path_factory.mktemp("budget") / "images", 12, side=8), (8, 8)).samples


class TestInfluenceStage:
    """A linear decoder keeps its output, 3 x 8 x 8 float32, and no more."""

    PASS = 3 * 8 * 8 * 4

    def run(self, samples, tmp_path, budget=None, batch_size=None, **choices):
        matrix = nn.Parameter(linear_target().autoencoder.matrix, requires_grad=False)
        autoencoder = Watched(LinearAutoencoder(matrix), [], **choices)
        target = replace(linear_target(), autoencoder=autoencoder)
        options = AuditOptions.parse(
            target="",
            members=tmp_path,
            nonmembers=tmp_path,
            out=tmp_path / "run",
            geometry_latents="encoder",
            batch_size=batch_size,
            memory=None if budget is None else max(budget, 1) / 2**30,
        )
        found = measure(target, samples, parse_methods(["sima:levels=10"]), options, lambda *_: None)
        checked, measured, *batches = autoencoder.batches
        assert (checked, measured) == (1, 1), "the check and the measurement take one image each"
        return found, batches

    @pytest.mark.parametrize(
        ("passes", "batch_size", "wanted"),
        [(3, None, [3] * 4), (5.5, None, [5, 5, 2]), (0, None, [1] * 12), (100, None, [12]), (100, 4, [4] * 3)],
    )
    def test_batches_fit_into_the_budget(self, samples, tmp_path, passes, batch_size, wanted):
        _, batches = self.run(
            samples, tmp_path, int(passes * ESTIMATORS.build("separable").memory * self.PASS), batch_size
        )
        assert batches == wanted

    def test_the_budget_changes_no_result(self, samples, tmp_path):
        small = self.run(samples, tmp_path / "small", 0)[0]
        large = self.run(samples, tmp_path / "large", None)[0]
        np.testing.assert_allclose(small.geometry.distortion, large.geometry.distortion, rtol=1e-4)

    def test_it_is_a_share_of_the_free_memory_by_default(self, samples, tmp_path, monkeypatch):
        free = 2 * ESTIMATORS.build("separable").memory * self.PASS / MAX_MEMORY_FRACTION
        monkeypatch.setattr(
            "privaudit.decoder_geometry.trial.free_bytes", lambda device: int(free) if device == CPU else 0
        )
        assert self.run(samples, tmp_path)[1] == [2] * 6

    def test_it_backs_off_where_the_estimate_was_too_good(self, samples, tmp_path):
        assert self.run(samples, tmp_path, fits=4)[1] == [12, 12, 12, 8, 4, 4, 4]

    def test_the_decoder_is_checked_first(self, samples, tmp_path):
        with pytest.raises(TargetError, match="injected noise"):
            self.run(samples, tmp_path, noise=0.1)
