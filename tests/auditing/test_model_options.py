"""How a model is read: resolution and overrides as text, as values, and on the way to the loader."""

from __future__ import annotations

import pytest

from privaudit import AuditOptions, GeometryOptions, InvertOptions, OriginOptions
from privaudit.auditing.model_options import read_overrides, read_resolution, write_overrides, write_resolution
from privaudit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", (1024, 1024)),
        ("768x1024", (768, 1024)),
        ("768X1024", (768, 1024)),
        (512, (512, 512)),
        ((8, 24), (8, 24)),
    ],
)
def test_a_resolution_is_one_side_or_height_and_width(text: object, size: tuple[int, int]) -> None:
    assert read_resolution(text) == size
    assert read_resolution(write_resolution(size)) == size


@pytest.mark.parametrize("text", ["", "0", "10x", "10x20x30", "-5", "1e3", "٣"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected --resolution in pixels, as in 1024 or 768x1024"):
        read_resolution(text)


def test_overrides_are_json_or_text_and_are_written_as_they_are_read() -> None:
    texts = [
        "scheduler.prediction_type=v_prediction",
        "vae.scaling_factor=0.5",
        "vae.latents_mean=[0.1, 0.2]",
        "scheduler.rescale_betas_zero_snr=true",
    ]
    pairs = read_overrides(texts)
    assert dict(pairs) == {
        "scheduler.prediction_type": "v_prediction",
        "scheduler.rescale_betas_zero_snr": True,
        "vae.latents_mean": [0.1, 0.2],
        "vae.scaling_factor": 0.5,
    }
    assert read_overrides(write_overrides(pairs)) == pairs == read_overrides(dict(pairs)) == read_overrides(pairs)
    assert sorted(write_overrides(pairs)) == sorted(texts)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("False", False),
        ("True", True),
        ("None", None),
        (".18215", 0.18215),
        ("1.", 1.0),
        ("-.5e-1", -0.05),
        ("1.x", "1.x"),
    ],
)
def test_values_may_be_written_as_in_python(text: str, value: object) -> None:
    assert read_overrides([f"scheduler.key={text}"]) == (("scheduler.key", value),)


def test_all_wrong_overrides_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        read_overrides(["vae.scaling_factor", "=3", "vae.shift_factor=1", "vae.shift_factor=2"])
    assert [problem.split(", got ")[-1] for problem in caught.value.problems] == [
        "vae.scaling_factor",
        "=3",
        "vae.shift_factor twice",
    ]
    with pytest.raises(ConfigError, match="expected overrides as several texts or a mapping, got the text"):
        read_overrides("vae.scaling_factor=1")


@pytest.mark.parametrize("kind", [AuditOptions, InvertOptions, GeometryOptions, OriginOptions])
def test_every_command_that_loads_a_model_passes_them_on(tmp_path, kind) -> None:
    needed = {"nonmembers": tmp_path / "n", "members": tmp_path / "m"}
    needed = needed if kind is AuditOptions else {"images": (tmp_path,) if kind is GeometryOptions else tmp_path}
    if kind is OriginOptions:
        needed = {"images": tmp_path}
    chosen = kind.parse(
        target="org/name",
        out=tmp_path.parent / "out",
        revision="v2",
        variant="fp16",
        resolution="16x24",
        overrides=["vae.scaling_factor=2"],
        **needed,
    )
    source = chosen.source(device="cpu")
    assert (source.revision, source.variant, source.resolution) == ("v2", "fp16", (16, 24))
    assert source.overrides == {"vae.scaling_factor": 2}
    assert chosen.texts()["overrides"] == ["vae.scaling_factor=2"]
    assert chosen.texts()["resolution"] == "16x24"


def test_a_reference_is_read_like_the_target_from_its_own_files(tmp_path) -> None:
    options = AuditOptions.parse(
        target="org/tuned",
        members=tmp_path,
        nonmembers=tmp_path,
        reference="org/base",
        revision="v2",
        variant="fp16",
        resolution="16",
        overrides=["scheduler.prediction_type=sample"],
    )
    source = options.reference_model
    assert source is not None
    assert (source.id, source.revision, source.variant) == ("org/base", None, None)
    assert (source.resolution, source.overrides) == ((16, 16), {"scheduler.prediction_type": "sample"})


def test_a_key_that_cannot_be_overridden_is_named_with_all_other_problems(tmp_path) -> None:
    with pytest.raises(ConfigError) as caught:
        AuditOptions.parse(target="m", members=tmp_path, nonmembers=tmp_path, overrides=["unet.depth=3"], gamma=-1.0)
    assert any("expected an override of scheduler.KEY" in problem for problem in caught.value.problems)
    assert any("gamma" in problem for problem in caught.value.problems)
