"""Make the shipped demo target from a finished training: weights, recipe, and the split by content hash.

privaudit lab photographs --out photographs
privaudit lab train --images photographs --out target --half [...]
python benchmarks/ship_demo_target.py target privaudit/lab/demo
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd


def main(trained: Path, demo: Path) -> None:
    """Copy what `privaudit demo` needs and nothing else."""
    target = demo / "target"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(trained / "model_index.json", target)
    for component in ("unet", "vqvae", "scheduler"):
        shutil.copytree(trained / component, target / component)
    sets = []
    for name in ("members", "heldout", "auxiliary"):
        table = pd.read_csv(trained / f"{name}.csv", dtype=str)
        sets.append(table[["id"]].assign(set=name))
    pd.concat(sets).sort_values("id").to_csv(demo / "split.csv", index=False)
    record = json.loads((trained / "lab.json").read_text())
    (demo / "lab.json").write_text(json.dumps(record, indent=2) + "\n")
    losses = [
        pd.read_csv(trained / "training" / f"{stage}-loss.csv").assign(stage=stage)
        for stage in ("autoencoder", "denoiser")
    ]
    every = pd.concat(losses).query("step % 50 == 0")[["stage", "step", "loss"]]
    every.to_csv(demo / "loss.csv", index=False, float_format="%.5f")
    print(f"{sum(path.stat().st_size for path in demo.rglob('*') if path.is_file()) / 1e6:.2f} MB in {demo}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
