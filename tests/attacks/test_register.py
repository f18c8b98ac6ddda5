"""An attack that a user's own script defines: run by name, and listed with the others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from models import save_small_pipeline, write_images
from rich.console import Console

import privaudit
from privaudit.attacks import ATTACKS, FieldAttack
from privaudit.cli.attack_list import attack_table
from privaudit.errors import ConfigError


@pytest.fixture
def mine(monkeypatch) -> type[FieldAttack]:
    """An attack of this script, forgotten afterwards."""
    monkeypatch.setattr(ATTACKS, "_entries", dict(ATTACKS))

    @privaudit.register_attack
    @dataclass(frozen=True)
    class Mine(FieldAttack):
        """||z_0||, whose sign says nothing."""

        name = "mine"
        citation = "a lab book"
        summary = "size of the latent"
        published = False
        grid = (50, 100)
        log_snr_grid = (3.0,)

        def error_field(self, batch, level):
            return batch.latents

    return Mine


def test_runs_by_its_name(mine, tmp_path):
    save_small_pipeline(tmp_path / "model")
    members, others = (write_images(tmp_path / name, 12, seed=seed) for seed, name in enumerate(("members", "others")))
    result = privaudit.audit(
        str(tmp_path / "model"),
        members,
        others,
        out=tmp_path / "run",
        attacks=("mine:order=1:levels=50", "loss:levels=50"),
        geometry_latents="encoder",
        replicates=100,
        device="cpu",
    )
    assert [report.name for report in result.attacks] == ["mine", "loss"]
    report = result.attacks[0]
    assert (report.kind, report.reference, report.passes, report.parameters["order"]) == ("ours", "a lab book", 0, 1.0)
    assert set(privaudit.load_scores(tmp_path / "run")["attack"]) == {"mine", "loss"}


def test_is_listed(mine):
    console = Console(width=120)
    with console.capture() as shown:
        console.print(attack_table())
    row = next(line for line in shown.get().splitlines() if line.split()[:1] == ["mine"])
    assert row.split()[1:] == ["0", "size", "of", "the", "latent"]
    assert "a lab book" in shown.get()


def test_the_name_of_an_attack_of_privaudit_is_refused(mine):
    with pytest.raises(ConfigError, match=r"got 'sima', which is privaudit\.attacks\.sima\.Sima; choose another name"):
        privaudit.register_attack(type("Own", (mine,), {"name": "sima"}))
