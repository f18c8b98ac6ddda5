"""What is found in the output folder of a training script, by names and headers alone."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from privaudit.errors import ConfigError, TargetError
from privaudit.loading.checkpoints import TrainingOutput, find_checkpoints
from privaudit.loading.model_source import AdapterSource, ModelSource


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Callable, tuple]:
        return exec, (f"open({str(self.made)!r}, 'w').close()",)


def save(path: Path, *keys: str, metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: torch.zeros(2, 2) for key in keys}, path, metadata)
    return path


def lora(path: Path, **metadata: str) -> Path:
    return save(path, "lora_unet_a.lora_down.weight", "lora_unet_a.lora_up.weight", metadata=metadata or None)


def network(path: Path) -> Path:
    save(path / "diffusion_pytorch_model.safetensors", "conv_in.weight")
    (path / "config.json").write_text(json.dumps({"_class_name": "UNet2DConditionModel"}))
    return path


def pipeline(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "model_index.json").write_text("{}")
    return path


def output(path: Path, *parts: str, steps: tuple[int, ...] = (500, 1000)) -> Path:
    for step in steps:
        folder = path / f"checkpoint-{step}"
        for part in parts:
            network(folder / part)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl", "scaler.pt"):
            (folder / name).write_bytes(pickle.dumps(Trap(path / "opened")))
    return path


def described(found: TrainingOutput) -> list[tuple[str, int | None]]:
    return [(checkpoint.name, checkpoint.step) for checkpoint in found.checkpoints]


class TestNetworks:
    def test_a_pipeline_is_its_own_base_and_its_last_point(self, tmp_path):
        folder = pipeline(output(tmp_path, "unet", steps=(1000, 500, 90)))
        found = find_checkpoints(folder)
        assert described(found) == [
            ("checkpoint-90", 90),
            ("checkpoint-500", 500),
            ("checkpoint-1000", 1000),
            ("final", None),
        ]
        source = found.checkpoints[0].source(ModelSource("ignored", dtype="float32", overrides={"scheduler.x": 1}))
        assert source == ModelSource(
            str(folder),
            dtype="float32",
            overrides={"scheduler.x": 1},
            adapters=(),
            replaced={"unet": str(folder / "checkpoint-90" / "unet")},
        )
        assert found.checkpoints[-1].source(ModelSource("ignored")).replaced == {}
        assert not (tmp_path / "opened").exists()

    def test_a_base_is_step_0_and_the_model_of_every_checkpoint(self, tmp_path):
        found = find_checkpoints(output(tmp_path, "unet", "text_encoder"), "org/base")
        assert described(found) == [("base", 0), ("checkpoint-500", 500), ("checkpoint-1000", 1000)]
        assert {checkpoint.model for checkpoint in found.checkpoints} == {"org/base"}
        assert set(found.checkpoints[1].replaced) == {"unet", "text_encoder"}
        common = ModelSource("ignored", revision="v1")
        assert found.checkpoints[0].source(common).revision is None

    @pytest.mark.parametrize(("ema", "chosen", "left"), [(False, "unet", "unet_ema"), (True, "unet_ema", "unet")])
    def test_averaged_weights_next_to_raw_ones_are_chosen_on_request_alone(self, tmp_path, ema, chosen, left):
        found = find_checkpoints(output(tmp_path, "unet", "unet_ema"), "base", ema=ema)
        assert found.checkpoints[1].replaced == {"unet": str(tmp_path / "checkpoint-500" / chosen)}
        assert found.averages == tuple(str(tmp_path / f"checkpoint-{step}" / left) for step in (500, 1000))
        assert found.averaged is ema

    def test_averaged_weights_alone(self, tmp_path):
        with pytest.raises(TargetError, match=r"expected unet in .*checkpoint-500, got unet_ema alone; pass --ema"):
            find_checkpoints(output(tmp_path, "unet_ema"), "base")

    def test_no_averaged_weights(self, tmp_path):
        with pytest.raises(ConfigError, match="since no checkpoint in .* has averaged weights"):
            find_checkpoints(output(tmp_path, "unet"), "base", ema=True)

    def test_whole_pipelines_need_no_base(self, tmp_path):
        for step in (5, 10):
            pipeline(tmp_path / f"checkpoint-{step}")
        found = find_checkpoints(pipeline(tmp_path))
        assert [Path(checkpoint.model).name for checkpoint in found.checkpoints[:2]] == [
            "checkpoint-5",
            "checkpoint-10",
        ]

    @pytest.mark.parametrize("place", ["checkpoint-5", "."])
    def test_a_lora_next_to_a_whole_pipeline_is_refused(self, tmp_path, place):
        for folder in (tmp_path / "checkpoint-5", tmp_path):
            pipeline(folder)
        lora(tmp_path / place / "style.safetensors")
        with pytest.raises(TargetError, match="holds a base and style.safetensors, a LoRA; pass --lora"):
            find_checkpoints(tmp_path)

    def test_truncated_weights_are_named(self, tmp_path):
        output(tmp_path, "unet")
        file = tmp_path / "checkpoint-1000" / "unet" / "diffusion_pytorch_model.safetensors"
        file.write_bytes(file.read_bytes()[:-4])
        with pytest.raises(TargetError, match=r"cannot load .*checkpoint-1000.unet.*: it has .* bytes; copy or"):
            find_checkpoints(tmp_path, "base")

    def test_a_checkpoint_of_pickles_alone(self, tmp_path):
        message = r"expected a network or a LoRA in .*checkpoint-500, but it is a training checkpoint without a folder"
        with pytest.raises(TargetError, match=message):
            find_checkpoints(output(tmp_path), "base")
        assert not (tmp_path / "opened").exists()


class TestAdapters:
    def test_of_diffusers(self, tmp_path):
        for place in ("checkpoint-20", "checkpoint-100", "."):
            lora(output(tmp_path, steps=(20, 100)) / place / "pytorch_lora_weights.safetensors")
        found = find_checkpoints(tmp_path, "base")
        assert described(found) == [("base", 0), ("checkpoint-20", 20), ("checkpoint-100", 100), ("final", None)]
        paths = [checkpoint.source(ModelSource("x")).adapters for checkpoint in found.checkpoints]
        assert paths[0] == ()
        assert paths[2] == (AdapterSource(str(tmp_path / "checkpoint-100" / "pytorch_lora_weights.safetensors")),)
        assert paths[3] == (AdapterSource(str(tmp_path / "pytorch_lora_weights.safetensors")),)

    def test_of_peft_are_read_with_their_configuration(self, tmp_path):
        lora(tmp_path / "checkpoint-5" / "adapter_model.safetensors")
        assert find_checkpoints(tmp_path, "base").checkpoints[1].adapter == str(tmp_path / "checkpoint-5")

    @pytest.mark.parametrize("other", ["unet", "adapter_model.safetensors"])
    def test_next_to_another_result_in_the_same_checkpoint(self, tmp_path, other):
        folder = tmp_path / "checkpoint-5"
        lora(folder / "pytorch_lora_weights.safetensors")
        network(folder / other) if other == "unet" else lora(folder / other)
        with pytest.raises(TargetError, match=f"expected a network or a LoRA in .*checkpoint-5, got .*and {other}; "):
            find_checkpoints(tmp_path, "base")

    def test_by_epoch_with_the_last_without_a_number(self, tmp_path):
        for name in ("my-style-000010", "my-style-000002", "my-style"):
            lora(tmp_path / f"{name}.safetensors")
        found = find_checkpoints(tmp_path, "base")
        assert found.unit == "epoch"
        assert described(found) == [
            ("base", 0),
            ("my-style-000002.safetensors", 2),
            ("my-style-000010.safetensors", 10),
            ("my-style.safetensors", None),
        ]

    def test_by_step(self, tmp_path):
        lora(tmp_path / "a-step00000500.safetensors")
        lora(tmp_path / "a-step00000060.safetensors")
        found = find_checkpoints(tmp_path, "base")
        assert found.unit == "step"
        assert [checkpoint.step for checkpoint in found.checkpoints] == [0, 60, 500]

    def test_the_header_says_when_the_last_was_saved(self, tmp_path):
        lora(tmp_path / "a-000001.safetensors", ss_epoch="1", ss_steps="40")
        lora(tmp_path / "a.safetensors", ss_epoch="2", ss_steps="80")
        assert [checkpoint.step for checkpoint in find_checkpoints(tmp_path, "base").checkpoints] == [0, 1, 2]

    def test_steps_and_epochs_together_are_ordered_by_the_header(self, tmp_path):
        lora(tmp_path / "a-000001.safetensors", ss_steps="40")
        lora(tmp_path / "a-step00000030.safetensors", ss_steps="30")
        found = find_checkpoints(tmp_path, "base")
        assert (found.unit, [checkpoint.step for checkpoint in found.checkpoints]) == ("step", [0, 30, 40])
        lora(tmp_path / "a-000001.safetensors")
        with pytest.raises(TargetError, match="got both, and no ss_steps in their headers"):
            find_checkpoints(tmp_path, "base")

    def test_of_two_trainings(self, tmp_path):
        lora(tmp_path / "a-000001.safetensors")
        lora(tmp_path / "b-000001.safetensors")
        with pytest.raises(TargetError, match="the checkpoints of one training in .*, got those of a and b; move"):
            find_checkpoints(tmp_path, "base")

    def test_a_file_of_another_kind(self, tmp_path):
        lora(tmp_path / "a-000001.safetensors")
        save(tmp_path / "a.safetensors", "x")
        with pytest.raises(TargetError, match=r"but a\.safetensors is none"):
            find_checkpoints(tmp_path, "base")

    def test_next_to_their_base(self, tmp_path):
        lora(tmp_path / "a-000001.safetensors")
        found = find_checkpoints(pipeline(tmp_path))
        assert described(found) == [("base", 0), ("a-000001.safetensors", 1)]

    def test_next_to_a_pipeline_that_may_be_the_result(self, tmp_path):
        lora(tmp_path / "checkpoint-5" / "pytorch_lora_weights.safetensors")
        pipeline(tmp_path)
        with pytest.raises(ConfigError, match="may be their base or the result; pass its folder or hub id"):
            find_checkpoints(tmp_path)
        assert described(find_checkpoints(tmp_path, str(tmp_path))) == [("base", 0), ("checkpoint-5", 5)]
        assert described(find_checkpoints(tmp_path, "other"))[-1] == ("final", None)


class TestBase:
    def test_is_needed(self, tmp_path):
        with pytest.raises(ConfigError, match=r"expected base, the model .* has no model_index.json; pass its folder"):
            find_checkpoints(output(tmp_path, "unet"))

    @pytest.mark.parametrize("place", ["checkpoint-5/adapter_config.json", "README.md", "header"])
    def test_what_the_files_name_is_shown(self, tmp_path, place):
        if place == "header":
            lora(tmp_path / "a-000001.safetensors", ss_sd_model_name="org/base")
        else:
            lora(tmp_path / "checkpoint-5" / "pytorch_lora_weights.safetensors")
            texts = {"README.md": "---\nbase_model: org/base\n---\n"}
            (tmp_path / place).write_text(texts.get(place, json.dumps({"base_model_name_or_path": "org/base"})))
        with pytest.raises(
            ConfigError, match="no model_index.json; its files name org/base; pass its folder or hub id"
        ):
            find_checkpoints(tmp_path)


class TestSnapshots:
    def test_are_pipelines_and_end_with_the_folder(self, tmp_path):
        for step in (1000, 200):
            pipeline(tmp_path / "snapshots" / str(step))
        (tmp_path / "lab.json").write_text(json.dumps({"recipe": {"denoiser_steps": 3000}}))
        found = find_checkpoints(pipeline(tmp_path))
        assert described(found) == [("snapshots/200", 200), ("snapshots/1000", 1000), ("final", 3000)]
        assert [Path(checkpoint.model) for checkpoint in found.checkpoints][-1] == tmp_path

    def test_the_last_snapshot_may_be_the_end(self, tmp_path):
        pipeline(tmp_path / "snapshots" / "30")
        (tmp_path / "lab.json").write_text(json.dumps({"recipe": {"denoiser_steps": 30}}))
        assert described(find_checkpoints(pipeline(tmp_path))) == [("snapshots/30", 30)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "missing", "is no folder; check the path"),
        (pipeline, r"expected checkpoints in .*found none; pass the output folder of a training script"),
    ],
)
def test_nothing_to_audit(tmp_path, make, message):
    with pytest.raises(TargetError, match=message):
        find_checkpoints(make(tmp_path), "base")
