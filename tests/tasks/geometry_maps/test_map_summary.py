"""What the terminal says about a geometry."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from privaudit.tasks.geometry_maps.map_summary import print_geometry

INF = float("inf")


def printed(found, width: int = 120, files=("out/geometry.csv", "out/maps")) -> str:
    stream = io.StringIO()
    print_geometry(found, list(files), Console(file=stream, width=width, highlight=False, color_system=None))
    return stream.getvalue()


def row(text: str, label: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(label)).split()[1:]


def block(text: str, title: str) -> list[str]:
    """The lines of a table, without title and header."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(title))
    rest = [line.strip() for line in lines[start + 2 :]]
    return rest[: next(number for number, line in enumerate(rest) if line.startswith("half of all"))]


def test_distortion_is_explained_at_the_top(a_map):
    lines = printed(a_map(4, 4)).splitlines()
    assert lines[0] == "Decoder geometry around 8 images"
    assert lines[1].startswith("how much the decoder stretches space around the image")
    assert "training images of high distortion leak more" in lines[2]
    assert printed(a_map(1)).startswith("Decoder geometry around 1 image\n")


def test_quantiles_of_each_set(a_map):
    values = np.concatenate([np.arange(5) * 10.0, np.arange(7) - 3.5])
    text = printed(a_map(5, 7, distortion=values))
    assert row(text, "set-0") == ["5", "0.0", "10.0", "20.0", "30.0", "40.0", "60%"]
    assert row(text, "set-1") == ["7", "-3.5", "-2.0", "-0.5", "1.0", "2.5", "0%"]
    assert "(log sqrt det G: bound)" in text


def test_quarters_need_something_to_compare(a_map):
    assert "in highest quarter" in printed(a_map(2, 2))
    assert "in highest quarter" not in printed(a_map(8))
    assert "in highest quarter" not in printed(a_map(2, 1))


def test_a_distortion_of_minus_infinity_is_printed_and_warned_of(a_map):
    text = printed(a_map(4, distortion=[1.0, -INF, 3.0, -INF]))
    assert row(text, "set-0") == ["4", "-inf", "-inf", "-inf", "1.0", "3.0"]
    assert "warn 2 distortions are not finite" in text
    assert "warn" not in printed(a_map(4))


def test_the_extremes_are_listed_from_top_to_bottom(a_map):
    found = a_map(8, 8)
    lines = block(printed(found), "Most and least")
    assert [line.split()[0] for line in lines if line] == ["1", "2", "3", "4", "5", "12", "13", "14", "15", "16"]
    assert lines[0].split() == ["1", "16.0", "0.005", "set-0", "0-000.png"]
    assert lines[5] == ""
    assert lines[10].split() == ["16", "1.0", "0.005", "set-1", "1-007.png"]


@pytest.mark.parametrize(("count", "ranks"), [(1, [1]), (2, [1, 2]), (3, [1, 3]), (9, [1, 2, 3, 4, 6, 7, 8, 9])])
def test_few_images_are_listed_once(a_map, count, ranks):
    text = printed(a_map(count))
    lines = block(text, "Most and least" if count > 1 else "The image")
    assert [int(line.split()[0]) for line in lines if line] == ranks


def test_without_inversion_there_is_no_residual(a_map):
    text = printed(a_map(4, residual=None, geometry_latents="encoder"))
    assert "residual" not in text
    assert "at          the encoder's latents E(x)" in text
    assert "latents found by inversion (anderson), median residual 0.005" in printed(a_map(4))


def test_a_warning_where_few_inversions_converged(a_map):
    assert "only 0% of the inversions reached a residual of 0.01" in printed(a_map(4, residual=0.02))
    assert "warn" not in printed(a_map(4, residual=0.02, tolerance=0.0)), "nothing was to be reached"
    assert "warn" not in printed(a_map(4, residual=0.01))


def test_a_warning_where_sets_have_pictures_in_common(a_map):
    assert "warn 3 images of set-1 are also in an earlier set, and are counted there" in printed(a_map(4, 4, shared=3))


def test_how_it_was_measured(a_map):
    text = printed(a_map(3, 3, skipped=1, duplicates=2, influence="hutchinson:probes=2", distortion=np.arange(6)))
    found = a_map(3, 3)
    half, kept = found.table["half_share"].median(), found.table["kept_agreement"].median()
    assert f"half of all influence is in {half:.0%} of the latent dimensions" in text
    assert "target      models/small, latents 4x8x8, autoencoder in float32\n" in text
    assert "images      6 distinct, 4 copies dropped, 2 unreadable\n" in text
    assert (
        "influence   hutchinson:probes=2, 2 products with the Jacobian per image; a mask that drops 40% agrees" in text
    )
    assert f"in about {kept:.0%} of what it keeps" in text
    assert (
        "distortion  bound, 3 products with the Jacobian per image; leaves out nothing, but is an upper bound" in text
    )
    assert "time        inversion 1.2 s, influence 0.5 s\n" in text
    assert "standard error" not in text
    assert text.endswith("files       out/geometry.csv\n            out/maps\n")


def test_a_standard_error_is_told(a_map):
    assert ", standard error 0.25 (median); leaves out half" in printed(a_map(3, standard_error=0.25, left_out="half"))


def test_how_many_were_drawn(a_map):
    assert "maps        4 of 12 images, the most and the least distorted first; --maps all" in printed(
        a_map(12, maps=4)
    )
    assert "maps        12 of 12 images\n" in printed(a_map(12))


def test_names_are_printed_as_they_are_and_fit(a_map):
    found = a_map(3, 2, labels=("[red]members", "x" * 60), target="[blue]model")
    text = printed(found, width=80)
    assert "[red]members" in text
    assert "target      [blue]model," in text
    table = text.split("half of all")[0]
    assert max(len(line) for line in table.splitlines()) <= 80
    assert "xxxxxxxx…xxxxxxxx" in table


def test_a_set_whose_name_is_not_utf_8_is_summed_up(a_map):
    text = printed(a_map(3, 3, labels=("caf\udce9", "other")))
    assert row(text, "caf")[0] == "3"
