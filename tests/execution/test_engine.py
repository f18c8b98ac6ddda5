"""The engine on stages of plain numbers: what is computed, kept, read, asked again and reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from privaudit.execution import engine as module
from privaudit.execution.batching import Batcher, Tensors
from privaudit.execution.engine import Engine
from privaudit.execution.executor import EXECUTORS, Executor, Shard
from privaudit.execution.stage import FunctionStage, Rows, ShardStage, Stage

ITEMS = tuple(range(10))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(module, "SHARD_SIZE", 4)


@pytest.fixture
def reads(monkeypatch) -> Counter[Path]:
    """How often each shard file was opened."""
    opened: Counter[Path] = Counter()
    original = module.read_shard

    def read(path: Path) -> Tensors | None:
        found = original(path)
        if found is not None:
            opened[path] += 1
        return found

    monkeypatch.setattr(module, "read_shard", read)
    return opened


@dataclass(frozen=True, eq=False)
class Powers(ShardStage[int]):
    """The powers of each number, each power a part; the batches that were asked for are remembered."""

    powers: tuple[int, ...] = (2,)
    batcher: Batcher = field(default_factory=lambda: Batcher(3))
    asked: list[tuple[int, ...]] = field(default_factory=list)
    prepared: list[int] = field(default_factory=list)
    fits: int = 100
    name: str = "powers"
    folder: ClassVar[str] = "powers"

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        return {str(power): {"power": power} for power in self.powers}

    def item_key(self, item: int) -> str:
        return str(item)

    def only(self, parts: Sequence[str]) -> Powers:
        return replace(self, powers=tuple(map(int, parts)))

    def prepare(self, rows: Rows[int]) -> None:
        self.prepared.append(rows.items[0])

    def compute(self, batch: Rows[int]) -> Tensors:
        if len(batch) > self.fits:
            raise torch.OutOfMemoryError("out of memory")
        self.asked.append((*self.powers, *batch.items))
        return {f"{power}/value": torch.tensor(batch.items) ** power for power in self.powers or (1,)}


@dataclass(frozen=True, eq=False)
class Doubled(ShardStage[int]):
    """Twice the square."""

    squares: Powers
    batcher: Batcher = field(default_factory=lambda: Batcher(3))
    asked: list[tuple[int, ...]] = field(default_factory=list)
    name: str = "doubled"
    folder: ClassVar[str] = "doubled"

    def needs(self) -> Mapping[str, ShardStage[int]]:
        return {"squares": self.squares}

    def keys(self) -> Mapping[str, Mapping[str, object]]:
        return {"": {}}

    def item_key(self, item: int) -> str:
        return str(item)

    def compute(self, batch: Rows[int]) -> Tensors:
        self.asked.append(tuple(batch.items))
        return {"value": 2 * batch.inputs["squares"]["2/value"]}


class Words(Stage[int, str]):
    """A stage whose results are no tensors."""

    name, batcher = "words", Batcher(4)

    def compute(self, batch: Rows[int]) -> str:
        return "".join(str(item + int(batch.inputs["more"]["by"].sum())) for item in batch.items)

    def join(self, parts: Sequence[str]) -> str:
        return "|".join(parts)


@dataclass(frozen=True)
class EveryOther(Executor):
    """The first of two processes: claims every other shard, and waits for the second to compute the rest."""

    second: Engine
    stages: tuple[Stage, ...]
    claimed: list[Shard] = field(default_factory=list)
    name: ClassVar[str] = "every other"

    def claim(self, shards: Sequence[Shard]) -> Iterator[Shard]:
        for shard in shards[::2]:
            self.claimed.append(shard)
            yield shard
            assert all(path.exists() for path in shard.files), "a shard is done when the next is asked for"
        for stage in self.stages:
            if stage.name == shards[0].files[0].parent.name:
                self.second.run(stage)


def squares() -> torch.Tensor:
    return torch.tensor(ITEMS) ** 2


class TestShards:
    def test_batches_stay_within_shards_and_are_joined_in_order(self, tmp_path):
        stage = Powers()
        found = Engine(ITEMS, folder=tmp_path).run(stage)
        assert torch.equal(found["2/value"], squares())
        assert stage.asked == [(2, 0, 1, 2), (2, 3), (2, 4, 5, 6), (2, 7), (2, 8, 9)]
        assert len(list((tmp_path / "powers").glob("2-*.safetensors"))) == 3

    def test_the_same_again_computes_and_prepares_nothing(self, tmp_path):
        first, second = Powers(), Powers(batcher=Batcher(1))
        Engine(ITEMS, folder=tmp_path).run(first)
        assert torch.equal(Engine(ITEMS, folder=tmp_path).run(second)["2/value"], squares())
        assert (first.prepared, second.asked, second.prepared) == ([0], [], [])

    def test_what_is_missing_is_computed_and_the_rest_is_read(self, tmp_path):
        Engine(ITEMS[:4], folder=tmp_path).run(Powers())
        stage = Powers()
        Engine(ITEMS, folder=tmp_path).run(stage)
        assert stage.asked == [(2, 4, 5, 6), (2, 7), (2, 8, 9)]
        assert stage.prepared == [4], "once, before what is really computed"

    def test_missing_parts_are_computed_together_and_the_others_are_not(self, tmp_path):
        Engine(ITEMS[:4], folder=tmp_path).run(Powers((2,)))
        stage = Powers((2, 3, 4), batcher=Batcher(9))
        found = Engine(ITEMS[:4], folder=tmp_path).run(stage)
        assert stage.asked == [(3, 4, 0, 1, 2, 3)]
        assert [found[f"{power}/value"][3] for power in (2, 3, 4)] == [9, 27, 81]
        assert list(found) == ["2/value", "3/value", "4/value"]

    def test_another_item_or_key_is_another_file(self, tmp_path):
        Engine(ITEMS, folder=tmp_path).run(Powers())
        stage = Powers()
        Engine((*ITEMS[:9], 11), folder=tmp_path).run(stage)
        assert stage.asked == [(2, 8, 11)]

    def test_a_batch_that_does_not_fit_is_halved_for_the_rest_of_the_stage(self, tmp_path):
        stage = Powers(batcher=Batcher(4), fits=2)
        assert torch.equal(Engine(ITEMS, folder=tmp_path).run(stage)["2/value"], squares())
        assert {len(asked) - 1 for asked in stage.asked} == {2}

    def test_what_is_kept_of_a_shard_is_all_that_is_returned(self, tmp_path):
        found = Engine(ITEMS, folder=tmp_path).run(Powers(), keep=lambda t: {"sum": t["2/value"].sum(0, keepdim=True)})
        assert found["sum"].tolist() == [14, 126, 145]

    def test_a_stage_without_parts_is_never_kept(self, tmp_path):
        stage = Powers(())
        for _ in range(2):
            Engine(ITEMS, folder=tmp_path).run(stage)
        assert len(stage.asked) == 10
        assert not list(tmp_path.iterdir())

    def test_without_a_folder_nothing_is_cut_or_written(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        stage = Powers()
        assert torch.equal(Engine(ITEMS).run(stage)["2/value"], squares())
        assert [len(asked) - 1 for asked in stage.asked] == [3, 3, 3, 1]
        assert not list(tmp_path.iterdir())


class TestNeeds:
    def test_each_shard_is_read_at_most_once_by_each_stage_that_needs_it(self, tmp_path, reads):
        engine, powers = Engine(ITEMS, folder=tmp_path), Powers()
        engine.run(powers)
        assert not reads, "what was just computed is not read back"
        found = engine.run(Doubled(powers))
        assert torch.equal(found["value"], 2 * squares())
        assert len(reads) == 3
        assert set(reads.values()) == {1}
        reads.clear()
        engine.run(Doubled(powers))
        assert {path.parent.name for path in reads} == {"doubled"}, "what is not needed is not read"
        assert set(reads.values()) == {1}

    def test_a_damaged_shard_that_is_needed_is_computed_again(self, tmp_path):
        engine, powers = Engine(ITEMS, folder=tmp_path), Powers()
        engine.run(powers)
        next((tmp_path / "powers").glob("*.safetensors")).write_bytes(b"half a file")
        powers.asked.clear()
        assert torch.equal(engine.run(Doubled(powers))["value"], 2 * squares())
        assert 1 <= len(powers.asked) <= 2

    def test_inputs_of_all_items_are_cut_like_the_items(self):
        more = {"more": {"by": torch.arange(10)}}
        assert Engine(ITEMS).run(Words(), inputs=more) == "6789|26272829|2526", "0-3 + 6, 4-7 + 22, 8-9 + 17"

    def test_a_stage_of_two_functions(self, tmp_path):
        stage = FunctionStage("sum", Batcher(3), lambda rows: sum(rows.items), sum)
        assert Engine(ITEMS, folder=tmp_path).run(stage) == 45
        assert not list(tmp_path.iterdir()), "what is no shard stage is not kept"

    def test_rows_copy_what_they_hold(self):
        values = torch.zeros(4)
        part = Rows("abcd", {"one": {"x": values}})[1:3]
        part.inputs["one"]["x"] += 1
        assert (part.items, len(part), values.sum()) == ("bc", 2, 0)


class TestProgress:
    def test_is_told_at_the_start_after_each_batch_and_at_the_end_of_each_shard(self, tmp_path):
        calls: list[tuple[str, int, int]] = []
        engine = Engine(ITEMS, lambda *call: calls.append(call), tmp_path)
        engine.run(Powers())
        assert [done for _, done, _ in calls] == [0, 3, 4, 4, 7, 8, 8, 10]
        assert {(stage, total) for stage, _, total in calls} == {("powers", 10)}
        calls.clear()
        Engine(ITEMS, lambda *call: calls.append(call), tmp_path).run(Powers())
        assert [done for _, done, _ in calls] == [0, 4, 8, 10]
        assert list(engine.seconds) == ["powers"]
        assert engine.seconds["powers"] > 0


class TestExecutors:
    def test_are_found_in_their_folder(self):
        assert list(EXECUTORS) == ["serial"]

    def test_serial_hands_out_every_shard_in_order(self):
        shards = [Shard(0, 4), Shard(4, 8), Shard(8, 9)]
        assert list(EXECUTORS.build("serial").claim(shards)) == shards
        assert [len(shard) for shard in shards] == [4, 4, 1]

    def test_what_another_process_computed_is_read(self, tmp_path):
        mine, theirs = Powers(), Powers()
        double, other = Doubled(mine), Doubled(theirs)
        executor = EveryOther(Engine(ITEMS, folder=tmp_path), (theirs, other))
        engine = Engine(ITEMS, folder=tmp_path, executor=executor)
        assert torch.equal(engine.run(mine)["2/value"], squares())
        assert torch.equal(engine.run(double)["value"], 2 * squares())
        assert mine.asked == [(2, 0, 1, 2), (2, 3), (2, 8, 9)]
        assert theirs.asked == [(2, 4, 5, 6), (2, 7)]
        assert (double.asked, other.asked) == ([(0, 1, 2), (3,), (8, 9)], [(4, 5, 6), (7,)])
        assert [shard.start for shard in executor.claimed] == [0, 8] * 2
