"""The manifests of a trained target, which list its members, held-out and auxiliary images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from privaudit.data import Sample
from privaudit.lab.split import Split


@dataclass(frozen=True)
class Trained:
    """Files that `train_target` wrote.

    Attributes:
        folder: Diffusers folder, a target for `privaudit scan`.
        members: Manifest of the members (columns path and id, and caption or class_label for a target that takes it).
        heldout: Manifest of the held-out images.
        auxiliary: Manifest of the other images, which train the autoencoder unless the recipe names the members.
        model: The target as `privaudit scan` takes it, if that is not the folder: a base with its LoRA.
    """

    folder: Path
    members: Path
    heldout: Path
    auxiliary: Path
    model: str = ""

    @property
    def scan(self) -> str:
        """Command that audits the target."""
        return f"privaudit scan {self.model or self.folder} --members {self.members} --nonmembers {self.heldout}"


Prompts = Mapping[str, Mapping[str, str | int]]
"""Captions or classes of images: by the column of the manifests, by id."""


def write_manifests(out: Path, split: Split, prompts: Prompts) -> Trained:
    """Write ``members.csv``, ``heldout.csv`` and ``auxiliary.csv``."""
    paths = {}
    for name in ("members", "heldout", "auxiliary"):
        samples: tuple[Sample, ...] = getattr(split, name)
        columns: dict[str, list[str | int]] = {
            "path": [str(sample.path.resolve()) for sample in samples],
            "id": [sample.id for sample in samples],
        }
        for column, values in prompts.items():
            columns[column] = [values[sample.id] for sample in samples]
        paths[name] = out / f"{name}.csv"
        pd.DataFrame(columns).to_csv(paths[name], index=False)
    return Trained(out, paths["members"], paths["heldout"], paths["auxiliary"])
