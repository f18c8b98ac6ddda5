from __future__ import annotations

from pathlib import Path

import pytest

from privaudit.decoder_geometry import DISTORTIONS
from privaudit.errors import ConfigError
from privaudit.tasks.geometry_options import BOUND, GeometryOptions, read_distortion


def options(**chosen) -> GeometryOptions:
    return GeometryOptions.parse(**{"target": "model", "images": (Path("images"),), "out": Path("out"), **chosen})


def test_the_defaults_are_right():
    assert options().distortion is None
    assert options().distortion_spec == BOUND
    assert options(maps=None).maps is None


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"images": ()}, "expected a tuple of one or more folders"),
        ({"images": Path("images")}, "expected a tuple of one or more folders"),
        ({"images": (Path("a"), Path("b/../a"))}, r"expected every set of images once, got .*/a 2 times"),
        ({"geometry_latents": "both"}, "geometry_latents to be one of encoder, inversion, got both"),
        ({"solver": "newton"}, "expected an inversion solver, one of"),
        ({"influence": "guess"}, "expected an influence estimator, one of"),
        ({"influence": "hutchinson:probes=0"}, "expected probes >= 1 for hutchinson, got 0"),
        (
            {"distortion": "guess"},
            f"expected a distortion, one of {BOUND}, exact, .*, got guess; see privaudit estimators",
        ),
        ({"distortion": "bound:k=2"}, "expected no parameters for bound, got bound:k=2"),
        ({"distortion": "exact:depth=2"}, "got 'depth' in exact:depth=2"),
        ({"drop": 1.0}, "expected 0 <= drop < 1, got 1.0"),
        (
            {"drop": 0.5, "influence": "adaptive"},
            "expected adaptive:drop=0.5, as the masks drop that fraction, got 0.4",
        ),
        ({"maps": -1}, "expected 0 or more maps, or all, got -1"),
        ({"batch_size": 0}, "expected a batch size >= 1 or auto, got 0"),
        ({"seed": -1}, "expected 0 <= seed"),
    ],
)
def test_what_is_wrong_is_said(chosen, message):
    with pytest.raises(ConfigError, match=message) as raised:
        options(**chosen)
    assert len(raised.value.problems) == 1


def test_all_problems_come_at_once():
    with pytest.raises(ConfigError) as raised:
        options(drop=2.0, maps=-1, seed=-1, solver="newton", influence="guess", distortion="guess", images=())
    assert len(raised.value.problems) == 7


@pytest.mark.parametrize("place", ["", "deep/out"])
def test_the_results_may_not_lie_among_the_images(tmp_path, place):
    with pytest.raises(ConfigError, match=r"outside of the images.*pass another --out"):
        options(images=(tmp_path / "other", tmp_path), out=tmp_path / place)
    assert options(images=(tmp_path,), out=tmp_path.parent / "out").out == tmp_path.parent / "out"


def test_the_bound_is_no_method_and_every_method_has_its_name():
    assert read_distortion(BOUND) is None
    for name in DISTORTIONS:
        made = read_distortion(name)
        assert made is not None
        assert made.name == name
