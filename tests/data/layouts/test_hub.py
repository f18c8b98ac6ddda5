"""Data sets of the hub, which `datasets` has downloaded; no test uses the network."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow
import pytest

from privaudit.data.layouts import LAYOUTS, CaptionChoices
from privaudit.data.listing import list_set, set_exists
from privaudit.errors import DataError


@dataclass
class Hub:
    """Stands in for `datasets`: two splits, whose tables lie in its cache.

    Attributes:
        cache: Folder of the tables.
        error: Raised instead of an answer.
        requests: What was loaded.
    """

    cache: Path
    error: Exception | None = None
    requests: list[tuple[Any, ...]] = field(default_factory=list)

    class DatasetsError(Exception):
        """Base of the errors of `datasets`."""

    @property
    def exceptions(self) -> SimpleNamespace:
        return SimpleNamespace(DatasetsError=self.DatasetsError)

    def get_dataset_split_names(self, name: str, configuration: str | None) -> list[str]:
        if self.error is not None:
            raise self.error
        return ["train", "test"] if name == "owner/splits" else ["train"]

    def load_dataset(self, name: str, configuration: str | None, *, split: str) -> SimpleNamespace:
        self.requests.append((name, configuration, split))
        files = [{"filename": str(path)} for path in sorted(self.cache.glob(f"{split}-*.arrow"))]
        return SimpleNamespace(cache_files=files)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    for split, texts in (("train", "ab"), ("test", "c")):
        for number, text in enumerate(texts):
            rows = pyarrow.table({"image": [{"bytes": text.encode()}], "text": [text]})
            with pyarrow.ipc.new_stream(tmp_path / f"{split}-{number}.arrow", rows.schema) as stream:
                stream.write_table(rows)
    stand_in = Hub(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", stand_in)
    return stand_in


def captions(source: str) -> list[str | None]:
    return [entry.caption for entry in list_set(Path(source)).entries]


@pytest.mark.parametrize(
    ("source", "texts", "loaded"),
    [
        ("hub:owner/one", ["a", "b"], ("owner/one", None, "train")),
        ("hub:owner/one@train", ["a", "b"], ("owner/one", None, "train")),
        ("hub:owner/splits@test", ["c"], ("owner/splits", None, "test")),
        ("hub:owner/na.me-1/full@train", ["a", "b"], ("owner/na.me-1", "full", "train")),
    ],
)  # fmt: skip
def test_the_split_is_read_from_the_cache(hub: Hub, source: str, texts: list[str], loaded: tuple[Any, ...]) -> None:
    assert captions(source) == texts
    assert hub.requests == [loaded]
    assert list_set(Path(source), CaptionChoices()).layout == "hub"


def test_one_of_several_splits_has_to_be_named(hub: Hub) -> None:
    with pytest.raises(DataError, match="expected one split, got test and train in hub:owner/splits; pass hub:owner/"):
        list_set(Path("hub:owner/splits"))
    with pytest.raises(DataError, match=r"expected a split of hub:owner/one \(train\), got 'val'"):
        list_set(Path("hub:owner/one@val"))
    assert not hub.requests, "nothing is downloaded"


@pytest.mark.parametrize("name", ["hub:", "hub:one", "hub:a/b/c/d", "hub:../x", "hub:a/b@", "hub:a/b@train[:10%]"])
def test_other_names_are_refused(hub: Hub, name: str) -> None:
    with pytest.raises(DataError, match="expected hub:OWNER/NAME, hub:OWNER/NAME@SPLIT or .*, got hub:"):
        list_set(Path(name))


@pytest.mark.parametrize("kind", [ConnectionError, ValueError, FileNotFoundError, Hub.DatasetsError])
def test_what_the_hub_refuses_is_one_line(hub: Hub, kind: type[Exception]) -> None:
    hub.error = kind("no\nnetwork")
    message = "cannot read hub:owner/one: no network; check the name, the network and HF_HUB_OFFLINE"
    with pytest.raises(DataError, match=f"^{message}$"):
        list_set(Path("hub:owner/one"))


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'privaudit\[datasets\]'"):
        list_set(Path("hub:owner/one"))


def test_only_the_prefix_reaches_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert set_exists(Path("hub:owner/one"))
    assert set_exists(tmp_path)
    for source in ("owner/one", "nowhere", "owner/one@train"):
        assert not set_exists(Path(source))
        assert not any(layout.recognises(Path(source)) for layout in LAYOUTS.values())


def test_datasets_reads_a_set_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package itself, with a folder in place of a name, since no test uses the network."""
    import datasets  # of the extra `test`: without it this fails and is not skipped

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = {"image": [{"bytes": b"0", "path": None}, {"bytes": b"1", "path": None}], "text": ["a", "b"]}
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    (tmp_path / "owner" / "one").mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "owner" / "one" / "train.parquet")
    monkeypatch.chdir(tmp_path)  # so that the name of the set is that of the folder
    entries = list_set(Path("hub:owner/one")).entries
    assert [(entry.caption, entry.open().read()) for entry in entries] == [("a", b"0"), ("b", b"1")]
    with pytest.raises(DataError, match="cannot read hub:owner/other: .*; check the name, the network"):
        list_set(Path("hub:owner/other"))


def test_save_to_disk_of_datasets(tmp_path: Path) -> None:
    import datasets  # of the extra `test`: without it this fails and is not skipped

    rows = {"image": [{"bytes": b"0", "path": None}, {"bytes": b"1", "path": None}], "label": [1, 0]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features=features)})
    splits.save_to_disk(tmp_path / "set", num_shards={"train": 2})
    entries = list_set(tmp_path / "set").entries
    assert [(entry.class_label, entry.open().read()) for entry in entries] == [(1, b"0"), (0, b"1")]
