import csv
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from privaudit.errors import NonFiniteError
from privaudit.lab import training_phase as module
from privaudit.lab.training_phase import Phase, run_phase


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 30), count=st.integers(1, 20), epochs=st.integers(1, 3), seed=st.integers(0, 9))
def test_batches_are_permutations_cut_up(size: int, count: int, epochs: int, seed: int) -> None:
    phase = Phase("denoiser", Path(), seed)
    steps = -(-epochs * count // size)
    drawn = torch.cat([phase.batch(step, size, count) for step in range(steps)])
    assert len(drawn) == steps * size
    for epoch in range(epochs):
        own = drawn[epoch * count : (epoch + 1) * count].tolist()
        assert Counter(own) == Counter(range(count))
    if count > 10 and epochs > 1:
        assert drawn[:count].tolist() != drawn[count : 2 * count].tolist()


def test_batches_depend_on_seed_phase_and_step_alone() -> None:
    def drawn(name: str, seed: int, step: int) -> tuple:
        phase = Phase(name, Path(), seed)
        return (*phase.batch(step, 8, 100).tolist(), *torch.rand(4, generator=phase.generator(step)).tolist())

    torch.manual_seed(0)
    before = torch.get_rng_state()
    settings_ = [(name, seed, step) for name in ("autoencoder", "denoiser") for seed in (0, 1) for step in (0, 3)]
    assert len({drawn(*setting) for setting in settings_}) == len(settings_)
    assert drawn("denoiser", 0, 3) == drawn("denoiser", 0, 3)
    assert torch.equal(before, torch.get_rng_state())


class Walk:
    """A state that every step changes."""

    def __init__(self) -> None:
        self.value = torch.zeros(2, dtype=torch.float64)

    def step(self, phase: Phase, step: int) -> torch.Tensor:
        self.value = self.value * 0.9 + torch.rand(2, generator=phase.generator(step), dtype=torch.float64)
        return self.value.sum()

    def state_dict(self) -> dict:
        return {"value": self.value}

    def load_state_dict(self, state_dict: dict) -> None:
        self.value = state_dict["value"]


def walk(folder: Path, steps: int, stop_at: int | None = None) -> Walk:
    phase, state = Phase("denoiser", folder, 0), Walk()

    def on_step(name: str, step: int, total: int, loss: float) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    run_phase(phase, {"walk": state}, steps, lambda step: state.step(phase, step), on_step)
    return state


def losses(folder: Path) -> list[list[str]]:
    with (folder / "denoiser-loss.csv").open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("stop_at", [1, 4, 5, 9])
def test_an_interrupted_phase_resumes_to_the_same_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_EVERY", 4)
    whole = walk(tmp_path / "whole", 9)
    with pytest.raises(KeyboardInterrupt):
        walk(tmp_path / "parts", 9, stop_at)
    resumed = walk(tmp_path / "parts", 9)
    assert torch.equal(whole.value, resumed.value)
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    assert [row[0] for row in losses(tmp_path / "parts")] == ["step", *map(str, range(1, 10))]
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["denoiser-loss.csv", "denoiser.pt"]


def test_a_finished_phase_is_not_trained_again_and_more_steps_continue(tmp_path: Path) -> None:
    assert torch.equal(walk(tmp_path / "a", 5).value, walk(tmp_path / "a", 5, stop_at=1).value)
    assert torch.equal(walk(tmp_path / "a", 8).value, walk(tmp_path / "b", 8).value)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_stops_and_is_not_saved(tmp_path: Path, loss: float) -> None:
    phase = Phase("autoencoder", tmp_path, 0)
    with pytest.raises(NonFiniteError, match="expected a finite loss, got .* at step 2 of the autoencoder; lower its"):
        run_phase(phase, {}, 5, lambda step: torch.tensor(loss if step == 2 else 1.0))
    assert list(tmp_path.iterdir()) == []
