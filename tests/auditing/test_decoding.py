"""Every image file of a run is decoded once, where memory allows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from models import save_small_pipeline, write_images
from PIL import Image

from privaudit.auditing import pixel_memory
from privaudit.auditing.dry_run import plan_audit
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.pixel_memory import MAX_PIXEL_FRACTION, pixel_budget
from privaudit.auditing.run import run_audit
from privaudit.inversion.encoder import Encoder
from privaudit.tasks.geometry_maps import GeometryOptions, run_geometry
from privaudit.tasks.invert_options import InvertOptions
from privaudit.tasks.inverting import run_inversion


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("decoding")
    save_small_pipeline(folder / "model")
    write_images(folder / "members", 13, seed=1)
    write_images(folder / "others", 12, seed=2)
    return folder


@pytest.fixture
def decodes(root, monkeypatch) -> Counter[str]:
    """How often each file of the image sets was decoded."""
    opened: Counter[str] = Counter()
    original = Image.open

    def count(stream, *arguments, **options):
        path = str(getattr(stream, "name", ""))
        opened[path] += path.startswith(str(root))
        return original(stream, *arguments, **options)

    monkeypatch.setattr(Image, "open", count)
    return opened


@pytest.fixture
def options(root, tmp_path) -> AuditOptions:
    return AuditOptions.parse(
        target=str(root / "model"),
        members=root / "members",
        nonmembers=root / "others",
        out=tmp_path / "run",
        device="cpu",
        attacks=("sima:levels=20", "recon"),
        solver="encoder",
        folds=2,
        replicates=100,
    )


def test_an_audit_decodes_each_file_once(options, decodes):
    run_audit(options)
    assert len(decodes) == 25
    assert set(decodes.values()) == {1}


def test_beyond_the_budget_each_stage_decodes_again(options, decodes, monkeypatch):
    monkeypatch.setattr(pixel_memory, "free_bytes", lambda device: 0)
    run_audit(options)
    assert len(decodes) == 25
    assert min(decodes.values()) == 5, "read, model fit, pixels, latents, and scores for recon"


def test_the_budget_is_a_share_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(pixel_memory, "free_bytes", {torch.device("cpu"): 1000}.get)
    assert pixel_budget().bytes_left == 1000 * MAX_PIXEL_FRACTION


def test_the_plan_decodes_one_batch_once(options, decodes):
    plan_audit(options)
    assert set(decodes.values()) == {1}


def test_tasks_decode_each_file_once(root, decodes, tmp_path):
    model = str(root / "model")
    run_inversion(InvertOptions(model, root / "members", tmp_path / "invert", solver=Encoder(), device="cpu"))
    assert len(decodes) == 13
    assert set(decodes.values()) == {1}
    decodes.clear()
    run_geometry(
        GeometryOptions(model, (root / "members", root / "others"), tmp_path / "map", solver=Encoder(), device="cpu")
    )
    assert len(decodes) == 25
    assert set(decodes.values()) == {1}
