"""Every registered family against the real pipeline of diffusers: what it is told, what it answers, its null prompt."""

from __future__ import annotations

import importlib
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import pytest
import torch
from family_cases_base import OTHERS, SIZES, TEXT, TOLD, Case, Step, sdxl_null
from pipelines import save_dit, save_flux, save_sdxl, tiny_autoencoder, tiny_t5
from torch import Tensor

from privaudit import register_family
from privaudit.errors import ConfigError, TargetError
from privaudit.loading import ModelSource, load_decoder_target, load_target
from privaudit.loading.families import FAMILIES, Family
from privaudit.loading.families.stable_diffusion import StableDiffusion
from privaudit.loading.folder import SAMPLING
from privaudit.loading.heads import noise_from_output
from privaudit.loading.image_sizes import at_size, try_size
from privaudit.loading.standalone import NAMES
from privaudit.model.prompt import Prompt
from privaudit.model.schedule import FlowSchedule
from privaudit.model.target import Target

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "write-a-family.md"
CASES: dict[str, Case] = {
    name: case
    for path in sorted(Path(__file__).parent.glob("family_cases_*.py"))
    for name, case in importlib.import_module(path.stem).CASES.items()
}
every_family = pytest.mark.parametrize("name", sorted(CASES))


def class_of(name: str) -> str:
    return CASES[name].pipeline or name


def family_of(name: str) -> type[Family]:
    return FAMILIES[CASES[name].family or class_of(name)]


def read(folder: Path, name: str, **options: Any) -> Target:
    return load_target(ModelSource(folder, device="cpu", **{**CASES[name].options, **options}))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("families")
    return {name: case.save(base / name) for name, case in CASES.items()}


@pytest.fixture(scope="module")
def targets(folders: dict[str, Path]) -> dict[str, Target]:
    return {name: read(folder, name) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def pipelines(folders: dict[str, Path]) -> dict[str, Any]:
    found = {}
    for name, folder in folders.items():
        kind = getattr(diffusers, class_of(name))
        found[name] = kind.from_pretrained(folder, local_files_only=True, **CASES[name].parts)
        found[name].set_progress_bar_config(disable=True)
    return found


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_every_family_is_tested() -> None:
    assert sorted({family_of(name).pipeline for name in CASES}) == list(FAMILIES)


def steps_of(
    pipeline: Any,
    call: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    spied: str = "step",
) -> list[Step]:
    """What the scheduler receives in each step of a real call of the pipeline."""
    steps, step = [], getattr(pipeline.scheduler, spied)

    def spy(output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        steps.append(Step(output, float(timestep), sample))
        return step(output, timestep, sample, *args, **kwargs)

    monkeypatch.setattr(pipeline.scheduler, spied, spy)
    with torch.no_grad():
        asked = call(pipeline) if callable(call) else call
        pipeline(**{"num_inference_steps": 2, "generator": torch.Generator().manual_seed(1), **asked})
    assert steps
    return steps


@every_family
def test_the_noise_is_what_the_pipelines_own_network_says(
    targets: dict[str, Target], pipelines: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target, pipeline, case = targets[name], pipelines[name], CASES[name]
    condition = target.condition([TOLD])
    for raw in steps_of(pipeline, case.call, monkeypatch, case.spied):
        step = case.read_step(pipeline, target, raw)
        level, noisy = int(step.time), step.noisy
        wanted = noise_from_output(target.info.prediction_type, step.output, noisy, *target.alpha_sigma(level))
        torch.testing.assert_close(target.predict_noise(noisy, level, condition), wanted, rtol=1e-5, atol=1e-5)


@every_family
def test_an_image_is_the_same_alone_and_in_a_batch(targets: dict[str, Target], name: str) -> None:
    target = targets[name]
    levels = [target.schedule.last // part for part in (100, 2, 1)]
    noisy, condition = normal(3, *target.info.latent_shape), target.condition([TOLD, *OTHERS])
    together = target.predict_noise(noisy, levels, condition)
    assert (together.shape, together.dtype) == (noisy.shape, torch.float32)
    for row, (level, prompt) in enumerate(zip(levels, [TOLD, *OTHERS], strict=True)):
        part = noisy[row : row + 1]
        for own in (target.condition([prompt]), condition and condition.rows([row])):
            torch.testing.assert_close(
                target.predict_noise(part, level, own), together[row : row + 1], rtol=1e-4, atol=1e-5
            )


@every_family
def test_the_null_prompt_is_the_pipelines_own(targets: dict[str, Target], pipelines: dict[str, Any], name: str) -> None:
    condition = targets[name].condition([Prompt()])
    with torch.no_grad():
        wanted = dict(CASES[name].null(pipelines[name]))
    torch.testing.assert_close(dict(condition or {}), wanted)
    told = targets[name].condition([TOLD])
    same = {key for key in wanted if torch.equal(told[key], wanted[key])}
    assert same == set(CASES[name].constant)


@every_family
def test_every_part_of_a_prompt_that_is_read_changes_the_prediction(targets: dict[str, Target], name: str) -> None:
    target = targets[name]
    reads, level = {*target.denoiser.family.reads} - {*CASES[name].insensitive}, target.schedule.last // 2
    noisy = normal(1, *target.info.latent_shape)
    plain = target.predict_noise(noisy, level, target.condition([Prompt()]))
    for part in ("caption", "class_label", "original_size", "crop"):
        told = target.predict_noise(noisy, level, target.condition([Prompt(**{part: getattr(TOLD, part)})]))
        assert torch.equal(told, plain) is (part not in reads), part


@every_family
def test_what_is_said_about_it(targets: dict[str, Target], name: str) -> None:
    info, family, case = targets[name].info, targets[name].denoiser.family, CASES[name]
    assert (info.latent_shape, info.sample_shape) == (case.latent_shape, (3, *case.image_size))
    assert info.image_size == case.image_size
    assert info.family == family.kind
    assert family.flow in (None, isinstance(targets[name].schedule, FlowSchedule))
    assert targets[name].takes_captions is ("caption" in family.reads)
    assert (targets[name].conditioner is None) is (not family.reads)


@every_family
def test_its_autoencoder_alone_has_the_same_size_and_latents(
    targets: dict[str, Target], folders: dict[str, Path], name: str
) -> None:
    whole = targets[name]
    target = load_decoder_target(ModelSource(folders[name], device="cpu", **CASES[name].options))
    alone = {name: digest for name, digest in whole.info.components.items() if digest == whole.info.autoencoder_hash}
    assert target.info == replace(whole.info, hash=whole.info.autoencoder_hash, components=alone, settings={})
    if max(target.info.image_size) <= 64:
        pixels = normal(1, *target.info.sample_shape)
        assert torch.equal(target.encode(pixels), whole.encode(pixels))


@every_family
def test_everything_is_frozen_and_in_eval_mode(targets: dict[str, Target], name: str) -> None:
    found: Any = targets[name]
    modules = [found.denoiser.module, found.autoencoder.module]
    if found.conditioner is not None:
        pipeline = found.conditioner.pipeline
        assert type(pipeline).__name__ == found.denoiser.family.pipeline
        modules += [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    assert not any(part.training for module in modules for part in module.modules())
    assert not any(value.requires_grad for module in modules for value in module.parameters())


@every_family
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits(targets: dict[str, Target], folders: dict[str, Path], name: str, dtype: str) -> None:
    short = read(folders[name], name, dtype=dtype)
    assert {value.dtype for value in short.denoiser.module.parameters()} == {getattr(torch, dtype)}
    noisy, level = normal(2, *short.info.latent_shape), short.schedule.last // 2
    found = short.predict_noise(noisy, level, short.condition([TOLD, Prompt()]))
    wanted = targets[name].predict_noise(noisy, level, targets[name].condition([TOLD, Prompt()]))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.1, atol=0.1)


@every_family
def test_a_condition_is_needed_where_there_is_one(targets: dict[str, Target], name: str) -> None:
    target = targets[name]
    noisy = normal(1, *target.info.latent_shape)
    if target.info.family == "unconditional":
        assert target.condition([TOLD]) is None
        target.predict_noise(noisy, 10, None)
        return
    with pytest.raises(TargetError, match=f"expected a condition for a {target.info.family} model, got none; pass"):
        target.predict_noise(noisy, 10, None)


@every_family
def test_every_component_is_downloaded(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], name: str) -> None:
    patterns: list[str] = []

    def download(repository: str, **options: Any) -> str:
        patterns.extend(options["allow_patterns"])
        return str(folders[name])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    read(Path("org/model"), name)
    unread = {*SAMPLING, *family_of(name).unused}
    for part in (part for part in folders[name].iterdir() if part.is_dir() and part.name not in unread):
        assert {f"{part.name}/*.json", f"{part.name}/*.safetensors", f"{part.name}/*.txt"} < set(patterns), part
    assert not any(pattern.endswith((".py", ".bin", "*")) for pattern in patterns)
    assert {f"{part}/*.json" for part in NAMES} < set(patterns)


# ------------------------------------------------------------------------------- single families


def load(folder: Path) -> Target:
    return load_target(ModelSource(folder, device="cpu"))


def test_the_sizes_of_sdxl_are_each_images_own(targets: dict[str, Target]) -> None:
    condition = targets["StableDiffusionXLPipeline"].condition([TOLD, *OTHERS])
    assert condition is not None
    assert condition["time_ids"].tolist() == [[20, 30, 0, 2, 16, 16], [16, 40, 1, 7, 16, 16], [16, 16, 0, 0, 16, 16]]


def test_sdxl_without_zeros_has_the_empty_caption_as_its_null_condition(tmp_path: Path) -> None:
    folder = save_sdxl(tmp_path / "model", tmp_path / "vocabulary", force_zeros_for_empty_prompt=False)
    condition = load(folder).condition([Prompt()])
    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(folder, local_files_only=True)
    with torch.no_grad():
        wanted = sdxl_null(pipeline)
    assert float(wanted["encoder_hidden_states"].abs().max()) > 0.1
    torch.testing.assert_close(dict(condition or {}), wanted)


def test_a_class_that_a_dit_does_not_have(targets: dict[str, Target]) -> None:
    with pytest.raises(TargetError, match="expected class labels from 0 to 999 for this target, got 1001; check the"):
        targets["DiTPipeline"].condition([Prompt(class_label=1001)])


def test_the_older_class_of_a_dit_is_read(tmp_path: Path, targets: dict[str, Target], edit_json: Any) -> None:
    folder = save_dit(tmp_path / "model")
    edit_json(folder / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    edit_json(folder / "transformer" / "config.json", _class_name="Transformer2DModel", norm_type="ada_norm_zero")
    noisy, condition = normal(1, 4, 8, 8), targets["DiTPipeline"].condition([TOLD])
    wanted = targets["DiTPipeline"].predict_noise(noisy, 10, condition)
    assert torch.equal(load(folder).predict_noise(noisy, 10, condition), wanted)


def test_flux_without_guidance_is_not_told_any(tmp_path: Path) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary", transformer={"guidance_embeds": False})
    target, seen = load(folder), {}
    target.denoiser.module.register_forward_pre_hook(lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True)
    target.predict_noise(normal(2, 4, 8, 8), [100, 1000], target.condition([TOLD, Prompt()]))
    assert seen["guidance"] is None
    torch.testing.assert_close(seen["timestep"], torch.tensor([0.1, 1.0]))


def test_the_size_of_flux_is_its_autoencoders(tmp_path: Path, edit_json: Any) -> None:
    folder = save_flux(tmp_path / "model", tmp_path / "vocabulary")
    edit_json(folder / "vae" / "config.json", sample_size=[16, 32])
    info = load(folder).info
    assert (info.sample_shape, info.latent_shape) == ((3, 16, 32), (4, 8, 16))


@pytest.mark.parametrize(
    ("save", "changes", "message"),
    [
        (save_sdxl, {"unet": {"cross_attention_dim": 16}}, "text embeddings of width 16 for the denoiser, got 32 from"),
        (
            save_sdxl,
            {"unet": {"projection_class_embeddings_input_dim": 40}},
            "pooled embeddings of width 16 for the denoiser, got 8",
        ),
        (
            save_sdxl,
            {"unet": {"num_class_embeds": 4}},
            "got num_class_embeds = 4; other conditions, such as image embeddings",
        ),
        (save_flux, {"transformer": {"joint_attention_dim": 16}}, "embeddings of T5 of width 16 for the den.* got 32"),
        (save_flux, {"transformer": {"pooled_projection_dim": 8}}, "pooled embeddings of width 8 .* got 16 from"),
        (
            save_flux,
            {"transformer": {"in_channels": 8}},
            "the autoencoder's 4 latent channels in 16, got 8; inpainting",
        ),
    ],
)
def test_networks_that_do_not_fit(tmp_path: Path, save: Callable, changes: dict, message: str) -> None:
    folder = save(tmp_path / "model", tmp_path / "vocabulary", **changes)
    with pytest.raises(TargetError, match=message):
        load(folder)


# ------------------------------------------------------------------------------- the registry


def test_pipelines_with_the_components_of_a_family_are_read_as_it(sd: Path, edit_json: Any) -> None:
    wanted = load(sd).predict_noise(normal(1, 4, 8, 8), 10, load(sd).condition([TOLD]))
    for name in ("StableDiffusionImg2ImgPipeline", None):
        edit_json(sd / "model_index.json", _class_name=name)
        assert torch.equal(load(sd).predict_noise(normal(1, 4, 8, 8), 10, load(sd).condition([TOLD])), wanted)


@pytest.mark.parametrize("part", ["controlnet", "adapter", "transformer_2", "prior"])
def test_a_part_that_no_family_reads_is_refused_and_not_left_out(sd: Path, edit_json: Any, part: str) -> None:
    edit_json(sd / "model_index.json", **{part: ["diffusers", "ControlNetModel"]})
    with pytest.raises(TargetError, match=f"found {part} as well; such pipelines are not supported yet"):
        load(sd)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"unet": ["diffusers", "UNet3DConditionModel"]}, "UnheardOfPipeline with UNet3DConditionModel"),
        ({"unet": None}, "UnheardOfPipeline with no denoiser"),
        ({"vae": None}, "UnheardOfPipeline with UNet2DConditionModel"),
        ({"text_encoder_3": ["transformers", "T5EncoderModel"]}, "UnheardOfPipeline with UNet2DConditionModel"),
    ],
)
def test_an_unknown_family_gets_one_message(sd: Path, edit_json: Any, changes: dict, found: str) -> None:
    edit_json(sd / "model_index.json", _class_name="UnheardOfPipeline", **changes)
    known = ", ".join(FAMILIES)
    with pytest.raises(TargetError, match=f"expected a pipeline of a known family .{known}.* got {found}; .*write-a-f"):
        load(sd)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten afterwards."""
    FAMILIES.discover()
    monkeypatch.setattr(FAMILIES, "_entries", dict(FAMILIES._entries))


@pytest.mark.usefixtures("registry")
def test_the_family_of_the_guide_works_in_a_users_own_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, tokenizer = tiny_t5()
        made = diffusers.CogView3PlusPipeline(
            tokenizer=tokenizer,
            text_encoder=encoder,
            vae=tiny_autoencoder(),
            transformer=diffusers.CogView3PlusTransformer2DModel(
                in_channels=4,
                out_channels=4,
                num_layers=1,
                attention_head_dim=4,
                num_attention_heads=2,
                text_embed_dim=32,
                time_embed_dim=8,
                condition_dim=4,
                pos_embed_max_size=8,
                sample_size=8,
            ),
            scheduler=diffusers.CogVideoXDDIMScheduler(prediction_type="v_prediction", timestep_spacing="trailing"),
        )
    made.save_pretrained(tmp_path / "model")
    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "script.py").write_text(code)
    runpy.run_path(str(tmp_path / "script.py"))
    target = load_target(ModelSource(tmp_path / "model", device="cpu", overrides={"condition.text_length": 9}))
    assert type(target.denoiser.family).__name__ == "CogView3Plus"
    pipeline = diffusers.CogView3PlusPipeline.from_pretrained(tmp_path / "model", local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    sizes = {name: value for name, value in SIZES.items() if name != "target_size"}
    call = {"prompt": "a cat", "guidance_scale": 1.0, "max_sequence_length": 9, **TEXT, **sizes}
    condition = target.condition([TOLD, Prompt()])
    assert condition is not None
    _, null = pipeline.encode_prompt("cat", max_sequence_length=9)
    torch.testing.assert_close(condition["encoder_hidden_states"][1:], null)
    for step in steps_of(pipeline, call, monkeypatch):
        level = round(step.time)
        wanted = noise_from_output("v_prediction", step.output, step.noisy, *target.alpha_sigma(level))
        found = target.predict_noise(step.noisy, level, condition.rows([0]))
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("registry")
def test_a_name_that_is_taken_and_a_class_that_diffusers_lacks(sd: Path, edit_json: Any) -> None:
    class Another(StableDiffusion):
        pass

    with pytest.raises(ConfigError, match="expected a name for a family that is not taken, got 'StableDiffusionPipel"):
        register_family(Another)
    Another.pipeline = "NoSuchPipeline"
    register_family(Another)
    edit_json(sd / "model_index.json", _class_name="NoSuchPipeline")
    with pytest.raises(TargetError, match="expected diffusers to have the class NoSuchPipeline, which this family"):
        load(sd)


@every_family
def test_another_size_is_read_as_if_it_had_been_the_resolution(
    folders: dict[str, Path], targets: dict[str, Target], name: str
) -> None:
    height, width = CASES[name].image_size
    size = (height, 2 * width)
    if family_of(name).one_size:
        with pytest.raises(TargetError, match="are trained on one size; leave out --buckets"):
            at_size(targets[name], size)
        return
    try:
        loaded = read(folders[name], name, resolution=size)
    except TargetError as refused:
        with pytest.raises(TargetError, match=re.escape(str(refused).partition(f"{folders[name]}: ")[2])):
            at_size(targets[name], size)
        return
    sized = at_size(targets[name], size)
    assert sized.info == loaded.info
    prompts = [TOLD, *OTHERS]
    here, there = sized.condition(prompts), loaded.condition(prompts)
    torch.testing.assert_close(dict(here or {}), dict(there or {}), rtol=0, atol=0)
    noisy, level = normal(3, *loaded.info.latent_shape), loaded.schedule.last // 2
    assert torch.equal(sized.predict_noise(noisy, level, here), loaded.predict_noise(noisy, level, there))
    try_size(targets[name], size)
    unchanged = read(folders[name], name).condition(prompts)
    torch.testing.assert_close(dict(targets[name].condition(prompts) or {}), dict(unchanged or {}), rtol=0, atol=0)
