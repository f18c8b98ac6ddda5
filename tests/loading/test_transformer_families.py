"""PixArt, SANA, Hunyuan-DiT and DiT: what the contract test of families does not see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from pipelines import save_dit
from pipelines_dit import save_hunyuan_dit, save_pixart, save_sana, save_sana_sprint
from torch import Tensor

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_target
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

CAT = Prompt("a cat", original_size=(20, 30), crop=(0, 2))


def load(folder: Path, **options: Any) -> Target:
    overrides = {f"condition.{name}": options.pop(name) for name in [*options] if name != "resolution"}
    return load_target(ModelSource(folder, device="cpu", overrides=overrides, **options))


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def calls_of(target: Target, level: int = 500) -> dict[str, Any]:
    """What the network is called with, for one image."""
    calls: dict[str, Any] = {}
    target.denoiser.module.register_forward_pre_hook(
        lambda module, args, kwargs: calls.update(kwargs, positional=args), with_kwargs=True
    )
    target.predict_noise(normal(1, *target.info.latent_shape), level, target.condition([CAT]))
    return calls


# ------------------------------------------------------------------------------- PixArt


@pytest.fixture(scope="module")
def alpha(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alpha") / "model"
    return save_pixart(folder, kind="PixArtAlphaPipeline", sample_size=128)


def test_alpha_is_told_the_size_of_the_original_image_and_the_shape_of_the_resized_one(alpha: Path) -> None:
    added = calls_of(load(alpha, resolution=(16, 32)))["added_cond_kwargs"]
    assert added["resolution"].tolist() == [[20, 30]]
    assert added["aspect_ratio"].tolist() == [[0.5]]
    added = calls_of(load(alpha, resolution=(16, 32), size_ids="target"))["added_cond_kwargs"]
    assert added["resolution"].tolist() == [[16, 32]]
    unknown = load(alpha, resolution=(16, 32)).condition([Prompt("a cat")])
    assert unknown is not None
    assert unknown["resolution"].tolist() == [[16, 32]]


def test_the_original_size_changes_the_prediction_of_alpha(alpha: Path) -> None:
    target, noisy = load(alpha, resolution=(16, 16)), normal(1, 4, 8, 8)
    there, elsewhere = (
        target.predict_noise(noisy, 500, target.condition([Prompt("a cat", original_size=size)]))
        for size in ((20, 30), (40, 30))
    )
    assert not torch.equal(there, elsewhere)


def test_alpha_of_512_pixels_is_told_no_sizes(tmp_path: Path) -> None:
    target = load(save_pixart(tmp_path / "model", kind="PixArtAlphaPipeline"))
    assert calls_of(target)["added_cond_kwargs"] == {"resolution": None, "aspect_ratio": None}


def test_sigma_with_size_conditions_is_refused(tmp_path: Path) -> None:
    folder = save_pixart(tmp_path / "model", use_additional_conditions=True)
    with pytest.raises(TargetError, match="without size conditions for PixArtSigmaPipeline, got use_additional_condit"):
        load(folder)


def test_the_older_class_of_pixart_is_read(tmp_path: Path, edit_json: Any) -> None:
    folder = save_pixart(tmp_path / "model")
    noisy, target = normal(1, 4, 8, 8), load(folder)
    wanted = target.predict_noise(noisy, 500, target.condition([CAT]))
    edit_json(folder / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    edit_json(folder / "transformer" / "config.json", _class_name="Transformer2DModel")
    target = load(folder)
    assert torch.equal(target.predict_noise(noisy, 500, target.condition([CAT])), wanted)


@pytest.mark.parametrize(("kind", "length"), [("PixArtAlphaPipeline", 120), ("PixArtSigmaPipeline", 300)])
def test_the_text_length_of_pixart(tmp_path: Path, kind: str, length: int) -> None:
    folder = save_pixart(tmp_path / "model", kind=kind)
    for target, tokens in ((load(folder), length), (load(folder, text_length=77), 77)):
        condition = target.condition([CAT])
        assert condition is not None
        assert condition["encoder_hidden_states"].shape[1] == condition["encoder_attention_mask"].shape[1] == tokens
    with pytest.raises(ConfigError, match=r"a value such as \d+ for condition.text_length .tokens of T5 per caption."):
        load(folder, text_length="long")


# ------------------------------------------------------------------------------- SANA


@pytest.fixture(scope="module")
def sana(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_sana(tmp_path_factory.mktemp("sana") / "model")


def test_sana_saved_with_a_solver_is_the_same_flow(sana: Path, tmp_path: Path) -> None:
    scheduler = diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    solved, euler = load(save_sana(tmp_path / "model", scheduler=scheduler)), load(sana)
    noisy = normal(1, 4, 8, 8)
    assert solved.alpha_sigma(300) == euler.alpha_sigma(300) == (0.7, 0.3)
    for level in (300, 999):
        found, wanted = (each.predict_noise(noisy, level, each.condition([CAT])) for each in (solved, euler))
        assert torch.equal(found, wanted)


def test_sana_is_told_its_multiple_of_the_level(sana: Path) -> None:
    torch.testing.assert_close(calls_of(load(sana), 300)["timestep"], torch.tensor([0.3]))


def test_captions_of_sana_follow_an_instruction_and_the_null_condition_does_not(sana: Path) -> None:
    published, plain = load(sana), load(sana, instruction="none")
    first, second = (dict(each.condition([CAT, Prompt()]) or {}) for each in (published, plain))
    hidden = "encoder_hidden_states"
    assert not torch.equal(first[hidden][0], second[hidden][0])
    assert torch.equal(first[hidden][1], second[hidden][1])
    alone = dict(published.condition([CAT]) or {})
    torch.testing.assert_close(alone[hidden][0], first[hidden][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("save", "embeds", "message"),
    [
        (save_sana, True, "guidance_embeds = False for SanaPipeline, got True"),
        (save_sana_sprint, False, "guidance_embeds = True for SanaSprintPipeline, got False"),
    ],
)
def test_a_guidance_embedding_of_the_other_pipeline(tmp_path: Path, save: Callable, embeds: bool, message: str) -> None:
    folder = save(tmp_path / "model", guidance_embeds=embeds)
    with pytest.raises(TargetError, match=message):
        load(folder)


def test_sprint_is_told_the_guidance_scale_of_the_setting(tmp_path: Path) -> None:
    folder = save_sana_sprint(tmp_path / "model")
    calls = calls_of(load(folder), 300)
    torch.testing.assert_close(calls["guidance"], torch.tensor([0.45]))
    torch.testing.assert_close(calls["timestep"], torch.tensor([0.3]))
    torch.testing.assert_close(calls_of(load(folder, guidance=2))["guidance"], torch.tensor([0.2]))


# ------------------------------------------------------------------------------- Hunyuan-DiT


def test_the_order_of_hunyuans_sizes(tmp_path: Path) -> None:
    folder = save_hunyuan_dit(tmp_path / "model")
    sizes = calls_of(load(folder, resolution=(16, 32)))["image_meta_size"]
    assert sizes.tolist() == [[30, 20, 32, 16, 2, 0]]
    sizes = calls_of(load(folder, resolution=(16, 32), size_order="height first"))["image_meta_size"]
    assert sizes.tolist() == [[20, 30, 16, 32, 0, 2]]


def test_hunyuan_from_version_1_2_is_told_no_sizes(tmp_path: Path) -> None:
    folder = save_hunyuan_dit(tmp_path / "model", use_style_cond_and_image_meta_size=False)
    assert not {"image_meta_size", "style"} & set(calls_of(load(folder)))


@pytest.mark.parametrize(
    ("save", "choices", "message"),
    [
        (save_pixart, {"t5": 16}, "text embeddings of T5 of width 32 for the denoiser, got 16"),
        (save_sana, {"gemma": 16}, "text embeddings of Gemma of width 8 for the denoiser, got 16"),
        (save_hunyuan_dit, {"t5": 16}, "text embeddings of T5 of width 32 for the denoiser, got 16"),
        (save_hunyuan_dit, {"positions": 40}, "expected BERT to read 77 tokens, as the transformer does, got 40; save"),
    ],
)
def test_parts_that_do_not_fit(tmp_path: Path, save: Callable, choices: dict, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        load(save(tmp_path / "model", **choices))


# ------------------------------------------------------------------------------- DiT


@pytest.mark.parametrize("label", [-1, 1000, 1001])
def test_labels_that_a_dit_does_not_have(tmp_path: Path, label: int) -> None:
    # 1000 is the number of its null class
    target = load(save_dit(tmp_path / "model"))
    with pytest.raises(TargetError, match=f"expected class labels from 0 to 999 for this target, got {label}; check"):
        target.condition([Prompt(class_label=label), Prompt(class_label=3), Prompt()])


def test_a_learned_variance_is_left_out(tmp_path: Path) -> None:
    target = load(save_dit(tmp_path / "model"))
    noisy, condition = normal(2, 4, 8, 8), target.condition([Prompt(class_label=3), Prompt()])
    raw = target.denoiser.module(noisy, timestep=torch.tensor([500, 500]), class_labels=torch.tensor([3, 1000])).sample
    assert raw.shape == (2, 8, 8, 8)
    assert torch.equal(target.predict_noise(noisy, 500, condition), raw[:, :4])
