import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import privaudit
from privaudit.storage import shards
from privaudit.storage.files import write_text
from privaudit.storage.shards import read_shard, shard_key, write_shard

VALUES = st.integers() | st.booleans() | st.text(max_size=4) | st.none()
PLAIN = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)
IDS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=4), max_size=4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_what_is_written_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "latents" / "deep" / "a.safetensors"
    tensors = {"z": torch.arange(24).reshape(2, 3, 4).to(dtype), "empty": torch.zeros(0, 3)}
    write_shard(path, tensors)
    found = read_shard(path) or {}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in found)


def test_nan_infinity_views_and_gradients(tmp_path: Path) -> None:
    values = torch.tensor([[1.0, float("nan")], [float("inf"), -0.0]], requires_grad=True)
    write_shard(tmp_path / "a", {"t": values.T, "row": values[0]})
    found = read_shard(tmp_path / "a") or {}
    assert torch.equal(found["t"].isnan(), values.T.isnan())
    assert torch.equal(found["t"].nan_to_num(5.0), values.detach().T.nan_to_num(5.0))
    assert not found["row"].requires_grad


def test_a_missing_shard_is_none(tmp_path: Path) -> None:
    assert read_shard(tmp_path / "none") is None
    assert read_shard(tmp_path) is None


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.safetensors", {"z": torch.zeros(2)})
    write_shard(tmp_path / "a.safetensors", {"z": torch.ones(2)})
    write_text(tmp_path / "run.json", "ä\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "run.json"]
    assert torch.equal((read_shard(tmp_path / "a.safetensors") or {})["z"], torch.ones(2))
    assert (tmp_path / "run.json").read_bytes() == "ä\n".encode()


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_shard(path, {"z": torch.zeros(2)})
    write_text(tmp_path / "a.txt", "old")

    def interrupted(tensors: dict, name: Path) -> None:
        Path(name).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shard(path, {"z": torch.ones(2)})
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "new.safetensors", {"z": torch.ones(2)})
    assert torch.equal((read_shard(path) or {})["z"], torch.zeros(2))
    assert read_shard(tmp_path / "new.safetensors") is None

    def refused(source: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(OSError, match="disk full"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"


def test_keys_are_short_and_change_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {shard_key({"solver": "forward", "steps": 10}, ["a", "b"])}
    monkeypatch.setattr(privaudit, "__version__", "99.0")
    keys.add(shard_key({"solver": "forward", "steps": 10}, ["a", "b"]))
    monkeypatch.setattr(shards, "FORMAT", 99)
    keys.add(shard_key({"solver": "forward", "steps": 10}, ["a", "b"]))
    assert len(keys) == 3
    assert {len(key) for key in keys} == {16}


def test_a_damaged_shard_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_shard(path, {"values": torch.ones(100)})
    path.write_bytes(path.read_bytes()[:-10])
    assert read_shard(path) is None


@given(first=st.tuples(PLAIN, IDS), second=st.tuples(PLAIN, IDS))
def test_keys_differ_exactly_where_the_configuration_or_the_ids_do(first: tuple, second: tuple) -> None:
    def told_apart(value: tuple) -> tuple:  # True is not 1 in a configuration
        return {key: (type(item), item) for key, item in value[0].items()}, value[1]

    same = told_apart(first) == told_apart(second)
    assert (shard_key(*first) == shard_key(*second)) is same


def test_keys_ignore_the_order_of_options_but_not_of_images() -> None:
    assert shard_key({"a": 1, "b": 2}, ["x"]) == shard_key({"b": 2, "a": 1}, ["x"])
    assert shard_key({"a": 1}, ["x", "y"]) != shard_key({"a": 1}, ["y", "x"])
    assert shard_key({"a": Path("x")}, ["y"]) == shard_key({"a": Path("x")}, ("y",))


@pytest.mark.skipif(os.name == "nt", reason="sets a limit of POSIX")
def test_a_disk_without_room_is_an_error_of_the_system(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot write .*a\.safetensors: .*os error"):
            write_shard(tmp_path / "a.safetensors", {"values": torch.ones(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
