"""What the pictures of a geometry show, read back from their pixels."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from models import random_normal
from PIL import Image

from privaudit.errors import DataError
from privaudit.report.plots.canvas import MIN_INFLUENCE, log_influence, shorten
from privaudit.tasks.geometry_maps import MAPS
from privaudit.tasks.geometry_maps.distortion_plot import plot_distortion
from privaudit.tasks.geometry_maps.extremes_plot import plot_extremes
from privaudit.tasks.geometry_maps.influence_map import STRIPE, InfluenceMap, MapPage
from privaudit.tasks.geometry_maps.map_plots import plot_geometry, plot_maps

RED, GREEN = (200, 20, 20), (20, 200, 20)
BRIGHTEST, DARKEST = (253, 231, 36), (68, 1, 84)
"""Ends of the colour map."""


DPI = 100


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Fewer pixels, for time."""
    monkeypatch.setattr("privaudit.tasks.figure_file.DPI", DPI)
    monkeypatch.setattr("privaudit.tasks.geometry_maps.influence_map.DPI", DPI)


def pixels(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def share(found: np.ndarray, colour, tolerance: int = 12) -> float:
    return float((np.abs(found - colour).max(axis=-1) <= tolerance).mean())


def plain(colour, size=(16, 16)) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (*size, 3))


def a_page(influence: np.ndarray, kept: np.ndarray | None = None, size=(16, 16), **texts) -> MapPage:
    every = np.ones(influence.shape, bool) if kept is None else kept
    texts = {"name": "x.png", "note": "members", **texts}
    return MapPage(plain(RED, size), plain(GREEN, size), influence, every, **texts)


def drawn(page: MapPage, path) -> np.ndarray:
    InfluenceMap(page.influence.shape, page.image.shape[:2]).draw(page, path)
    return pixels(path)


class TestMap:
    @pytest.mark.parametrize("shape", [(1, 8, 8), (4, 8, 8), (8, 4, 8), (16, 6, 4)])
    def test_every_panel_has_its_place(self, tmp_path, recwarn, shape):
        size = (shape[1] * 4, shape[2] * 4)
        influence = np.ones(shape)
        influence[:, : shape[1] // 2] = 100
        found = drawn(a_page(influence, size=size), tmp_path / "map.png")
        assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
        assert share(found, RED) == pytest.approx(share(found, GREEN), rel=0.02)
        large = share(found, RED)
        width, across = found.shape[1], min(shape[0], 4 if shape[0] <= 8 else 8)
        assert large > 0.02
        # half of the panel of the sum and of every channel is at each end of its scale
        bright, dark = share(found, BRIGHTEST), share(found, DARKEST)
        assert bright == pytest.approx(dark, rel=0.15)
        areas = bright * 2 / large  # in large panels: the sum, and all channels
        one = min((width * 0.85 / across / (width * 0.28)) ** 2, 1)
        assert areas == pytest.approx(1 + shape[0] * one, rel=0.2)
        assert not [str(warning.message) for warning in recwarn]

    def test_the_sum_is_over_channels_and_channels_share_a_scale(self, tmp_path):
        influence = np.ones((2, 4, 4))
        influence[0], influence[1] = 1, 1000
        found = drawn(a_page(influence), tmp_path / "map.png")
        # the sum is the same everywhere; the first channel is at the dark end as a whole, the second at the bright one
        assert share(found, BRIGHTEST) == pytest.approx(share(found, RED), rel=0.1)
        assert share(found, DARKEST) == pytest.approx(2 * share(found, RED), rel=0.1)

    def test_dropped_dimensions_are_striped_and_the_others_are_not(self, tmp_path):
        influence = np.ones((1, 4, 4))
        influence[0, :2] = 10
        kept, all_kept = influence > 1, np.ones((1, 4, 4), bool)
        striped = drawn(a_page(influence, kept), tmp_path / "striped.png")
        whole = drawn(a_page(influence, all_kept), tmp_path / "whole.png")
        lost = share(whole, DARKEST) - share(striped, DARKEST)
        panel = share(whole, RED)
        assert lost == pytest.approx(panel / 2 / STRIPE, rel=0.25)
        upper = slice(0, int(striped.shape[0] * 0.75))  # the bright half, and all above it
        assert share(striped[upper], BRIGHTEST) == pytest.approx(share(whole[upper], BRIGHTEST), rel=0.01)

    def test_a_page_leaves_nothing_for_the_next(self, tmp_path):
        influence = random_normal(4, 8, 8).square().numpy()
        other = a_page(influence[::-1] * 50, influence[::-1] > 0.3, name="other", note="else")
        figure = InfluenceMap((4, 8, 8), (16, 16))
        figure.draw(other, tmp_path / "other.png")
        figure.draw(a_page(influence), tmp_path / "again.png")
        assert np.array_equal(pixels(tmp_path / "again.png"), drawn(a_page(influence), tmp_path / "alone.png"))

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_influence_without_differences_is_drawn(self, tmp_path, value, recwarn):
        found = drawn(a_page(np.full((2, 4, 4), value)), tmp_path / "map.png")
        assert share(found, RED) > 0.05
        assert not [str(warning.message) for warning in recwarn]

    @pytest.mark.parametrize("name", ["a $b$ [red].png", "字.png", "x" * 300])
    def test_every_name_is_drawn_and_stays_on_the_page(self, tmp_path, name, recwarn):
        found = drawn(a_page(np.ones((1, 4, 4)), name=name, note=name), tmp_path / "map.png")
        assert share(found[:50], (0, 0, 0), 60) > 0.0005
        assert (found[:, -2:] == 255).all()
        assert not [str(warning.message) for warning in recwarn]


class TestDistortion:
    def violins(self, found) -> float:
        return share(found, (209, 209, 209), 2)

    def test_a_violin_for_every_set(self, tmp_path, a_map):
        values = random_normal(80, seed=1).numpy()
        plot_distortion(a_map(40, 40, distortion=values), tmp_path / "both.png")
        found = pixels(tmp_path / "both.png")
        half = found.shape[1] // 2
        assert self.violins(found[:, :half]) > 0.1
        assert self.violins(found[:, half:]) > 0.1

    @pytest.mark.parametrize("sizes", [(1,), (1, 2), (4, 30), (2,) * 6])
    def test_sets_of_any_size(self, tmp_path, a_map, sizes, recwarn):
        count = sum(sizes)
        plot_distortion(a_map(*sizes, distortion=random_normal(count, seed=2).numpy()), tmp_path / "sets.png")
        found = pixels(tmp_path / "sets.png")
        assert (self.violins(found) > 0.02) == (max(sizes) >= 4)
        assert share(found, (60, 140, 190), 40) > 0.00003, "every image is a point"
        assert not [str(warning.message) for warning in recwarn]

    @pytest.mark.parametrize("values", [[1.0] * 6, [-np.inf] * 6, [1.0, 2, 3, 4, 5, -np.inf]])
    def test_values_without_a_density_are_no_error(self, tmp_path, a_map, values, recwarn):
        plot_distortion(a_map(6, distortion=values), tmp_path / "odd.png")
        assert (self.violins(pixels(tmp_path / "odd.png")) > 0.02) == (len(set(values)) > 2)
        assert not [str(warning.message) for warning in recwarn]

    def test_many_images_have_no_points(self, tmp_path, a_map):
        plot_distortion(a_map(61, distortion=random_normal(61).numpy()), tmp_path / "many.png")
        found = pixels(tmp_path / "many.png")
        assert (np.ptp(found, axis=-1) < 30).all(), "all is grey"
        assert self.violins(found) > 0.1


class TestExtremes:
    @pytest.mark.parametrize("count", [1, 5, 14])
    def test_pictures_decoded_latents_and_influence(self, tmp_path, a_map, count):
        found = a_map(count, labels=("a $long$ label of a set",))
        shown = min(count, 10)
        plot_extremes(found, np.stack([plain(RED)] * shown), tmp_path / "extremes.png")
        picture = pixels(tmp_path / "extremes.png")
        assert share(picture, RED) == pytest.approx(share(picture, (128, 128, 128)), rel=0.1)
        assert share(picture, RED) * picture[..., 0].size == pytest.approx(shown * (0.6 * DPI) ** 2, rel=0.1)

    def test_most_distorted_on_the_left_least_on_the_right(self, tmp_path, a_map):
        found = a_map(12)
        shades = np.stack([np.full((16, 16, 3), 20 * found.rank[row], np.uint8) for row in found.shown[:10]])
        plot_extremes(found, shades, tmp_path / "extremes.png")
        picture = pixels(tmp_path / "extremes.png")
        line = picture[int(picture.shape[0] * 0.32)]
        wanted = [20, 40, 60, 80, 100, 240, 220, 200, 180, 160]  # ranks 1 to 5, then 12 to 8
        runs = [int(line[n, 0]) for n in range(20, len(line)) if (line[n] == line[n - 20 : n]).all()]
        seen = [value for place, value in enumerate(runs) if value != 255 and (place == 0 or runs[place - 1] != value)]
        assert seen == wanted


class TestAll:
    def test_every_picture_is_written(self, a_map):
        found = a_map(2, 1)
        calls = []
        paths = plot_geometry(found, lambda *call: calls.append(call))
        assert [path.name for path in paths[:2]] == ["distortion.png", "extremes.png"]
        ranks = {f"{rank}-{sample.path.stem}.png" for rank, sample in zip(found.rank, found.samples, strict=True)}
        assert {path.name for path in paths[2:]} == ranks
        assert {path.name for path in (found.folder / MAPS).iterdir()} == ranks
        assert calls == [("maps", done, 3) for done in range(1, 4)]

    def test_only_as_many_maps_as_asked(self, a_map):
        assert [path.name for path in plot_maps(a_map(12, maps=3))] == ["01-0-000.png", "02-0-001.png", "12-0-011.png"]
        assert plot_maps(a_map(4, maps=0)) == []

    def test_the_map_shows_the_image_and_its_own_decoded_latent(self, a_map):
        found = a_map(2)
        found.decoded[:] = np.array([10, 250], np.uint8)[:, None, None, None]
        for row, path in zip(np.argsort(found.rank), plot_maps(found), strict=True):
            shade = int(found.decoded[found.shown.index(row)][0, 0, 0])
            assert share(pixels(path), (shade,) * 3, 1) > 0.08
            with Image.open(found.samples[row].path) as image:
                corner = image.convert("RGB").getpixel((0, 0))
            height = pixels(path).shape[0]
            assert share(pixels(path)[: height // 2, : height // 2], corner, 1) > 0.0005

    def test_a_changed_image_is_named(self, a_map):
        found = a_map(2)
        Image.new("RGB", (16, 16)).save(found.samples[0].path)
        with pytest.raises(DataError, match=r"0-000\.png changed while it was being audited"):
            plot_geometry(found)


class TestDrawing:
    def test_texts_are_cut_in_the_middle(self):
        assert shorten("members", 7) == "members"
        assert shorten("abcdefghij", 5) == "ab…ij"
        assert shorten("abcdefghij", 6) == "abc…ij"

    def test_logarithms_of_zeros_end(self):
        found = log_influence(np.array([0.0, 1.0, 100.0]))
        assert found.tolist() == pytest.approx([2 + np.log10(MIN_INFLUENCE), 0, 2])
        assert log_influence(np.zeros(2)).tolist() == [0, 0]

    def test_matplotlib_is_left_as_it_was(self, tmp_path):
        code = f"""
import sys, matplotlib, numpy as np
from pathlib import Path
from privaudit.tasks.geometry_maps.influence_map import InfluenceMap, MapPage
picture, influence = np.zeros((8, 8, 3), np.uint8), np.ones((2, 4, 4))
page = MapPage(picture, picture, influence, influence > 0, "name", "note")
InfluenceMap((2, 4, 4), (8, 8)).draw(page, Path({str(tmp_path / "map.png")!r}))
print("matplotlib.pyplot" in sys.modules)
print(matplotlib.get_backend())
"""
        environment = {**os.environ, "MPLBACKEND": "svg"}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
        )
        assert (done.returncode, done.stdout) == (0, "False\nsvg\n"), done.stderr
        assert (tmp_path / "map.png").is_file()
