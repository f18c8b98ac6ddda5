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
        members: Manifest of the members (columns path and id, and caption for a target that takes text).
        heldout: Manifest of the held-out images.
        auxiliary: Manifest of the other images, which train the autoencoder unless the recipe names the members.
    """

    folder: Path
    members: Path
    heldout: Path
    auxiliary: Path


def write_manifests(out: Path, split: Split, captions: Mapping[str, str]) -> Trained:
    """Write ``members.csv``, ``heldout.csv`` and ``auxiliary.csv``."""
    paths = {}
    for name in ("members", "heldout", "auxiliary"):
        samples: tuple[Sample, ...] = getattr(split, name)
        columns = {
            "path": [str(sample.path.resolve()) for sample in samples],
            "id": [sample.id for sample in samples],
        }
        if captions:
            columns["caption"] = [captions[sample.id] for sample in samples]
        paths[name] = out / f"{name}.csv"
        pd.DataFrame(columns).to_csv(paths[name], index=False)
    return Trained(out, paths["members"], paths["heldout"], paths["auxiliary"])
