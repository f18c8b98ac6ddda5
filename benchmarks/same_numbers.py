"""Are two run folders of the same audit equal, number by number? For a change that must not change behaviour.

python benchmarks/same_numbers.py OLD NEW [--renamed data.role=data.design ...]

OLD and NEW are run folders, or folders of run folders, of which those of one name are compared. Every value of
report.json is compared exactly, and so is every cell of scores.parquet, samples.parquet and suspects.csv. Left out are
the keys in `LEFT_OUT`: times, versions, the run folder, also where a path begins with it, and the place of the model,
whose hash is compared. Exits 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

LEFT_OUT = (
    *("created", "timing", "hardware", "privaudit_version", "schema_version"),
    *("config.out", "config.target", "config.reference", "target.id"),
)
"""Keys of report.json that may differ, with all below them."""
TABLES = ("scores/scores.parquet", "samples.parquet", "suspects.csv")
SHOWN = 10
"""Maximum number of differences printed per file."""


def main() -> None:
    """Compare every pair of runs and print one line per file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--renamed", action="append", default=[], metavar="OLD=NEW", help="A key that has a new name.")
    options = parser.parse_args()
    renamed = dict(pair.split("=", 1) for pair in options.renamed)
    pairs = list(run_pairs(options.old, options.new))
    if not pairs:
        sys.exit(f"expected run folders with a report.json in {options.old} and {options.new}, found no pair")
    print(f"left out: {', '.join(LEFT_OUT)}; renamed: {', '.join(options.renamed) or 'nothing'}")
    same = True
    for old, new in pairs:
        hardware = json.loads((new / "report.json").read_text(encoding="utf-8"))["hardware"]
        machine = (
            f"{hardware['device']}, {hardware['cores']} cores, torch {hardware['torch']}, Python {hardware['python']}"
        )
        print(f"\n{new.name} ({machine})")
        same &= compare_reports(old / "report.json", new / "report.json", renamed)
        for table in TABLES:
            if (old / table).is_file() or (new / table).is_file():
                same &= compare_tables(old / table, new / table)
    print("\neverything is equal" if same else "\nNOT EQUAL")
    sys.exit(0 if same else 1)


def run_pairs(old: Path, new: Path) -> Iterator[tuple[Path, Path]]:
    """Pair the folders themselves, or their subfolders by name."""
    if (old / "report.json").is_file():
        yield old, new
        return
    for folder in sorted(path for path in old.iterdir() if (path / "report.json").is_file()):
        if (new / folder.name / "report.json").is_file():
            yield folder, new / folder.name


def flattened(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    """Yield every leaf of a JSON value with its dotted key."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, child in items:
            yield from flattened(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def leaves(path: Path, renamed: Mapping[str, str]) -> dict[str, Any]:
    """Read a report's leaves, under their new names, without those that may differ."""
    run = recorded_folder(path)
    found = {key: within(value, run) for key, value in flattened(json.loads(path.read_text(encoding="utf-8")))}
    named = {}
    for key, value in found.items():
        prefix = next((old for old in renamed if key == old or key.startswith(f"{old}.")), None)
        named[key if prefix is None else renamed[prefix] + key[len(prefix) :]] = value
    return {
        key: value
        for key, value in named.items()
        if not any(key == left or key.startswith(f"{left}.") for left in LEFT_OUT)
    }


def recorded_folder(report: Path) -> str:
    """Name the folder that a run was written to, wherever it lies now."""
    return str(json.loads(report.read_text(encoding="utf-8"))["config"]["out"])


def within(value: Any, run: str) -> Any:  # noqa: ANN401 - any JSON
    """Name a file of the run folder relative to it; anything else stays."""
    return value.replace(run, "RUN") if isinstance(value, str) else value


def compare_reports(old: Path, new: Path, renamed: Mapping[str, str]) -> bool:
    """Print how many values of two reports are equal, and which are not."""
    before, after = leaves(old, renamed), leaves(new, {})
    both = before.keys() & after.keys()
    differing = sorted(key for key in both if before[key] != after[key])
    numbers = sum(isinstance(before[key], (int, float)) and not isinstance(before[key], bool) for key in both)
    gone, added = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    print(f"  report.json: {len(both)} values compared, {numbers} of them numbers; {len(differing)} differ")
    for key in differing[:SHOWN]:
        print(f"    {key}: {before[key]!r} -> {after[key]!r}")
    for what, keys in (("only in the old one", gone), ("only in the new one", added)):
        if keys:
            print(f"    {what}: {', '.join(keys[:SHOWN])}{' ...' if len(keys) > SHOWN else ''}")
    return not (differing or gone or added)


def compare_tables(old: Path, new: Path) -> bool:
    """Print how many rows of two tables are equal."""
    name = old.name
    if not (old.is_file() and new.is_file()):
        print(f"  {name}: only in the {'old' if old.is_file() else 'new'} run")
        return False
    read = pd.read_csv if old.suffix == ".csv" else pd.read_parquet
    before, after = (read(path) for path in (old, new))
    for table, path in ((before, old), (after, new)):
        if "path" in table:
            folder = path.parent.parent if path.parent.name == "scores" else path.parent
            table["path"] = [within(value, recorded_folder(folder / "report.json")) for value in table["path"]]
    if list(before.columns) != list(after.columns) or len(before) != len(after):
        print(f"  {name}: {before.shape} with {list(before.columns)} -> {after.shape} with {list(after.columns)}")
        return False
    equal = ((before == after) | (before.isna() & after.isna())).fillna(False)
    rows = int((~equal.all(axis=1)).sum())
    print(f"  {name}: {len(before)} rows of {len(before.columns)} columns compared; {rows} rows differ")
    for column in before.columns[~equal.all(axis=0)]:
        print(f"    {column}: {int((~equal[column]).sum())} cells differ")
    return not rows


if __name__ == "__main__":
    main()
