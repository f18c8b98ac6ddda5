"""What is particular to single families of flow-matching transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.transformers import transformer_cosmos
from family_cases_flow import CASES
from pipelines import save_flux, save_sd3
from pipelines_flow import (
    gemma_tokenizer,
    llama_tokenizer,
    save_aura_flow,
    save_chroma,
    save_cogview_4,
    save_cosmos_2,
    save_flux_2,
    save_flux_2_klein,
    save_flux_fill,
    save_flux_like,
    save_hidream,
    save_hunyuan_image,
    save_lumina_2,
    save_lumina_next,
    save_qwen_image,
    save_z_image,
)
from torch import Tensor

from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_autoencoder, load_target
from privaudit.loading.families import FAMILIES
from privaudit.loading.unsupported import UNSUPPORTED
from privaudit.model.prompt import Prompt
from privaudit.model.target import Target

Save = Callable[[Path], Path]
SMALL = (16, 16)
EARLIER_NAMES = ("Lumina2Text2ImgPipeline", "LuminaText2ImgPipeline")
"""Names in published repositories that diffusers has dropped."""


def scratch(folder: Path) -> Path:
    return folder.parent / f"{folder.name} vocabulary"


def load(folder: Path, resolution: tuple[int, int] | None = SMALL, **settings: Any) -> Target:
    overrides = {f"condition.{name}": value for name, value in settings.items()}
    return load_target(ModelSource(folder, device="cpu", overrides=overrides, resolution=resolution))


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def prompts(*captions: str) -> list[Prompt]:
    return [Prompt(caption or None) for caption in captions]


def told(target: Target, level: int = 500, *captions: str) -> dict[str, Any]:
    """What the network is called with."""
    seen: dict[str, Any] = {}
    asked = prompts(*(captions or ("a cat",)))
    hook = target.denoiser.module.register_forward_pre_hook(
        lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    noisy = normal(len(asked), *target.info.latent_shape)
    target.predict_noise(noisy, level, target.condition(asked))
    hook.remove()
    return seen


# ------------------------------------------------------------------------------- guidance scales


@pytest.mark.parametrize(
    ("save", "default", "factor"),
    [
        (lambda folder: save_flux(folder, scratch(folder)), 1.0, 1),
        (lambda folder: save_flux_fill(folder, scratch(folder)), 1.0, 1),
        (save_flux_2, 1.0, 1),
        (save_hunyuan_image, 3.25, 1000),
    ],
    ids=["flux", "flux-fill", "flux-2", "hunyuan-image"],
)
def test_a_distilled_network_is_told_a_guidance_scale(
    tmp_path: Path, save: Save, default: float, factor: float
) -> None:
    folder = save(tmp_path / "model")
    assert told(load(folder))["guidance"].tolist() == [factor * default]
    assert told(load(folder, guidance=3.5), 500, "a", "b")["guidance"].tolist() == [3500 * factor / 1000] * 2
    one, other = (load(folder, guidance=scale) for scale in (1.0, 3.5))
    noisy, condition = normal(1, *one.info.latent_shape), one.condition(prompts("a cat"))
    assert not torch.equal(one.predict_noise(noisy, 500, condition), other.predict_noise(noisy, 500, condition))


@pytest.mark.parametrize(
    "save",
    [
        lambda folder, **changes: save_flux(folder, scratch(folder), transformer=changes),
        save_flux_2,
        save_hunyuan_image,
    ],
    ids=["flux", "flux-2", "hunyuan-image"],
)
def test_a_network_without_guidance_refuses_one(tmp_path: Path, save: Any) -> None:
    folder = save(tmp_path / "model", guidance_embeds=False)
    target = load(folder)
    assert told(target)["guidance"] is None
    assert "guidance" not in target.denoiser.family.values
    with pytest.raises(ConfigError, match="expected no condition.guidance for .* .guidance_embeds = false., got 3.5"):
        load(folder, guidance=3.5)


def test_klein_is_told_no_guidance_scale_and_refuses_one(tmp_path: Path) -> None:
    assert told(load(save_flux_2_klein(tmp_path / "model")))["guidance"] is None
    with pytest.raises(ConfigError, match=r"expected condition.text_length, condition.text_layers for Flux2KleinPip"):
        load(tmp_path / "model", guidance=1.0)
    with pytest.raises(TargetError, match="guidance_embeds = false, as of every klein model"):
        load(save_flux_2_klein(tmp_path / "other", guidance_embeds=True))


# ------------------------------------------------------------------------------- lengths of captions


def test_schnell_has_256_tokens_unless_told_otherwise(tmp_path: Path) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary", transformer={"guidance_embeds": False})
    assert told(load(folder))["encoder_hidden_states"].shape[1] == 256
    assert told(load(folder, text_length=512))["encoder_hidden_states"].shape[1] == 512
    dev = save_flux(tmp_path / "dev", tmp_path / "other")
    assert told(load(dev))["encoder_hidden_states"].shape[1] == 512
    assert told(load(dev, text_length=77))["encoder_hidden_states"].shape[1] == 77


@pytest.mark.parametrize(
    ("save", "name", "length"),
    [
        (save_chroma, "encoder_hidden_states", 40),
        (save_aura_flow, "encoder_hidden_states", 40),
        (save_flux_2, "encoder_hidden_states", 40),
        (save_flux_2_klein, "encoder_hidden_states", 40),
        (save_hunyuan_image, "encoder_hidden_states", 40),
        (save_lumina_2, "encoder_hidden_states", 200),
        (lambda folder: save_hidream(folder, scratch(folder)), "encoder_hidden_states_t5", 40),
        (lambda folder: save_sd3(folder, scratch(folder), t5=32), "encoder_hidden_states", 40 + 12),
    ],
)
def test_the_length_of_captions_is_a_setting(tmp_path: Path, save: Save, name: str, length: int) -> None:
    folder = save(tmp_path / "model")
    target = load(folder, SMALL, text_length=200 if length == 200 else 40)  # SD 3 has 12 tokens of CLIP in addition
    assert told(target)[name].shape[1] == length


@pytest.mark.parametrize(
    "save", [save_qwen_image, save_z_image, save_cogview_4, save_lumina_next], ids=lambda save: save.__name__
)
def test_captions_of_different_lengths_share_a_batch(tmp_path: Path, save: Save) -> None:
    target = load(save(tmp_path / "model"))
    words = ["a cat", "a long caption, which needs more tokens than the other two do", "dog"]
    noisy, condition = normal(3, 4, 8, 8), target.condition(prompts(*words))
    together = target.predict_noise(noisy, [100, 500, 900], condition)
    for row, (word, level) in enumerate(zip(words, [100, 500, 900], strict=True)):
        alone = target.predict_noise(noisy[row : row + 1], level, target.condition(prompts(word)))
        torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("save", [save_qwen_image, save_z_image, save_cogview_4], ids=lambda save: save.__name__)
def test_long_captions_are_cut(tmp_path: Path, save: Save) -> None:
    target = load(save(tmp_path / "model"), text_length=64)
    condition = target.condition(prompts("cat " * 50))
    assert condition is not None
    assert max(values.shape[1] for values in condition.values() if values.ndim == 3) == 64


# ------------------------------------------------------------------------------- single families


def test_fill_receives_an_empty_image_and_a_mask_of_ones(tmp_path: Path) -> None:
    target = load(save_flux_fill(tmp_path / "model", tmp_path / "vocabulary"))
    hidden = told(target)["hidden_states"]
    assert hidden.shape == (1, 16, 48)
    assert bool((hidden[..., 32:] == 1).all())
    blank = target.encode(torch.zeros(1, 3, 16, 16))
    torch.testing.assert_close(hidden[..., 16:32], torch.nn.functional.pixel_unshuffle(blank, 2).flatten(2).mT)


def test_channels_of_other_conditions_are_refused(tmp_path: Path) -> None:
    folder = save_flux_like(tmp_path / "a", tmp_path / "b", diffusers.FluxPipeline, in_channels=32, out_channels=16)
    with pytest.raises(
        TargetError, match=r"expected the transformer of .* autoencoder's 4 latent channels in .*, got 32;"
    ):
        load(folder)
    other = save_flux_like(tmp_path / "c", tmp_path / "d", diffusers.FluxFillPipeline, in_channels=96, out_channels=16)
    with pytest.raises(TargetError, match="expected 48 input channels .noisy latent, masked image, and mask. and 16"):
        load(other)


def test_padding_of_chroma_is_excluded_unless_it_is_added(tmp_path: Path) -> None:
    folder, noisy = save_chroma(tmp_path / "model"), normal(2, 4, 8, 8)
    found = {}
    for mask in ("excluded", "added"):
        for length in (40, 512):
            target = load(folder, mask=mask, text_length=length)
            found[mask, length] = target.predict_noise(noisy, 500, target.condition(prompts("a cat", "")))
    torch.testing.assert_close(found["excluded", 40], found["excluded", 512], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found["added", 40], found["added", 512], rtol=1e-3, atol=1e-4)
    assert told(load(folder))["attention_mask"].dtype == torch.bool
    with pytest.raises(ConfigError, match=r"expected excluded or added for condition.mask"):
        load(folder, mask="none")


def test_layers_of_flux_2(tmp_path: Path) -> None:
    folder = save_flux_2(tmp_path / "model", layers=4)
    with pytest.raises(TargetError, match="expected a text encoder with the layers 10,20,30, got one with 4; name"):
        load(folder)
    assert told(load(folder, text_layers="1,2,4"))["encoder_hidden_states"].shape == (1, 512, 48)
    with pytest.raises(TargetError, match="text embeddings of width 48 for the denoiser, got 16"):
        load(folder, text_layers=3)
    with pytest.raises(ConfigError, match=r"expected numbers of layers such as 10,20,30 for .*, got all"):
        load(folder, text_layers="all")


def test_flux_2_without_a_chat_template(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"expected a tokenizer with a chat template, got one without; copy its chat"):
        load(save_flux_2(tmp_path / "model", chat_template=None))


def test_the_time_of_cogview_4_is_shifted_back(tmp_path: Path) -> None:
    target = load(save_cogview_4(tmp_path / "a"))
    assert [float(told(target, level)["timestep"]) for level in (0, 500, 750, 1000)] == [0, 250, 500, 1000]
    static = load(save_cogview_4(tmp_path / "b", use_dynamic_shifting=False, shift=4.0))
    assert [float(told(static, level)["timestep"]) for level in (0, 500, 800, 1000)] == [0, 200, 500, 1000]
    with pytest.raises(TargetError, match="expected a linear time shift in the scheduler of .* got exponential; save"):
        load(save_cogview_4(tmp_path / "c", time_shift_type="exponential"))
    # twice as many patches per axis: m = 2 * 2 + 1 = 5, and t = 1 / (1 + 5)
    assert float(told(load(tmp_path / "a", (32, 32)), 500)["timestep"]) == pytest.approx(1000 / 6)


def test_the_sizes_of_cogview_4(tmp_path: Path) -> None:
    folder = save_cogview_4(tmp_path / "model")
    prompt = Prompt("a", original_size=(20, 30), crop=(0, 2))
    for sizes, wanted in (("original", [[20, 30], [0, 2], [16, 16]]), ("target", [[16, 16], [0, 0], [16, 16]])):
        condition = load(folder, size_ids=sizes).condition([prompt])
        assert condition is not None
        assert [condition[name][0].tolist() for name in ("original_size", "crop_coords", "target_size")] == wanted


@pytest.mark.parametrize(
    ("save", "make"),
    [(save_cogview_4, llama_tokenizer), (save_lumina_next, gemma_tokenizer)],
    ids=["cogview", "lumina"],
)
def test_a_tokenizer_without_a_token_for_the_empty_caption(tmp_path: Path, save: Any, make: Any) -> None:
    target = load(save(tmp_path / "model", tokenizer=make(add_bos_token=False)))
    target.condition(prompts("a cat"))
    with pytest.raises(TargetError, match="got one that makes no token of the empty caption, so that there is no null"):
        target.condition(prompts("a cat", ""))


def test_the_instruction_of_lumina_2_is_not_part_of_the_null_condition(tmp_path: Path) -> None:
    folder = save_lumina_2(tmp_path / "model")
    published, none = (load(folder, instruction=choice) for choice in ("published", "none"))
    lengths = [
        condition["encoder_attention_mask"].sum(dim=1).tolist()
        for condition in (target.condition(prompts("a cat", "")) for target in (published, none))
        if condition is not None
    ]
    assert lengths[0][0] > 100
    assert lengths[1] == [6, 1]
    assert lengths[0][1] == 1
    with pytest.raises(TargetError, match=r"expected condition.text_length of less than 300, the positions of the tr"):
        load(folder, text_length=300)


def test_lumina_next_reads_capitals(tmp_path: Path) -> None:
    target = load(save_lumina_next(tmp_path / "model"))
    one, other = (target.condition(prompts(word)) for word in ("cat", "CAT"))
    assert one is not None
    assert other is not None
    assert not torch.equal(one["encoder_hidden_states"], other["encoder_hidden_states"])


def test_what_hidream_has_no_room_for(tmp_path: Path) -> None:
    folder = save_hidream(tmp_path / "a", tmp_path / "b", positions=77)
    with pytest.raises(TargetError, match=r"of at most 77, .* got 128; use --override condition.text_length=77, or"):
        load(folder, SMALL)
    load(folder, SMALL, text_length=77)
    with pytest.raises(TargetError, match="expected images of at most 64 patches, got 256; pass a smaller resolution"):
        load(folder, (64, 64), text_length=77)
    deep = save_hidream(tmp_path / "c", tmp_path / "d", llama_layers=(0, 5))
    with pytest.raises(TargetError, match="expected a Llama encoder with 6 layers, got 2; save the whole pipeline"):
        load(deep, SMALL)
    assert load(folder, (16, 32), text_length=77).info.latent_shape == (4, 8, 16)


def test_quoted_text_is_told_apart_in_hunyuan_image(tmp_path: Path) -> None:
    target = load(save_hunyuan_image(tmp_path / "model"))
    condition = target.condition(prompts("a cat", 'a cat and "cat"'))
    assert condition is not None
    glyphs = condition["encoder_attention_mask_2"].sum(dim=1).tolist()
    assert glyphs[0] == 0
    assert glyphs[1] > 5
    assert told(target, 700)["timestep"].tolist() == [700]
    with pytest.raises(TargetError, match=r"got use_meanflow, a mean velocity between two; audit the model that"):
        load(save_hunyuan_image(tmp_path / "b", use_meanflow=True))
    with pytest.raises(TargetError, match=r"expected a transformer of 2-dimensional patches, got patch_size"):
        load(save_hunyuan_image(tmp_path / "c", patch_size=(1, 1, 1), rope_axes_dim=(2, 4, 2)))


@pytest.mark.parametrize("extra", ["guidance_embeds", "zero_cond_t", "use_additional_t_cond", "use_layer3d_rope"])
def test_networks_that_edit_images_are_refused(tmp_path: Path, extra: str) -> None:
    with pytest.raises(TargetError, match=f"expected a transformer without {extra}, which models that edit images ha"):
        load(save_qwen_image(tmp_path / "model", **{extra: True}), SMALL)


@pytest.mark.parametrize("save", [save_qwen_image, save_cosmos_2], ids=["qwen", "cosmos"])
@torch.no_grad()
def test_the_autoencoder_of_an_image_pipeline_reads_images(tmp_path: Path, save: Save) -> None:
    folder, images = save(tmp_path / "model"), normal(2, 3, 16, 16)
    target, alone = load(folder), load_autoencoder(ModelSource(folder, device="cpu"))
    assert torch.equal(alone.encode(images), target.encode(images))
    assert alone.decode(alone.encode(images)).shape == images.shape
    assert load_autoencoder(ModelSource(folder / "vae", device="cpu")).layout[2] == "frames"


def test_z_image_of_images_or_other_patches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="expected a transformer without images as a condition, got siglip_feat_dim"):
        load(save_z_image(tmp_path / "a", siglip_feat_dim=8), SMALL)
    with pytest.raises(TargetError, match="expected a transformer of 2x2 patches, got all_patch_size"):
        load(save_z_image(tmp_path / "b", all_patch_size=(4,)), SMALL)


def test_cosmos_needs_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_cosmos_2(tmp_path / "model")
    load(folder, SMALL)
    monkeypatch.delattr(transformer_cosmos, "transforms")
    with pytest.raises(TargetError, match="expected torchvision, with which diffusers resizes the mask of this"):
        load(folder, SMALL)


@pytest.mark.parametrize("save", [save_aura_flow, lambda folder: save_sd3(folder, scratch(folder))])
def test_images_larger_than_the_positions_are_refused(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path / "model")
    load(folder, (16, 16))
    with pytest.raises(TargetError, match=r"(images of at most 24 pixels per side|at most 4 patches), .*got (32|16)x"):
        load(folder, (32, 16))


# ------------------------------------------------------------------------------- resolutions and names


@pytest.mark.parametrize("name", ["QwenImagePipeline", "ZImagePipeline", "HiDreamImagePipeline", "Cosmos2TextToImage"])
def test_a_resolution_is_needed_and_checked(tmp_path: Path, name: str, edit_json: Any) -> None:
    case = next(case for key, case in CASES.items() if key.startswith(name))
    folder = case.save(tmp_path / "model")
    edit_json(folder / "vae" / "config.json", sample_size=None)
    with pytest.raises(TargetError, match=r"expected sample_size in the configuration of .*; pass it, as in --resol"):
        load(folder, None)
    # a factor of 2 and patches of 2x2, whether the pipeline packs them or the network does
    with pytest.raises(TargetError, match="expected a resolution of multiples of 4 for .*, got 18x16"):
        load(folder, (18, 16))
    info = load(folder, (20, 12), **({} if "HiDream" not in name else {"text_length": 20})).info
    assert (info.sample_shape, info.latent_shape) == ((3, 20, 12), (4, 10, 6))


def test_the_size_of_the_training_is_not_always_the_configured_one(tmp_path: Path) -> None:
    assert load(save_hunyuan_image(tmp_path / "a"), None).info.image_size == (2048, 2048)
    with pytest.raises(TargetError, match="expected images of at most 24 pixels per side, .* got 1024x1024; pass a"):
        load(save_aura_flow(tmp_path / "b"), None)


@pytest.mark.parametrize(
    ("family", "variant"), [(name, variant) for name, kind in FAMILIES.items() for variant in kind.variants]
)
def test_variants_are_pipelines_of_diffusers(family: str, variant: str) -> None:
    assert variant not in FAMILIES
    assert variant not in UNSUPPORTED
    if variant not in EARLIER_NAMES:
        assert hasattr(diffusers, variant), family


@pytest.mark.parametrize("variant", ["FluxImg2ImgPipeline", "FluxKontextInpaintPipeline"])
def test_variants_are_read_by_their_family(tmp_path: Path, variant: str, edit_json: Any) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary")
    noisy, target = normal(1, 4, 8, 8), load(folder)
    edit_json(folder / "model_index.json", _class_name=variant)
    other = load(folder)
    one = target.predict_noise(noisy, 500, target.condition(prompts("a cat")))
    assert torch.equal(one, other.predict_noise(noisy, 500, other.condition(prompts("a cat"))))


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str) -> None:
    assert hasattr(diffusers, name)
    (tmp_path / "model_index.json").write_text(f'{{"_class_name": "{name}"}}')
    with pytest.raises(TargetError) as error:
        load(tmp_path)
    assert str(error.value) == f"cannot audit {tmp_path}: {name} {UNSUPPORTED[name]}"


def test_a_processor_is_read_as_a_tokenizer(tmp_path: Path, edit_json: Any) -> None:
    """The published Flux 2 has one, which is a tokenizer with an image processor."""
    pytest.importorskip("torchvision", reason="transformers needs it for image processors")
    from transformers import PixtralImageProcessor, PixtralProcessor

    folder = save_flux_2(tmp_path / "model")
    noisy, target = normal(1, 16, 4, 4), load(folder)
    words = llama_tokenizer(target.conditioner.pipeline.tokenizer.chat_template)  # type: ignore[union-attr]
    PixtralProcessor(PixtralImageProcessor(), words).save_pretrained(folder / "tokenizer")
    edit_json(folder / "model_index.json", tokenizer=["transformers", "PixtralProcessor"])
    other = load(folder)
    one = target.predict_noise(noisy, 500, target.condition(prompts("a cat")))
    assert torch.equal(one, other.predict_noise(noisy, 500, other.condition(prompts("a cat"))))
