"""Whole audits of the pipelines that `load_target` reads: text-to-image with captions, vector-quantised."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from diffusers import VQModel
from models import write_images
from pipelines import save_dit, save_flux, save_ldm, save_sdxl
from settings import changed

from privaudit.auditing.dry_run import plan_audit
from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.errors import DataError


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for name, seed in (("members", 1), ("others", 2)):
        write_images(root / name, 24, seed=seed)
        rows = [
            {
                "path": f"{name}/{path.name}",
                "caption": "cat" if place % 2 else "dog",
                "group": f"{name}{place // 3}",
                "class_label": place % 7,
            }
            for place, path in enumerate(sorted((root / name).iterdir()))
        ]
        (root / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return root


def options(target: Path, images: Path, out: Path, **changes: object) -> AuditOptions:
    return AuditOptions.parse(
        target=str(target),
        members=images / "members.jsonl",
        nonmembers=images / "others.jsonl",
        out=out,
        attacks=("sima:levels=20", "loss:levels=50", "pia:levels=100"),
        device="cpu",
        replicates=200,
        **changes,
    )


def of_class_0(manifest: Path) -> Path:
    """Write a manifest again with one class for all images."""
    rows = [json.loads(line) | {"class_label": 0} for line in manifest.read_text().splitlines()]
    written = manifest.with_name(f"{manifest.stem}-0.jsonl")
    written.write_text("\n".join(map(json.dumps, rows)))
    return written


def in_folders(folder: Path) -> Path:
    """Copy the images of a folder into two folders named after classes."""
    named = folder.with_name(f"{folder.name}-named")
    for place, path in enumerate(sorted(folder.iterdir())):
        (named / "ab"[place % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, named / "ab"[place % 2])
    return named


def scores(run: Path) -> pd.Series:
    return pd.read_parquet(run / "scores" / "scores.parquet").set_index(["attack", "mask", "id"])["score"].sort_index()


def test_a_text_to_image_target_with_captions(sd_master: Path, images: Path, tmp_path: Path) -> None:
    given = options(sd_master, images, tmp_path / "given")
    assert run_audit(given).target.family == "text-to-image"
    run_audit(replace(given, out=tmp_path / "small", batch_size=5))
    np.testing.assert_allclose(scores(tmp_path / "given"), scores(tmp_path / "small"), rtol=2e-3)
    bare = replace(given, out=tmp_path / "bare", members=images / "members", nonmembers=images / "others")
    run_audit(bare)
    for attack in ("sima", "loss", "pia"):
        here, there = scores(tmp_path / "given")[attack, "none"], scores(tmp_path / "bare")[attack, "none"]
        assert not np.allclose(here, there, rtol=1e-4), "the captions are used"
    table = pd.read_parquet(tmp_path / "given" / "samples.parquet")
    assert set(table["caption"]) == {"cat", "dog"}
    assert table["group"].nunique() == 16


def test_too_few_groups_are_found_before_the_model_runs(sd_master: Path, images: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) | {"group": "all"} for line in (images / "members.jsonl").read_text().splitlines()]
    manifest = images / "one-group.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    chosen = changed(options(sd_master, images, tmp_path / "run"), members=manifest, attacks=("sima:levels=20,100",))
    with pytest.raises(DataError, match="expected"):
        run_audit(chosen)
    assert not (tmp_path / "run" / "latents").exists()


def test_a_vector_quantised_target(make_ldm: Callable[..., Path], images: Path, tmp_path: Path) -> None:
    target = make_ldm(kind=VQModel)
    result = run_audit(options(target, images, tmp_path / "run"))
    assert all(np.isfinite(attack.masks["weighted"].auroc.value) for attack in result.attacks)


@pytest.mark.parametrize(
    ("save", "family"),
    [
        (lambda folder: save_sdxl(folder, folder.parent / "vocabulary"), "text-to-image"),
        (lambda folder: save_flux(folder, folder.parent / "vocabulary"), "text-to-image"),
        (save_dit, "class-conditional"),
        (lambda folder: save_ldm(folder, unet={"num_class_embeds": 10}), "class-conditional"),
    ],
    ids=["sdxl", "flux", "dit", "a network without a null class"],
)
def test_a_target_of_every_newer_family(
    save: Callable[[Path], Path], family: str, images: Path, tmp_path: Path
) -> None:
    given = options(save(tmp_path / "model"), images, tmp_path / "given")
    result = run_audit(given)
    assert result.target.family == family
    assert all(np.isfinite(attack.masks["weighted"].auroc.value) for attack in result.attacks)
    assert np.isfinite(scores(tmp_path / "given")).all()
    assert plan_audit(given).images == 48
    bare = replace(given, out=tmp_path / "bare", members=images / "members", nonmembers=images / "others")
    if family == "class-conditional":
        with pytest.raises(DataError, match="expected a class_label for every image, .* 48 have none"):
            run_audit(bare)
        with pytest.raises(DataError, match="expected a class_label"):
            plan_audit(bare)
        folders = replace(bare, members=in_folders(bare.members), nonmembers=in_folders(bare.nonmembers))
        assert plan_audit(folders).images == 48, "named classes are numbered, as in the audit"
        bare = replace(bare, members=of_class_0(given.members), nonmembers=of_class_0(given.nonmembers))
    run_audit(bare)
    told, null = (scores(tmp_path / name)["loss", "none"] for name in ("given", "bare"))
    assert np.isfinite(null).all()
    assert not np.allclose(told, null, rtol=1e-4), "the manifest's captions or class labels are used"
