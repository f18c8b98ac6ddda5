"""Phone photographs: images with an orientation tag, whose stored pixels may have been trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from models import save_small_pipeline, write_images
from PIL import Image

from privaudit.auditing.options import AuditOptions
from privaudit.auditing.run import run_audit
from privaudit.evaluation import fact
from privaudit.results.audit_result import AuditResult


def tag(folder: Path) -> None:
    """Tag the images of a folder, so that viewers turn them by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in folder.iterdir():
        with Image.open(path) as opened:
            opened.load()
        opened.save(path, exif=exif)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AuditResult]:
    """Audits of tagged images by the value of the option."""
    root = tmp_path_factory.mktemp("phone")
    sets = {
        "members": write_images(root / "members", 20, seed=1),
        "nonmembers": write_images(root / "others", 20, seed=2),
    }
    for folder in sets.values():
        tag(folder)
    model = save_small_pipeline(root / "model")
    common = {"target": str(model), **sets, "device": "cpu", "replicates": 100, "attacks": ("sima:levels=20",)}
    return {
        choice: run_audit(AuditOptions.parse(**common, out=root / choice, orientation=choice))
        for choice in ("auto", "upright", "stored")
    }


def test_an_option_that_is_not_stated_rules_out_an_all_clear(results: dict[str, AuditResult]) -> None:
    checks = {choice: {check.name: check for check in result.checks} for choice, result in results.items()}
    doubt = checks["auto"]["image reading"]
    assert (doubt.status, doubt.facts) == ("warn", (fact("images_may_be_turned", images=40, total=40),))
    for choice in ("upright", "stored"):
        stated = checks[choice]["image reading"]
        assert (stated.status, stated.facts) == ("ok", (fact("images_turned", images=40, total=40),))
    levels = {choice: result.verdict.finding.level for choice, result in results.items()}
    assert levels == {"auto": "unclear", "upright": "none", "stored": "none"}


def test_auto_is_upright_and_stored_pixels_have_other_scores(results: dict[str, AuditResult]) -> None:
    auto, upright, stored = (results[choice].frame()["auroc"].tolist() for choice in ("auto", "upright", "stored"))
    assert auto == upright
    assert auto != stored
